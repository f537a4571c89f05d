/* SPDX-License-Identifier: MIT */
/*
 * The line protocol, as bytes: lines into commands. Pure, and indifferent to how the bytes were cut on the way.
 *
 * A line ends with LF; words are split at white space, to which a CR before the LF belongs. Names and values are bytes.
 * A command is known by its name, as it is written in the table, and its number of words.
 */
#ifndef KV_SERVER_LINE_H
#define KV_SERVER_LINE_H

#include "kvrel/component.h"

enum command { COMMAND_CREATE, COMMAND_PUT, COMMAND_GET, COMMAND_DELETE, COMMAND_SUBSCRIBE, COMMAND_COUNT };

enum { LINE_ARGS_MAX = 3 };

struct command_spec {
	const char *name;
	const char *op;
	uint32_t args;
};
extern const struct command_spec command_table[COMMAND_COUNT];

enum line_kind { LINE_INCOMPLETE, LINE_COMMAND, LINE_UNKNOWN, LINE_TOO_LONG };

struct line {
	enum line_kind kind;
	enum command command;
	struct kvrel_slice args[LINE_ARGS_MAX]; /* views into the input */
	size_t size;                            /* with its end; 0 unless COMMAND or UNKNOWN */
};

/* The first line of `input`. TOO_LONG as soon as it is clear that it has more than `max_line` bytes before its end. */
struct line line_parse(struct kvrel_slice input, size_t max_line);

#endif
