/* SPDX-License-Identifier: MIT */
/*
 * install and uninstall: the systemd unit in its place, or out of it. Nothing is started or stopped: they say what to
 * type. A unit that someone else wrote is neither replaced nor removed.
 */
#include "launcher.h"
#include "service.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNIT_MAX = 64 * 1024 };

struct install_options {
	bool print;
	bool user_manager;
	const char *run_as;
};

static int parse(const struct launch *launch, bool installs, struct install_options *out)
{
	*out = (struct install_options){ 0 };
	for (size_t i = 0; i < launch->arg_count; i++) {
		const char *arg = launch->args[i];

		if (strcmp(arg, "--user") == 0)
			out->user_manager = true;
		else if (installs && strcmp(arg, "--print") == 0)
			out->print = true;
		else if (installs && strcmp(arg, "--run-as") == 0 && i + 1 < launch->arg_count)
			out->run_as = launch->args[++i];
		else
			return report("'%s' knows no argument but --user%s, got: %s", launch->command->name,
				      installs ? ", --run-as USER and --print" : "", arg);
	}
	if (out->run_as && out->user_manager)
		return report("--run-as needs the system's manager: leave out --user");
	if (out->run_as && (!*out->run_as || strpbrk(out->run_as, " \t\n%/:\"'\\")))
		return report("--run-as expects the name of a user, got: %s", out->run_as);
	return 0;
}

static int unit_path(struct launch *launch, const struct install_options *options, const char **out)
{
	const char *config = environ_get("XDG_CONFIG_HOME"), *home = environ_get("HOME");
	const char *name = environ_get("RELEASE_NAME");

	if (!text_is_name(slice_of(name)))
		return report("'%s' is no name for a service: set RELEASE_NAME", name);
	if (!options->user_manager)
		*out = arena_printf(&launch->arena, "/etc/systemd/system/%s.service", name);
	else if (config || home)
		*out = arena_printf(&launch->arena, "%s%s/systemd/user/%s.service", config ? config : home,
				    config ? "" : "/.config", name);
	else
		return report("cannot tell where units of this user lie: HOME is not set");
	return 0;
}

/* 0 when there is no unit or one of ours. */
static int check_ours(const char *path, bool *exists)
{
	SCOPE(buf_done) struct buf text = { 0 };
	struct error err;

	*exists = fs_read(path, UNIT_MAX, &text, &err) == 0;
	if (!*exists)
		return err.code == ERROR_NOT_FOUND ? 0 : report_error(&err);
	if (slice_starts(buf_slice(&text), SLICE(SERVICE_MARK)))
		return 0;
	return report("'%s' was not written by 'install': it stays as it is", path);
}

/* The service's user is none that the bundle knows: others must be able to read it, and to pass through what lies
 * above.
 */
static int check_readable(struct launch *launch)
{
	char *path = arena_string(&launch->arena, launch->self);
	size_t root_size = strlen(launch->root);

	if (strncmp(launch->root, "/tmp/", 5) == 0 || strncmp(launch->root, "/var/tmp/", 9) == 0)
		return report(
			"a service has a /tmp of its own and cannot see '%s': move the bundle, for instance to /opt",
			launch->root);
	for (;;) {
		char *slash = strrchr(path, '/');
		struct stat st;
		mode_t needed;

		if (!slash || slash == path)
			return 0;
		*slash = '\0';
		needed = strlen(path) < root_size ? S_IXOTH : S_IXOTH | S_IROTH;
		if (stat(path, &st) == 0 && (st.st_mode & needed) != needed)
			return report("the service's user cannot enter '%s' (mode %04o): move the bundle, for instance "
				      "to /opt",
				      path, (unsigned)(st.st_mode & 07777));
	}
}

