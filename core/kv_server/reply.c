/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <string.h>

#define WRITE(api, out, literal) (api)->out_bytes((out), literal "\r\n", sizeof(literal) + 1)

/* Other front-ends may have put it there; told as it is it would look like lines that nobody said. */
static bool has_line_end(struct kvrel_slice bytes)
{
	return bytes.size > 0 && memchr(bytes.data, '\n', bytes.size);
}

/* The value and OK. */
static void write_value(const struct kvrel_api *api, struct kvrel_out *out, struct kvrel_slice value)
{
	static const char end[] = "\r\nOK\r\n";
	if (has_line_end(value)) {
		WRITE(api, out, "ERROR the value holds a line end, which this protocol cannot tell");
		return;
	}
	char *to = kvrel_out_room(api, out, value.size + sizeof(end) - 1);
	if (!to)
		return;
	if (value.size > 0)
		memcpy(to, value.data, value.size);
	memcpy(to + value.size, end, sizeof(end) - 1);
	kvrel_out_add(out, value.size + sizeof(end) - 1);
}

/* One line, whatever the reason holds. */
static void write_error(const struct kvrel_api *api, struct kvrel_out *out, struct kvrel_slice reason)
{
	static const char prefix[] = "ERROR ";
	size_t size = sizeof(prefix) - 1 + reason.size + 2;
	char *to = kvrel_out_room(api, out, size);
	if (!to)
		return;
	memcpy(to, prefix, sizeof(prefix) - 1);
	to += sizeof(prefix) - 1;
	for (size_t i = 0; i < reason.size; i++)
		to[i] = reason.data[i] == '\r' || reason.data[i] == '\n' ? ' ' : reason.data[i];
	memcpy(to + reason.size, "\r\n", 2);
	kvrel_out_add(out, size);
}

/* The number to go on with, then keys and what they were set to. */
bool reply_write_changes(const struct kvrel_api *api, struct kvrel_out *out, const struct kvrel_result *result)
{
	for (size_t i = 1; i + 1 < result->count; i += 2) {
		const struct kvrel_result *value = &result->items[i + 1];
		if (has_line_end(result->items[i].bytes) || has_line_end(value->bytes)) {
			WRITE(api, out, "ERROR a change holds a line end, which this protocol cannot tell");
			return false;
		}
		api->out_bytes(out, result->items[i].bytes.data, result->items[i].bytes.size);
		if (value->kind == KVREL_NIL) {
			WRITE(api, out, " DELETED");
			continue;
		}
		api->out_bytes(out, " SET TO ", sizeof(" SET TO ") - 1);
		api->out_bytes(out, value->bytes.data, value->bytes.size);
		WRITE(api, out, "");
	}
	return true;
}

static struct kvrel_slice reason_of(const struct kvrel_result *result, const char *otherwise)
{
	if (result->bytes.size > 0)
		return result->bytes;
	return (struct kvrel_slice){ otherwise, strlen(otherwise) };
}

static void write_result(const struct kvrel_api *api, struct kvrel_out *out, enum command command,
			 const struct kvrel_result *result)
{
	switch (result->status) {
	case KVREL_OK:
		if (command == COMMAND_GET)
			write_value(api, out, result->bytes);
		else
			WRITE(api, out, "OK");
		return;
	case KVREL_NOT_FOUND:
		WRITE(api, out, "NOT FOUND");
		return;
	case KVREL_WRONG_ARGS:
		write_error(api, out, reason_of(result, "wrong arguments"));
		return;
	case KVREL_ERROR:
		break;
	}
	write_error(api, out, reason_of(result, "the request failed"));
}

void reply_write(const struct kvrel_api *api, struct kvrel_out *out, uint32_t tag, const struct kvrel_result *result)
{
	if (tag == TAG_UNKNOWN)
		WRITE(api, out, "UNKNOWN COMMAND");
	else if (tag == TAG_TOO_LONG)
		WRITE(api, out, "ERROR line too long");
	else if (tag == TAG_TOO_MANY_BUCKETS)
		WRITE(api, out, "ERROR this connection follows as many buckets as it may");
	else
		write_result(api, out, (enum command)tag, result);
}
