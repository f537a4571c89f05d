/* SPDX-License-Identifier: MIT */
/*
 * Fuzzing of front-ends: any bytes, in pieces whose size the first byte chooses, into a connection of a node of paper.
 * Besides not crashing, a front-end must write the same however its input was cut.
 *
 * The protocol's own fuzz.c defines `front_fuzzed`; there is one in a program, since each links a component.
 */
#ifndef TEST_FRONT_FUZZ_H
#define TEST_FRONT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

struct t_front;

struct front_fuzzed {
	struct t_front *(*start)(void);
	/* Makes alike in a reply what differs from connection to connection; returns its new size. NULL: nothing does.
	 */
	size_t (*blank)(char *text, size_t size);
};
extern const struct front_fuzzed front_fuzzed;

/* As LLVMFuzzerTestOneInput. Aborts on a difference. */
int front_fuzz(const uint8_t *data, size_t size);
/* front_fuzz() of thousands of mangled copies and tails of `session`, the same ones everywhere. */
void front_fuzz_mangled(const char *session, size_t size);

#endif
