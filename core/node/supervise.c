/* SPDX-License-Identifier: MIT */
/*
 * A component fails on any thread, perhaps inside one of its own locks; what follows happens on the main thread.
 * permanent and transient end the node (a failure is never a normal end), temporary is left failed and the others go
 * on.
 */
#include "node/supervise.h"

#include "base/log.h"
#include "node/node.h"

#include <stdlib.h>
#include <string.h>

struct failed_job {
	struct main_job job;
	struct component *component;
	struct error reason;
};

static void handle(struct main_job *job)
{
	struct failed_job *failed = (struct failed_job *)job;
	struct component *component = failed->component;
	struct node *node = component->view.node;
	const char *mode = component_mode_name(component->sys->mode);
	if (node->state < NODE_STOPPING && component->state == COMPONENT_STARTED) {
		component->reason = failed->reason;
		log_error(component->sys->name, LOG_FIELDS(LOG_S("mode", mode)), "failed: %s", failed->reason.message);
		component_fail(&node->components, component);
		if (component->sys->mode >= MODE_TRANSIENT) {
			error_set(&node->failure, failed->reason.code, "component '%s' failed: %s",
				  component->sys->name, failed->reason.message);
			node_end(node, NODE_END_FAILURE, node->failure.message);
		}
	}
	free(failed);
}

void supervise_failed(struct component *component, const struct error *reason)
{
	struct failed_job *failed = malloc(sizeof(*failed));
	if (failed == NULL) {
		log_error(component->sys->name, LOG_NONE, "failed: %s", reason->message);
		abort();
	}
	*failed = (struct failed_job){ .job.run = handle, .component = component, .reason = *reason };
	mainloop_post(&component->view.node->main, &failed->job);
}
