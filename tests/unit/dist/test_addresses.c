/* SPDX-License-Identifier: MIT */
/* Hosts that have several addresses, of which some lead nowhere. The resolver is the test's. */
#include "base/log.h"
#include "base/scope.h"
#include "node/dist/client.h"
#include "node/dist/dist.h"

#include "serving.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ASK_MS = 20 * 1000, NAME_BYTES = 64, SAID_BYTES = 512, HOST_MAX = 3 };

#define HOST "several.test"

static const char *host[HOST_MAX]; /* its addresses */
static struct dist *here, *there;
static char name[NAME_BYTES]; /* of `there` */
static char said[SAID_BYTES];

/* ---- the resolver ---- */

struct answer {
	struct addrinfo info;
	struct sockaddr_in address;
};

static struct answer *answer(void)
{
	struct answer *all = calloc(HOST_MAX, sizeof(*all));
	for (int i = 0; i < HOST_MAX && host[i]; i++) {
		all[i].address.sin_family = AF_INET;
		inet_pton(AF_INET, host[i], &all[i].address.sin_addr);
		all[i].info = (struct addrinfo){ .ai_family = AF_INET,
						 .ai_socktype = SOCK_STREAM,
						 .ai_flags = AI_CANONIDN, /* by which freeaddrinfo() knows it */
						 .ai_addrlen = sizeof(all[i].address),
						 .ai_addr = (struct sockaddr *)&all[i].address };
		if (i > 0)
			all[i - 1].info.ai_next = &all[i].info;
	}
	return all;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
						       const struct addrinfo *hints, struct addrinfo **out)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	if (strcmp(node, HOST) == 0) {
		if (hints->ai_flags & AI_NUMERICHOST)
			return EAI_NONAME;
		*out = &answer()->info;
		return 0;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, out);
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *found)
{
	static void (*real)(struct addrinfo *);
	if (found && found->ai_flags == AI_CANONIDN) {
		free(found);
		return;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
	real(found);
}

/* ---- nodes ---- */

static void run_echo(void *state, struct kvrel_call *call)
{
	(void)state;
	call->complete(call, &(struct kvrel_result){ .kind = KVREL_BYTES, .bytes = call->args[0] });
}

static const struct kvrel_op ops[] = {
	{ .name = "echo", .min_args = 1, .max_args = 1, .flags = KVREL_OP_READ, .run = run_echo },
};

static int enter(void *context, struct slice op, struct dist_op *out, struct error *err)
{
	return t_enter(ops, 1, context, op, out, err);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in address = { 0 };
	socklen_t size = sizeof(address);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static int bound(const char *to, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, to, &address.sin_addr);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s", strerror(errno));
	return fd;
}

static int start(const char *node, const char *listen_on, struct dist **out)
{
	const struct dist_options options = { .name = node,
					      .listen = listen_on,
					      .cookie = SLICE("biscuit"),
					      .tls_library = TLS_PATH,
					      .heartbeat_ms = 15000,
					      .host = { NULL, enter, t_leave, t_control } };
	struct error err;
	int rc = dist_new(&options, out, &err);
	cr_assert(rc == 0 || rc == -ERROR_EXISTS, "%s", err.message);
	return rc;
}

/* On a port that was free a moment ago: somebody else may have taken it since. */
static void set_up(void)
{
	enum { TIMES = 10 };
	char place[NAME_BYTES];
	int rc = -ERROR_EXISTS;
	log_setup(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	for (int i = 0; i < TIMES && rc != 0; i++) {
		int fd = bound("127.0.0.1", 0);
		unsigned port = port_of(fd);
		close(fd);
		snprintf(name, sizeof(name), "there@" HOST ":%u", port);
		snprintf(place, sizeof(place), "127.0.0.1:%u", port);
		rc = start(name, place, &there);
	}
	cr_assert_eq(rc, 0);
	cr_assert_eq(start("here@127.0.0.1", "127.0.0.1:0", &here), 0);
}

static void tear_down(void)
{
	dist_stop(here, 200);
	dist_stop(there, 200);
	dist_free(here);
	dist_free(there);
}

TestSuite(addresses, .init = set_up, .fini = tear_down, .timeout = 100);

static void keep(void *context, const struct kvrel_result *result)
{
	snprintf(context, SAID_BYTES, "%.*s", (int)result->bytes.size, result->bytes.data);
}

static enum kvrel_status ask(void)
{
	const struct kvrel_slice args[] = { { "x", 1 } };
	const struct dist_request request = { .node = name, .component = "t", .op = &ops[0], .timeout_ms = ASK_MS };
	return dist_call(here, &request, args, 1, keep, said);
}

static uint16_t port(void)
{
	return (uint16_t)strtoul(strrchr(name, ':') + 1, NULL, 10);
}

Test(addresses, are_tried_until_one_leads_to_the_node)
{
	host[0] = "127.0.0.3";
	host[1] = "127.0.0.2";
	host[2] = "127.0.0.1";
	cr_expect_eq(ask(), KVREL_OK, "%s", said);
	cr_expect_str_eq(said, "x");
}

Test(addresses, that_all_lead_nowhere_are_all_named)
{
	char expected[SAID_BYTES];
	host[0] = "127.0.0.3";
	host[1] = "127.0.0.2";
	snprintf(expected, sizeof(expected),
		 "node '%s' is unreachable: 127.0.0.3:%u: Connection refused; 127.0.0.2:%u: Connection refused", name,
		 (unsigned)port(), (unsigned)port());
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(ask(), KVREL_ERROR);
		cr_expect_str_eq(said, expected);
	}
}

/* A listener whose queue is full: who connects to it waits. */
static int silent_at(const char *address)
{
	enum { QUEUE = 4 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port()) };
	int fd = bound(address, port());
	inet_pton(AF_INET, address, &to.sin_addr);
	cr_assert_eq(listen(fd, 0), 0);
	for (int i = 0; i < QUEUE; i++) {
		int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		cr_assert(connect(filler, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	}
	return fd;
}

Test(addresses, that_are_silent_do_not_take_all_of_the_time)
{
	host[0] = "127.0.0.3";
	host[1] = "127.0.0.1";
	SCOPE_FD int fd = silent_at(host[0]);
	cr_expect_eq(ask(), KVREL_OK, "%s", said);
}

static int open_client(void)
{
	struct dist_client *client = NULL;
	struct error err;
	int rc = dist_client_open(name, SLICE("biscuit"), &client, &err);
	if (client)
		dist_client_free(client);
	cr_expect(rc == 0 || rc == -ERROR_NOT_FOUND, "%s", err.message);
	return rc;
}

Test(addresses, are_tried_by_commands_as_well)
{
	host[0] = "127.0.0.3";
	host[1] = "127.0.0.1";
	cr_expect_eq(open_client(), 0);
	host[1] = "127.0.0.2";
	cr_expect_eq(open_client(), -ERROR_NOT_FOUND);
	host[1] = "127.0.0.1";
	SCOPE_FD int fd = silent_at(host[0]);
	cr_expect_eq(open_client(), 0);
}
