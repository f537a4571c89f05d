/* SPDX-License-Identifier: MIT */
#include "node/release.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAUNCHER_VARIABLE "KVREL_LAUNCHER"

enum { COOKIE_MAX_BYTES = 4096, START_DATA_MAX_BYTES = 1024 };

static const char *const mode_names[] = { "embedded", "interactive" };
static const char *const distribution_names[] = { "sname", "name", "none" };
_Static_assert(ARRAY_LEN(mode_names) == RELEASE_MODE_COUNT, "a name for each mode");
_Static_assert(ARRAY_LEN(distribution_names) == DISTRIBUTION_COUNT, "a name for each distribution");

const char *distribution_name(enum distribution distribution)
{
	return distribution_names[distribution];
}

static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

static int index_of(const char *const *names, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], word) == 0)
			return (int)i;
	}
	return -1;
}

bool release_settles(struct slice name)
{
	static const char *const names[] = {
		"RELEASE_ROOT",    "RELEASE_NAME",           "RELEASE_VSN",         "RELEASE_COMMAND",
		"RELEASE_PROG",    "RELEASE_COOKIE",         "RELEASE_COOKIE_FILE", "RELEASE_MODE",
		"RELEASE_NODE",    "RELEASE_DISTRIBUTION",   "RELEASE_TMP",         "RELEASE_DATA",
		"RELEASE_VM_ARGS", "RELEASE_REMOTE_VM_ARGS", "RELEASE_SYS_CONFIG",
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (slice_is(name, names[i]))
			return true;
	}
	return false;
}

/* ROOT/runtime-V/lib/libkvnode.so → ROOT; the library's path is absolute and needs no /proc. */
static int find_root(struct arena *arena, const char **root, struct error *err)
{
	const char *given = variable("RELEASE_ROOT");
	Dl_info info;
	if (given == NULL) {
		if (dladdr((const void *)find_root, &info) == 0 || info.dli_fname == NULL || info.dli_fname[0] != '/')
			return error_set(err, ERROR_USAGE, "RELEASE_ROOT is not set; start the node by bin/NAME");
		/* the loader gives it as …/bin/../lib/libkvnode.so */
		given = path_dir(arena, path_dir(arena, path_dir(arena, path_clean(arena, info.dli_fname))));
	}
	if (given[0] != '/')
		return error_set(err, ERROR_USAGE, "RELEASE_ROOT '%s' is not an absolute path", given);
	*root = path_clean(arena, given);
	return 0;
}

/* The second word of releases/start.data. */
static int default_version(struct arena *arena, const char *root, const char **version, struct error *err)
{
	const char *path = path_join(arena, root, "releases/start.data");
	SCOPE(buf_done) struct buf text = { 0 };
	int rc = fs_read_file(path, START_DATA_MAX_BYTES, &text, err);
	if (rc != 0)
		return rc;
	struct slice runtime;
	struct slice rest;
	slice_split(slice_trim(buf_slice(&text)), ' ', &runtime, &rest);
	struct slice word = slice_trim(rest);
	if (!text_is_version(word))
		return error_set(err, ERROR_INVALID, "%s: error: expected 'RUNTIME-VERSION RELEASE-VERSION'", path);
	*version = arena_copy(arena, word);
	return 0;
}

static const char *default_node(struct arena *arena, const char *name)
{
	char host[256] = "localhost";
	if (gethostname(host, sizeof(host)) != 0)
		snprintf(host, sizeof(host), "localhost");
	host[sizeof(host) - 1] = '\0';
	host[strcspn(host, ".")] = '\0';
	return arena_printf(arena, "%s@%s", name, host);
}

static int check_words(struct release *out, struct error *err)
{
	const char *mode = variable("RELEASE_MODE");
	int index = mode == NULL ? RELEASE_EMBEDDED : index_of(mode_names, RELEASE_MODE_COUNT, mode);
	if (index < 0)
		return error_set(err, ERROR_FAILED, "RELEASE_MODE must be embedded or interactive, got '%s'", mode);
	out->mode = (enum release_mode)index;
	const char *word = variable("RELEASE_DISTRIBUTION");
	index = word == NULL ? DISTRIBUTION_SNAME : index_of(distribution_names, DISTRIBUTION_COUNT, word);
	if (index < 0)
		return error_set(err, ERROR_FAILED, "RELEASE_DISTRIBUTION must be sname, name or none, got '%s'", word);
	out->distribution = (enum distribution)index;
	struct slice name;
	struct slice host;
	uint16_t port;
	if (!text_split_node(slice_of(out->node), &name, &host, &port))
		return error_set(err, ERROR_FAILED, "RELEASE_NODE '%s' is no node name; expected NAME or NAME@HOST",
				 out->node);
	return 0;
}

static const char *folder(struct arena *arena, const char *root, const char *name, const char *fallback)
{
	const char *given = variable(name);
	char cwd[4096];
	if (given == NULL)
		return path_join(arena, root, fallback);
	return path_absolute(arena, getcwd(cwd, sizeof(cwd)) != NULL ? cwd : "/", given);
}

