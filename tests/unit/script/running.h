/* SPDX-License-Identifier: MIT */
/* A state of its own for each test; what it prints is collected. */
#ifndef TESTS_SCRIPT_RUNNING_H
#define TESTS_SCRIPT_RUNNING_H

#include "script/script.h"

#include "base/scope.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

static struct script *script;
static struct error err;
static struct buf printed, traceback;

static void on_print(void *context, struct slice text)
{
	cr_assert_eq(context, &printed);
	buf_append_slice(&printed, text);
	buf_append_char(&printed, '|');
}

static void begin(void)
{
	script = script_new(&(struct script_options){ .memory_limit_bytes = 32 << 20 }, &err);
	cr_assert_not_null(script);
	script_on_print(script, on_print, &printed);
}

static void end(void)
{
	script_free(script);
	buf_done(&printed);
	buf_done(&traceback);
}

/* The results on one line, or the error. */
static const char *run(const char *text)
{
	static struct buf out;
	int results = 0;

	buf_clear(&out);
	if (script_run(script, slice_of(text), "rel/runtime.lua", &results, &traceback, &err) < 0)
		return err.message;
	for (int i = results; i > 0; i--) {
		script_show(script, -i, &out);
		buf_append_string(&out, i > 1 ? " " : "");
	}
	lua_pop(script_lua(script), results);
	cr_assert_eq(lua_gettop(script_lua(script)), 0);
	return buf_string(&out);
}

static void *interrupt_soon(void *context)
{
	(void)context;
	usleep(20000);
	script_interrupt(script);
	return NULL;
}

static inline void must_be_interrupted(const char *text)
{
	pthread_t thread;

	pthread_create(&thread, NULL, interrupt_soon, NULL);
	cr_assert_str_eq(run(text), "interrupted", "%s", text);
	pthread_join(thread, NULL);
	cr_assert(script_was_interrupted(script));
	cr_assert_str_eq(run("1 + 1"), "2", "the state goes on afterwards");
	cr_assert_not(script_was_interrupted(script));
}

#endif
