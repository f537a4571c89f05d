/* SPDX-License-Identifier: MIT */
#include "base/exchange.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SWAP = 1 << 1, LIST_BYTES_MAX = 64 << 20, LOCK_WAIT_MS = 10000, LOCK_POLL_MS = 20 };

#define LOCK_FILE ".kvrel-lock"

/* Where old entries go that nothing takes the place of, numbered. */
#define REMOVED ".kvrel-replaced"

struct exchange {
	struct arena arena;
	const char *root, *beside;
};

struct step {
	enum exchange_kind kind;
	ino_t inode;
	const char *here, *there, *removed;
};

static void exchange_done(struct exchange *exchange)
{
	arena_done(&exchange->arena);
}

void exchange_add(struct buf *steps, enum exchange_kind kind, ino_t inode, const char *path)
{
	buf_printf(steps, "%c%llu %s", (char)kind, (unsigned long long)inode, path);
	buf_append_char(steps, '\0');
}

/* ---- single steps ---------------------------------------------------------------------------------------------- */

static bool is_there(const char *path, ino_t *inode)
{
	struct stat st;
	if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*inode = st.st_ino;
	return true;
}

static int move(const char *from, const char *to, struct error *err)
{
	return rename(from, to) < 0 ? error_system(err, errno, "cannot rename '%s' to '%s'", from, to) : 0;
}

/* Both exist. Where the file system cannot exchange, the old one steps aside first. */
static int swap(const struct step *step, struct error *err)
{
	if (syscall(SYS_renameat2, AT_FDCWD, step->there, AT_FDCWD, step->here, SWAP) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return error_system(err, errno, "cannot exchange '%s' and '%s'", step->there, step->here);
	int status = move(step->here, step->removed, err);
	return status < 0 ? status : move(step->there, step->here, err);
}

static int place(const struct step *step, struct error *err)
{
	ino_t inode;
	bool old = is_there(step->here, &inode);
	if (old && inode == step->inode)
		return 0;
	return old ? swap(step, err) : move(step->there, step->here, err);
}

static int unplace(const struct step *step, struct error *err)
{
	ino_t inode, other;
	bool here = is_there(step->here, &inode);
	if (here && inode != step->inode)
		return 0;
	if (here && is_there(step->there, &other))
		return swap(step, err);
	int status = here ? move(step->here, step->there, err) : 0;
	if (status < 0 || !is_there(step->removed, &other))
		return status;
	/* an exchange in two steps was cut short, on the way there or on the way back */
	return move(other == step->inode ? step->there : step->removed, step->here, err);
}

static int act(const struct step *step, bool forward, struct error *err)
{
	ino_t inode;
	switch (step->kind) {
	case EXCHANGE_PLACE:
		return forward ? place(step, err) : unplace(step, err);
	case EXCHANGE_REMOVE:
		if (forward)
			return is_there(step->here, &inode) ? move(step->here, step->removed, err) : 0;
		return is_there(step->removed, &inode) ? move(step->removed, step->here, err) : 0;
	case EXCHANGE_MAKE_FOLDER:
	case EXCHANGE_REMOVE_FOLDER:
		if (forward != (step->kind == EXCHANGE_MAKE_FOLDER))
			(void)rmdir(step->here); /* what others put into it stays, and so does it */
		else if (mkdir(step->here, 0755) < 0 ? errno != EEXIST : chmod(step->here, 0755) < 0)
			return error_system(err, errno, "cannot create folder '%s'", step->here);
		return 0;
	}
	return error_set(err, ERROR_INVALID, "'%s' holds what this version does not know", EXCHANGE_LIST);
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

static bool parse(struct exchange *exchange, struct slice record, size_t number, struct step *out)
{
	struct slice inode, path;
	int64_t value;
	if (record.size < 4 || !slice_split(record, ' ', &inode, &path) || !path.size)
		return false;
	*out = (struct step){ .kind = (enum exchange_kind)inode.data[0] };
	if (!slice_to_int64((struct slice){ inode.data + 1, inode.size - 1 }, &value))
		return false;
	const char *text = arena_copy(&exchange->arena, path);
	if (!path_is_inside(text))
		return false;
	out->inode = (ino_t)value;
	out->here = path_join(&exchange->arena, exchange->root, text);
	out->there = path_join(&exchange->arena, exchange->beside, text);
	out->removed = arena_printf(&exchange->arena, "%s/" REMOVED "/%zu", exchange->beside, number);
	return true;
}

static size_t count_records(struct slice steps)
{
	size_t count = 0;
	for (size_t i = 0; i < steps.size; i++)
		count += steps.data[i] == '\0';
	return count;
}

static int act_all(struct exchange *exchange, struct slice steps, bool forward, struct error *err)
{
	size_t count = count_records(steps);
	struct step *all = arena_array(&exchange->arena, count + 1, sizeof(*all));
	struct slice record;
	for (size_t i = 0; i < count; i++) {
		slice_split(steps, '\0', &record, &steps);
		if (!parse(exchange, record, i, &all[i]))
			return error_set(err, ERROR_INVALID, "'%s/" EXCHANGE_LIST "' is damaged", exchange->root);
	}
	const char *removed = path_join(&exchange->arena, exchange->beside, REMOVED);
	int status = fs_make_dirs(removed, 0700, err);
	for (size_t i = 0; i < count && status == 0; i++)
		status = act(&all[forward ? i : count - 1 - i], forward, err);
	return status;
}

static const char *list_path(struct exchange *exchange)
{
	return path_join(&exchange->arena, exchange->root, EXCHANGE_LIST);
}

static int close_list(struct exchange *exchange, struct error *err)
{
	if (unlink(list_path(exchange)) < 0)
		return error_system(err, errno, "cannot remove '%s'", list_path(exchange));
	return fs_sync_dir(exchange->root, err);
}

static int open_list(struct exchange *exchange, const char *label, struct slice steps, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	buf_append_string(&text, path_base(exchange->beside));
	buf_append_char(&text, '\0');
	buf_append_string(&text, label);
	buf_append_char(&text, '\0');
	buf_append_slice(&text, steps);
	if (text.failed)
		return error_set(err, ERROR_NO_MEMORY, "no memory for the list of steps");
	/* written beside, so that a kill leaves nothing unknown here */
	const char *beside = path_join(&exchange->arena, exchange->beside, EXCHANGE_LIST);
	int status = fs_replace(beside, buf_slice(&text), 0644, err);
	if (status == 0)
		status = move(beside, list_path(exchange), err);
	return status < 0 ? status : fs_sync_dir(exchange->root, err);
}

static int run(const char *root, const char *beside, const char *label, struct slice steps, bool forward,
	       struct error *err)
{
	SCOPE(exchange_done) struct exchange exchange = { .root = root, .beside = beside };
	int status = open_list(&exchange, label, steps, err);
	if (status < 0)
		return status;
	status = act_all(&exchange, steps, forward, err);
	/* what cannot be taken back either is left to whoever finds the list */
	if (status < 0 && act_all(&exchange, steps, !forward, NULL) < 0)
		return status;
	int closed = close_list(&exchange, status < 0 ? NULL : err);
	return status < 0 ? status : closed;
}

int exchange_run(const char *root, const char *beside, const char *label, struct slice steps, struct error *err)
{
	return run(root, beside, label, steps, true, err);
}

int exchange_undo(const char *root, const char *beside, const char *label, struct slice steps, struct error *err)
{
	return run(root, beside, label, steps, false, err);
}

/* ---- afterwards ------------------------------------------------------------------------------------------------ */

bool exchange_is_open(const char *root)
{
	SCOPE(exchange_done) struct exchange exchange = { .root = root };
	return access(list_path(&exchange), F_OK) == 0;
}

/* On NFS a lock is one for writing, and what is locked must be open for that. No folder can be. */
static int open_lock_file(const char *parent, int *fd)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	const char *path = path_join(&arena, parent, LOCK_FILE);
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (file < 0)
		return -1;
	close(*fd);
	*fd = file;
	return 0;
}

int exchange_lock(const char *parent, int wait_ms, int *out, struct error *err)
{
	SCOPE_FD int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_system(err, errno, "cannot open '%s'", parent);
	bool folder = true;
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += LOCK_POLL_MS) {
		if (folder && errno == EBADF && open_lock_file(parent, &fd) == 0) {
			folder = false;
			continue;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_system(err, errno, "cannot lock '%s'", parent);
		if (waited >= wait_ms)
			return error_set(err, ERROR_TRY_AGAIN, "another build is at work in '%s'; try again later",
					 parent);
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_POLL_MS * 1000000L }, NULL);
	}
	*out = TAKE_FD(fd);
	return 0;
}

