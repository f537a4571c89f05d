/* SPDX-License-Identifier: MIT */
/*
 * The cookie: RELEASE_COOKIE_FILE, RELEASE_COOKIE, releases/COOKIE, ~/.kvrel.cookie, in this order. It leaves the
 * environment before anything is executed and reaches kvnode through a descriptor, so that no command line and no
 * /proc/PID/environ of a node shows it. A file that others can read is no secret, and one that another user owns can
 * be changed by him: both are refused.
 */
#include "launcher.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HAND_OVER_VARIABLE "KVREL_COOKIE_FD"
#define KEEP_VARIABLE      "KVREL_COOKIE_KEEP"

enum { COOKIE_MAX = 4096, COOKIE_RANDOM_BYTES = 32, COOKIE_TEXT = 2 * COOKIE_RANDOM_BYTES };

bool cookie_mode_is_safe(uid_t owner, mode_t mode, uid_t uid, bool credential)
{
	/* systemd gives its credentials to one user by an access list, whose mask looks like the group's right */
	mode_t forbidden = credential ? S_IRWXO | S_IWGRP : S_IRWXO | S_IRWXG;

	return (owner == 0 || owner == uid) && (mode & forbidden) == 0;
}

/* Is it a file that systemd made for this service (LoadCredential=)? */
static bool is_credential(const char *path)
{
	const char *folder = environ_get("CREDENTIALS_DIRECTORY");
	size_t size = folder ? strlen(folder) : 0;

	return size && strncmp(path, folder, size) == 0 && path[size] == '/' && !strchr(path + size + 1, '/');
}

static int check_safe(struct arena *arena, const char *path, const struct stat *st, struct error *err)
{
	const char *quoted = shell_quote(arena, path);

	if (!S_ISREG(st->st_mode))
		return error_set(err, ERROR_INVALID, "the cookie file '%s' is no regular file", path);
	if (cookie_mode_is_safe(st->st_uid, st->st_mode, geteuid(), is_credential(path)))
		return 0;
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return error_set(err, ERROR_INVALID, "the cookie file '%s' belongs to user %u; type: chown %u %s", path,
				 (unsigned)st->st_uid, (unsigned)geteuid(), quoted);
	return error_set(err, ERROR_INVALID,
			 "the cookie file '%s' can be read by others (mode %04o); type: chmod 600 %s", path,
			 (unsigned)(st->st_mode & 07777), quoted);
}

static int take_text(struct arena *arena, struct slice text, const char **cookie, struct error *err)
{
	struct slice trimmed = slice_trim(text);

	if (trimmed.size == 0)
		return error_set(err, ERROR_INVALID, "it is empty");
	if (memchr(trimmed.data, '\0', trimmed.size))
		return error_set(err, ERROR_INVALID, "it holds a NUL byte");
	*cookie = arena_copy(arena, trimmed);
	return 0;
}

/* NOT_FOUND when there is no such file. */
static int read_cookie(struct arena *arena, const char *path, const char **cookie, struct error *err)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[COOKIE_MAX + 1];
	struct stat st;
	ssize_t size;
	int r;

	if (fd < 0 || fstat(fd, &st) != 0)
		return error_system(err, errno, "cannot read the cookie file '%s'", path);
	r = check_safe(arena, path, &st, err);
	if (r < 0)
		return r;
	size = read(fd, text, sizeof(text));
	if (size < 0)
		return error_system(err, errno, "cannot read the cookie file '%s'", path);
	if (size > COOKIE_MAX)
		return error_set(err, ERROR_LIMIT, "the cookie file '%s' is longer than %d bytes", path, COOKIE_MAX);
	r = take_text(arena, (struct slice){ text, (size_t)size }, cookie, err);
	return r < 0 ? error_wrap(err, "the cookie file '%s'", path) : 0;
}

static int random_text(char out[COOKIE_TEXT + 1], struct error *err)
{
	unsigned char bytes[COOKIE_RANDOM_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return error_system(err, errno, "cannot get random bytes for a cookie");
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
	return 0;
}

/* Whole or not at all: written beside and linked into place, so that of two first users one wins. */
static int make_home_cookie(struct arena *arena, const char *path, struct error *err)
{
	const char *beside = arena_printf(arena, "%s.%d", path, (int)getpid());
	char text[COOKIE_TEXT + 1];
	int r = random_text(text, err);

	if (r < 0)
		return r;
	unlink(beside);
	SCOPE_FD int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, "cannot make the cookie '%s': %s; set RELEASE_COOKIE_FILE", path,
				 strerror(errno));
	r = fs_write_all(fd, text, COOKIE_TEXT, err);
	if (r < 0)
		error_wrap(err, "cannot make the cookie '%s'", path);
	if (r == 0 && fsync(fd) != 0)
		r = error_system(err, errno, "cannot make the cookie '%s'", path);
	if (r == 0 && link(beside, path) != 0 && errno != EEXIST)
		r = error_system(err, errno, "cannot make the cookie '%s'", path);
	unlink(beside);
	return r;
}

