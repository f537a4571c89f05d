/* SPDX-License-Identifier: MIT */
/*
 * One setting against what its component.yaml declares for it. Pure: a value goes in, the normalised one comes out
 * (sizes in bytes, durations in milliseconds, ports as integers) or a message that says what was expected.
 */
#ifndef NODE_SCHEMA_H
#define NODE_SCHEMA_H

#include "base/value.h"

/* Where ${RELEASE_ROOT} and the like in paths come from: NULL when there is no such variable. */
typedef const char *schema_variable_fn(void *context, const char *name);

struct report;
struct schema_context {
	struct arena *arena;
	schema_variable_fn *variable;
	void *context;
	/* With a report, all mistakes in the parts of a list or map go there, each at its own place, and the message of
	 * schema_check() is empty; as do warnings. Without one the first mistake is the message. */
	struct report *report;
	const char *label; /* "kv.routing_table" */
	bool secret;       /* it is part of one: no message shows it */
};

/* The message has no position: "expected port (0–65535), got string "abc"". A secret's value is never in it. */
int schema_check(const struct schema_context *context, const struct value *schema, struct value *given,
		 struct value **out, struct error *err);
/* Appends `text` with the values of ${RELEASE_ROOT} and the like; "$" elsewhere stands for itself. */
int schema_expand(const struct schema_context *context, struct slice text, struct buf *out, struct error *err);
bool schema_is_secret(const struct value *schema);
bool schema_is_live(const struct value *schema);
bool schema_is_required(const struct value *schema);

#endif
