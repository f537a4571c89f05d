/* SPDX-License-Identifier: MIT */
#include "front_fuzz.h"

#include "front_end.h"

#include <stdlib.h>
#include <string.h>

const struct kvrel_component *kvrel_component(void);

static void answer(const char *op, struct kvrel_call *call)
{
	struct kvrel_slice text = call->arg_count ? call->args[0] : (struct kvrel_slice){ 0 };
	struct kvrel_result leaf = { .kind = KVREL_BYTES, .bytes = text };
	struct kvrel_result inner[] = { leaf, { .kind = KVREL_NIL } };
	struct kvrel_result result = { .items = inner, .count = 2, .bytes = text };
	result.status = text.size % 5 == 4 ? KVREL_ERROR : KVREL_OK;
	result.kind = op[4] % 2 ? KVREL_LIST : KVREL_PAIRS;
	call->complete(call, &result);
}

static struct t_front *start(void)
{
	static const struct t_setting settings[] = { { "listen", "127.0.0.1", 0 },   { "port", NULL, 6379 },
						     { "password", "", 0 },          { "protected", NULL, 1 },
						     { "max_request", NULL, 65536 }, { NULL, NULL, 0 } };
	return t_front_start(kvrel_component(), settings, answer, NULL);
}

/* What HELLO, CLIENT and INFO count differs from connection to connection: every number becomes a 0. Returns the size.
 */
static size_t blank_numbers(char *text, size_t size)
{
	size_t kept = 0;
	for (size_t i = 0; i < size; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';
		if (digit && kept > 0 && text[kept - 1] == '0')
			continue;
		text[kept++] = digit ? '0' : text[i];
	}
	return kept;
}

static char *outcome(struct t_front *front, const uint8_t *data, size_t size, size_t piece, size_t *out_size)
{
	t_front_connect(front, "127.0.0.1:1");
	for (size_t at = 0; at < size; at += piece)
		t_front_feed(front, data + at, size - at < piece ? size - at : piece);
	const char *output = t_front_output(front, out_size);
	char *copy = malloc(*out_size + 1);
	if (!copy)
		return NULL;
	memcpy(copy, output, *out_size + 1);
	*out_size = blank_numbers(copy, *out_size);
	return copy;
}

int kv_resp_fuzz(const uint8_t *data, size_t size)
{
	static struct t_front *front;
	if (!front)
		front = start();
	if (size == 0)
		return 0;
	size_t whole_size = 0, cut_size = 0;
	char *whole = outcome(front, data + 1, size - 1, size, &whole_size);
	char *cut = outcome(front, data + 1, size - 1, data[0] % 16u + 1, &cut_size);
	if (!whole || !cut || whole_size != cut_size || memcmp(whole, cut, cut_size) != 0)
		abort();
	free(whole);
	free(cut);
	return 0;
}
