/* SPDX-License-Identifier: MIT */
#include "node/components/links.h"

#include "base/log.h"
#include "node/components/components.h"
#include "node/control/control_server.h"
#include "node/dist/frame.h"
#include "node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- requests of other nodes ---- */

static int enter(void *context, struct slice name, struct dist_op *out, struct error *err)
{
	struct node *node = context;
	char text[FRAME_NAME_MAX + 1];
	struct component *component = NULL;
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(name));
	const struct net_op *op = component_op(&node->components, text, &component);
	if (component == NULL || !component_enter(&node->components, component))
		return error_set(err, ERROR_FAILED, "node '%s' does not run what offers '%s'", node->release.node,
				 text);
	if (op == NULL) {
		component_leave(&node->components, component);
		return error_set(err, ERROR_FAILED, "node '%s' has no operation '%s'", node->release.node, text);
	}
	*out = (struct dist_op){
		.op = op->ref.op,
		.state = op->ref.state,
		.batch_end = op->batch_end,
		.writes_held = op->writes_held,
		.handle = component,
	};
	return 0;
}

static void leave(void *context, const struct dist_op *op)
{
	struct node *node = context;
	component_leave(&node->components, op->handle);
}

/* ---- commands of other hosts ---- */

struct attach {
	struct main_job job;
	struct node *node;
	int fd;
};

static void attach_client(struct main_job *job)
{
	struct attach *attach = (struct attach *)job;
	struct error err;
	if (attach->node->control == NULL)
		close(attach->fd);
	else if (control_server_attach(attach->node->control, attach->fd, &err) != 0)
		log_warn("node", LOG_NONE, "%s", err.message);
	free(attach);
}

static void control(void *context, int fd)
{
	struct node *node = context;
	struct attach *attach = calloc(1, sizeof(*attach));
	if (attach == NULL) {
		close(fd);
		return;
	}
	attach->job.run = attach_client;
	attach->node = node;
	attach->fd = fd;
	mainloop_post(&node->main, &attach->job);
}

/* ---- life ---- */

uint32_t links_worker_count(const struct node *node)
{
	return node->flags.workers;
}

static void call_on_seat(void *context, void (*run)(void *argument), void *argument)
{
	net_call(context, run, argument);
}

static void turn(void *context)
{
	dist_turn(context);
}

int links_start(struct node *node, struct error *err)
{
	struct net *net;
	if (node->release.distribution == DISTRIBUTION_NONE)
		return 0;
	int rc = node_net(node, &net, err);
	if (rc != 0)
		return rc;
	const struct dist_options options = {
		.name = node->release.node,
		.dir = node->release.distribution == DISTRIBUTION_SNAME ? node->control_dir : NULL,
		.listen = node->flags.dist_listen,
		.cookie = buf_slice(&node->cookie),
		.worker = 0,
		.heartbeat_ms = node->flags.dist_heartbeat_ms,
		.memory_bytes = node->flags.dist_memory_bytes,
		.seat = { net_loop(net), net, call_on_seat },
		.host = { node, enter, leave, control },
	};
	rc = dist_new(&options, &node->dist, err);
	if (rc == 0)
		net_set_guest(net, turn, node->dist);
	return rc;
}

void links_end(struct node *node)
{
	if (node->dist == NULL)
		return;
	net_set_guest(node->net, NULL, NULL);
	dist_free(node->dist);
	node->dist = NULL;
}

void links_forward(struct kvrel_node *view, struct kvrel_call *call, const char *target, uint32_t timeout_ms)
{
	static const char reason[] = "this node has no links to others: its distribution is none";
	const struct dist_request request = {
		.node = target,
		.component = view->component->sys->name,
		.op = call->op,
		.timeout_ms = timeout_ms,
	};
	if (view->node->dist != NULL) {
		dist_forward(view->node->dist, call, &request);
		return;
	}
	const struct kvrel_result result = {
		.status = KVREL_ERROR,
		.kind = KVREL_BYTES,
		.bytes = { reason, sizeof(reason) - 1 },
	};
	call->complete(call, &result);
}
