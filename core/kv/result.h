/* SPDX-License-Identifier: MIT */
/* Completing a call with one of the usual results. The call is no longer ours when these return. */
#ifndef KV_RESULT_H
#define KV_RESULT_H

#include "kvrel/component.h"

static inline void result_nil(struct kvrel_call *call)
{
	const struct kvrel_result result = { .status = KVREL_OK, .kind = KVREL_NIL };

	call->complete(call, &result);
}

static inline void result_int(struct kvrel_call *call, int64_t integer)
{
	const struct kvrel_result result = { .status = KVREL_OK, .kind = KVREL_INT, .integer = integer };

	call->complete(call, &result);
}

static inline void result_bytes(struct kvrel_call *call, struct kvrel_slice bytes)
{
	const struct kvrel_result result = { .status = KVREL_OK, .kind = KVREL_BYTES, .bytes = bytes };

	call->complete(call, &result);
}

static inline void result_not_found(struct kvrel_call *call)
{
	const struct kvrel_result result = { .status = KVREL_NOT_FOUND };

	call->complete(call, &result);
}

/* Out of line, so that it costs nothing where nothing fails. */
void result_status(struct kvrel_call *call, enum kvrel_status status, const char *message);

static inline void result_error(struct kvrel_call *call, const char *message)
{
	result_status(call, KVREL_ERROR, message);
}

static inline void result_wrong_args(struct kvrel_call *call, const char *message)
{
	result_status(call, KVREL_WRONG_ARGS, message);
}

#endif
