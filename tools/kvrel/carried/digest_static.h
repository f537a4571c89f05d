/* SPDX-License-Identifier: MIT */
#ifndef KVREL_CARRIED_DIGEST_STATIC_H
#define KVREL_CARRIED_DIGEST_STATIC_H

#include "build/digest.h"

/* Of `size` bytes of a file from `offset`; INTEGRITY when there are fewer. */
int digest_range(int fd, uint64_t offset, uint64_t size, char sha256[DIGEST_HEX_BYTES], struct error *err);

#endif
