/* SPDX-License-Identifier: MIT */
/*
 * Three functions of bytes: a quick hash for tables in memory, a keyed digest for names that the store cannot hold
 * whole, a checksum for what lies on disk.
 */
#ifndef KV_HASH_H
#define KV_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Not for disk: may differ between versions. A random seed keeps clients from choosing what collides. */
uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);

struct hash_digest {
	uint64_t low, high;
};

/* SipHash-2-4 with 128 bits of output. Part of the disk format. */
struct hash_digest hash_keyed(const void *data, size_t size, const uint64_t key[2]);

/* CRC-32C (Castagnoli) of `data` behind bytes whose checksum is `before` (0 at first). By the processor where it can.
 */
extern uint32_t (*crc32c)(uint32_t before, const void *data, size_t size);
/* Chooses the implementation; before the first use, as often as one likes. */
void crc32c_init(void);
/* The one that needs no processor support, for the test of the other. */
uint32_t crc32c_portable(uint32_t before, const void *data, size_t size);

#endif
