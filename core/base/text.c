/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <limits.h>
#include <strings.h>

enum { NAME_BYTES = 64, VERSION_BYTES = 128, HOST_BYTES = 253 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Nothing but letters, digits and bytes of `more`, and not empty. */
static bool consists_of(struct slice s, const char *more)
{
	for (size_t i = 0; i < s.size; i++) {
		char c = s.data[i];

		if (!is_letter(c) && !is_digit(c) && (c == '\0' || !strchr(more, c)))
			return false;
	}
	return s.size > 0;
}

bool text_is_name(struct slice s)
{
	if (s.size > NAME_BYTES || !consists_of(s, "_"))
		return false;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] >= 'A' && s.data[i] <= 'Z')
			return false;
	}
	return is_letter(s.data[0]);
}

bool text_is_version(struct slice s)
{
	return s.size <= VERSION_BYTES && consists_of(s, ".+~-") && (is_letter(s.data[0]) || is_digit(s.data[0]));
}

static bool split_port(struct slice digits, uint16_t *port)
{
	int64_t number;

	if (!consists_of(digits, "") || !slice_to_int64(digits, &number) || number < 1 || number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* "host", "host:port", "[ip6]", "[ip6]:port", "ip6" */
static bool split_address(struct slice s, struct slice *host, uint16_t *port)
{
	struct slice rest;
	bool has_port;

	if (slice_starts(s, SLICE("["))) {
		s.data++;
		s.size--;
		if (!slice_split(s, ']', host, &rest) || !consists_of(*host, ":.%-_") ||
		    !memchr(host->data, ':', host->size))
			return false;
		if (rest.size == 0)
			return true;
		return rest.data[0] == ':' && split_port((struct slice){ rest.data + 1, rest.size - 1 }, port);
	}
	has_port = slice_split(s, ':', host, &rest);
	if (has_port && rest.size && memchr(rest.data, ':', rest.size)) {
		*host = s;
		return consists_of(s, ":.%-_");
	}
	return consists_of(*host, ".-_") && (!has_port || split_port(rest, port));
}

bool text_split_node(struct slice s, struct slice *name, struct slice *host, uint16_t *port)
{
	struct slice node, address, found = { 0 };
	uint16_t number = 0;
	bool has_host = slice_split(s, '@', &node, &address);

	if (node.size > NAME_BYTES || !consists_of(node, "_-") || node.data[0] == '-')
		return false;
	if (has_host && (!split_address(address, &found, &number) || found.size > HOST_BYTES))
		return false;
	*name = node;
	*host = found;
	*port = number;
	return true;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Takes one end of a range from the front of `s`. */
static bool take_byte(struct slice *s, unsigned *byte)
{
	size_t size = 1;

	if (s->size == 0)
		return false;
	*byte = (unsigned char)s->data[0];
	if (s->size >= 4 && slice_starts(*s, SLICE("0x")) && hex_digit(s->data[2]) >= 0 && hex_digit(s->data[3]) >= 0) {
		*byte = (unsigned)(hex_digit(s->data[2]) << 4 | hex_digit(s->data[3]));
		size = 4;
	}
	*s = (struct slice){ s->data + size, s->size - size };
	return true;
}

bool text_to_byte_range(struct slice s, unsigned *first, unsigned *last)
{
	unsigned from, to;

	if (!take_byte(&s, &from))
		return false;
	to = from;
	if (s.size > 0) {
		if (s.data[0] != '-')
			return false;
		s = (struct slice){ s.data + 1, s.size - 1 };
		if (!take_byte(&s, &to) || s.size > 0 || from > to)
			return false;
	}
	*first = from;
	*last = to;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* Digits, then one of the units (case ignored). */
static bool to_quantity(struct slice s, const struct unit *units, size_t count, uint64_t *out)
{
	size_t digits = 0;
	uint64_t number = 0;

	for (; digits < s.size && is_digit(s.data[digits]); digits++) {
		if (__builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(s.data[digits] - '0'), &number))
			return false;
	}
	if (digits == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(units[i].name);

		if (size == s.size - digits && strncasecmp(units[i].name, s.data + digits, size) == 0)
			return !__builtin_mul_overflow(number, units[i].factor, out);
	}
	return false;
}

bool text_to_size(struct slice s, uint64_t *bytes)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "b", 1 },
		{ "kb", 1000 },
		{ "mb", 1000 * 1000 },
		{ "gb", 1000 * 1000 * 1000 },
		{ "tb", 1000ull * 1000 * 1000 * 1000 },
		{ "k", 1ull << 10 },
		{ "kib", 1ull << 10 },
		{ "m", 1ull << 20 },
		{ "mib", 1ull << 20 },
		{ "g", 1ull << 30 },
		{ "gib", 1ull << 30 },
		{ "t", 1ull << 40 },
		{ "tib", 1ull << 40 },
	};
	uint64_t number;

	if (!to_quantity(s, units, sizeof(units) / sizeof(units[0]), &number))
		return false;
	*bytes = number;
	return true;
}

