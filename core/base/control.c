/* SPDX-License-Identifier: MIT */
/*
 * Where the sockets of a user's nodes lie, and how one is reached or made there; what is said over it: control_frame.c.
 *
 * The longest path of a Unix socket is 107 bytes, less than folders have. A longer one is reached by a short detour:
 * /proc/self/fd/N/NAME, or, where there is no /proc, from a helper thread that has a working directory of its own
 * (unshare(CLONE_FS)): the caller's working directory never moves. A node name that is too long even for that gets a
 * socket named by its beginning and a digest.
 */
#include "base/control.h"

#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

enum { NAME_BYTES_AS_IS = 64, NAME_BYTES_KEPT = 40, CONNECT_SECONDS = 5, BACKLOG = 128 };

/* ---- the folder ------------------------------------------------------------------------------------------------ */

/* 1: usable, 0: not here (try the next place), negative: refused. */
static int try_dir(const char *path, bool make, struct error *err)
{
	struct error ignored;
	int rc;

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
		bool elsewhere =
			errno == ENOENT || errno == ENOTDIR || errno == EROFS || errno == EACCES || errno == EPERM;

		return elsewhere ? 0 : error_system(err, errno, "cannot make the folder '%s'", path);
	}
	rc = fs_check_private_dir(path, "control sockets", err ? err : &ignored);
	return rc == -(int)ERROR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

int control_dir(char *out, size_t out_size, const char *fallback, bool make, struct error *err)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	SCOPE(buf_done) struct buf place = { 0 };
	struct error reason = { 0 };
	int rc = 0;

	for (int choice = 0; choice < 3 && rc == 0; choice++) {
		buf_clear(&place);
		if (choice == 0 && runtime_dir && runtime_dir[0] == '/' && fs_is_own_dir(runtime_dir))
			buf_printf(&place, "%s/kvrel", runtime_dir);
		else if (choice == 1 && fs_is_dir("/tmp"))
			buf_printf(&place, "/tmp/kvrel-%lu", (unsigned long)geteuid());
		else if (choice == 2 && fallback && fallback[0])
			buf_printf(&place, "%s/kvrel", fallback);
		if (place.failed)
			return error_set(err, ERROR_NO_MEMORY, "no memory for a path");
		if (place.size == 0)
			continue;
		if (choice == 2 && make && fs_make_dirs(fallback, 0755, err) < 0)
			return error_wrap(err, "no place for control sockets");
		rc = try_dir(buf_string(&place), make, &reason);
	}
	if (rc < 0) {
		if (err)
			*err = reason;
		return rc;
	}
	if (rc == 0)
		return error_set(err, ERROR_NOT_FOUND,
				 make ? "no place for control sockets: set XDG_RUNTIME_DIR or RELEASE_TMP "
					"to a folder that can be written"
				      : "no folder of control sockets: no node of this user is running");
	if (place.size >= out_size)
		return error_set(err, ERROR_LIMIT, "the path of the folder of control sockets is longer than %zu bytes",
				 out_size - 1);
	memcpy(out, buf_string(&place), place.size + 1);
	return 0;
}

/* ---- the socket ------------------------------------------------------------------------------------------------ */

void control_file(char out[CONTROL_FILE_BYTES], const char *node, const char *suffix)
{
	uint64_t digest = 0xcbf29ce484222325u;

	if (strlen(node) <= NAME_BYTES_AS_IS) {
		snprintf(out, CONTROL_FILE_BYTES, "%s%s", node, suffix);
		return;
	}
	for (const char *c = node; *c; c++)
		digest = (digest ^ (unsigned char)*c) * 0x100000001b3u;
	snprintf(out, CONTROL_FILE_BYTES, "%.*s~%016llx%s", NAME_BYTES_KEPT, node, (unsigned long long)digest, suffix);
}

/* connect() or bind(); the same arguments in both. */
typedef int socket_call(int fd, const struct sockaddr *address, socklen_t size);

struct detour {
	socket_call *call;
	int fd;
	int dir_fd;
	struct sockaddr_un address;
	int errnum;
};

static void *detour_run(void *context)
{
	struct detour *detour = context;

	if (unshare(CLONE_FS) < 0 || fchdir(detour->dir_fd) < 0 ||
	    detour->call(detour->fd, (struct sockaddr *)&detour->address, sizeof(detour->address)) < 0)
		detour->errnum = errno;
	return NULL;
}