static int take_back(struct exchange *exchange, const char *parent, struct buf *label, struct error *err)
{
	SCOPE(buf_done) struct buf text = { 0 };
	int status = fs_read(list_path(exchange), LIST_BYTES_MAX, &text, err);
	if (status < 0)
		return fs_exists(list_path(exchange)) ? status : 0; /* done by who had the lock before */
	struct slice beside, name, steps = buf_slice(&text);
	slice_split(steps, '\0', &beside, &steps);
	slice_split(steps, '\0', &name, &steps);
	buf_append_slice(label, name);
	if (beside.size < 2 || beside.data[0] != '.' || slice_is(beside, "..") || memchr(beside.data, '/', beside.size))
		return error_set(err, ERROR_INVALID, "'%s' is damaged", list_path(exchange));
	exchange->beside = path_join(&exchange->arena, parent, arena_copy(&exchange->arena, beside));
	if (!fs_is_dir(exchange->beside))
		return error_set(err, ERROR_NOT_FOUND, "what it needs, '%s', is gone", exchange->beside);
	status = act_all(exchange, steps, false, err);
	return status < 0 ? status : close_list(exchange, err);
}

int exchange_recover(const char *root, bool lock, struct buf *label, struct error *err)
{
	SCOPE(exchange_done) struct exchange exchange = { .root = root };
	const char *parent = path_dir(&exchange.arena, root);
	SCOPE_FD int fd = -1;
	if (!exchange_is_open(root))
		return 0;
	int status = lock ? exchange_lock(parent, LOCK_WAIT_MS, &fd, err) : 0;
	return status < 0 ? status : take_back(&exchange, parent, label, err);
}
