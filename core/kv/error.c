/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include "result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int kv_fail(struct kv_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return -1;
}

void result_status(struct kvrel_call *call, enum kvrel_status status, const char *message)
{
	const struct kvrel_result result = { .status = status,
					     .kind = KVREL_BYTES,
					     .bytes = { message, strlen(message) } };

	call->complete(call, &result);
}
