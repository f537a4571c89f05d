/* SPDX-License-Identifier: MIT */
#include "router.h"

#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES = ROUTER_BYTES, ORIGIN_BYTES = 256, SHOWN_NAME = 64 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One end of a range at *at: a character, or 0xHH. */
static bool parse_byte(struct kvrel_slice text, size_t *at, unsigned *byte)
{
	const char *p = text.data + *at;
	size_t left = text.size - *at;

	if (left == 0)
		return false;
	if (left >= 4 && p[0] == '0' && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
		*byte = (unsigned)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
		*at += 4;
	} else {
		*byte = (unsigned char)p[0];
		*at += 1;
	}
	return true;
}

static bool parse_range(struct kvrel_slice text, unsigned *first, unsigned *last)
{
	size_t at = 0;

	if (!parse_byte(text, &at, first))
		return false;
	*last = *first;
	if (at == text.size)
		return true;
	return text.data[at++] == '-' && parse_byte(text, &at, last) && at == text.size && *first <= *last;
}

/* "self", or NAME@HOST of printing characters. */
static bool node_valid(struct kvrel_slice node)
{
	const char *at = memchr(node.data, '@', node.size);

	for (size_t i = 0; i < node.size; i++)
		if (node.data[i] <= ' ' || node.data[i] == 0x7f)
			return false;
	if (node.size == 4 && memcmp(node.data, "self", 4) == 0)
		return true;
	return at != NULL && at != node.data && at != node.data + node.size - 1;
}

static bool is_string(const struct kvrel_api *api, const struct kvrel_value *value)
{
	return value != NULL && api->value_type(value) == KVREL_VALUE_STRING;
}

static int entry_add(struct router *router, const struct kvrel_api *api, const struct kvrel_value *entry,
		     const char *own_node, struct kv_error *err)
{
	const struct kvrel_value *range, *node;
	struct kvrel_slice range_text, node_text;
	char origin[ORIGIN_BYTES];
	unsigned first, last;
	char *name;

	api->value_origin(entry, origin, sizeof(origin));
	if (api->value_type(entry) != KVREL_VALUE_MAP)
		return kv_fail(err, "%s: an entry of kv.routing_table is {range: a-m, node: foo@host}", origin);
	range = api->value_get(entry, "range");
	node = api->value_get(entry, "node");
	if (!is_string(api, range) || !is_string(api, node))
		return kv_fail(err,
			       "%s: an entry of kv.routing_table needs a 'range' like a-m and a 'node' like foo@host",
			       origin);
	range_text = api->value_string(range);
	node_text = api->value_string(node);
	if (!parse_range(range_text, &first, &last))
		return kv_fail(err, "%s: '%.*s' is not a range of first characters: write a-m, or 0x80-0xff",
			       api->value_origin(range, origin, sizeof(origin)), (int)range_text.size, range_text.data);
	if (!node_valid(node_text))
		return kv_fail(err, "%s: '%.*s' is not a node: write self, or a name like foo@host",
			       api->value_origin(node, origin, sizeof(origin)), (int)node_text.size, node_text.data);
	name = strndup(node_text.data, node_text.size);
	if (name == NULL)
		return kv_fail(err, "out of memory");
	if (strcmp(name, "self") == 0 || (own_node != NULL && strcmp(name, own_node) == 0))
		name[0] = '\0';
	router->names[router->name_count++] = name;
	for (unsigned byte = first; byte <= last; byte++)
		if (router->nodes[byte] == NULL)
			router->nodes[byte] = name;
	return 0;
}

int router_new(const struct kvrel_api *api, const struct kvrel_value *table, const char *own_node, struct router **out,
	       struct kv_error *err)
{
	bool given = table != NULL && api->value_type(table) == KVREL_VALUE_LIST;
	size_t count = given ? api->value_count(table) : 0;
	struct router *router = calloc(1, sizeof(*router));

	if (router == NULL)
		return kv_fail(err, "out of memory");
	router->names = calloc(count + 1, sizeof(*router->names));
	if (router->names == NULL) {
		router_free(router);
		return kv_fail(err, "out of memory");
	}
	for (size_t i = 0; i < count; i++) {
		if (entry_add(router, api, api->value_item(table, i), own_node, err) != 0) {
			router_free(router);
			return -1;
		}
	}
	for (unsigned byte = 0; count == 0 && byte < BYTES; byte++)
		router->nodes[byte] = "";
	*out = router;
	return 0;
}

void router_free(struct router *router)
{
	if (router == NULL)
		return;
	for (size_t i = 0; i < router->name_count; i++)
		free(router->names[i]);
	free(router->names);
	free(router);
}

/* A bucket's name for a message: short, and without bytes that a terminal or a line protocol would act upon. */
static void show_name(struct kvrel_slice name, char out[SHOWN_NAME + 4])
{
	size_t size = name.size < SHOWN_NAME ? name.size : SHOWN_NAME;

	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)name.data[i];

		out[i] = byte < ' ' || byte == 0x7f ? '?' : (char)byte;
	}
	strcpy(out + size, size < name.size ? "..." : "");
}

/* What cannot be routed is told in the log once a second at most: it may be many thousand requests. */
static bool may_tell(struct router *router)
{
	struct timespec now;
	int64_t told = atomic_load_explicit(&router->told_s, memory_order_relaxed);

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec != told &&
	       atomic_compare_exchange_strong_explicit(&router->told_s, &told, now.tv_sec, memory_order_relaxed,
						       memory_order_relaxed);
}

void router_answer_elsewhere(struct router *router, struct kvrel_call *call, struct kvrel_slice bucket,
			     uint32_t timeout_ms)
{
	const char *node = router_find(router, bucket);
	char message[KV_ERROR_BYTES], name[SHOWN_NAME + 4];

	if (node != NULL && router->api != NULL && router->api->forward != NULL) {
		router->api->forward(router->node, call, node, timeout_ms);
		return;
	}
	show_name(bucket, name);
	if (node == NULL)
		snprintf(message, sizeof(message), "no node for bucket '%s'", name);
	else
		snprintf(message, sizeof(message), "node '%s' is unreachable: there are no links to other nodes", node);
	if (router->api != NULL && may_tell(router))
		router->api->log(router->node, KVREL_WARN, "%s", message);
	result_error(call, message);
}

void router_connect(struct router *router, const struct kvrel_api *api, struct kvrel_node *node, uint32_t timeout_ms)
{
	router->api = api;
	router->node = node;
	router->timeout_ms = timeout_ms;
}

bool router_gap(const struct router *router, unsigned *first, unsigned *last)
{
	unsigned byte = 0;

	while (byte < BYTES && router->nodes[byte] != NULL)
		byte++;
	if (byte == BYTES)
		return false;
	*first = byte;
	while (byte < BYTES && router->nodes[byte] == NULL)
		byte++;
	*last = byte - 1;
	return true;
}
