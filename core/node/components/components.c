/* SPDX-License-Identifier: MIT */
/*
 * What may follow what is a table; everything that changes a state goes through move(), so a component can neither be
 * started twice nor stopped while it starts.
 */
#include "node/components/components.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "node/node.h"
#include "node/process/crash.h"
#include "node/process/isolation.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { PROVIDER_MAX = 64, CLOSE_MS = 2000 };

/* What the first tables held; what was added to them later an older component does without. */
#define TABLE_LEAST offsetof(struct kvrel_component, batch_ran)

static const char *const state_names[] = {
	"defined", "loaded", "starting", "started", "stopping", "stopped", "failed"
};
_Static_assert(ARRAY_LEN(state_names) == COMPONENT_STATE_COUNT, "a name for each state");

#define TO(state) (1u << COMPONENT_##state)
/* read by an assertion only */
__attribute__((unused)) static const unsigned allowed_moves[] = {
	[COMPONENT_DEFINED] = TO(LOADED) | TO(FAILED),
	[COMPONENT_LOADED] = TO(STARTING),
	[COMPONENT_STARTING] = TO(STARTED) | TO(FAILED),
	[COMPONENT_STARTED] = TO(STOPPING) | TO(FAILED),
	[COMPONENT_STOPPING] = TO(STOPPED) | TO(FAILED),
	[COMPONENT_STOPPED] = TO(STARTING),
	[COMPONENT_FAILED] = TO(STARTING) | TO(STOPPING) | TO(LOADED),
};

const char *component_state_name(enum component_state state)
{
	return state_names[state];
}

static void move(struct components *components, struct component *component, enum component_state next)
{
	pthread_mutex_lock(&components->lock);
	assert((allowed_moves[component->state] & (1u << next)) != 0);
	component->state = next;
	pthread_mutex_unlock(&components->lock);
}

void components_init(struct components *components, struct node *node)
{
	*components = (struct components){ .count = node->sys.component_count };
	components->items = arena_array(&node->arena, components->count + 1, sizeof(*components->items));
	for (size_t i = 0; i < components->count; i++) {
		struct component *component = &components->items[i];
		component->sys = &node->sys.components[i];
		component->view.node = node;
		component->view.component = component;
	}
	pthread_mutex_init(&components->lock, NULL);
	pthread_cond_init(&components->idle, NULL);
}

struct component *component_find(const struct components *components, const char *name)
{
	for (size_t i = 0; i < components->count; i++) {
		if (strcmp(components->items[i].sys->name, name) == 0)
			return &components->items[i];
	}
	return NULL;
}

/* ---- opening ---- */

static int check_table(const struct component *component, const struct kvrel_component *table, struct error *err)
{
	const char *name = component->sys->name;
	if (table == NULL)
		return error_set(err, ERROR_FAILED, "component '%s': %s() of %s returned nothing", name,
				 KVREL_COMPONENT_SYMBOL, component->sys->library);
	if (table->abi != KVREL_ABI)
		return error_set(err, ERROR_FAILED,
				 "component '%s': wrong ABI stamp: %s was built for 0x%08x, this runtime has 0x%08x; "
				 "compile the component again",
				 name, component->sys->library, (unsigned)table->abi, KVREL_ABI);
	if (table->size < TABLE_LEAST)
		return error_set(
			err, ERROR_FAILED,
			"component '%s': wrong table size: %s has %u bytes, at least %zu are needed; compile the "
			"component again",
			name, component->sys->library, (unsigned)table->size, TABLE_LEAST);
	if (table->name == NULL || strcmp(table->name, name) != 0)
		return error_set(err, ERROR_FAILED, "component '%s': wrong name: %s calls itself '%s'", name,
				 component->sys->library, table->name != NULL ? table->name : "");
	if (table->start == NULL || table->stop == NULL)
		return error_set(err, ERROR_FAILED, "component '%s': %s has no start or stop function", name,
				 component->sys->library);
	return 0;
}

