/* SPDX-License-Identifier: MIT */
/*
 * A node: one release, booted. The struct is the process's one big object; it lives in main()'s frame and is handed to
 * whoever needs it. Everything in it belongs to the main thread, except what says otherwise.
 *
 *	node_prepare: flags, sys.yaml, configuration            } what eval needs, too
 *	node_load:    components opened
 *	node_boot:    lock, folders, components started, control socket
 *	node_run:     until something asks for a stop
 *	node_stop:    the same way back, with a deadline
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "node/components/components.h"
#include "node/config/config.h"
#include "node/config/flags.h"
#include "node/config/sys.h"
#include "node/dist/dist.h"
#include "node/net.h"
#include "node/process/mainloop.h"
#include "node/process/notify.h"
#include "node/process/tick.h"
#include "node/release.h"

#include <stdatomic.h>

struct control_server;

enum node_state { NODE_NEW, NODE_PREPARED, NODE_BOOTING, NODE_RUNNING, NODE_STOPPING, NODE_STOPPED, NODE_STATE_COUNT };
const char *node_state_name(enum node_state state);

enum node_ending { NODE_END_NONE, NODE_END_STOP, NODE_END_RESTART, NODE_END_FAILURE };

struct node {
	struct arena arena;
	struct release release;
	struct flags flags;
	struct sys sys;
	struct config config;
	struct components components;
	struct buf cookie;
	struct kvrel_api api;
	struct net *net;   /* NULL until something listens */
	struct dist *dist; /* NULL: no other nodes */
	struct mainloop main;
	struct control_server *control; /* NULL: none */
	struct notify notify;
	int lock_fd; /* held while the node of this name runs here */
	const char *control_dir;
	_Atomic enum node_state state;
	enum node_ending ending;
	struct error failure;           /* NODE_END_FAILURE: why */
	_Atomic(const char *) activity; /* what a stop waits for now, for the deadline's message */
	int64_t started_ms;             /* monotonic */
	bool terminal;                  /* stdin is one: its end is the node's end */
	bool console;                   /* on the terminal */
	struct tick tick;
	const char *boot_reason; /* "start", "restart", … */
	int64_t boot_time_s;     /* wall clock */
};

/* Everything that the command line gives a node. */
struct node_options {
	const char *const *argv; /* flags that go over vm.args */
	int argc;
	int cookie_fd; /* -1: none */
	int ready_fd;  /* -1: none */
	bool console;
};

/* On failure the report (if it has lines) says more than `err`. */
int node_prepare(struct node *node, const struct node_options *options, struct report *report, struct error *err);
/* After prepare: what a boot would refuse of its flags. */
int node_check_flags(const struct node *node, struct error *err);
int node_load(struct node *node, struct error *err);
int node_boot(struct node *node, struct error *err);
/* Runs the main loop until the end is asked for. */
void node_run(struct node *node);
/* Stops what runs, in reverse, within the shutdown timeout: after it the process says what hung and exits 1. */
void node_stop(struct node *node);
/* Frees what it holds; nothing when a console's thread could not be ended. */
void node_done(struct node *node);

/* Main thread. The first ending wins, but a stop over a restart; `reason` (may be NULL) goes to the log. */
void node_end(struct node *node, enum node_ending ending, const char *reason);
/* RELEASE_DATA and RELEASE_TMP, which components may count on. */
int node_make_folders(const struct node *node, struct error *err);
/* The net, made at the first use. */
int node_net(struct node *node, struct net **out, struct error *err);
int64_t node_now_ms(void);

#endif