static void fill_service(struct launch *launch, const struct install_options *options, struct service *out)
{
	bool by_name = strcmp(environ_get("RELEASE_DISTRIBUTION"), "name") == 0;
	const char *file = environ_get("RELEASE_COOKIE_FILE");

	*out = (struct service){
		.name = environ_get("RELEASE_NAME"),
		.version = launch->version,
		.launcher = launch->self,
		.root = launch->root,
		.run_as = options->run_as,
		.user_manager = options->user_manager,
		.node = by_name ? environ_get("RELEASE_NODE") : NULL,
	};
	if (by_name || file)
		out->cookie_file = file ? file : arena_printf(&launch->arena, "/etc/%s/cookie", out->name);
}

static int write_unit(struct launch *launch, const char *path, struct slice text, bool user_manager)
{
	const char *name = environ_get("RELEASE_NAME"), *user = user_manager ? "--user " : "";
	char *folder = arena_string(&launch->arena, path);
	struct error err;

	*strrchr(folder, '/') = '\0';
	if (fs_make_dirs(folder, 0755, &err) < 0 || fs_replace(path, text, 0644, &err) < 0)
		return report_error(&err);
	printf("* creating %s\n\n", path);
	printf("    # To start it now and at every boot\n    systemctl %sdaemon-reload\n    systemctl %senable --now "
	       "%s\n",
	       user, user, name);
	if (user_manager)
		puts("\n    # To keep it running when you log out\n    loginctl enable-linger");
	return flush_stdout();
}

/* systemd takes no quotes and backslashes in the name of a program, however they are escaped. */
static bool fits_unit(const char *path, bool is_program)
{
	struct slice text = slice_of(path);

	for (const char *at = path; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == '\x7f' || (is_program && strchr("\"'\\", *at)))
			return false;
	}
	return slice_utf8_prefix(text) == text.size;
}

int command_install(struct launch *launch)
{
	SCOPE(buf_done) struct buf text = { 0 };
	struct install_options options;
	struct service service;
	const char *path;
	bool exists;

	if (parse(launch, true, &options) != 0 || unit_path(launch, &options, &path) != 0)
		return EXIT_FAILED;
	fill_service(launch, &options, &service);
	if (!fits_unit(launch->self, true))
		return report("a unit file cannot hold the path '%s': move the bundle", launch->self);
	if (service.cookie_file && !fits_unit(service.cookie_file, false))
		return report("a unit file cannot hold the path '%s': move the cookie", service.cookie_file);
	service_unit(&text, &service);
	if (options.print) {
		fwrite(text.data, 1, text.size, stdout);
		return flush_stdout();
	}
	if (check_ours(path, &exists) != 0 || (!options.user_manager && check_readable(launch) != 0))
		return EXIT_FAILED;
	return write_unit(launch, path, buf_slice(&text), options.user_manager);
}

/* Does the manager start it at boot? Then a link of this name lies in some NAME.target.wants. */
static bool is_enabled(struct launch *launch, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *target = strstr(path, "/systemd/user/") ? "default" : "multi-user";

	return fs_exists(
		arena_printf(&launch->arena, "%.*s/%s.target.wants%s", (int)(slash - path), path, target, slash));
}

int command_uninstall(struct launch *launch)
{
	struct install_options options;
	const char *user, *path;
	bool exists;

	if (parse(launch, false, &options) != 0 || unit_path(launch, &options, &path) != 0 ||
	    check_ours(path, &exists) != 0)
		return EXIT_FAILED;
	user = options.user_manager ? "--user " : "";
	if (!exists)
		return report("there is no unit '%s'", path);
	if (is_enabled(launch, path))
		return report("'%s' is enabled; type first: systemctl %sdisable --now %s", path, user,
			      environ_get("RELEASE_NAME"));
	if (unlink(path) != 0)
		return report("cannot remove '%s': %s", path, strerror(errno));
	printf("* removing %s\n\n    # To have the manager forget it\n    systemctl %sdaemon-reload\n", path, user);
	return flush_stdout();
}
