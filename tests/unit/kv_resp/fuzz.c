/* SPDX-License-Identifier: MIT */
#include "front_fuzz.h"

#include "front_end.h"

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

const struct front_fuzzed front_fuzzed = { start, blank_numbers };