static int open_library(const struct component *component, void **library, const struct kvrel_component **table,
			struct error *err)
{
	const struct sys_component *sys = component->sys;
	int binding = component->view.node->release.mode == RELEASE_EMBEDDED ? RTLD_NOW : RTLD_LAZY;
	if (fs_exists(sys->library) && !fs_is_file(sys->library))
		return error_set(err, ERROR_FAILED, "component '%s': cannot open its library: '%s' is no file",
				 sys->name, sys->library);
	void *handle = dlopen(sys->library, binding | RTLD_LOCAL);
	if (handle == NULL)
		return error_set(err, ERROR_FAILED, "component '%s': cannot open its library: %s", sys->name,
				 dlerror());
	isolation_of_libraries();
	void *symbol = dlsym(handle, KVREL_COMPONENT_SYMBOL);
	if (symbol == NULL) {
		dlclose(handle);
		return error_set(err, ERROR_FAILED, "component '%s': missing symbol: %s exports no function '%s'",
				 sys->name, sys->library, KVREL_COMPONENT_SYMBOL);
	}
	kvrel_component_fn *function;
	memcpy(&function, &symbol, sizeof(function)); /* ISO C has no cast from data to function pointers */
	const struct kvrel_component *found = function();
	int rc = check_table(component, found, err);
	if (rc != 0) {
		dlclose(handle);
		return rc;
	}
	*library = handle;
	*table = found;
	return 0;
}

static void bind_ops(struct components *components, struct component *component)
{
	const struct kvrel_component *table = component->table;
	bool has_ran = table->size >= sizeof(*table);
	if (table->op_count == 0)
		return;
	component->provider = components->providers++;
	component->ops = arena_array(&component->view.node->arena, table->op_count, sizeof(*component->ops));
	for (size_t i = 0; i < table->op_count; i++) {
		component->ops[i] = (struct net_op){
			.ref.op = &table->ops[i],
			.batch_end = table->batch_end,
			.batch_ran = has_ran ? table->batch_ran : NULL,
			.provider = component->provider,
			.writes_held = &component->writes_held,
		};
	}
}

int component_open(struct components *components, struct component *component, struct error *err)
{
	if (component->library != NULL)
		return 0;
	void *library = NULL;
	const struct kvrel_component *table = NULL;
	int rc = open_library(component, &library, &table, err);
	if (rc != 0)
		return rc;
	if (table->op_count > 0 && components->providers == PROVIDER_MAX) {
		dlclose(library);
		return error_set(err, ERROR_LIMIT, "component '%s': more than %d components with operations",
				 component->sys->name, PROVIDER_MAX);
	}
	component->library = library;
	component->table = table;
	bind_ops(components, component);
	crash_add_component(component->sys->name, component->table);
	move(components, component, COMPONENT_LOADED);
	return 0;
}

