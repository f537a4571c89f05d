/* SPDX-License-Identifier: MIT */
#include "base/scope.h"
#include "bundle.h"
#include "node/components/call.h"
#include "node/components/supervise.h"
#include "node/node.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static struct bundle bundle;
static struct node node;
static struct report report;
static struct error err;

static void begin(void)
{
	t_bundle_init(&bundle);
}

static void end(void)
{
	node_stop(&node);
	node_done(&node);
	report_done(&report);
	t_bundle_done(&bundle);
}

TestSuite(components, .init = begin, .fini = end);

static int prepare(void)
{
	const struct node_options options = { .ready_fd = -1, .cookie_fd = -1 };
	int rc = node_prepare(&node, &options, &report, &err);
	return rc == 0 ? node_load(&node, &err) : rc;
}

static bool never(struct node *unused)
{
	(void)unused;
	return false;
}

static int start(void)
{
	int rc = prepare();
	return rc == 0 ? components_start(&node.components, never, &err) : rc;
}

static void refuse(const char *fixture, const char *words)
{
	t_bundle_library(&bundle, fixture);
	cr_assert(prepare() == -ERROR_FAILED);
	cr_assert_not_null(strstr(err.message, words), "%s", err.message);
	cr_assert_not_null(strstr(err.message, "component 'echo'"), "%s", err.message);
}

Test(components, say_that_opening_failed)
{
	refuse("not-there", "cannot open its library");
}

Test(components, say_that_the_symbol_is_missing)
{
	refuse("no_symbol", "missing symbol");
}

Test(components, say_that_the_stamp_is_wrong_before_anything_else)
{
	refuse("wrong_stamp", "wrong ABI stamp");
	cr_assert_not_null(strstr(err.message, "0x4b560fff"));
}

Test(components, say_that_the_table_is_too_small)
{
	refuse("small_table", "wrong table size");
}

Test(components, may_have_a_table_from_before_it_grew)
{
	t_bundle_library(&bundle, "old_table");
	cr_assert_eq(start(), 0, "%s", err.message);
}

Test(components, say_that_the_name_is_another)
{
	refuse("wrong_name", "calls itself 'other'");
}

Test(components, start_once_and_stop_once)
{
	cr_assert(start() == 0, "%s", err.message);
	struct component *echo = component_find(&node.components, "echo");
	cr_assert_eq(echo->state, COMPONENT_STARTED);
	cr_assert(component_start(&node.components, echo, false, &err) == 0);
	cr_assert(component_stop(&node.components, echo, &err) == 0);
	cr_assert_eq(echo->state, COMPONENT_STOPPED);
	cr_assert(component_stop(&node.components, echo, &err) == 0);
	cr_assert(component_start(&node.components, echo, false, &err) == 0);
	cr_assert_eq(echo->state, COMPONENT_STARTED);
}

Test(components, fail_to_start_with_their_own_reason)
{
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {refuse = 'port 4040 is in use'})");
	cr_assert(start() == -ERROR_FAILED);
	cr_assert_str_eq(err.message, "component 'echo': port 4040 is in use");
	cr_assert_eq(component_find(&node.components, "echo")->state, COMPONENT_FAILED);
}

static const char two_components[] = "format: 1\n"
				     "release: {name: foo, version: \"0.0.1\"}\n"
				     "runtime_config: runtime.lua\n"
				     "components:\n"
				     "  - {name: echo, version: \"1.0.0\", mode: temporary}\n"
				     "project_components: [echo]\n";

Test(components, that_are_temporary_do_not_end_the_boot)
{
	t_bundle_write(&bundle, "releases/0.0.1/sys.yaml", two_components);
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {refuse = 'no'})");
	cr_assert(start() == 0, "%s", err.message);
	cr_assert_eq(component_find(&node.components, "echo")->state, COMPONENT_FAILED);
}

Test(components, that_fail_when_they_listen_already_serve_nobody_and_leave_no_port)
{
	t_bundle_write(&bundle, "releases/0.0.1/sys.yaml", two_components);
	t_bundle_library(&bundle, "late_failure");
	cr_assert(start() == 0, "%s", err.message);
	struct component *echo = component_find(&node.components, "echo");
	cr_assert_eq(echo->state, COMPONENT_FAILED);
	cr_assert_eq(echo->listeners, 0);
	cr_assert(component_start(&node.components, echo, false, &err) != 0);
	cr_assert_str_eq(err.message, "component 'echo': it has changed its mind");
}

static void keep(void *context, const struct kvrel_result *result)
{
	struct value **out = context;
	*out = result->status == KVREL_OK
		       ? call_result_value(&bundle.arena, result)
		       : value_string(&bundle.arena, (struct slice){ result->bytes.data, result->bytes.size });
}

