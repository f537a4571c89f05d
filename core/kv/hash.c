/* SPDX-License-Identifier: MIT */
/*
 * hash_bytes folds 16 bytes a step through a 64 x 64 → 128 bit multiplication; short keys, which are nearly all, take
 * two multiplications. hash_keyed is SipHash (Aumasson and Bernstein): with a secret key per store nobody can find two
 * names with one digest.
 */
#include "hash.h"

#include <string.h>

static inline uint64_t read64(const unsigned char *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint64_t read32(const unsigned char *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
	const uint64_t odd1 = 0xd1b54a32d192ed03u, odd2 = 0x8cb92ba72f3d8dd7u;
	const unsigned char *p = data;
	uint64_t state = seed ^ odd1, a = 0, b = 0;
	size_t rest = size;

	for (; rest > 16; rest -= 16, p += 16)
		state = fold(read64(p) ^ odd1, read64(p + 8) ^ state);
	if (rest >= 8) {
		a = read64(p);
		b = read64(p + rest - 8);
	} else if (rest >= 4) {
		a = read32(p);
		b = read32(p + rest - 4);
	} else if (rest > 0) {
		a = (uint64_t)p[0] << 16 | (uint64_t)p[rest / 2] << 8 | p[rest - 1];
	}
	return fold(fold(a ^ odd1, b ^ state) ^ odd2, size ^ odd1);
}

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

struct hash_digest hash_keyed(const void *data, size_t size, const uint64_t key[2])
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xee,
			  key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
	const unsigned char *p = data;
	uint64_t last = (uint64_t)size << 56;
	struct hash_digest digest;
	size_t rest = size;

	for (; rest >= 8; rest -= 8, p += 8)
		sip_word(v, read64(p));
	for (size_t i = 0; i < rest; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xee;
	sip_rounds(v, 4);
	digest.low = v[0] ^ v[1] ^ v[2] ^ v[3];
	v[1] ^= 0xdd;
	sip_rounds(v, 4);
	digest.high = v[0] ^ v[1] ^ v[2] ^ v[3];
	return digest;
}
