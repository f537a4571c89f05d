/* SPDX-License-Identifier: MIT */
/*
 * Three functions of bytes: a quick hash for tables in memory, a keyed digest for names that the store cannot hold
 * whole, a checksum for what lies on disk.
 */
#ifndef KV_HASH_H
#define KV_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_read64(const unsigned char *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint64_t hash_read32(const unsigned char *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Not for disk: may differ between versions. A random seed keeps clients from choosing what collides. Folds 16 bytes a
 * step through a 64 x 64 → 128 bit multiplication; short keys, which are nearly all, take two or three. Both factors
 * are mixed with what only the seed's owner knows: who could make one of them zero would take all else, and the seed,
 * out of the hash. Here, since every request does it.
 */
static inline uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
	const uint64_t odd1 = 0xd1b54a32d192ed03u, odd2 = 0x8cb92ba72f3d8dd7u;
	const unsigned char *p = (const unsigned char *)data, *end = p + size;
	uint64_t state = seed ^ odd1, secret = seed * odd2, a = 0, b = 0;

	if (size > 16) {
		for (; end - p > 16; p += 16)
			state = hash_fold(hash_read64(p) ^ secret, hash_read64(p + 8) ^ state);
		a = hash_read64(end - 16); /* some of these were there before */
		b = hash_read64(end - 8);
	} else if (size >= 8) {
		a = hash_read64(p);
		b = hash_read64(end - 8);
	} else if (size >= 4) {
		a = hash_read32(p);
		b = hash_read32(end - 4);
	} else if (size > 0) {
		a = (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | end[-1];
	}
	return hash_fold(hash_fold(a ^ secret, b ^ state) ^ odd2, size ^ odd1);
}

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
