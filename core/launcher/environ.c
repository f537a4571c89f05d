/* SPDX-License-Identifier: MIT */
/*
 * The RELEASE_* variables, with mix's names and precedence: the caller's environment, then env.sh, then the defaults of
 * this file. Empty counts as unset. They are checked here, before anything is started, and exported complete: paths are
 * absolute and RELEASE_NODE has its host, so that launcher, node and every program of the node mean the same.
 *
 * A bundle on a read-only file system cannot hold data and tmp. Unless told otherwise they go to where the system keeps
 * such things: what systemd hands out, /run and /var/lib for root, the XDG folders for others.
 */
#include "launcher.h"

#include "base/fs.h"
#include "base/path.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

const char *const environ_names[] = {
	"RELEASE_ROOT",   "RELEASE_NAME",        "RELEASE_VSN",     "RELEASE_COMMAND",        "RELEASE_PROG",
	"RELEASE_COOKIE", "RELEASE_COOKIE_FILE", "RELEASE_MODE",    "RELEASE_NODE",           "RELEASE_DISTRIBUTION",
	"RELEASE_TMP",    "RELEASE_DATA",        "RELEASE_VM_ARGS", "RELEASE_REMOTE_VM_ARGS", "RELEASE_SYS_CONFIG",
};

size_t environ_count(void)
{
	return sizeof(environ_names) / sizeof(environ_names[0]);
}

const char *environ_get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

void environ_set(const char *name, const char *value)
{
	if (setenv(name, value, 1) != 0) {
		report("out of memory");
		_exit(EXIT_FAILED);
	}
}

static void set_default(const char *name, const char *value)
{
	if (!environ_get(name))
		environ_set(name, value);
}

void environ_fill_first(struct launch *launch)
{
	const char *prog = path_base(launch->argv0);

	environ_set("RELEASE_ROOT", *launch->root ? launch->root : "/");
	set_default("RELEASE_NAME", launch->file_name);
	environ_set("RELEASE_VSN", launch->version);
	environ_set("RELEASE_COMMAND", launch->command->name);
	set_default("RELEASE_PROG", *prog ? prog : launch->file_name);
}

/* ---- names ---- */

const char *environ_host(struct arena *arena)
{
	struct utsname system;
	struct slice name, host;
	uint16_t port;

	if (uname(&system) != 0 || !*system.nodename ||
	    !text_split_node(slice_of(arena_printf(arena, "a@%s", system.nodename)), &name, &host, &port) || port)
		return "localhost";
	return arena_string(arena, system.nodename);
}

int environ_node(struct arena *arena, const char *given, const char *distribution, const char *host_name,
		 const char **out, struct error *err)
{
	struct slice name, host;
	uint16_t port;

	if (!text_split_node(slice_of(given), &name, &host, &port))
		return error_set(err, ERROR_INVALID,
				 "expected RELEASE_NODE to be NAME, NAME@HOST or NAME@HOST:PORT (a name of at most 64 "
				 "letters, digits, '_' and '-'), got: %s",
				 given);
	if (host.size) {
		*out = arena_string(arena, given);
		return 0;
	}
	host = slice_of(host_name);
	if (strcmp(distribution, "name") != 0)
		host.size = strcspn(host_name, ".");
	*out = arena_printf(arena, "%s@%.*s", given, SLICE_FMT(host));
	return 0;
}

static int check_choice(const char *name, const char *const *choices, const char *list, struct error *err)
{
	const char *value = environ_get(name);

	for (; *choices; choices++)
		if (strcmp(value, *choices) == 0)
			return 0;
	return error_set(err, ERROR_INVALID, "expected %s to be %s, got: %s", name, list, value);
}

/* After the release, whose name must do for that. */
static int name_node(struct error *err)
{
	const char *release = environ_get("RELEASE_NAME");
	struct slice name, host;
	uint16_t port;

	if (!text_split_node(slice_of(release), &name, &host, &port) || host.size)
		return error_set(err, ERROR_INVALID,
				 "expected RELEASE_NAME to be a name (letters, digits, '_' and '-'), got: %s", release);
	environ_set("RELEASE_NODE", release);
	return 0;
}

static int fill_names(struct launch *launch, struct error *err)
{
	static const char *const modes[] = { "embedded", "interactive", NULL };
	static const char *const distributions[] = { "sname", "name", "none", NULL };
	const char *node;
	int r = 0;

	set_default("RELEASE_MODE", modes[0]);
	set_default("RELEASE_DISTRIBUTION", distributions[0]);
	if (!environ_get("RELEASE_NODE"))
		r = name_node(err);
	if (r == 0)
		r = check_choice("RELEASE_DISTRIBUTION", distributions, "sname, name or none", err);
	if (r == 0)
		r = check_choice("RELEASE_MODE", modes, "embedded or interactive", err);
	if (r < 0)
		return r;
	if (strchr(environ_get("RELEASE_NAME"), '/'))
		return error_set(err, ERROR_INVALID, "expected RELEASE_NAME to be a name, got: %s",
				 environ_get("RELEASE_NAME"));
	r = environ_node(&launch->arena, environ_get("RELEASE_NODE"), environ_get("RELEASE_DISTRIBUTION"),
			 environ_host(&launch->arena), &node, err);
	if (r == 0)
		environ_set("RELEASE_NODE", node);
	return r;
}

/* ---- folders and files ---- */

/* Can ROOT/name be written, or made when it does not exist? */
static bool bundle_can_hold(struct launch *launch, const char *path)
{
	if (access(path, W_OK) == 0)
		return true;
	return errno == ENOENT && access(*launch->root ? launch->root : "/", W_OK) == 0;
}

