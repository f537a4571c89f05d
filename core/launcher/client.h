/* SPDX-License-Identifier: MIT */
/* A conversation with the running node, shared by client.c and ending.c; see base/control.h. */
#ifndef LAUNCHER_CLIENT_H
#define LAUNCHER_CLIENT_H

#include "launcher.h"

#include "base/control.h"

enum {
	ANSWER_MS = 10 * 1000, /* to questions that a node answers at once */
	FOR_EVER = -1,
};

struct session {
	int fd;
	pid_t child;     /* that carries it to a node that is reached by name; 0: none */
	pid_t pid;       /* 0: on another host */
	pid_t shown_pid; /* what the node itself says */
	int64_t opened_ms;
	bool greeted;
	bool heard;       /* more than the greeting */
	bool wants_stdin; /* what runs in the node waits for it */
	bool interrupted; /* by the user, a moment ago */
	struct launch *launch;
	const char *complaint; /* why a stop went wrong; NULL: it did not */
};

extern char session_frame[CONTROL_FRAME_MAX];

/* Through the node's socket on this host; one that restarts is waited for. */
int client_connect(struct launch *launch, const char *node, int *fd, struct error *err);
/* … is not waited for. */
int client_connect_now(struct launch *launch, const char *node, int *fd, struct error *err);
/* A process of the node on this host that holds the lock of its name, or that restarts; 0: none, or /proc does not
 * tell.
 */
pid_t client_holder(struct launch *launch, const char *node, bool *boots);
int64_t client_now_ms(void);
/* The letter that ps shows of it; '\0': it is gone, or /proc does not tell. */
char client_process_state(pid_t pid);
/* "… is not running", after nobody answered on this host. Returns EXIT_FAILED. */
int session_refuse_absent(struct launch *launch);
/* As RELEASE_DISTRIBUTION says. 0, or an exit code after a report. */
int session_open(struct launch *launch, struct session *session);
int session_greet(struct session *session, int timeout_ms, struct error *err);
/* Its channel has ended: why? */
enum channel_end session_channel_end(struct session *session);
/* Ctrl-C ends the expression in the node, not this command; a second one ends the command. */
void session_catch_interrupt(void);
/* 1: something to read, 0: time is over, negative. Sends INTERRUPT when the user asks, and stdin when the node does. */
int session_wait(struct session *session, int timeout_ms, struct error *err);
/* As control_receive(), into session_frame. */
int session_receive(struct session *session, char *type, struct slice *payload, struct error *err);
/* Prints OUT and ERR until DONE; *code and *text (valid until the next frame) are what DONE says. */
int session_converse(struct session *session, int timeout_ms, int *code, struct slice *text, struct error *err);
/* One request and its outcome. 0, or the exit code after a report. */
int session_ask(struct session *session, enum control_type type, struct slice payload, int timeout_ms,
		struct slice *text);

#endif
