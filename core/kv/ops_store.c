/* SPDX-License-Identifier: MIT */
#include "ops.h"

#include "result.h"

#include <string.h>

static void submit_plain(struct kv *kv, struct kvrel_call *call, enum engine_kind kind)
{
	ops_submit(kv, &(struct engine_request){
			       .kind = kind, .call = call, .items = call->args, .item_count = call->arg_count });
}

void op_count(void *state, struct kvrel_call *call)
{
	submit_plain(state, call, ENGINE_COUNT);
}

void op_stats(void *state, struct kvrel_call *call)
{
	submit_plain(state, call, ENGINE_STATS);
}

void op_sync(void *state, struct kvrel_call *call)
{
	submit_plain(state, call, ENGINE_SYNC);
}

void op_verify(void *state, struct kvrel_call *call)
{
	submit_plain(state, call, ENGINE_VERIFY);
}

void op_backup(void *state, struct kvrel_call *call)
{
	if (call->args[0].size == 0 || call->args[0].data[0] != '/')
		result_wrong_args(call, "the path of a backup has to begin with '/'");
	else if (memchr(call->args[0].data, '\0', call->args[0].size) != NULL)
		result_wrong_args(call, "the path of a backup holds a NUL byte");
	else
		submit_plain(state, call, ENGINE_BACKUP);
}