static int home_cookie(struct launch *launch, const char **cookie, struct error *err)
{
	const char *home = environ_get("HOME");
	const char *path;
	struct error problem;
	int r;

	if (!home)
		return error_set(err, ERROR_NOT_FOUND,
				 "no cookie is given and HOME is not set; set RELEASE_COOKIE_FILE");
	path = path_join(&launch->arena, home, ".kvrel.cookie");
	r = read_cookie(&launch->arena, path, cookie, &problem);
	if (r == 0)
		return 0;
	if (problem.code != ERROR_NOT_FOUND) {
		if (err)
			*err = problem;
		return r;
	}
	r = make_home_cookie(&launch->arena, path, err);
	return r < 0 ? r : read_cookie(&launch->arena, path, cookie, err);
}

static int bundle_cookie(struct launch *launch, const char **cookie, struct error *err)
{
	const char *path = arena_printf(&launch->arena, "%s/releases/COOKIE", launch->root);
	struct error problem;
	int r = read_cookie(&launch->arena, path, cookie, &problem);

	if (r == 0)
		return 0;
	if (problem.code == ERROR_NOT_FOUND) {
		*cookie = NULL;
		return 0;
	}
	if (err)
		*err = problem;
	return r;
}

/*
 * RELEASE_COOKIE leaves the environment, so a node that executes the launcher again (restart, --heart) hands it over by
 * a descriptor. KEEP_VARIABLE tells the node that it has to: a cookie of a file is read again, it may be another one
 * now.
 */
static const char *take_handed_over(struct arena *arena)
{
	const char *variable = getenv(HAND_OVER_VARIABLE);
	const char *cookie = NULL;
	int64_t number = -1;
	bool sound = variable && slice_to_int64(slice_of(variable), &number);
	char text[COOKIE_MAX];

	unsetenv(HAND_OVER_VARIABLE);
	if (!sound || number <= STDERR_FILENO || number > INT_MAX)
		return NULL;
	SCOPE_FD int fd = (int)number;
	ssize_t size = pread(fd, text, sizeof(text), 0);

	if (size > 0)
		(void)take_text(arena, (struct slice){ text, (size_t)size }, &cookie, NULL); /* none is no mistake */
	explicit_bzero(text, sizeof(text));
	return cookie;
}

int cookie_resolve(struct launch *launch, bool make_home, const char **cookie, struct error *err)
{
	const char *file = environ_get("RELEASE_COOKIE_FILE");
	const char *text = environ_get("RELEASE_COOKIE");
	const char *handed_over = take_handed_over(&launch->arena);
	const char *found = NULL;
	int r = 0;

	unsetenv(KEEP_VARIABLE);
	if (file) {
		r = read_cookie(&launch->arena, file, &found, err);
	} else if (text) {
		r = take_text(&launch->arena, slice_of(text), &found, err);
		if (r < 0)
			error_wrap(err, "RELEASE_COOKIE");
		environ_set(KEEP_VARIABLE, "1");
	} else if (handed_over) {
		found = handed_over;
		environ_set(KEEP_VARIABLE, "1");
	} else {
		r = bundle_cookie(launch, &found, err);
		if (r == 0 && !found && make_home)
			r = home_cookie(launch, &found, err);
	}
	unsetenv("RELEASE_COOKIE");
	if (r == 0)
		*cookie = found;
	return r;
}

int text_to_fd(const char *name, const char *text, int *out, struct error *err)
{
	SCOPE_FD int fd = memfd_create(name, 0);
	int r;

	if (fd < 0)
		return error_system(err, errno, "cannot hand the %s over: memfd_create", name);
	/* readable by this user alone, should a process look at it through /proc */
	fchmod(fd, 0400);
	r = fs_write_all(fd, text, strlen(text), err);
	if (r < 0)
		return error_wrap(err, "cannot hand the %s over", name);
	if (lseek(fd, 0, SEEK_SET) != 0)
		return error_system(err, errno, "cannot hand the %s over: lseek", name);
	*out = TAKE_FD(fd);
	return 0;
}

int cookie_to_fd(const char *cookie, int *out, struct error *err)
{
	return text_to_fd("cookie", cookie, out, err);
}
