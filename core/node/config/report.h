/* SPDX-License-Identifier: MIT */
/*
 * Mistakes collected over a whole phase, one line each: "releases/0.0.1/vm.args:3: error: unknown flag …". A zeroed
 * struct is an empty report.
 */
#ifndef NODE_REPORT_H
#define NODE_REPORT_H

#include "base/buf.h"
#include "base/value.h"

struct report {
	struct buf text;     /* mistakes: lines, each ending with a newline */
	struct buf warnings; /* likewise: what is allowed and perhaps not meant */
	unsigned errors;
};

void report_done(struct report *report);
/* `origin` NULL or without a file: the line begins with "error: ". */
void report_error(struct report *report, const struct origin *origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void report_warning(struct report *report, const struct origin *origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A whole line that carries its own position, as parsers and Lua give it. */
void report_line(struct report *report, const char *line);
/* The next line of `rest`, without its newline; false at the end. */
bool report_next_line(struct slice *rest, struct slice *line);
/* Each warning a line of the log. */
void report_log_warnings(const struct report *report);
/* The report as one error: the first line, and how many more there are. INVALID. */
int report_to_error(const struct report *report, struct error *err);

#endif
