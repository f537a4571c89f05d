/* SPDX-License-Identifier: MIT */
/*
 * Whether YAML's bytes are text at all, and where in it something stands.
 *
 * The text is looked over once before libyaml sees it (UTF-8, control bytes): its reader would name an offset, people
 * need a line and a column. libyaml counts columns in characters; they are turned into bytes with a cursor that moves
 * forward with the events.
 */
#include "base/yaml_input.h"

#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE_BYTES = 512 };

/* Keys and tags are quoted from the file, and a message is one line. */
static void format_message(char *message, size_t size, const char *format, va_list args)
{
	vsnprintf(message, size, format, args);
	for (char *c = message; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

int yaml_input_refuse(const struct yaml_input *in, struct origin at, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list args;

	va_start(args, format);
	format_message(message, sizeof(message), format, args);
	va_end(args);
	return error_set(in->err, ERROR_INVALID, "%s:%u:%u: error: %s", in->name, at.line, at.column, message);
}

int yaml_input_object(const struct yaml_input *in, struct origin at, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list args;

	va_start(args, format);
	format_message(message, sizeof(message), format, args);
	va_end(args);
	if (!in->limits.mistake)
		return yaml_input_refuse(in, at, "%s", message);
	in->limits.mistake(in->limits.context, &at, message);
	return 0;
}

/* ---- places ---------------------------------------------------------------------------------------------------- */

/* Length of the line break at `at`, as libyaml sees them; 0: none. */
static size_t line_break(struct slice text, size_t at)
{
	const unsigned char *s = (const unsigned char *)text.data + at;
	size_t left = text.size - at;

	if (s[0] == '\n')
		return 1;
	if (s[0] == '\r')
		return left > 1 && s[1] == '\n' ? 2 : 1;
	if (left > 1 && s[0] == 0xc2 && s[1] == 0x85)
		return 2;
	if (left > 2 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9))
		return 3;
	return 0;
}

static size_t character_size(struct slice text, size_t at)
{
	size_t size = 1;

	while (at + size < text.size && (text.data[at + size] & 0xc0) == 0x80)
		size++;
	return size;
}

/* Marks come in order nearly always, so the whole file is passed once. */
void yaml_input_move_to(struct yaml_input *in, const yaml_mark_t *mark)
{
	struct yaml_cursor *cursor = &in->cursor;

	if (mark->line < cursor->line)
		*cursor = (struct yaml_cursor){ 0 };
	while (cursor->line < mark->line && cursor->at < in->text.size) {
		size_t size = line_break(in->text, cursor->at);

		cursor->at += size ? size : 1;
		cursor->line += size != 0;
		if (size) {
			cursor->line_at = cursor->at;
			cursor->column = 0;
		}
	}
	if (mark->column < cursor->column) {
		cursor->at = cursor->line_at;
		cursor->column = 0;
	}
	while (cursor->column < mark->column && cursor->at < in->text.size) {
		cursor->at += character_size(in->text, cursor->at);
		cursor->column++;
	}
}

struct origin yaml_input_place_of(struct yaml_input *in, const yaml_mark_t *mark)
{
	size_t column = mark->column;

	if (!in->ascii) {
		yaml_input_move_to(in, mark);
		column = in->cursor.at - in->cursor.line_at;
	}
	return (struct origin){ in->file, (uint32_t)mark->line + 1, (uint32_t)column + 1 };
}

struct origin yaml_input_place_of_offset(const struct yaml_input *in, size_t offset)
{
	struct origin place = { in->file, 1, 1 };

	for (size_t at = 0; at < offset;) {
		size_t size = line_break(in->text, at);

		place.line += size != 0;
		place.column = size ? 1 : place.column + 1;
		at += size ? size : 1;
	}
	return place;
}

/* ---- the look before ------------------------------------------------------------------------------------------- */

static bool is_odd_control(unsigned char c)
{
	return (c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f;
}

int yaml_input_check(struct yaml_input *in)
{
	size_t valid = slice_utf8_prefix(in->text);

	in->ascii = true;
	in->plain = true;
	for (size_t i = 0; i < valid; i++) {
		unsigned char c = (unsigned char)in->text.data[i];

		if (c == '\0')
			return yaml_input_refuse(in, yaml_input_place_of_offset(in, i),
						 "a NUL byte; remove it: this must be a text file");
		if (is_odd_control(c))
			return yaml_input_refuse(in, yaml_input_place_of_offset(in, i),
						 "the control byte 0x%02x; remove it or write it as \"\\x%02x\"", c, c);
		in->ascii = in->ascii && c < 0x80;
		in->plain = in->plain && c < 0x80 && c != '\t' && c != '\r';
	}
	if (valid < in->text.size)
		return yaml_input_refuse(in, yaml_input_place_of_offset(in, valid),
					 "the byte 0x%02x is no UTF-8; save the file as UTF-8",
					 (unsigned char)in->text.data[valid]);
	return 0;
}
