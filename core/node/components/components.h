/* SPDX-License-Identifier: MIT */
/*
 * The components of this node: opened, bound, started in dependency order, stopped in reverse.
 *
 * All functions run on the main thread except component_enter() and component_leave(), which any thread may call around
 * a use of a component's operations.
 */
#ifndef NODE_COMPONENTS_H
#define NODE_COMPONENTS_H

#include "kvrel/component.h"
#include "node/config/sys.h"
#include "node/net.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

struct node;

enum component_state {
	COMPONENT_DEFINED, /* known by name only */
	COMPONENT_LOADED,  /* the library is open and its table checked */
	COMPONENT_STARTING,
	COMPONENT_STARTED,
	COMPONENT_STOPPING,
	COMPONENT_STOPPED,
	COMPONENT_FAILED,
	COMPONENT_STATE_COUNT
};
const char *component_state_name(enum component_state state);

struct component;

enum {
	COMPONENT_ADDRESSES = 4,
	COMPONENT_ADDRESS_BYTES = 64,
	COMPONENT_RESTARTS_MAX = 100, /* most that --max-restarts may say */
};

struct restart_plan {
	uv_timer_t timer;
	bool has_timer;
	bool pending; /* it starts again when the timer ends */
	bool resume;  /* waits for another one, which has failed: starts again after that one */
	int64_t at_ms[COMPONENT_RESTARTS_MAX];
	unsigned count; /* of at_ms that lie within the window */
};

/* What a component sees of the node. */
struct kvrel_node {
	struct node *node;
	struct component *component;
	struct error failure; /* what fail() said last */
};

struct component {
	const struct sys_component *sys;
	struct kvrel_node view;
	_Atomic enum component_state state;
	void *library;
	const struct kvrel_component *table;
	void *instance;     /* what start() gave */
	struct net_op *ops; /* table->op_count of them */
	uint32_t provider;
	_Atomic bool writes_held;
	unsigned listeners;
	char addresses[COMPONENT_ADDRESSES][COMPONENT_ADDRESS_BYTES]; /* of the first of them */
	unsigned calls; /* of consoles and start-up code, running now; components.lock */
	unsigned restarts;
	struct restart_plan restart; /* supervise.c's */
	struct error reason;         /* why it failed */
};

struct components {
	struct component *items; /* in start order */
	size_t count;
	uint32_t providers;
	unsigned holders; /* of them hold their writes; lock */
	pthread_mutex_t lock;
	pthread_cond_t idle;
};

void components_init(struct components *components, struct node *node);
/* Opens every component whose mode is not `none`. */
int components_open(struct components *components, struct error *err);
/* Starts what the modes ask for. On failure what had been started runs on: the caller stops it. */
int components_start(struct components *components, bool (*cancelled)(struct node *node), struct error *err);
/* Stops what runs, in reverse. `stopping` is told each name before. */
void components_stop(struct components *components, void (*stopping)(struct node *node, const char *name));
struct component *component_find(const struct components *components, const char *name);

int component_open(struct components *components, struct component *component, struct error *err);
/* Opens it when needed; its dependencies must run, or are started too when `with_dependencies`. Running already: fine.
 */
int component_start(struct components *components, struct component *component, bool with_dependencies,
		    struct error *err);
/* Refused while a running component depends on it. Not running: fine. */
int component_stop(struct components *components, struct component *component, struct error *err);
/* It said that it cannot go on: consoles get no further than this; component_give_back() follows. */
void component_fail(struct components *components, struct component *component);
/* Closes its listeners and stops it: one that runs is `stopped` then, one that has failed stays `failed`. */
void component_give_back(struct components *components, struct component *component);
bool component_requires(const struct component *component, const char *name);

/* Between the two the component does not stop. False when it does not run. */
bool component_enter(struct components *components, struct component *component);
void component_leave(struct components *components, struct component *component);

/* kvrel_api.hold_writes */
void component_hold_writes(struct kvrel_node *view, bool hold);

/* "kv.put" → its component and operation; NULL when there is none. *component may be set without an operation. */
const struct net_op *component_op(const struct components *components, const char *name, struct component **component);

#endif
