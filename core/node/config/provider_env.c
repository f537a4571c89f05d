/* SPDX-License-Identifier: MIT */
/*
 * Settings that stand in names: variables of the environment (KV_SERVER__PORT=4041 is kv_server.port) and systemd's
 * credentials (a file kv_resp.password).
 *
 * Both places hold things that are not meant for us. So a name whose component the project does not have is none of
 * ours; with a prefix, though, every variable with it is, and a wrong component is a mistake. A wrong key of a
 * component that exists always is one.
 */
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "node/config/providers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { CREDENTIAL_MAX_BYTES = 1 << 20, CREDENTIALS_MAX = 1000 };

/* "KV__LIMITS__A" → "kv.limits.a"; NULL unless it is COMPONENT__KEY in capitals. */
static char *dotted_name(struct arena *arena, struct slice variable)
{
	char *out = arena_alloc(arena, variable.size + 1);
	size_t size = 0;
	size_t dots = 0;
	for (size_t i = 0; i < variable.size; i++) {
		char c = variable.data[i];
		if (!isupper((unsigned char)c) && !isdigit((unsigned char)c) && c != '_')
			return NULL;
		bool separates = c == '_' && i + 1 < variable.size && variable.data[i + 1] == '_' && size > 0;
		out[size++] = separates ? '.' : (char)tolower((unsigned char)c);
		dots += separates;
		i += separates;
	}
	return dots > 0 && out[size - 1] != '.' ? out : NULL;
}

static void take_variable(struct provider_run *run, struct slice prefix, const char *variable)
{
	struct slice name;
	struct slice text;
	if (!slice_split(slice_of(variable), '=', &name, &text) || !slice_starts(name, prefix))
		return;
	char *dotted = dotted_name(run->arena, (struct slice){ name.data + prefix.size, name.size - prefix.size });
	if (dotted == NULL)
		return;
	struct slice component;
	struct slice key;
	slice_split(slice_of(dotted), '.', &component, &key);
	if (prefix.size > 0 || sys_project_has(run->sys, arena_copy(run->arena, component)))
		provider_take_text(run, component, key, text,
				   arena_printf(run->arena, "environment variable %.*s", SLICE_FMT(name)));
}

void provider_env(struct provider_run *run)
{
	struct slice prefix = slice_of(value_text(value_get(run->entry, "env"), ""));
	for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
		take_variable(run, prefix, *variable);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Editors and `echo` end a file with a newline; a secret that ends with one is not what anybody meant. */
static struct slice without_newline(struct slice text)
{
	if (text.size > 0 && text.data[text.size - 1] == '\n')
		text.size--;
	return text;
}

static void take_credential(struct provider_run *run, const char *folder, const char *name)
{
	struct slice component;
	struct slice key;
	bool ours = slice_split(slice_of(name), '.', &component, &key) && key.size > 0 && text_is_name(component) &&
		    sys_project_has(run->sys, arena_copy(run->arena, component));
	if (!ours)
		return;
	SCOPE(buf_done) struct buf text = { 0 };
	struct error err;
	if (fs_read(path_join(run->arena, folder, name), CREDENTIAL_MAX_BYTES, &text, &err) != 0)
		provider_failed(run, "%s", err.message);
	else
		provider_take_text(run, component, key, without_newline(buf_slice(&text)),
				   arena_printf(run->arena, "credential %s", name));
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
}

void provider_credentials(struct provider_run *run)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	if (folder == NULL || folder[0] == '\0')
		return; /* not started by systemd, or without credentials */
	DIR *dir = opendir(folder);
	if (dir == NULL) {
		provider_failed(run, "cannot read CREDENTIALS_DIRECTORY '%s': %s", folder, strerror(errno));
		return;
	}
	const char **names = arena_array(run->arena, CREDENTIALS_MAX, sizeof(*names));
	size_t count = 0;
	for (const struct dirent *entry; count < CREDENTIALS_MAX && (entry = readdir(dir)) != NULL;)
		names[count++] = arena_string(run->arena, entry->d_name);
	closedir(dir);
	qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 0; i < count; i++)
		take_credential(run, folder, names[i]);
}
