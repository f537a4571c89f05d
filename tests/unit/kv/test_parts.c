/* SPDX-License-Identifier: MIT */
/* The small parts: patterns, numbers, checksums, digests, cursors. */
#include "glob.h"
#include "hash.h"
#include "listing.h"
#include "number.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kvrel_slice text(const char *string)
{
	return (struct kvrel_slice){ string, strlen(string) };
}

Test(glob, matches_as_redis_does)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "abc", true },
		{ "a*c", "abbbc", true },
		{ "a*c", "abbb", false },
		{ "?", "a", true },
		{ "?", "", false },
		{ "h?llo", "hello", true },
		{ "h[ae]llo", "hallo", true },
		{ "h[ae]llo", "hillo", false },
		{ "h[^e]llo", "hallo", true },
		{ "h[^e]llo", "hello", false },
		{ "h[a-c]llo", "hbllo", true },
		{ "h[c-a]llo", "hbllo", true },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "a[\\]]b", "a]b", true },
		{ "*a*b*c*", "xxaxxbxxc", true },
		{ "*abc", "ababc", true },
		{ "[abc", "a", true },
		{ "[\\0-9]", "5", false },
		{ "[\\0-9]", "0", true },
		{ "[\\0-9]", "-", true },
		{ "[0-\\9]", "5", true },
		{ "[a-]", "a", true },
		{ "[a-]", "-", false },
		{ "[a-]b]", "^", true },
		{ "[a-]b]", "c", false },
		{ "[a-", "-", true },
		{ "a\\", "a\\", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(glob_match(text(cases[i].pattern), text(cases[i].text)), cases[i].matches, "%s against %s",
			     cases[i].pattern, cases[i].text);
}

Test(glob, is_not_exploded_by_many_stars)
{
	char pattern[201], subject[2001];

	for (int i = 0; i < 200; i += 2)
		memcpy(pattern + i, "a*", 2);
	pattern[199] = 'b';
	pattern[200] = '\0';
	memset(subject, 'a', 2000);
	subject[2000] = '\0';
	cr_expect_not(glob_match(text(pattern), text(subject)));
}

Test(number, reads_the_canonical_form_only)
{
	int64_t value = 7;

	cr_expect(number_parse(text("-9223372036854775808"), &value) && value == INT64_MIN);
	cr_expect(number_parse(text("9223372036854775807"), &value) && value == INT64_MAX);
	cr_expect(number_parse(text("0"), &value) && value == 0);
	cr_expect_not(number_parse(text("9223372036854775808"), &value));
	cr_expect_not(number_parse(text("-9223372036854775809"), &value));
	cr_expect_not(number_parse(text(""), &value));
	cr_expect_not(number_parse(text("-"), &value));
	cr_expect_not(number_parse(text("-0"), &value));
	cr_expect_not(number_parse(text("01"), &value));
	cr_expect_not(number_parse(text("+1"), &value));
	cr_expect_not(number_parse(text(" 1"), &value));
	cr_expect_not(number_parse(text("1x"), &value));
}

Test(number, prints_what_it_reads)
{
	const int64_t numbers[] = { 0, 1, -1, 42, INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < 6; i++) {
		char out[NUMBER_TEXT_MAX];
		int64_t back = 0;

		cr_expect(number_parse((struct kvrel_slice){ out, number_print(numbers[i], out) }, &back));
		cr_expect_eq(back, numbers[i]);
	}
}

Test(hash, checksums_are_castagnolis_with_and_without_the_processor)
{
	char bytes[5000];

	crc32c_init();
	cr_expect_eq(crc32c(0, "123456789", 9), 0xe3069283u);
	cr_expect_eq(crc32c_portable(0, "123456789", 9), 0xe3069283u);
	cr_expect_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 ^ i >> 8);
	for (size_t i = 0; i < sizeof(bytes); i += i < 100 ? 1 : 131)
		cr_expect_eq(crc32c(1, bytes, i), crc32c_portable(1, bytes, i));
}

Test(hash, digests_are_siphashs)
{
	/* the reference's first vectors: key 00..0f, message of 0 and of 1 byte (00) */
	static const unsigned char empty[16] = { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
						 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 };
	static const unsigned char one[16] = { 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
					       0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 };
	unsigned char key_bytes[16];
	struct hash_digest digest;
	uint64_t key[2];

	for (unsigned char i = 0; i < 16; i++)
		key_bytes[i] = i;
	memcpy(key, key_bytes, sizeof(key));
	digest = hash_keyed("", 0, key);
	cr_expect(memcmp(&digest, empty, 16) == 0);
	digest = hash_keyed("\0", 1, key);
	cr_expect(memcmp(&digest, one, 16) == 0);
}

Test(hash, differs_for_every_length_and_byte)
{
	char bytes[64] = { 0 };
	uint64_t seen[128];

	for (size_t i = 0; i < 64; i++)
		seen[i] = hash_bytes(bytes, i, 1);
	for (size_t i = 0; i < 64; i++) {
		bytes[i] = 1;
		seen[64 + i] = hash_bytes(bytes, 64, 1);
		bytes[i] = 0;
	}
	for (size_t i = 0; i < 128; i++)
		for (size_t j = i + 1; j < 128; j++)
			cr_expect_neq(seen[i], seen[j]);
}

