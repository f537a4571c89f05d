/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C three ways: the instruction of x86-64 (SSE 4.2), the one of ARMv8 where the kernel says it is there, and a
 * table. The choice is made at run time, so that one binary runs on every processor of its architecture.
 */
#include "hash.h"

#include <pthread.h>
#include <string.h>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

enum { CASTAGNOLI = 0x82f63b78 };

static uint32_t table[256];

static void table_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ CASTAGNOLI : crc >> 1;
		table[i] = crc;
	}
}

uint32_t crc32c_portable(uint32_t before, const void *data, size_t size)
{
	const unsigned char *p = data;
	uint32_t crc = ~before;

	while (size-- > 0)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)
#define BY_PROCESSOR        __attribute__((target("sse4.2")))
#define ADD_WORD(crc, word) __builtin_ia32_crc32di(crc, word)
#define ADD_BYTE(crc, byte) __builtin_ia32_crc32qi((uint32_t)(crc), byte)

static int processor_can(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
#define BY_PROCESSOR        __attribute__((target("+crc")))
#define ADD_WORD(crc, word) __builtin_aarch64_crc32cx((uint32_t)(crc), word)
#define ADD_BYTE(crc, byte) __builtin_aarch64_crc32cb((uint32_t)(crc), byte)

static int processor_can(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#endif

#ifdef BY_PROCESSOR
/*
 * The instruction takes three cycles, and one can begin in each: so long data goes through in three lanes. What a lane
 * came to is brought behind the next one's bytes as if as many zeros had followed, which is linear: four look-ups.
 */
enum { LANE_BYTES = 336 };

static uint32_t behind_lane[4][256];

static inline uint64_t word_at(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

BY_PROCESSOR static uint32_t zeros_behind(uint64_t crc)
{
	for (unsigned word = 0; word < LANE_BYTES / 8; word++)
		crc = ADD_WORD(crc, 0);
	return (uint32_t)crc;
}

static void lanes_init(void)
{
	for (unsigned byte = 0; byte < 4; byte++)
		for (uint32_t i = 1; i < 256; i++) {
			uint32_t lowest = i & -i, rest = i ^ lowest;

			behind_lane[byte][i] = rest == 0 ? zeros_behind((uint64_t)i << (8 * byte))
							 : behind_lane[byte][rest] ^ behind_lane[byte][lowest];
		}
}

static inline uint32_t move_behind(uint64_t crc)
{
	return behind_lane[0][crc & 0xff] ^ behind_lane[1][crc >> 8 & 0xff] ^ behind_lane[2][crc >> 16 & 0xff] ^
	       behind_lane[3][crc >> 24 & 0xff];
}

BY_PROCESSOR static uint32_t crc32c_processor(uint32_t before, const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t crc = (uint32_t)~before;

	for (; size >= LANE_BYTES * 3; size -= LANE_BYTES * 3, p += LANE_BYTES * 3) {
		uint64_t second = 0, third = 0;

		for (size_t i = 0; i < LANE_BYTES; i += 8) {
			crc = ADD_WORD(crc, word_at(p + i));
			second = ADD_WORD(second, word_at(p + LANE_BYTES + i));
			third = ADD_WORD(third, word_at(p + 2 * LANE_BYTES + i));
		}
		crc = move_behind(move_behind(crc) ^ second) ^ third;
	}
	for (; size >= 8; size -= 8, p += 8)
		crc = ADD_WORD(crc, word_at(p));
	while (size-- > 0)
		crc = ADD_BYTE(crc, *p++);
	return ~(uint32_t)crc;
}
#endif

uint32_t (*crc32c)(uint32_t before, const void *data, size_t size) = crc32c_portable;

static void choose(void)
{
	table_init();
#ifdef BY_PROCESSOR
	if (processor_can()) {
		lanes_init();
		crc32c = crc32c_processor;
	}
#endif
}

void crc32c_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose);
}