bool text_to_duration_ms(struct slice s, uint64_t *ms)
{
	static const struct unit units[] = {
		{ "", 1000 },       { "ms", 1 },          { "s", 1000 },
		{ "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 },
	};
	uint64_t number;

	if (!to_quantity(s, units, sizeof(units) / sizeof(units[0]), &number))
		return false;
	*ms = number;
	return true;
}

/* C1 controls are two bytes in UTF-8; some terminals obey them like the escape sequences they stand for. */
static size_t control_size(struct slice s, const char *kept)
{
	unsigned char c = (unsigned char)s.data[0];

	if (c < 0x20 || c == 0x7f)
		return c == '\0' || !strchr(kept, c);
	return c == 0xc2 && s.size > 1 && (unsigned char)s.data[1] < 0xa0 ? 2 : 0;
}

char *text_printable(struct arena *arena, struct slice s, const char *kept)
{
	char *out = arena_alloc(arena, s.size + 1), *to = out;
	size_t valid = slice_utf8_prefix(s);

	while (s.size) {
		size_t bad = valid ? control_size(s, kept) : 1, size = bad ? bad : 1;

		*to++ = bad ? '?' : *s.data;
		s = (struct slice){ s.data + size, s.size - size };
		valid = valid ? valid - size : slice_utf8_prefix(s);
	}
	return out;
}

/* Reading one line of words. A word is collected in `word`, which has room for the whole line. */
struct words {
	struct arena *arena;
	struct slice line;
	size_t at;
	char *word;
	size_t word_size;
	const char **list;
	size_t count;
	size_t capacity;
};

static void words_add(struct words *words)
{
	if (words->count + 1 >= words->capacity) {
		size_t capacity = words->capacity ? words->capacity * 2 : 8;
		const char **list = arena_array(words->arena, capacity, sizeof(*list));

		if (words->count)
			memcpy(list, words->list, words->count * sizeof(*list));
		words->list = list;
		words->capacity = capacity;
	}
	words->list[words->count++] = arena_copy(words->arena, (struct slice){ words->word, words->word_size });
}

/* From behind the opening quote to behind the closing one; false when the line ends first. */
static bool read_quoted(struct words *words, char quote)
{
	while (words->at < words->line.size) {
		char c = words->line.data[words->at++];

		if (c == quote)
			return true;
		if (c == '\\' && quote == '"' && words->at < words->line.size &&
		    strchr("$`\"\\", words->line.data[words->at]))
			c = words->line.data[words->at++];
		words->word[words->word_size++] = c;
	}
	return false;
}

static int read_word(struct words *words, unsigned *column, struct error *err)
{
	words->word_size = 0;
	while (words->at < words->line.size) {
		size_t start = words->at;
		char c = words->line.data[words->at];

		if (c == ' ' || (c >= '\t' && c <= '\r'))
			break;
		words->at++;
		if (c == '\'' || c == '"') {
			if (!read_quoted(words, c)) {
				*column = (unsigned)start + 1;
				return error_set(err, ERROR_INVALID, "the quote %c is never closed", c);
			}
			continue;
		}
		if (c == '\\') {
			if (words->at == words->line.size) {
				*column = (unsigned)start + 1;
				return error_set(err, ERROR_INVALID,
						 "a backslash at the end of the line escapes nothing");
			}
			c = words->line.data[words->at++];
		}
		words->word[words->word_size++] = c;
	}
	words_add(words);
	return 0;
}

int text_words(struct arena *arena, struct slice line, const char ***words, size_t *count, unsigned *column,
	       struct error *err)
{
	const char *nul = line.size ? memchr(line.data, '\0', line.size) : NULL;
	struct words state = { .arena = arena, .line = line };

	if (nul) {
		*column = (unsigned)(nul - line.data) + 1;
		return error_set(err, ERROR_INVALID, "a NUL byte cannot be part of a word");
	}
	if (line.size > INT_MAX) {
		*column = 1;
		return error_set(err, ERROR_LIMIT, "the line is too long");
	}
	state.word = arena_alloc(arena, line.size + 1);
	while (state.at < line.size && line.data[state.at] != '#') {
		char c = line.data[state.at];
		int rc;

		if (c == ' ' || (c >= '\t' && c <= '\r')) {
			state.at++;
			continue;
		}
		rc = read_word(&state, column, err);
		if (rc < 0)
			return rc;
	}
	*words = state.list ? state.list : arena_array(arena, 1, sizeof(**words));
	*count = state.count;
	return 0;
}
