/* SPDX-License-Identifier: MIT */
/* io.stdin and io.stderr of a text that runs in a node are its caller's, not the node's. */
#include "node/lua/evaluate.h"
#include "node/lua/lua_api.h"
#include "script/script.h"

#include <errno.h>

static ssize_t read_input(void *context, char *to, size_t room)
{
	const struct evaluator *evaluator = context;
	ssize_t got = evaluator->input(evaluator->context, to, room);
	if (got < 0)
		errno = EINTR;
	return got;
}

static ssize_t write_error(void *context, const char *data, size_t size)
{
	const struct evaluator *evaluator = context;
	evaluator->sink(evaluator->context, EVALUATE_ERR, (struct slice){ data, size });
	return (ssize_t)size;
}

void lua_api_io(lua_State *lua)
{
	struct evaluator *evaluator = lua_api_evaluator(lua);
	const struct script_stream_functions output = { .write = write_error };
	const struct script_stream_functions input = { .read = read_input };
	script_set_stream(lua, SCRIPT_STDERR, &output, evaluator);
	if (evaluator->input != NULL)
		script_set_stream(lua, SCRIPT_STDIN, &input, evaluator);
}
