/* SPDX-License-Identifier: MIT */
/*
 * `kvnode channel`: carries the control protocol between its standard input, a socket, and a node that is reached by
 * name. The launcher runs it, because it has no TLS of its own. When nobody is there it says nothing and exits 3, so
 * that the launcher can look elsewhere.
 */
#include "base/scope.h"
#include "node/commands.h"
#include "node/dist/client.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_NOBODY = 3 };

static int open_client(const struct release *release, int cookie_fd, struct dist_client **out, struct error *err)
{
	SCOPE(release_forget_cookie) struct buf cookie = { 0 };
	int rc = cookie_fd >= 0 ? release_read_cookie(cookie_fd, &cookie, err) : 0;
	return rc != 0 ? rc : dist_client_open(release->node, buf_slice(&cookie), out, err);
}

int command_channel(const struct command_options *options)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct dist_client *client = NULL;
	struct release release;
	struct error err;
	int rc = release_read(&arena, &release, &err);
	if (rc == 0)
		rc = open_client(&release, options->cookie_fd, &client, &err);
	if (rc == -ERROR_NOT_FOUND)
		return EXIT_NOBODY;
	if (rc != 0) {
		fprintf(stderr, "ERROR: %s\n", err.message);
		return 1;
	}
	dist_client_run(client, STDIN_FILENO);
	return 0;
}

/* ---- the same inside a process that speaks the control protocol itself ---- */

struct carrier {
	struct dist_client *client;
	int fd;
};

static void *carry(void *context)
{
	struct carrier *carrier = context;
	dist_client_run(carrier->client, carrier->fd);
	free(carrier);
	return NULL;
}

int channel_carry(struct dist_client *client, int *out, struct error *err)
{
	int pair[2];
	pthread_t thread;
	struct carrier *carrier = calloc(1, sizeof(*carrier));
	if (carrier == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		free(carrier);
		dist_client_free(client);
		return error_set(err, ERROR_SYSTEM, "cannot make a pair of sockets");
	}
	*carrier = (struct carrier){ client, pair[1] };
	if (pthread_create(&thread, NULL, carry, carrier) != 0) {
		close(pair[0]);
		close(pair[1]);
		free(carrier);
		dist_client_free(client);
		return error_set(err, ERROR_SYSTEM, "cannot start a thread");
	}
	pthread_detach(thread);
	*out = pair[0];
	return 0;
}

int channel_open(const struct release *release, int cookie_fd, int *out, struct error *err)
{
	struct dist_client *client = NULL;
	int rc = open_client(release, cookie_fd, &client, err);
	return rc != 0 ? rc : channel_carry(client, out, err);
}