/* Does `call` with the socket DIR/file. 0 or an errno. */
static int call_at(socket_call *call, int fd, const char *dir, const char *file)
{
	SCOPE_FD int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct detour detour = { .call = call, .fd = fd, .dir_fd = dir_fd, .address = { .sun_family = AF_UNIX } };
	char *path = detour.address.sun_path;
	size_t room = sizeof(detour.address.sun_path);
	pthread_t thread;
	int rc;

	if (dir_fd < 0)
		return errno;
	if (strlen(dir) + 1 + strlen(file) < room) {
		if ((size_t)snprintf(path, room, "%s/%s", dir, file) >= room)
			return ENAMETOOLONG;
	} else if (access("/proc/self/fd", X_OK) == 0) {
		snprintf(path, room, "/proc/self/fd/%d/%s", dir_fd, file);
	} else {
		if ((size_t)snprintf(path, room, "%s", file) >= room)
			return ENAMETOOLONG;
		rc = pthread_create(&thread, NULL, detour_run, &detour);
		if (rc)
			return rc;
		pthread_join(thread, NULL);
		return detour.errnum;
	}
	return call(fd, (struct sockaddr *)&detour.address, sizeof(detour.address)) < 0 ? errno : 0;
}

int control_check_peer(int fd, struct error *err)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return error_system(err, errno, "cannot tell whose the other end of the control socket is");
	if (peer.uid != geteuid())
		return error_set(err, ERROR_FAILED,
				 "the other end of the control socket belongs to user %lu, not to us (%lu)",
				 (unsigned long)peer.uid, (unsigned long)geteuid());
	return 0;
}

static int open_socket(struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_system(err, errno, "cannot make a control socket") : fd;
}

/* A node that hangs lets its queue of connections fill up: then connect() would wait for ever. */
static void limit_connect(int fd, int seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	(void)!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int connect_socket(int fd, const char *dir, const char *node, struct error *err)
{
	char file[CONTROL_FILE_BYTES];
	int rc;

	control_file(file, node, ".sock");
	rc = call_at(connect, fd, dir, file);
	if (rc == ENOENT || rc == ENOTDIR || rc == ECONNREFUSED)
		return error_set(err, ERROR_NOT_FOUND, "'%s' is not running: nobody answers at '%s/%s'", node, dir,
				 file);
	if (rc == EAGAIN)
		return error_set(err, ERROR_TRY_AGAIN,
				 "'%s' does not accept connections at '%s/%s': it is stopped or hangs", node, dir,
				 file);
	if (rc)
		return error_system(err, rc, "cannot connect to '%s/%s'", dir, file);
	return control_check_peer(fd, err);
}

int control_connect(const char *dir, const char *node, int *out_fd, struct error *err)
{
	SCOPE_FD int fd = open_socket(err);
	int rc;

	if (fd < 0)
		return fd;
	limit_connect(fd, CONNECT_SECONDS);
	rc = connect_socket(fd, dir, node, err);
	if (rc < 0)
		return rc;
	limit_connect(fd, 0);
	*out_fd = TAKE_FD(fd);
	return 0;
}

int control_connect_now(const char *dir, const char *node, int *out_fd, struct error *err)
{
	SCOPE_FD int fd = open_socket(err);
	int rc;

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return error_system(err, errno, "cannot make a control socket");
	rc = connect_socket(fd, dir, node, err);
	if (rc < 0)
		return rc;
	*out_fd = TAKE_FD(fd);
	return 0;
}

int control_listen(const char *dir, const char *node, int *out_fd, struct error *err)
{
	SCOPE_FD int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	SCOPE_FD int fd = -1;
	char file[CONTROL_FILE_BYTES];
	int rc;

	if (dir_fd < 0)
		return error_system(err, errno, "cannot open folder '%s'", dir);
	fd = open_socket(err);
	if (fd < 0)
		return fd;
	control_file(file, node, ".sock");
	if (unlinkat(dir_fd, file, 0) < 0 && errno != ENOENT)
		return error_system(err, errno, "cannot remove the stale socket '%s/%s'", dir, file);
	rc = call_at(bind, fd, dir, file);
	if (rc)
		return error_system(err, rc, "cannot bind '%s/%s'", dir, file);
	/* the folder keeps others out; an odd umask must not keep us out */
	if (fchmodat(dir_fd, file, 0600, 0) < 0 || listen(fd, BACKLOG) < 0) {
		rc = error_system(err, errno, "cannot listen on '%s/%s'", dir, file);
		unlinkat(dir_fd, file, 0);
		return rc;
	}
	*out_fd = TAKE_FD(fd);
	return 0;
}
