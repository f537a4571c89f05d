/* SPDX-License-Identifier: MIT */
#include "node/components/hooks.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/scope.h"
#include "node/node.h"
#include "node/process/signals.h"

#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 60 * 1000 };

static const char *const names[] = { "pre_start", "post_start", "pre_stop", "post_stop" };
_Static_assert(ARRAY_LEN(names) == HOOK_COUNT, "a name for each hook");

/* A copy: setenv() would pull the variables away under threads that read them. */
static const char *const *environment(struct arena *arena, const char *hook)
{
	size_t count = 0;
	while (environ[count] != NULL)
		count++;
	const char **copy = arena_array(arena, count + 2, sizeof(*copy));
	copy[0] = arena_printf(arena, "RELEASE_HOOK=%s", hook);
	memcpy(copy + 1, environ, count * sizeof(*copy));
	return copy;
}

/* What runs before the node serves, or as it begins to, is not worth waiting for when it is to stop. */
static int run(const struct node *node, enum hook hook, const char *path, struct arena *arena, struct error *err)
{
	const char *name = names[hook];
	const char *argv[] = { path, NULL };
	const struct proc_options options = {
		.argv = argv,
		.env = environment(arena, name),
		.cwd = node->release.root,
		.timeout_ms = TIMEOUT_MS,
		.cancelled = hook == HOOK_PRE_START || hook == HOOK_POST_START ? signals_stop_asked : NULL,
		.stdout_to_stderr = true,
	};
	int status = 0;
	int rc = proc_run(&options, &status, err);
	if (rc == 0 && status != 0)
		rc = error_set(err, ERROR_FAILED, "exit code %d", status);
	return rc == 0 ? 0 : error_wrap(err, "hook '%s' (%s)", name, release_shown(&node->release, path));
}

int hook_run(struct node *node, enum hook hook, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	const struct release *release = &node->release;
	const char *name = names[hook];
	const char *path = arena_printf(&arena, "%s/releases/%s/hooks/%s", release->root, release->version, name);
	if (!fs_exists(path))
		return 0;
	log_debug("node", LOG_FIELDS(LOG_S("hook", name)), "running a hook");
	atomic_store(&node->activity, name);
	return run(node, hook, path, &arena, err);
}

void hook_try(struct node *node, enum hook hook)
{
	struct error err;
	if (hook_run(node, hook, &err) != 0)
		log_warn("node", LOG_FIELDS(LOG_S("hook", names[hook])), "%s", err.message);
}