struct place {
	const char *variable; /* of the environment, NULL: `prefix` alone */
	const char *prefix;
	bool with_name; /* RELEASE_NAME below it; systemd's folders are of this service already */
	bool own;       /* not that of who called su or sudo */
};

static const char *first_place(struct arena *arena, const struct place *places, const char *name)
{
	for (; places->variable || places->prefix; places++) {
		const char *base = places->variable ? environ_get(places->variable) : "";

		if (!base || (places->own && !fs_is_own_dir(base)))
			continue;
		/* systemd separates several folders by colons: take the first */
		base = arena_printf(arena, "%.*s%s", (int)strcspn(base, places->with_name ? "" : ":"), base,
				    places->prefix);
		return places->with_name ? arena_printf(arena, "%s/%s", base, name) : base;
	}
	return NULL;
}

/* Anybody can make a name in /tmp first, and let what we write there go where he likes. Where none can be made, what
 * needs it will say so. */
static int claim_shared(const char *path, struct error *err)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return 0;
	return fs_check_private_dir(path, "RELEASE_TMP", err);
}

static const char *fallback_folder(struct launch *launch, bool is_data)
{
	static const struct place root_data[] = { { "STATE_DIRECTORY", "", false }, { NULL, "/var/lib", true } };
	static const struct place user_data[] = { { "STATE_DIRECTORY", "", false },
						  { "XDG_STATE_HOME", "", true },
						  { "HOME", "/.local/state", true },
						  { NULL, NULL, false } };
	static const struct place root_tmp[] = { { "RUNTIME_DIRECTORY", "", false }, { NULL, "/run", true } };
	static const struct place user_tmp[] = { { "RUNTIME_DIRECTORY", "", false },
						 { "XDG_RUNTIME_DIR", "", true, true },
						 { NULL, NULL, false } };
	bool root = geteuid() == 0;
	const struct place *places = is_data ? (root ? root_data : user_data) : (root ? root_tmp : user_tmp);
	const char *name = environ_get("RELEASE_NAME");

	return first_place(&launch->arena, places, name);
}

static int fill_folder(struct launch *launch, const char *variable, const char *name, struct error *err)
{
	const char *inside = arena_printf(&launch->arena, "%s/%s", launch->root, name);
	bool is_data = strcmp(name, "data") == 0;
	const char *other;
	int r = 0;

	if (environ_get(variable))
		return 0;
	other = bundle_can_hold(launch, inside) ? NULL : fallback_folder(launch, is_data);
	if (!other && !is_data && !bundle_can_hold(launch, inside)) {
		other = arena_printf(&launch->arena, "/tmp/%s-%u", environ_get("RELEASE_NAME"), (unsigned)geteuid());
		if (launch->command->needs & NEEDS_WRITABLE)
			r = claim_shared(other, err);
	}
	environ_set(variable, other ? other : inside);
	if (other && launch->command->needs & NEEDS_WRITABLE)
		fprintf(stderr, "%s: '%s' cannot be written, using '%s' (set %s to choose)\n", launch->file_name,
			inside, other, variable);
	return r;
}

static int make_absolute(struct launch *launch, const char *variable, struct error *err)
{
	const char *value = environ_get(variable);
	char cwd[PATH_MAX];

	if (!value || value[0] == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return error_system(err, errno, "cannot make %s absolute: the current folder", variable);
	environ_set(variable, path_join(&launch->arena, cwd, value));
	return 0;
}

static int check_file(const char *variable, const char *path, struct error *err)
{
	if (access(path, R_OK) == 0)
		return 0;
	return error_system(err, errno, "cannot read the file of %s, '%s'", variable, path);
}

static int check_files(struct launch *launch, struct error *err)
{
	int r = 0;

	if (launch->command->needs & NEEDS_VM_ARGS) {
		r = check_file("RELEASE_VM_ARGS", environ_get("RELEASE_VM_ARGS"), err);
		if (r == 0)
			r = check_file("RELEASE_SYS_CONFIG",
				       arena_printf(&launch->arena, "%s.yaml", environ_get("RELEASE_SYS_CONFIG")), err);
	}
	if (r == 0 && launch->command->needs & NEEDS_REMOTE_ARGS)
		r = check_file("RELEASE_REMOTE_VM_ARGS", environ_get("RELEASE_REMOTE_VM_ARGS"), err);
	return r;
}

static int fill_paths(struct launch *launch, struct error *err)
{
	static const char *const paths[] = { "RELEASE_COOKIE_FILE",    "RELEASE_TMP",
					     "RELEASE_DATA",           "RELEASE_VM_ARGS",
					     "RELEASE_REMOTE_VM_ARGS", "RELEASE_SYS_CONFIG" };

	int r = fill_folder(launch, "RELEASE_TMP", "tmp", err);

	if (r == 0)
		r = fill_folder(launch, "RELEASE_DATA", "data", err);
	if (r < 0)
		return r;
	set_default("RELEASE_VM_ARGS", release_file(launch, "vm.args"));
	set_default("RELEASE_REMOTE_VM_ARGS", release_file(launch, "remote.vm.args"));
	set_default("RELEASE_SYS_CONFIG", release_file(launch, "sys"));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		r = make_absolute(launch, paths[i], err);
		if (r < 0)
			return r;
	}
	return check_files(launch, err);
}

int environ_fill(struct launch *launch, struct error *err)
{
	int r = fill_names(launch, err);

	return r < 0 ? r : fill_paths(launch, err);
}

void environ_hide_preload(void)
{
	static const char *const names[][2] = { { "LD_PRELOAD", "XD_LD_PRELOAD" }, { "LD_AUDIT", "XD_LD_AUDIT" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i][0]);

		if (!value)
			continue;
		environ_set(names[i][1], value);
		unsetenv(names[i][0]);
	}
}
