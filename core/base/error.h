/* SPDX-License-Identifier: MIT */
/*
 * Errors by value.
 *
 * A fallible function returns 0 or a negative code and takes a `struct error *` last; NULL means that
 * the caller does not want the text. The struct is of fixed size and owns nothing, so making an error
 * cannot fail and needs no clean-up. It is written on failure only; output parameters on success only.
 *
 * Wrap where you know a noun the callee did not: error_wrap() puts "context: " in front. When space
 * runs out the outer context is dropped and the root cause kept.
 *
 * Messages: lower case, no full stop, what failed first, names in 'quotes', the next step last.
 * Libraries neither print nor exit; the command or the node's top loop reports once.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

/* name, what it means, exit code of a program that ends with it (the contract's list) */
#define ERROR_CODES(X) \
	X(NONE, "no error", 0) \
	X(FAILED, "it could not be done", 1) \
	X(SYSTEM, "a system call failed", 1) \
	X(NO_MEMORY, "out of memory", 1) \
	X(NOT_FOUND, "it does not exist", 1) \
	X(EXISTS, "it exists already", 1) \
	X(LIMIT, "a limit is exceeded", 1) \
	X(UNSUPPORTED, "not supported yet", 1) \
	X(USAGE, "wrong command line", 2) \
	X(INVALID, "invalid input", 3) \
	X(INTEGRITY, "content does not match its digest", 4) \
	X(TRY_AGAIN, "try again later", 75)

enum error_code {
#define X(name, text, exit_code) ERROR_##name,
	ERROR_CODES(X)
#undef X
		ERROR_CODE_COUNT
};

enum { ERROR_MESSAGE_BYTES = 1024 };

struct error {
	enum error_code code;
	int errnum; /* errno of the root cause, 0 if none */
	char message[ERROR_MESSAGE_BYTES];
};

/* Fills `err` (may be NULL). Returns -(int)code, so that failing is one `return`. */
int error_set(struct error *err, enum error_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int error_vset(struct error *err, enum error_code code, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* "<format>: <strerror(errnum)>", code SYSTEM. ENOMEM becomes NO_MEMORY, ENOENT NOT_FOUND, EEXIST EXISTS. */
int error_system(struct error *err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<format>: " before the message already in `err`. Returns -(int)err->code, or -FAILED when `err`
 * is NULL. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

int error_exit_code(enum error_code code);
const char *error_code_name(enum error_code code);

#endif
