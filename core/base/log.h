/* SPDX-License-Identifier: MIT */
/*
 * The node's log: a message for people plus key=value fields, one line a record.
 *
 *	2026-01-31T12:00:00.123Z info  kv_server: Accepting connections on port 4040 address=0.0.0.0
 *	{"time":"2026-…","level":"info","component":"kv_server","message":"Accepting …","address":"0.0.0.0"}
 *
 * Thread-safe: a record is one write(2). Control bytes in messages and values are escaped, so that no record can forge
 * another. A record that cannot be written is dropped; errno is kept. The process must ignore SIGPIPE. Names the peer
 *and the key, never a value or a secret. The descriptor, level and format are process-wide and may be changed at any
 *time.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

#include <stdarg.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_NOTICE, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_COUNT };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_COUNT };

struct log_field {
	const char *key;
	enum { LOG_STRING, LOG_INT } type;
	struct slice string;
	int64_t integer;
};
#define LOG_S(k, cstring) ((struct log_field){ .key = (k), .type = LOG_STRING, .string = slice_of(cstring) })
#define LOG_B(k, slice_)  ((struct log_field){ .key = (k), .type = LOG_STRING, .string = (slice_) })
#define LOG_I(k, number)  ((struct log_field){ .key = (k), .type = LOG_INT, .integer = (number) })

void log_setup(int fd, enum log_level level, enum log_format format);
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* "debug" … "error"; false when `name` is none of them. */
bool log_level_parse(const char *name, enum log_level *out);
const char *log_level_name(enum log_level level);
bool log_format_parse(const char *name, enum log_format *out);

void log_write(enum log_level level, const char *component, const struct log_field *fields, size_t field_count,
	       const char *format, ...) __attribute__((format(printf, 5, 6)));
void log_vwrite(enum log_level level, const char *component, const struct log_field *fields, size_t field_count,
		const char *format, va_list args) __attribute__((format(printf, 5, 0)));

/* log_info("kv", FIELDS(LOG_I("port", 4040)), "Accepting connections on port %d", 4040) */
#define LOG_FIELDS(...) \
	(const struct log_field[]){ __VA_ARGS__ }, \
		sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field)
#define LOG_NONE        NULL, 0
#define log_debug(...)  log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)   log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_warn(...)   log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...)  log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
