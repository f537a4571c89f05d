/* SPDX-License-Identifier: MIT */
/*
 * A record is put together on the stack and leaves in one write(2): no lock, no allocation, and records of several
 * threads and processes do not mix (pipes and files keep a write of this size together). What does not fit is cut at
 * a whole character, marked with "…", and the record is closed properly: the last TAIL_BYTES are kept for that.
 */
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_BYTES = 4096, MESSAGE_BYTES = 2048, TAIL_BYTES = 16 };

static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int current_level = LOG_LEVEL_INFO;
static _Atomic int current_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = { "debug", "info", "notice", "warn", "error" };
_Static_assert(sizeof(level_names) / sizeof(level_names[0]) == LOG_LEVEL_COUNT, "one name a level");

struct record {
	char data[RECORD_BYTES];
	size_t size;
	bool full; /* something was cut: nothing follows but the end */
};

void log_setup(int fd, enum log_level level, enum log_format format)
{
	log_fd = fd;
	current_level = (int)level;
	current_format = (int)format;
}

void log_set_level(enum log_level level)
{
	current_level = (int)level;
}

enum log_level log_level(void)
{
	return (enum log_level)current_level;
}

bool log_level_parse(const char *name, enum log_level *out)
{
	if (strcmp(name, "warning") == 0)
		name = "warn";
	for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *log_level_name(enum log_level level)
{
	return level < LOG_LEVEL_COUNT ? level_names[level] : "?";
}

bool log_format_parse(const char *name, enum log_format *out)
{
	if (strcmp(name, "text") == 0)
		*out = LOG_FORMAT_TEXT;
	else if (strcmp(name, "json") == 0)
		*out = LOG_FORMAT_JSON;
	else
		return false;
	return true;
}

/* All of `text` or nothing of it. */
static bool put(struct record *record, const char *text, size_t size)
{
	if (record->full || record->size + size > RECORD_BYTES - TAIL_BYTES) {
		record->full = true;
		return false;
	}
	memcpy(record->data + record->size, text, size);
	record->size += size;
	return true;
}

/* For the closing bytes, which have their room. */
static void put_tail(struct record *record, const char *text)
{
	size_t size = strlen(text);

	if (record->size + size <= RECORD_BYTES) {
		memcpy(record->data + record->size, text, size);
		record->size += size;
	}
}

static void put_string(struct record *record, const char *text)
{
	put(record, text, strlen(text));
}

static size_t sequence_length(unsigned char first)
{
	return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* How a character is written; 0 when it stands for itself. C1 controls are commands to some terminals. */
static int escape(char out[8], const char *at, size_t length, bool json, bool quoted)
{
	unsigned char c = (unsigned char)at[0];
	bool c1 = length == 2 && c == 0xc2 && (unsigned char)at[1] < 0xa0;
	const char *named = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;

	if (named)
		return snprintf(out, 8, "%s", named);
	if ((json || quoted) && (c == '"' || c == '\\'))
		return snprintf(out, 8, "\\%c", c);
	if (length == 0)
		return json ? snprintf(out, 8, "\\ufffd") : snprintf(out, 8, "\\x%02x", c);
	if (c < 0x20 || c == 0x7f || c1) {
		unsigned code = c1 ? (unsigned char)at[1] : c;

		return json ? snprintf(out, 8, "\\u%04x", code) : snprintf(out, 8, "\\x%02x", code);
	}
	return 0;
}

/* Escaped; cut with "…" at a whole character when the record is full. */
static void put_escaped(struct record *record, struct slice text, bool quoted)
{
	bool json = current_format == LOG_FORMAT_JSON;
	size_t valid = slice_utf8_prefix(text);

	for (size_t at = 0; at < text.size;) {
		size_t length = at < valid ? sequence_length((unsigned char)text.data[at]) : 0;
		char escaped[8];
		int size = escape(escaped, text.data + at, length, json, quoted);

		if (!(size ? put(record, escaped, (size_t)size) : put(record, text.data + at, length))) {
			put_tail(record, "…");
			return;
		}
		at += length ? length : 1;
		if (at > valid)
			valid = at + slice_utf8_prefix((struct slice){ text.data + at, text.size - at });
	}
}

/* Days since 1970-01-01 as a date. Own arithmetic, because gmtime_r() may read files and take locks. */
static void civil_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t shifted = days + 719468; /* from 0000-03-01: a leap day ends its year */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t from_march = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
	*month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

static void put_time(struct record *record)
{
	struct timespec now;
	int64_t days, year;
	int month, day, second;
	char text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	days = now.tv_sec / 86400 - (now.tv_sec % 86400 < 0);
	second = (int)(now.tv_sec - days * 86400);
	civil_date(days, &year, &month, &day);
	put(record, text,
	    (size_t)snprintf(text, sizeof(text), "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)year, month, day,
			     second / 3600, second / 60 % 60, second % 60, (int)(now.tv_nsec / 1000000)));
}

static bool needs_quotes(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return true;
	}
	return text.size == 0;
}

static void put_text_field(struct record *record, const struct log_field *field)
{
	char number[24];
	bool quoted = field->type == LOG_STRING && needs_quotes(field->string);

	put_string(record, " ");
	put_string(record, field->key);
	put_string(record, quoted ? "=\"" : "=");
	if (record->full)
		return;
	if (field->type == LOG_INT)
		put(record, number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)field->integer));
	else
		put_escaped(record, field->string, quoted);
	if (quoted)
		put_tail(record, "\"");
}

