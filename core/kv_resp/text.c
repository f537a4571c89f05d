/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 256, ERROR_BYTES = 512 };

void text_done(struct text *text)
{
	free(text->data);
	*text = (struct text){ 0 };
}

void text_bytes(struct text *text, const void *data, size_t size)
{
	if (text->failed || size == 0)
		return;
	if (size > TEXT_MAX_BYTES - text->size) {
		text->failed = TEXT_TOO_LONG;
		return;
	}
	if (size > text->capacity - text->size) {
		size_t capacity = text->capacity ? text->capacity : FIRST_BYTES;
		while (capacity - text->size < size)
			capacity *= 2;
		char *grown = realloc(text->data, capacity);
		if (!grown) {
			text->failed = TEXT_NO_MEMORY;
			return;
		}
		text->data = grown;
		text->capacity = capacity;
	}
	memcpy(text->data + text->size, data, size);
	text->size += size;
}

static void append_va(struct text *text, const char *format, va_list args)
{
	char line[ERROR_BYTES];
	int size = vsnprintf(line, sizeof(line), format, args);
	if (size < 0)
		return;
	text_bytes(text, line, (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

void text_format(struct text *text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	append_va(text, format, args);
	va_end(args);
}

void text_simple(struct text *text, const char *word)
{
	text_format(text, "+%s\r\n", word);
}

void text_error(struct text *text, const char *format, ...)
{
	va_list args;
	text_bytes(text, "-", 1);
	size_t start = text->size;
	va_start(args, format);
	append_va(text, format, args);
	va_end(args);
	for (size_t i = start; i < text->size; i++) {
		if (text->data[i] == '\r' || text->data[i] == '\n')
			text->data[i] = ' ';
	}
	text_bytes(text, "\r\n", 2);
}

void text_integer(struct text *text, int64_t number)
{
	text_format(text, ":%lld\r\n", (long long)number);
}

void text_bulk(struct text *text, struct kvrel_slice bytes)
{
	text_format(text, "$%zu\r\n", bytes.size);
	text_bytes(text, bytes.data, bytes.size);
	text_bytes(text, "\r\n", 2);
}

void text_string(struct text *text, const char *string)
{
	text_bulk(text, (struct kvrel_slice){ string, strlen(string) });
}

void text_nil(struct text *text)
{
	if (text->resp3)
		text_bytes(text, "_\r\n", 3);
	else
		text_bytes(text, "$-1\r\n", 5);
}

void text_array(struct text *text, size_t count)
{
	text_format(text, "*%zu\r\n", count);
}

void text_set(struct text *text, size_t count)
{
	text_format(text, text->resp3 ? "~%zu\r\n" : "*%zu\r\n", count);
}

void text_verbatim(struct text *text, struct kvrel_slice bytes)
{
	if (!text->resp3) {
		text_bulk(text, bytes);
		return;
	}
	text_format(text, "=%zu\r\ntxt:", bytes.size + 4);
	text_bytes(text, bytes.data, bytes.size);
	text_bytes(text, "\r\n", 2);
}

void text_map(struct text *text, size_t pairs)
{
	if (text->resp3)
		text_format(text, "%%%zu\r\n", pairs);
	else
		text_array(text, pairs * 2);
}
