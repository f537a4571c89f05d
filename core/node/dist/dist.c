/* SPDX-License-Identifier: MIT */
/* The public functions: starting, stopping, asking other nodes. The work is in the files beside this one. */
#include "node/dist/internal.h"

#include "base/scope.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

int64_t dist_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* asked for each request; good to a few milliseconds */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- making one ---- */

static struct dist *allocate(const struct dist_options *options)
{
	struct dist *dist = calloc(1, sizeof(*dist));
	if (dist == NULL)
		return NULL;
	dist->listen_fd = -1;
	dist->host = options->host;
	dist->worker = options->worker;
	dist->heartbeat_ms = options->heartbeat_ms;
	dist->seat = options->seat;
	pthread_mutex_init(&dist->lock, NULL);
	uv_sem_init(&dist->gone, 0);
	dist->name = strdup(options->name);
	dist->name_size = strlen(options->name);
	dist->memory_bytes = options->memory_bytes > 0 ? options->memory_bytes : DIST_MEMORY_BYTES;
	dist->dir = options->dir != NULL ? strdup(options->dir) : NULL;
	dist->scratch = malloc(READ_BYTES);
	dist->plain = malloc(READ_BYTES);
	bool whole = dist->name != NULL && (dist->dir != NULL || options->dir == NULL) && dist->scratch != NULL &&
		     dist->plain != NULL;
	if (!whole || getrandom(&dist->instance, sizeof(dist->instance), 0) != sizeof(dist->instance)) {
		dist_free(dist);
		return NULL;
	}
	dist->jitter = dist->instance;
	return dist;
}

int dist_new(const struct dist_options *options, struct dist **out, struct error *err)
{
	struct dist *dist = allocate(options);
	if (dist == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for links to other nodes");
	int rc = 0;
	if (strlen(options->name) > FRAME_NAME_MAX)
		rc = error_set(err, ERROR_LIMIT, "the name of the node is longer than %d bytes", FRAME_NAME_MAX);
	if (rc == 0 && dist->dir == NULL)
		rc = tls_open(options->tls_library, options->cookie, &dist->tls_api, &dist->tls, err);
	if (rc == 0)
		rc = dist_listen(dist, options, err);
	if (rc == 0)
		rc = dist_begin_loop(dist, err);
	if (rc != 0) {
		dist_free(dist);
		return rc;
	}
	*out = dist;
	return 0;
}

uint16_t dist_listening_port(const struct dist *dist)
{
	return dist->port;
}

void dist_stop(struct dist *dist, int64_t timeout_ms)
{
	if (dist != NULL && dist->running)
		dist_end_loop(dist, timeout_ms);
}

void dist_for_peers(struct dist *dist, void (*function)(struct peer *peer))
{
	for (size_t i = 0; i < PEER_BUCKETS; i++) {
		struct peer *peer = atomic_load_explicit(&dist->peers[i], memory_order_acquire);
		while (peer != NULL) {
			struct peer *next = peer->next;
			function(peer);
			peer = next;
		}
	}
}

void dist_free(struct dist *dist)
{
	if (dist == NULL)
		return;
	if (dist->listen_fd >= 0)
		close(dist->listen_fd);
	dist_for_peers(dist, peer_free);
	while (dist->links != NULL) { /* held by calls that were never answered */
		struct link *next = dist->links->next;
		free(dist->links);
		dist->links = next;
	}
	serve_done(dist);
	frame_items_done(&dist->items);
	if (dist->tls_api != NULL)
		dist->tls_api->context_free(dist->tls);
	pthread_mutex_destroy(&dist->lock);
	uv_sem_destroy(&dist->gone);
	free(dist->scratch);
	free(dist->plain);
	free(dist->dir);
	free(dist->name);
	free(dist); /* the library stays open: OpenSSL does not like to be unloaded */
}