static void put_text(struct record *record, enum log_level level, const char *component, struct slice message,
		     const struct log_field *fields, size_t count)
{
	char word[16];

	put_time(record);
	put(record, word, (size_t)snprintf(word, sizeof(word), " %-5s ", level_names[level]));
	if (component) {
		put_string(record, component);
		put_string(record, ": ");
	}
	put_escaped(record, message, false);
	for (size_t i = 0; i < count && !record->full; i++)
		put_text_field(record, &fields[i]);
	put_tail(record, "\n");
}

/* "key":value, whole or (beginning apart) cut and closed. The first piece is put as one, so that a record that is full
 * there ends behind the field before. */
static void put_json_field(struct record *record, const char *key, const struct log_field *field)
{
	char start[128];
	int size = snprintf(start, sizeof(start), field->type == LOG_INT ? ",\"%.96s\":%lld" : ",\"%.96s\":\"", key,
			    (long long)field->integer);

	if (!put(record, start + (record->data[record->size - 1] == '{'),
		 (size_t)size - (record->data[record->size - 1] == '{')))
		return;
	if (field->type == LOG_STRING) {
		put_escaped(record, field->string, true);
		put_tail(record, "\"");
	}
}

static void put_json_string(struct record *record, const char *key, struct slice string)
{
	put_json_field(record, key, &LOG_B(key, string));
}

static void put_json(struct record *record, enum log_level level, const char *component, struct slice message,
		     const struct log_field *fields, size_t count)
{
	put_string(record, "{\"time\":\"");
	put_time(record);
	put_string(record, "\"");
	put_json_string(record, "level", slice_of(level_names[level]));
	if (component)
		put_json_string(record, "component", slice_of(component));
	put_json_string(record, "message", message);
	for (size_t i = 0; i < count && !record->full; i++)
		put_json_field(record, fields[i].key, &fields[i]);
	put_tail(record, "}\n");
}

/* A log that cannot be written is no reason to stop: the rest of the record is dropped. */
static void write_record(const struct record *record)
{
	size_t at = 0;

	while (at < record->size) {
		ssize_t written = write(log_fd, record->data + at, record->size - at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		at += (size_t)written;
	}
}

/* Of a message that was cut: drops the character at the end that may be half of one, and says that more followed. */
static void mark_cut(char message[MESSAGE_BYTES])
{
	size_t end = MESSAGE_BYTES - sizeof("…");

	while (end > 0 && (message[end] & 0xc0) == 0x80)
		end--;
	memcpy(message + end, "…", sizeof("…"));
}

void log_vwrite(enum log_level level, const char *component, const struct log_field *fields, size_t field_count,
		const char *format, va_list args)
{
	int saved_errno = errno;
	char message[MESSAGE_BYTES];
	struct record record;
	struct slice text;
	int size;

	if ((int)level < current_level || level >= LOG_LEVEL_COUNT)
		return;
	record.size = 0;
	record.full = false;
	size = vsnprintf(message, sizeof(message), format, args);
	if (size >= (int)sizeof(message))
		mark_cut(message);
	text = slice_of(size < 0 ? "(message cannot be formatted)" : message);
	if (current_format == LOG_FORMAT_JSON)
		put_json(&record, level, component, text, fields, field_count);
	else
		put_text(&record, level, component, text, fields, field_count);
	write_record(&record);
	errno = saved_errno;
}

void log_write(enum log_level level, const char *component, const struct log_field *fields, size_t field_count,
	       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vwrite(level, component, fields, field_count, format, args);
	va_end(args);
}
