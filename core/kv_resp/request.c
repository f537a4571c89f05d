/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>

uint32_t request_tag(const struct request *request, enum shape shape)
{
	uint32_t index = request->command ? (uint32_t)(request->command - command_table) : 0;
	const struct session *session = request->session;
	bool resp3 = atomic_load_explicit(&session->resp3, memory_order_relaxed);
	bool silent = session->replies == REPLY_OFF || session->replies == REPLY_SKIP;
	return (uint32_t)shape | (resp3 ? TAG_RESP3 : 0) | (silent ? TAG_SILENT : 0) | index << TAG_COMMAND |
	       request->sections << TAG_SECTIONS;
}

bool request_is_guest(const struct server *server, const struct session *session)
{
	return !session->known && atomic_load_explicit(&server->has_password, memory_order_relaxed);
}

bool request_ask(const struct request *request, const struct kvrel_op_ref *op, const struct kvrel_slice *args,
		 uint32_t count, enum shape shape)
{
	return request->api->request(request->conn, op, args, count, request_tag(request, shape));
}

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
