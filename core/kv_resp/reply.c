/* SPDX-License-Identifier: MIT */
/*
 * Results into RESP2 and RESP3. Numbers are written by hand and a bulk string is one reservation: this runs for every
 * reply.
 */
#include "request.h"

#include <string.h>

enum { NUMBER_BYTES = 24 };

/* The digits of `number`, with sign; returns how many. */
static size_t write_long_number(char *to, int64_t number)
{
	char digits[NUMBER_BYTES];
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	size_t count = 0, size = 0;
	do
		digits[count++] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		to[size++] = '-';
	while (count > 0)
		to[size++] = digits[--count];
	return size;
}

static inline size_t write_number(char *to, int64_t number)
{
	if (number < 0 || number > 9)
		return write_long_number(to, number);
	to[0] = (char)('0' + number);
	return 1;
}

struct writer {
	const struct kvrel_api *api;
	struct kvrel_out *out;
	bool resp3;
};

/* Sign, number, CR LF: integers and the heads of arrays. */
static inline void write_head(const struct writer *w, char sign, int64_t number)
{
	char *to = kvrel_out_room(w->api, w->out, NUMBER_BYTES + 3);
	if (!to)
		return;
	to[0] = sign;
	size_t size = 1 + write_number(to + 1, number);
	to[size++] = '\r';
	to[size++] = '\n';
	kvrel_out_add(w->out, size);
}

static void write_literal(const struct writer *w, const char *text)
{
	w->api->out_bytes(w->out, text, strlen(text));
}

static void write_nil(const struct writer *w)
{
	write_literal(w, w->resp3 ? "_\r\n" : "$-1\r\n");
}

static inline void write_bulk(const struct writer *w, struct kvrel_slice bytes)
{
	char *to = kvrel_out_room(w->api, w->out, bytes.size + NUMBER_BYTES + 5);
	if (!to)
		return;
	to[0] = '$';
	size_t size = 1 + write_number(to + 1, (int64_t)bytes.size);
	to[size++] = '\r';
	to[size++] = '\n';
	if (bytes.size > 0)
		memcpy(to + size, bytes.data, bytes.size);
	size += bytes.size;
	to[size++] = '\r';
	to[size++] = '\n';
	kvrel_out_add(w->out, size);
}

static void write_value(const struct writer *w, const struct kvrel_result *result)
{
	switch (result->kind) {
	case KVREL_NIL:
		write_nil(w);
		return;
	case KVREL_INT:
		write_head(w, ':', result->integer);
		return;
	case KVREL_BYTES:
		write_bulk(w, result->bytes);
		return;
	case KVREL_LIST:
	case KVREL_PAIRS:
		break;
	}
	write_head(w, '*', (int64_t)result->count);
	for (size_t i = 0; i < result->count; i++)
		write_value(w, &result->items[i]);
}

static void write_map(const struct writer *w, const struct kvrel_result *result)
{
	if (!w->resp3 || result->kind != KVREL_PAIRS) {
		write_value(w, result);
		return;
	}
	write_head(w, '%', (int64_t)result->count / 2);
	for (size_t i = 0; i < result->count; i++)
		write_value(w, &result->items[i]);
}

static void write_error(const struct writer *w, const struct command *command, const struct kvrel_result *result)
{
	struct text text = { 0 };
	if (result->bytes.size > 0)
		text_error(&text, "ERR %.*s", (int)(result->bytes.size > 400 ? 400 : result->bytes.size),
			   result->bytes.data);
	else if (result->status == KVREL_WRONG_ARGS)
		text_error(&text, "ERR wrong number of arguments for '%s' command", command->name);
	else if (result->status == KVREL_NOT_FOUND)
		text_error(&text, "ERR no such key");
	else
		text_error(&text, "ERR the request failed");
	w->api->out_bytes(w->out, text.data, text.size);
	text_done(&text);
}

