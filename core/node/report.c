/* SPDX-License-Identifier: MIT */
#include "node/report.h"

#include <stdio.h>

void report_done(struct report *report)
{
	buf_done(&report->text);
	report->errors = 0;
}

void report_error(struct report *report, const struct origin *origin, const char *format, ...)
{
	char position[512];
	if (origin != NULL && origin->file != NULL)
		buf_printf(&report->text, "%s: ", origin_text(origin, position, sizeof(position)));
	buf_append_string(&report->text, "error: ");
	va_list args;
	va_start(args, format);
	buf_vprintf(&report->text, format, args);
	va_end(args);
	buf_append_char(&report->text, '\n');
	report->errors++;
}

void report_line(struct report *report, const char *line)
{
	buf_append_string(&report->text, line);
	buf_append_char(&report->text, '\n');
	report->errors++;
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
