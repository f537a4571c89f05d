/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target is one file, fuzz_NAME.c, that defines LLVMFuzzerTestOneInput; tests/fuzz/corpus/NAME holds inputs that
 * are worth starting from, and every input that once went wrong. Compiled by clang in the preset fuzz; elsewhere a
 * small main runs the corpus once, as a regression test.
 *
 * A target checks what must hold for any input by FUZZ_CHECK; memory is the sanitizers' business.
 */
#ifndef T_FUZZ_H
#define T_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file in memory that holds `data`, for code that reads files; valid until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

void fuzz_fail(const char *what, const char *file, int line) __attribute__((noreturn));
#define FUZZ_CHECK(what) ((what) ? (void)0 : fuzz_fail(#what, __FILE__, __LINE__))

#endif