static void write_info(const struct writer *w, struct kvrel_conn *conn, const struct kvrel_result *result,
		       unsigned sections)
{
	struct server *server = w->api->conn_state(conn);
	struct text report = { 0 }, reply = { .resp3 = w->resp3 };
	info_write(server, w->api->node_name(server->node), result->integer, sections, &report);
	text_verbatim(&reply, (struct kvrel_slice){ report.data, report.size });
	if (report.failed || reply.failed)
		write_literal(w, "-ERR out of memory\r\n");
	else
		w->api->out_bytes(w->out, reply.data, reply.size);
	text_done(&reply);
	text_done(&report);
}

const char *scan_mistake(enum shape shape)
{
	return shape == SHAPE_SCAN_NUMBER ? "ERR value is not an integer or out of range" : "ERR syntax error";
}

static void write_scan_mistake(const struct writer *w, enum shape shape, bool there)
{
	struct text text = { 0 };
	if (there)
		text_error(&text, "%s", scan_mistake(shape));
	else
		text_bytes(&text, EMPTY_SCAN, sizeof(EMPTY_SCAN) - 1);
	w->api->out_bytes(w->out, text.data, text.size);
	text_done(&text);
}

__attribute__((noinline)) static void write_any(const struct kvrel_api *api, struct kvrel_conn *conn, uint32_t tag,
						const struct kvrel_result *result, struct kvrel_out *out)
{
	struct writer w = { api, out, tag & TAG_RESP3 };
	enum shape shape = (enum shape)(tag & 0xff);
	if (tag & TAG_SILENT)
		return;
	if (result && result->status != KVREL_OK) {
		write_error(&w, &command_table[tag >> TAG_COMMAND & 0xff], result);
		return;
	}
	switch (shape) {
	case SHAPE_OK:
		write_literal(&w, "+OK\r\n");
		return;
	case SHAPE_PONG:
		write_literal(&w, "+PONG\r\n");
		return;
	case SHAPE_RAW:
		api->out_bytes(out, result->bytes.data, result->bytes.size);
		return;
	case SHAPE_TYPE:
		write_literal(&w, result->integer > 0 ? "+hash\r\n" : "+none\r\n");
		return;
	case SHAPE_SCAN_SYNTAX:
	case SHAPE_SCAN_NUMBER:
		write_scan_mistake(&w, shape, result->integer > 0);
		return;
	case SHAPE_INFO:
		write_info(&w, conn, result, tag >> TAG_SECTIONS);
		return;
	case SHAPE_MAP:
		write_map(&w, result);
		return;
	case SHAPE_INTEGER:
	case SHAPE_BULK:
	case SHAPE_ARRAY:
	case SHAPE_SCAN:
	case SHAPE_COUNT:
		break;
	}
	write_value(&w, result);
}

/* How many keys were new, or there. */
static inline void write_digit(const struct writer *w, int64_t digit)
{
	char *to = kvrel_out_room(w->api, w->out, 4);
	if (!to)
		return;
	memcpy(to, ":0\r\n", 4);
	to[1] = (char)('0' + digit);
	kvrel_out_add(w->out, 4);
}

/* What is answered most goes first, without a look at anything else. */
void reply_write(const struct kvrel_api *api, struct kvrel_conn *conn, uint32_t tag, const struct kvrel_result *result,
		 struct kvrel_out *out)
{
	const struct writer w = { .api = api, .out = out };
	const uint32_t shape = tag & (0xff | TAG_SILENT);
	if (shape == SHAPE_INTEGER && result->status == KVREL_OK && result->kind == KVREL_INT && result->integer >= 0 &&
	    result->integer <= 9)
		write_digit(&w, result->integer);
	else if (shape == SHAPE_BULK && result->status == KVREL_OK && result->kind == KVREL_BYTES)
		write_bulk(&w, result->bytes);
	else
		write_any(api, conn, tag, result, out);
}
