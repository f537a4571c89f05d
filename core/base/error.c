/* SPDX-License-Identifier: MIT */
/*
 * Messages are formatted into a local first: callers may pass parts of the old message as arguments.
 */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_code;
} codes[] = {
#define X(name, text, exit_code) { #name, exit_code },
	ERROR_CODES(X)
#undef X
};
_Static_assert(sizeof(codes) / sizeof(codes[0]) == ERROR_CODE_COUNT, "one row a code");

int error_vset(struct error *err, enum error_code code, const char *format, va_list args)
{
	char message[ERROR_MESSAGE_BYTES];

	assert(code > ERROR_NONE && code < ERROR_CODE_COUNT);
	if (!err)
		return -(int)code;
	vsnprintf(message, sizeof(message), format, args);
	memcpy(err->message, message, sizeof(message));
	err->code = code;
	err->errnum = 0;
	return -(int)code;
}

int error_set(struct error *err, enum error_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_vset(err, code, format, args);
	va_end(args);
	return -(int)code;
}

static enum error_code code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return ERROR_NO_MEMORY;
	case ENOENT:
		return ERROR_NOT_FOUND;
	case EEXIST:
		return ERROR_EXISTS;
	default:
		return ERROR_SYSTEM;
	}
}

int error_system(struct error *err, int errnum, const char *format, ...)
{
	enum error_code code = code_of_errno(errnum);
	va_list args;

	va_start(args, format);
	error_vset(err, code, format, args);
	va_end(args);
	if (err) {
		/* the reason must fit, so a context that is too long loses its end */
		const char *reason = strerror(errnum);
		size_t reason_size = strlen(reason) + sizeof(": ");
		size_t size = strlen(err->message);

		if (size + reason_size > sizeof(err->message))
			size = sizeof(err->message) - reason_size;
		snprintf(err->message + size, sizeof(err->message) - size, ": %s", reason);
		err->errnum = errnum;
	}
	return -(int)code;
}

int error_wrap(struct error *err, const char *format, ...)
{
	char context[ERROR_MESSAGE_BYTES];
	va_list args;
	int context_size;
	size_t size;

	if (!err)
		return -(int)ERROR_FAILED;
	va_start(args, format);
	context_size = vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	size = strlen(err->message);
	if (context_size >= 0 && (size_t)context_size + 2 + size < sizeof(err->message)) {
		memmove(err->message + context_size + 2, err->message, size + 1);
		memcpy(err->message, context, (size_t)context_size);
		memcpy(err->message + context_size, ": ", 2);
	}
	return err->code ? -(int)err->code : -(int)ERROR_FAILED;
}

int error_exit_code(enum error_code code)
{
	assert(code < ERROR_CODE_COUNT);
	return codes[code].exit_code;
}

const char *error_code_name(enum error_code code)
{
	assert(code < ERROR_CODE_COUNT);
	return codes[code].name;
}
