/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>

bool request_answer(const struct request *request, struct text *text)
{
	static const char no_memory[] = "-ERR out of memory\r\n";
	static const char too_long[] = "-ERR the reply would be longer than 64 MiB: ask for less\r\n";
	struct kvrel_slice bytes = { text->data, text->size };
	if (text->failed == TEXT_NO_MEMORY)
		bytes = (struct kvrel_slice){ no_memory, sizeof(no_memory) - 1 };
	else if (text->failed == TEXT_TOO_LONG)
		bytes = (struct kvrel_slice){ too_long, sizeof(too_long) - 1 };
	bool taken = request_ask(request, NULL, &bytes, 1, SHAPE_RAW);
	text_done(text);
	return taken;
}

bool request_ok(const struct request *request)
{
	return request_ask(request, NULL, NULL, 0, SHAPE_OK);
}

bool request_error(const struct request *request, const char *format, ...)
{
	char line[400];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	struct text text = { 0 };
	text_error(&text, "%s", line);
	return request_answer(request, &text);
}

/* Of EXEC, which ends a transaction in any case. */
static const char aborted[] = "EXECABORT Transaction discarded because of: ";

bool request_wrong_arity(const struct request *request)
{
	const struct command *command = request->command;
	return request_error(request, "%swrong number of arguments for '%s' command",
			     command->run == run_exec ? aborted : "ERR ", command->name);
}

/* As in Redis one who is not let in yet is told first that there is no such sub-command. */
bool request_unauthenticated(struct request *request)
{
	bool taken;
	if (subcommand_refused(request, &taken))
		return taken;
	return request_error(request, "%sNOAUTH Authentication required.",
			     request->command->run == run_exec ? aborted : "");
}

/* The words are text for Redis: each ends at its first NUL byte. */
static bool tell_unknown(const struct request *request)
{
	struct text args = { 0 };
	for (uint32_t i = 1; i < request->count && args.size < 128; i++) {
		struct kvrel_slice word = request->args[i];
		size_t room = 128 - args.size;
		text_format(&args, "'%.*s' ", (int)(word.size < room ? word.size : room), word.data);
	}
	struct kvrel_slice name = request->args[0];
	bool taken = request_error(request, "ERR unknown command '%.*s', with args beginning with: %.*s",
				   (int)(name.size > 128 ? 128 : name.size), name.data, (int)args.size,
				   args.data ? args.data : "");
	text_done(&args);
	return taken;
}

/* A page in somebody's browser can make it send requests of HTTP to a port of its own host, with commands in the body.
 */
static bool is_http(struct kvrel_slice name)
{
	return word_is(name, "post") || word_is(name, "host:");
}

bool request_unknown(const struct request *request)
{
	bool taken = tell_unknown(request);
	if (taken && is_http(request->args[0]))
		request->api->close_after(request->conn);
	return taken;
}

void request_end(struct request *request, const char *error)
{
	request->command = NULL;
	if (request_error(request, "%s", error))
		request->api->close_after(request->conn);
}

void request_end_mistaken(struct request *request, const char *mistake)
{
	request->command = NULL;
	if (request_error(request, "ERR Protocol error: %s", mistake))
		request->api->close_after(request->conn);
}