int components_open(struct components *components, struct error *err)
{
	for (size_t i = 0; i < components->count; i++) {
		if (components->items[i].sys->mode == MODE_NONE)
			continue;
		int rc = component_open(components, &components->items[i], err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* ---- starting ---- */

static int need(struct components *components, const struct component *component, const char *name,
		bool with_dependencies, struct error *err)
{
	struct component *required = component_find(components, name);
	if (required->state == COMPONENT_STARTED)
		return 0;
	if (with_dependencies) {
		int rc = component_start(components, required, true, err);
		return rc == 0 ? 0 : error_wrap(err, "component '%s'", component->sys->name);
	}
	return error_set(err, ERROR_FAILED, "component '%s' depends on '%s', which is not started",
			 component->sys->name, name);
}

/* Its listeners have accepted nobody yet: nobody is told of what it frees. */
static void start_failed(struct components *components, struct component *component)
{
	if (component->listeners > 0)
		net_close_owner(component->view.node->net, component->sys->name, 0);
	component->listeners = 0;
	component->instance = NULL;
	move(components, component, COMPONENT_FAILED);
}

static int run_start(struct component *component, struct error *err)
{
	struct kvrel_node *view = &component->view;
	error_set(&view->failure, ERROR_FAILED, "start failed without a reason");
	if (component->table->start(view, &view->node->api, &component->instance) == 0)
		return 0;
	return error_set(err, view->failure.code, "component '%s': %s", component->sys->name, view->failure.message);
}

int component_start(struct components *components, struct component *component, bool with_dependencies,
		    struct error *err)
{
	if (component->state == COMPONENT_STARTED)
		return 0;
	if (component->state == COMPONENT_STARTING || component->state == COMPONENT_STOPPING)
		return error_set(err, ERROR_TRY_AGAIN, "component '%s' is %s", component->sys->name,
				 component_state_name(component->state));
	for (size_t i = 0; i < component->sys->require_count; i++) {
		int rc = need(components, component, component->sys->requires[i], with_dependencies, err);
		if (rc != 0)
			return rc;
	}
	int rc = component_open(components, component, err);
	if (rc != 0)
		return rc;
	move(components, component, COMPONENT_STARTING);
	rc = run_start(component, &component->reason);
	if (rc != 0) {
		start_failed(components, component);
		return error_set(err, component->reason.code, "%s", component->reason.message);
	}
	for (size_t i = 0; i < component->table->op_count; i++)
		component->ops[i].ref.state = component->instance;
	move(components, component, COMPONENT_STARTED);
	if (component->listeners > 0)
		net_accept(component->view.node->net, component->sys->name);
	log_debug(component->sys->name, LOG_FIELDS(LOG_S("version", component->sys->version)), "started");
	return 0;
}

int components_start(struct components *components, bool (*cancelled)(struct node *node), struct error *err)
{
	for (size_t i = 0; i < components->count; i++) {
		struct component *component = &components->items[i];
		if (component->sys->mode < MODE_TEMPORARY)
			continue;
		if (cancelled(component->view.node))
			return error_set(err, ERROR_FAILED, "stopped while booting");
		struct error why;
		int rc = component_start(components, component, false, &why);
		if (rc == 0)
			continue;
		if (component->sys->mode == MODE_PERMANENT)
			return error_set(err, why.code, "%s", why.message);
		log_error(component->sys->name, LOG_FIELDS(LOG_S("mode", component_mode_name(component->sys->mode))),
			  "not started: %s", why.message);
	}
	return 0;
}

/* ---- stopping ---- */

static void run_stop(struct components *components, struct component *component)
{
	enum component_state next = component->state == COMPONENT_FAILED ? COMPONENT_FAILED : COMPONENT_STOPPED;
	move(components, component, COMPONENT_STOPPING);
	pthread_mutex_lock(&components->lock);
	while (component->calls > 0)
		pthread_cond_wait(&components->idle, &components->lock);
	pthread_mutex_unlock(&components->lock);
	component->table->stop(component->instance);
	component->instance = NULL;
	component->listeners = 0;
	move(components, component, next);
	log_debug(component->sys->name, LOG_NONE, "stopped");
}

void component_give_back(struct components *components, struct component *component)
{
	struct node *node = component->view.node;
	if (component->listeners > 0 && node->net != NULL &&
	    !net_close_owner(node->net, component->sys->name, CLOSE_MS))
		log_warn(component->sys->name, LOG_NONE,
			 "some connections were closed before their requests were answered");
	if (component->state == COMPONENT_STARTED || component->instance != NULL)
		run_stop(components, component);
}

bool component_requires(const struct component *component, const char *name)
{
	for (size_t i = 0; i < component->sys->require_count; i++) {
		if (strcmp(component->sys->requires[i], name) == 0)
			return true;
	}
	return false;
}

int component_stop(struct components *components, struct component *component, struct error *err)
{
	const char *name = component->sys->name;
	component->restart.pending = component->restart.resume = false;
	if (component->state != COMPONENT_STARTED)
		return 0;
	for (size_t i = 0; i < components->count; i++) {
		const struct component *other = &components->items[i];
		if (other->state == COMPONENT_STARTED && component_requires(other, name))
			return error_set(err, ERROR_FAILED, "component '%s' is needed by '%s'; stop that one first",
					 name, other->sys->name);
	}
	component_give_back(components, component);
	return 0;
}

void components_stop(struct components *components, void (*stopping)(struct node *node, const char *name))
{
	for (size_t i = components->count; i-- > 0;) {
		struct component *component = &components->items[i];
		bool runs = component->state == COMPONENT_STARTED;
		/* one that failed while it ran still has to give back what it holds */
		if (!runs && !(component->state == COMPONENT_FAILED && component->instance != NULL))
			continue;
		stopping(component->view.node, component->sys->name);
		run_stop(components, component);
	}
}

void component_fail(struct components *components, struct component *component)
{
	move(components, component, COMPONENT_FAILED);
}

/* ---- using ---- */

bool component_enter(struct components *components, struct component *component)
{
	pthread_mutex_lock(&components->lock);
	bool runs = component->state == COMPONENT_STARTED;
	if (runs)
		component->calls++;
	pthread_mutex_unlock(&components->lock);
	return runs;
}

void component_leave(struct components *components, struct component *component)
{
	pthread_mutex_lock(&components->lock);
	if (--component->calls == 0)
		pthread_cond_broadcast(&components->idle);
	pthread_mutex_unlock(&components->lock);
}

const struct net_op *component_op(const struct components *components, const char *name, struct component **component)
{
	struct slice head;
	struct slice rest;
	slice_split(slice_of(name), '.', &head, &rest);
	for (size_t i = 0; i < components->count; i++) {
		struct component *found = &components->items[i];
		if (!slice_is(head, found->sys->name))
			continue;
		*component = found;
		for (size_t j = 0; found->table != NULL && j < found->table->op_count; j++) {
			if (slice_is(rest, found->table->ops[j].name))
				return &found->ops[j];
		}
		return NULL;
	}
	*component = NULL;
	return NULL;
}
