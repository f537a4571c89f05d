/* SPDX-License-Identifier: MIT */
/*
 * Fuzzing of front-ends: any bytes, in pieces whose size the first byte chooses, into a connection of a node of paper.
 * Besides not crashing, a front-end must write the same however its input was cut.
 */
#ifndef TEST_FRONT_FUZZ_H
#define TEST_FRONT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* As LLVMFuzzerTestOneInput; one of them in a program, since both link a component. Aborts on a difference. */
int kv_server_fuzz(const uint8_t *data, size_t size);
int kv_resp_fuzz(const uint8_t *data, size_t size);

#endif
