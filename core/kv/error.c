/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>

int kv_fail(struct kv_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return -1;
}
