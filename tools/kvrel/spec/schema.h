/* SPDX-License-Identifier: MIT */
/*
 * The settings that a component declares in `config:` of its component.yaml, and whether a value fits one.
 * kvrel checks with it what releases.yaml and --set say; the node checks the final configuration again at boot.
 */
#ifndef KVREL_SCHEMA_H
#define KVREL_SCHEMA_H

#include "spec/fields.h"

enum setting_type {
	SETTING_STRING,
	SETTING_INTEGER,
	SETTING_BOOLEAN,
	SETTING_PORT,
	SETTING_DURATION,
	SETTING_SIZE,
	SETTING_PATH,
	SETTING_LIST,
	SETTING_MAP,
	SETTING_ENUM,
	SETTING_RANGE,
	SETTING_NODE,
	SETTING_TYPE_COUNT
};

struct setting {
	const char *key;
	enum setting_type type;
	bool sound;  /* false: the declaration has a mistake, so values are not checked against it */
	bool secret; /* its values are not shown */
	bool has_min, has_max;
	int64_t min, max; /* of sizes in bytes, of durations in milliseconds */
	const char **values;
	size_t value_count;
	bool required;         /* of a map's key: it must be there */
	struct setting *items; /* of a list: what each item must be; NULL: anything */
	struct setting *keys;  /* of a map: what may be in it; NULL: anything */
	size_t key_count;
};

/* "duration" */
const char *setting_type_name(enum setting_type type);
/* Reads the declarations of `component`; mistakes go to the reader. */
void schema_read(const struct reader *reader, const char *component, const struct value *schema,
		 struct setting **settings, size_t *count);
/* A value for `setting`: a mistake says what is expected. Null fits everything. */
void schema_check(const struct reader *reader, const char *component, const struct setting *setting,
		  const struct value *value);

#endif
