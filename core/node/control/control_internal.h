/* SPDX-License-Identifier: MIT */
/*
 * What the files of the control server share. A client is a descriptor, what it sent and was not read yet, what it was
 * sent and did not take yet, and perhaps a session. While a session lives it alone writes to the descriptor and the
 *main thread alone reads; otherwise the main thread does both.
 *
 *	control_server.c   the listener, and the end of everything
 *	control_client.c   one connection: frames in, frames out
 *	control_request.c  what a frame asks for
 *	control_config.c   questions about the configuration
 */
#ifndef NODE_CONTROL_INTERNAL_H
#define NODE_CONTROL_INTERNAL_H

#include "base/buf.h"
#include "base/control.h"
#include "node/control/control_server.h"
#include "node/control/session.h"
#include "node/node.h"

struct client {
	struct control_server *server;
	struct client *next;
	uv_poll_t poll;
	int fd;
	struct buf in;
	struct buf out;
	struct session *session;
	struct main_job session_ended;
	bool eof;      /* it sends nothing more */
	bool closing;  /* it is gone: freed when its session has ended */
	bool stopping; /* asked for the stop: stays open to the end */
};

struct control_server {
	struct node *node;
	struct client *clients;
	size_t client_count;
	uv_poll_t listener;
	uv_timer_t accept_pause;
	int listen_fd;
	char path[4096]; /* of the socket */
	int restart_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned sessions; /* whose threads have not ended; guarded by lock */
};

/* control_client.c; all on the main thread. */
void client_close(struct client *client); /* freed later: by the loop, or when its session has ended */
void client_watch(struct client *client);
void client_reply(struct client *client, enum control_type type, struct slice payload);
void client_reply_done(struct client *client, int code, const char *text);
/* Handles the next whole frame that has been read; false when there is none. */
bool client_take_frame(struct client *client);
void client_free_later(struct client *client);

/* control_request.c */
void client_on_request(struct client *client, enum control_type type, struct slice payload);
void client_on_session_frame(struct client *client, enum control_type type, struct slice payload);

/* control_config.c */
void client_on_config(struct client *client, struct slice payload);

#endif