Test(components, answer_calls_while_they_run_and_only_then)
{
	cr_assert(start() == 0, "%s", err.message);
	struct component *echo = NULL;
	const struct net_op *say = component_op(&node.components, "echo.say", &echo);
	cr_assert_not_null(say);
	const struct kvrel_slice args[] = { { "milk", 4 } };
	struct value *value = NULL;
	cr_assert_eq(call_wait(&node.components, echo, say, args, 1, keep, &value), KVREL_OK);
	cr_assert_str_eq(value->string.data, "milk");
	cr_assert(component_stop(&node.components, echo, &err) == 0);
	cr_assert_eq(call_wait(&node.components, echo, say, args, 1, keep, &value), KVREL_ERROR);
	cr_assert_str_eq(value->string.data, "the component is not started");
}

Test(components, have_operations_with_limits_on_their_arguments)
{
	cr_assert(start() == 0, "%s", err.message);
	struct component *echo = NULL;
	const struct net_op *say = component_op(&node.components, "echo.say", &echo);
	const struct net_op *count = component_op(&node.components, "echo.count", &echo);
	cr_assert(call_check_count(echo, say, 1, &err) == 0);
	cr_assert(call_check_count(echo, count, 500, &err) == 0);
	cr_assert(call_check_count(echo, say, 2, &err) == -ERROR_USAGE);
	cr_assert_str_eq(err.message, "wrong number of arguments for echo.say (expected text)");
	cr_assert_null(component_op(&node.components, "echo.nope", &echo));
	cr_assert_not_null(echo);
	cr_assert_null(component_op(&node.components, "nope.say", &echo));
	cr_assert_null(echo);
}

Test(components, need_what_they_depend_on_listed_before)
{
	t_bundle_write(&bundle, "lib/echo-1.0.0/component.yaml",
		       "name: echo\nversion: \"1.0.0\"\ndependencies: [store]\n");
	cr_assert(prepare() == -ERROR_INVALID);
	cr_assert_not_null(strstr(err.message, "depends on 'store'"), "%s", err.message);
}

Test(components, of_interactive_mode_are_opened_at_their_start)
{
	setenv("RELEASE_MODE", "interactive", 1);
	const struct node_options options = { .ready_fd = -1, .cookie_fd = -1 };
	cr_assert(node_prepare(&node, &options, &report, &err) == 0, "%s", err.message);
	struct component *echo = component_find(&node.components, "echo");
	cr_assert_eq(echo->state, COMPONENT_DEFINED);
	cr_assert(components_start(&node.components, never, &err) == 0, "%s", err.message);
	cr_assert_eq(echo->state, COMPONENT_STARTED);
}

/* ---- one that depends on another ---- */

static const char one_on_another[] = "format: 1\n"
				     "release: {name: foo, version: \"0.0.1\"}\n"
				     "runtime_config: runtime.lua\n"
				     "components:\n"
				     "  - {name: echo, version: \"1.0.0\", mode: permanent}\n"
				     "  - {name: other, version: \"1.0.0\", mode: permanent}\n"
				     "project_components: [echo, other]\n";

static struct component *echo, *other;
static const struct error reason = { .code = ERROR_FAILED, .message = "told to" };

static void start_both(void)
{
	t_bundle_write(&bundle, "releases/0.0.1/sys.yaml", one_on_another);
	t_bundle_write(&bundle, "lib/other-1.0.0/component.yaml",
		       "name: other\nversion: \"1.0.0\"\ndependencies: [echo]\n");
	cr_assert_eq(symlink(FIXTURES "/wrong_name.so",
			     arena_printf(&bundle.arena, "%s/lib/other-1.0.0/other.so", bundle.root)),
		     0);
	cr_assert(start() == 0, "%s", err.message);
	echo = component_find(&node.components, "echo");
	other = component_find(&node.components, "other");
	node.flags.max_restarts = 1;
	node.state = NODE_RUNNING;
}

#define LOOP_UNTIL(condition) \
	do { \
		for (int turn_ = 0; turn_ < 20000 && !(condition); turn_++) { \
			uv_run(&node.main.loop, UV_RUN_NOWAIT); \
			usleep(1000); \
		} \
	} while (0)

Test(components, that_fail_together_are_restarted_together)
{
	start_both();
	supervise_failed(other, &reason);
	supervise_failed(echo, &reason);
	LOOP_UNTIL(node.ending != NODE_END_NONE || echo->restarts > 0);
	cr_assert_eq(node.ending, NODE_END_NONE, "%s", node.failure.message);
	cr_assert_eq(echo->restarts, 1);
	cr_assert_eq(echo->state, COMPONENT_STARTED);
	cr_assert_eq(other->state, COMPONENT_STARTED);
}

Test(components, wait_for_one_that_was_stopped_until_it_is_started_by_hand)
{
	start_both();
	supervise_failed(other, &reason);
	LOOP_UNTIL(other->state == COMPONENT_FAILED);
	cr_assert(component_stop(&node.components, echo, &err) == 0, "%s", err.message);
	LOOP_UNTIL(node.ending != NODE_END_NONE || other->restart.resume);
	cr_assert_eq(node.ending, NODE_END_NONE, "%s", node.failure.message);
	cr_assert(component_start(&node.components, echo, false, &err) == 0, "%s", err.message);
	supervise_resume(&node);
	cr_assert_eq(other->state, COMPONENT_STARTED);
}
