/* SPDX-License-Identifier: MIT */
/*
 * The commands: one table that drives lookup, arity errors, COMMAND and the tests. Most commands are an operation of kv
 * and the shape of its reply; the others have a function.
 */
#ifndef KV_RESP_COMMAND_H
#define KV_RESP_COMMAND_H

#include "kvrel/component.h"

struct request;

/* How a result is written. */
enum shape {
	SHAPE_OK, /* +OK */
	SHAPE_INTEGER,
	SHAPE_BULK, /* or nil */
	SHAPE_ARRAY,
	SHAPE_MAP,         /* pairs: a map in RESP3, an array in RESP2 */
	SHAPE_SCAN,        /* cursor and an array */
	SHAPE_SCAN_SYNTAX, /* of a scan with a mistake: whether there is anything to go through */
	SHAPE_SCAN_NUMBER,
	SHAPE_TYPE, /* 1: +hash, 0: +none */
	SHAPE_INFO, /* the report of INFO, with the number of buckets */
	SHAPE_RAW,  /* bytes as they are: replies that needed no operation */
	SHAPE_PONG, /* no result: +PONG */
	SHAPE_COUNT
};

enum command_flags {
	COMMAND_GUEST = 1, /* allowed before AUTH */
	COMMAND_KEYS = 2,  /* all arguments are names of buckets */
	COMMAND_KEY = 4,   /* the first argument is the name of a bucket */
	COMMAND_NOW = 8,   /* run when it is read, also in a transaction */
};

struct command {
	const char *name; /* lower case, at most 16 letters */
	int arity;        /* words with the name; -N: at least N */
	unsigned flags;
	enum shape shape;
	const char *op; /* "kv.hget"; the words behind the name are its arguments unless there is a function */
	/* Makes the request; false when there was no room for it. */
	bool (*run)(struct request *request);
	const char *group;
	const char *summary;
	/* What its second word may be, up to one without a name; NULL: it is not looked at before the command runs. */
	const struct subcommand *family;
};

extern const struct command command_table[];
extern const size_t command_count;
enum { COMMANDS_MAX = 64 };

/* Fills the lookup table; once, before any command_find(). */
void command_setup(void);
/* In any case; NULL when there is none. */
const struct command *command_find(struct kvrel_slice name);
static inline bool arity_takes(int arity, uint32_t words)
{
	return arity >= 0 ? words == (uint32_t)arity : words >= (uint32_t)-arity;
}
/* The second word of CLIENT, COMMAND and CONFIG. `arity` as above, with both words. HELP comes by itself. */
struct subcommand {
	const char *name;
	int arity;
	bool (*run)(struct request *request);
	const char *usage;   /* "SETNAME <name>" */
	const char *summary; /* one sentence */
};
/* By the family of the request's command. */
bool subcommand_run(struct request *request);
/* Whether the second word or the number of words is wrong; then that was answered, or *taken is false. */
bool subcommand_refused(struct request *request, bool *taken);
extern const struct subcommand client_family[], command_family[], config_family[];

/* Of a command, as COMMAND DOCS tells; the last of several has no name. */
struct argument {
	const char *name;
	const char *type;  /* "key", "string", "integer", "pattern"; "block": of `parts` */
	const char *flags; /* "optional multiple"; NULL: it is there once */
	const char *token; /* the word before it; NULL: none */
	const struct argument *parts;
};

/* Of Redis' command of this name: words with blanks between them. */
struct traits {
	const char *name;
	const char *flags;
	const char *categories;
	const char *tips;
	const char *access;               /* what it does to its keys; empty: it has none */
	const struct argument *arguments; /* NULL: it has none, or its sub-commands have their own */
};
/* Of empty texts when nothing is known of it. */
const struct traits *traits_of(const struct command *command);

/* Words compare as commands and options do: letters in any case. */
bool word_is(struct kvrel_slice word, const char *lower);
/* Patterns as KEYS has them, letters in any case. */
bool word_matches(const char *lower, struct kvrel_slice pattern);
/* By Redis' rules: decimal, no blanks, no plus, no leading zeros, 64 bits. */
bool word_is_integer(struct kvrel_slice word, int64_t *out);

#endif
