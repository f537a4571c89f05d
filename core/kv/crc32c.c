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
__attribute__((target("sse4.2"))) static uint32_t crc32c_processor(uint32_t before, const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t crc = ~before, word;

	for (; size >= 8; size -= 8, p += 8) {
		memcpy(&word, p, sizeof(word));
		crc = __builtin_ia32_crc32di(crc, word);
	}
	while (size-- > 0)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p++);
	return ~(uint32_t)crc;
}

static int processor_can(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) static uint32_t crc32c_processor(uint32_t before, const void *data, size_t size)
{
	const unsigned char *p = data;
	uint32_t crc = ~before;
	uint64_t word;

	for (; size >= 8; size -= 8, p += 8) {
		memcpy(&word, p, sizeof(word));
		crc = __builtin_aarch64_crc32cx(crc, word);
	}
	while (size-- > 0)
		crc = __builtin_aarch64_crc32cb(crc, *p++);
	return ~crc;
}

static int processor_can(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#else
static int processor_can(void)
{
	return 0;
}
#define crc32c_processor crc32c_portable
#endif

uint32_t (*crc32c)(uint32_t before, const void *data, size_t size) = crc32c_portable;

static void choose(void)
{
	table_init();
	crc32c = processor_can() ? crc32c_processor : crc32c_portable;
}

void crc32c_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose);
}
