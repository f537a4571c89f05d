/* SPDX-License-Identifier: MIT */
#include "node/config/report.h"

#include "base/log.h"

#include <stdio.h>

void report_done(struct report *report)
{
	buf_done(&report->text);
	buf_done(&report->warnings);
	report->errors = 0;
}

static void add_line(struct buf *out, const struct origin *origin, const char *kind, const char *format, va_list args)
	__attribute__((format(printf, 4, 0)));

static void add_line(struct buf *out, const struct origin *origin, const char *kind, const char *format, va_list args)
{
	char position[512];
	if (origin != NULL && origin->file != NULL)
		buf_printf(out, "%s: ", origin_text(origin, position, sizeof(position)));
	buf_append_string(out, kind);
	buf_vprintf(out, format, args);
	buf_append_char(out, '\n');
}

void report_error(struct report *report, const struct origin *origin, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_line(&report->text, origin, "error: ", format, args);
	va_end(args);
	report->errors++;
}

void report_warning(struct report *report, const struct origin *origin, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_line(&report->warnings, origin, "warning: ", format, args);
	va_end(args);
}

bool report_next_line(struct slice *rest, struct slice *line)
{
	if (rest->size == 0)
		return false;
	slice_split(*rest, '\n', line, rest);
	return true;
}

void report_line(struct report *report, const char *line)
{
	buf_append_string(&report->text, line);
	buf_append_char(&report->text, '\n');
	report->errors++;
}

void report_log_warnings(const struct report *report)
{
	struct slice rest = buf_slice(&report->warnings);
	struct slice line;
	while (report_next_line(&rest, &line))
		log_warn("config", LOG_NONE, "%.*s", SLICE_FMT(line));
}

int report_to_error(const struct report *report, struct error *err)
{
	struct slice first;
	struct slice rest;
	slice_split(buf_slice(&report->text), '\n', &first, &rest);
	if (report->errors <= 1)
		return error_set(err, ERROR_INVALID, "%.*s", SLICE_FMT(first));
	return error_set(err, ERROR_INVALID, "%.*s (and %u more)", SLICE_FMT(first), report->errors - 1);
}