static const char *sys_file(struct arena *arena, const char *root, const char *version)
{
	const char *given = variable("RELEASE_SYS_CONFIG");
	if (given == NULL)
		return arena_printf(arena, "%s/releases/%s/sys.yaml", root, version);
	return slice_ends(slice_of(given), SLICE(".yaml")) ? given : arena_printf(arena, "%s.yaml", given);
}

/* The launcher says where it lies, since RELEASE_NAME may have been set to another name. What a program around us was
 * started by is none of ours. */
static const char *find_launcher(struct arena *arena, const struct release *release)
{
	const char *bin = path_join(arena, release->root, "bin");
	const char *given = variable(LAUNCHER_VARIABLE);
	const char *own = given != NULL && strcmp(path_dir(arena, given), bin) == 0 ? given : NULL;
	const char *found = own != NULL ? arena_string(arena, own) : path_join(arena, bin, release->name);
	unsetenv(LAUNCHER_VARIABLE);
	return found;
}

int release_read(struct arena *arena, struct release *out, struct error *err)
{
	struct release release = { 0 };
	int rc = find_root(arena, &release.root, err);
	if (rc != 0)
		return rc;
	release.version = variable("RELEASE_VSN");
	if (release.version == NULL && (rc = default_version(arena, release.root, &release.version, err)) != 0)
		return rc;
	const char *name = variable("RELEASE_NAME");
	release.name = arena_string(arena, name != NULL ? name : path_base(release.root));
	release.version = arena_string(arena, release.version);
	release.launcher = find_launcher(arena, &release);
	const char *node = variable("RELEASE_NODE");
	release.node = node != NULL ? arena_string(arena, node) : default_node(arena, release.name);
	release.tmp = folder(arena, release.root, "RELEASE_TMP", "tmp");
	release.data = folder(arena, release.root, "RELEASE_DATA", "data");
	release.sys_config = sys_file(arena, release.root, release.version);
	const char *vm_args = variable("RELEASE_VM_ARGS");
	release.vm_args = vm_args != NULL
				  ? arena_string(arena, vm_args)
				  : arena_printf(arena, "%s/releases/%s/vm.args", release.root, release.version);
	rc = check_words(&release, err);
	if (rc == 0)
		*out = release;
	return rc;
}

/* What the launcher puts into the variable when the user sets none. */
static const char *derived(struct arena *arena, const struct release *release, const char *file)
{
	return arena_printf(arena, "%s/releases/%s/%s", release->root, release->version, file);
}

static const struct {
	const char *name;
	const char *file;
} derived_variables[] = {
	{ "RELEASE_VM_ARGS", "vm.args" },
	{ "RELEASE_REMOTE_VM_ARGS", "remote.vm.args" },
	{ "RELEASE_SYS_CONFIG", "sys" },
};

static bool is_derived(const struct release *running, size_t variable_index, struct slice value)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	return slice_is(value, derived(&arena, running, derived_variables[variable_index].file));
}

/* "NAME=VALUE": does it follow from the version, so that the launcher is to derive it afresh? */
static bool follows_version(const struct release *running, const char *entry)
{
	struct slice name;
	struct slice value;
	slice_split(slice_of(entry), '=', &name, &value);
	for (size_t i = 0; i < ARRAY_LEN(derived_variables); i++) {
		if (slice_is(name, derived_variables[i].name))
			return is_derived(running, i, value);
	}
	return slice_is(name, "RELEASE_VSN");
}

const char *const *release_next_environment(struct arena *arena, const struct release *running)
{
	size_t count = 0;
	size_t kept = 0;
	while (environ[count] != NULL)
		count++;
	const char **copy = arena_array(arena, count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		if (!follows_version(running, environ[i]))
			copy[kept++] = environ[i];
	}
	return copy;
}

void release_forget_version(const struct release *running)
{
	for (size_t i = 0; i < ARRAY_LEN(derived_variables); i++) {
		const char *value = getenv(derived_variables[i].name);
		if (value != NULL && is_derived(running, i, slice_of(value)))
			unsetenv(derived_variables[i].name);
	}
	unsetenv("RELEASE_VSN");
}

const char *release_shown(const struct release *release, const char *path)
{
	size_t size = strlen(release->root);
	bool inside = strncmp(path, release->root, size) == 0 && path[size] == '/';
	return inside ? path + size + 1 : path;
}

int release_read_cookie(int fd, struct buf *cookie, struct error *err)
{
	SCOPE_FD int owned = fd;
	/* all of the memory at once: growing would leave copies behind. One byte more tells what is too long */
	buf_init(cookie, COOKIE_MAX_BYTES + 2);
	if (buf_reserve(cookie, COOKIE_MAX_BYTES + 1) == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for the cookie");
	while (cookie->size <= COOKIE_MAX_BYTES) {
		ssize_t got = read(owned, cookie->data + cookie->size, COOKIE_MAX_BYTES + 1 - cookie->size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(err, errno, "cannot read the cookie from file descriptor %d", owned);
		if (got == 0)
			return 0;
		cookie->size += (size_t)got;
	}
	return error_set(err, ERROR_LIMIT, "the cookie is longer than %d bytes", COOKIE_MAX_BYTES);
}

void release_forget_cookie(struct buf *cookie)
{
	if (cookie->data != NULL)
		explicit_bzero(cookie->data, cookie->capacity);
	buf_done(cookie);
}
