/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>

bool request_answer(const struct request *request, struct text *text)
{
	static const char no_memory[] = "-ERR out of memory\r\n";
	struct kvrel_slice bytes = { text->data, text->size };
	if (text->failed)
		bytes = (struct kvrel_slice){ no_memory, sizeof(no_memory) - 1 };
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

bool request_wrong_arity(const struct request *request)
{
	return request_error(request, "ERR wrong number of arguments for '%s' command", request->command->name);
}