static uint64_t save_number(struct cursors *cursors, int number)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", number);
	return cursors_save(cursors, text(key));
}

static bool is_known(struct cursors *cursors, uint64_t number, const char *key)
{
	struct kvrel_slice found = cursors_find(cursors, number);
	bool known = found.data != NULL && found.size == strlen(key) && memcmp(found.data, key, found.size) == 0;

	cr_expect(known || found.data == NULL);
	free((char *)found.data);
	return known;
}

Test(cursors, remember_the_latest_and_forget_the_oldest)
{
	struct cursors *cursors = cursors_new();
	uint64_t first = cursors_save(cursors, text("first")), empty = cursors_save(cursors, text("")), last = 0;

	cr_expect(is_known(cursors, first, "first"));
	cr_expect(is_known(cursors, empty, ""));
	for (int i = 0; i < 1 << 16; i++)
		last = save_number(cursors, i);
	cr_expect(is_known(cursors, first, "first") == false);
	cr_expect(is_known(cursors, empty, "") == false);
	cr_expect(is_known(cursors, 0, "") == false);
	cr_expect(is_known(cursors, last, "65535"));
	cr_expect_neq(cursors_save(cursors, text("first")), first);
	cursors_free(cursors);
}

Test(cursors, are_the_same_for_the_same_key)
{
	struct cursors *cursors = cursors_new();
	uint64_t first = cursors_save(cursors, text("first")), second = cursors_save(cursors, text("second"));

	cr_expect_neq(first, second);
	for (int i = 0; i < 1 << 17; i++)
		cr_assert_eq(cursors_save(cursors, text("second")), second);
	cr_expect(is_known(cursors, first, "first"));
	cursors_free(cursors);
}

Test(cursors, that_are_used_are_not_forgotten)
{
	struct cursors *cursors = cursors_new();
	uint64_t saved = cursors_save(cursors, text("saved")), found = cursors_save(cursors, text("found"));

	for (int i = 0; i < 200000; i++) {
		save_number(cursors, i);
		if (i % 50000 == 0) {
			cr_expect_eq(cursors_save(cursors, text("saved")), saved);
			cr_expect(is_known(cursors, found, "found"));
		}
	}
	cr_expect(is_known(cursors, saved, "saved"));
	cursors_free(cursors);
}

Test(cursors, of_another_process_are_not_known)
{
	struct cursors *before = cursors_new(), *now = cursors_new();
	uint64_t number = cursors_save(before, text("key"));

	for (int i = 0; i < 100000; i++)
		cr_expect(save_number(now, i) < (uint64_t)1 << 53);
	cr_expect(cursors_find(now, number).data == NULL);
	cursors_free(before);
	cursors_free(now);
}

Test(cursors, of_long_keys_are_fewer)
{
	enum { SIZE = 65535, SAVED = 1000 };
	static char key[SIZE];
	struct cursors *cursors = cursors_new();
	uint64_t numbers[SAVED];
	size_t kept = 0;

	for (int i = 0; i < SAVED; i++) {
		memset(key, i, SIZE);
		numbers[i] = cursors_save(cursors, (struct kvrel_slice){ key, SIZE });
	}
	for (int i = 0; i < SAVED; i++) {
		struct kvrel_slice found = cursors_find(cursors, numbers[i]);

		cr_expect(found.data == NULL || (found.size == SIZE && found.data[SIZE - 1] == (char)i));
		kept += found.data != NULL;
		cr_expect(found.data != NULL || i < SAVED - 100);
		free((char *)found.data);
	}
	cr_expect(kept * SIZE <= 8 << 20);
	cursors_free(cursors);
}

/* Blocks of eight bytes that are one of the function's own numbers: each made a factor zero, whatever the seed. */
Test(hash, cannot_be_made_to_forget_its_seed)
{
	const uint64_t numbers[] = { 0xd1b54a32d192ed03u, 0x8cb92ba72f3d8dd7u };
	const uint64_t seed = 0x5851f42d4c957f2du, other = 0x14057b7ef767814fu;
	enum { TAILS = 200 };
	uint64_t seen[2 * TAILS];
	unsigned char bytes[24];

	for (int n = 0; n < 2; n++) {
		for (int i = 0; i < TAILS; i++) {
			memset(bytes, i, sizeof(bytes));
			memcpy(bytes, &numbers[n], 8);
			seen[n * TAILS + i] = hash_bytes(bytes, i % 2 == 0 ? 16 : sizeof(bytes), seed);
			cr_expect_neq(seen[n * TAILS + i], hash_bytes(bytes, i % 2 == 0 ? 16 : sizeof(bytes), other));
		}
	}
	for (int i = 0; i < 2 * TAILS; i++)
		for (int k = 0; k < i; k++)
			cr_expect_neq(seen[i], seen[k], "%d and %d", i, k);
}
