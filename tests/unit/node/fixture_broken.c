/* SPDX-License-Identifier: MIT */
/*
 * Components that must be refused, each compiled with what is wrong with it; one of the time of smaller tables; and one
 * that fails to start when it listens already.
 */
#include "kvrel/component.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef FIXTURE_ABI
#define FIXTURE_ABI KVREL_ABI
#endif
#ifdef FIXTURE_OLD
#define FIXTURE_SIZE offsetof(struct kvrel_component, batch_ran)
#endif
#ifndef FIXTURE_SIZE
#define FIXTURE_SIZE sizeof(struct kvrel_component)
#endif
#ifndef FIXTURE_NAME
#define FIXTURE_NAME "echo"
#endif
#ifndef FIXTURE_SYMBOL
#define FIXTURE_SYMBOL kvrel_component
#endif

#ifdef FIXTURE_LISTENS
static size_t receive(struct kvrel_conn *conn, void *conn_state, struct kvrel_slice input)
{
	(void)conn, (void)conn_state, (void)input;
	abort();
}

static void encode(struct kvrel_conn *conn, void *conn_state, uint32_t tag, const struct kvrel_result *result,
		   struct kvrel_out *out)
{
	(void)conn, (void)conn_state, (void)tag, (void)result, (void)out;
}

static void opened(struct kvrel_conn *conn, void *conn_state)
{
	(void)conn, (void)conn_state;
	abort(); /* the component that it would need is not there */
}

static const struct kvrel_protocol protocol = {
	.size = sizeof(protocol), .name = "test", .receive = receive, .encode = encode, .opened = opened
};

/* The port of the first time is asked for again. */
static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
{
	static int port;
	(void)state;
	port = api->listen(node, &protocol, NULL, "127.0.0.1", (uint16_t)port);
	if (port < 0)
		return -1;
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof(where)) != 0)
		abort();
	usleep(50000); /* time enough for somebody to accept it */
	close(fd);
	api->fail(node, "it has changed its mind");
	return -1;
}
#else
static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
{
	(void)node;
	(void)api;
	*state = 0;
	return 0;
}
#endif

static void stop(void *state)
{
	(void)state;
}

static const struct kvrel_component component = {
	.abi = FIXTURE_ABI,
	.size = FIXTURE_SIZE,
	.name = FIXTURE_NAME,
	.start = start,
	.stop = stop,
};

KVREL_EXPORT const struct kvrel_component *FIXTURE_SYMBOL(void);
const struct kvrel_component *FIXTURE_SYMBOL(void)
{
	return &component;
}
