/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: OpenMetrics text. GET /healthz: 200 and `ok`, or 503 and the reason. One thread of libmicrohttpd's
 * serves both, apart from the node's workers: a monitor neither takes nor waits for a connection of theirs.
 */
#include "kvrel/component.h"

#include "exposition.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64, CONNECTIONS_MAX = 64, TIMEOUT_S = 10, REQUEST_BYTES = 8 * 1024, REASON_BYTES = 256 };

struct metrics {
	struct kvrel_node *node;
	const struct kvrel_api *api;
	struct MHD_Daemon *daemon;
};

/* ---- answers ---- */

/* `text` is from malloc; it belongs to the response. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *type, char *text,
			      size_t size)
{
	struct MHD_Response *response =
		text ? MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE) : NULL;
	if (!response) {
		free(text);
		return MHD_NO; /* closes the connection */
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result result = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_line(struct MHD_Connection *connection, unsigned code, const char *line)
{
	char *text = NULL;
	int size = asprintf(&text, "%s\n", line);
	return answer(connection, code, "text/plain; charset=utf-8", size < 0 ? NULL : text,
		      (size_t)(size < 0 ? 0 : size));
}

static void take(void *context, const struct kvrel_metric *metric)
{
	exposition_add(context, metric);
}

static enum MHD_Result answer_metrics(const struct metrics *metrics, struct MHD_Connection *connection)
{
	struct exposition exposition = { 0 };
	size_t size = 0;
	metrics->api->metrics(metrics->node, take, &exposition);
	char *text = exposition_text(&exposition, &size);
	exposition_done(&exposition);
	return answer(connection, MHD_HTTP_OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text,
		      size);
}

static enum MHD_Result answer_health(const struct metrics *metrics, struct MHD_Connection *connection)
{
	char reason[REASON_BYTES] = "";
	if (metrics->api->healthy(metrics->node, reason, sizeof(reason)))
		return answer_line(connection, MHD_HTTP_OK, "ok");
	return answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE, reason);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **request)
{
	static int seen;
	(void)version, (void)upload;
	if (!*request) { /* the headers alone: the answer waits for the end of what it sends */
		*request = &seen;
		return MHD_YES;
	}
	if (*upload_size > 0) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered");
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(context, connection);
	if (strcmp(url, "/healthz") == 0)
		return answer_health(context, connection);
	return answer_line(connection, MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz");
}

static void on_log(void *context, const char *format, va_list args)
{
	const struct metrics *metrics = context;
	char text[REASON_BYTES];
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	metrics->api->log(metrics->node, KVREL_DEBUG, "%s", text);
}

/* ---- listening ---- */

static socklen_t to_address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	return 0;
}

static int open_socket(const struct metrics *metrics, const char *address, uint16_t port)
{
	struct sockaddr_storage where;
	socklen_t size = to_address(address, port, &where);
	int yes = 1;
	if (size == 0) {
		metrics->api->fail(metrics->node, "'%s' is no numeric IPv4 or IPv6 address to listen on", address);
		return -1;
	}
	int fd = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
	    bind(fd, (struct sockaddr *)&where, size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	metrics->api->fail(metrics->node, "cannot listen on %s port %u: %s", address, (unsigned)port,
			   errno == EADDRINUSE ? "address already in use" : strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static unsigned bound_port(int fd)
{
	struct sockaddr_storage where;
	socklen_t size = sizeof(where);
	if (getsockname(fd, (struct sockaddr *)&where, &size) != 0)
		return 0;
	return ntohs(where.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&where)->sin6_port
						 : ((struct sockaddr_in *)&where)->sin_port);
}

/* Signals are the main thread's: the library's thread is born with all of them blocked. */
static struct MHD_Daemon *start_daemon(struct metrics *metrics, int fd)
{
	sigset_t asynchronous, before;
	sigemptyset(&asynchronous);
	sigaddset(&asynchronous, SIGTERM);
	sigaddset(&asynchronous, SIGINT);
	sigaddset(&asynchronous, SIGHUP);
	sigaddset(&asynchronous, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &asynchronous, &before);
	struct MHD_Daemon *daemon =
		MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL,
				 on_request, metrics, MHD_OPTION_EXTERNAL_LOGGER, on_log, metrics,
				 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				 (size_t)REQUEST_BYTES, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

/* ---- the component ---- */

static int serve(struct metrics *metrics)
{
	const struct kvrel_api *api = metrics->api;
	const char *address = api->value_string(api->config(metrics->node, "listen")).data;
	uint16_t port = (uint16_t)api->value_int(api->config(metrics->node, "port"));
	int fd = open_socket(metrics, address, port);
	if (fd < 0)
		return -1;
	unsigned bound = bound_port(fd);
	metrics->daemon = start_daemon(metrics, fd);
	if (!metrics->daemon) {
		api->fail(metrics->node, "cannot start the HTTP server");
		close(fd);
		return -1;
	}
	api->log(metrics->node, KVREL_INFO, "Serving /metrics and /healthz on port %u", bound);
	return 0;
}

static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
{
	if (api->size < offsetof(struct kvrel_api, healthy) + sizeof(api->healthy)) {
		api->fail(node, "this runtime is too old for the component");
		return -1;
	}
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	if (!metrics) {
		api->fail(node, "out of memory");
		return -1;
	}
	metrics->node = node;
	metrics->api = api;
	if (serve(metrics) != 0) {
		free(metrics);
		return -1;
	}
	*state = metrics;
	return 0;
}

static void stop(void *state)
{
	struct metrics *metrics = state;
	MHD_stop_daemon(metrics->daemon); /* closes the socket, joins the thread */
	free(metrics);
}

KVREL_EXPORT const struct kvrel_component *kvrel_component(void);
const struct kvrel_component *kvrel_component(void)
{
	static const struct kvrel_component component = {
		.abi = KVREL_ABI,
		.size = sizeof(component),
		.name = "metrics",
		.start = start,
		.stop = stop,
	};
	return &component;
}
