/* SPDX-License-Identifier: MIT */
/*
 * Small languages that several programs read: lines of shell-like words (vm.args), sizes, durations, release and
 * component names, versions, node names. Pure functions.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"
#include "base/error.h"

/* [a-z][a-z0-9_]*, at most 64 bytes: releases, components, commands. */
bool text_is_name(struct slice s);
/* [0-9A-Za-z.+~-], begins with a letter or digit, at most 128 bytes, not "." or "..": a version is part of paths. */
bool text_is_version(struct slice s);
/* "name" or "name@host[:port]"; letters, digits, '_', '-' before the '@'. Splits; host is empty without '@', port 0.
 * IPv6 addresses may stand in brackets (with a port they must); host comes without them. */
bool text_split_node(struct slice s, struct slice *name, struct slice *host, uint16_t *port);
/* "a", "a-m", "0x80-0xff": bytes from first to last, each a character or 0xHH. */
bool text_to_byte_range(struct slice s, unsigned *first, unsigned *last);
/* "64", "64KiB", "10MB", "1G" → bytes. K and KiB are 1024, KB is 1000; up to T; case does not matter. */
bool text_to_size(struct slice s, uint64_t *bytes);
/* "250ms", "30s", "5m", "1h", "2d", "30" (seconds) → milliseconds. */
bool text_to_duration_ms(struct slice s, uint64_t *ms);

/* Foreign text for a terminal: control characters (C0, DEL, C1; not those of `kept`) and what is no UTF-8 become '?'.
 */
char *text_printable(struct arena *arena, struct slice s, const char *kept);

/*
 * One line of shell-like words: blanks separate, '…' and "…" quote (a backslash escapes inside "…" and outside),
 * an unquoted # at the start of a word begins a comment. Words land in the arena, a NULL follows the last one. INVALID
 * with the column (from 1) for an open quote, a backslash at the end, a NUL byte.
 */
int text_words(struct arena *arena, struct slice line, const char ***words, size_t *count, unsigned *column,
	       struct error *err);

#endif
