/* SPDX-License-Identifier: MIT */
#include "front_fuzz.h"

#include "front_end.h"

const struct kvrel_component *kvrel_component(void);

static void answer(const char *op, struct kvrel_call *call)
{
	struct kvrel_result result = { .kind = KVREL_BYTES, .bytes = call->args[0] };
	result.status = (enum kvrel_status)(call->args[0].size % 4);
	(void)op;
	call->complete(call, &result);
}

static struct t_front *start(void)
{
	static const struct t_setting settings[] = {
		{ "listen", "127.0.0.1", 0 }, { "port", NULL, 4040 }, { "max_line", NULL, 64 }, { NULL, NULL, 0 }
	};
	return t_front_start(kvrel_component(), settings, answer, NULL);
}

const struct front_fuzzed front_fuzzed = { start, NULL };
