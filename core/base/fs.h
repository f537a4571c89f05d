/* SPDX-License-Identifier: MIT */
/*
 * Files and folders. All descriptors are close-on-exec. Every error names the path and the call.
 * A file is replaced by: temporary file beside it, write, fsync, rename, fsync of the folder.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include "base/buf.h"
#include "base/error.h"

#include <sys/stat.h>
#include <sys/types.h>

/* Appends the content; LIMIT when it is longer than `max_bytes`. Works for pipes and /proc too. */
int fs_read(const char *path, size_t max_bytes, struct buf *out, struct error *err);
/* The same where there is to be a file: INVALID for a pipe, which may never end, not even to be opened. */
int fs_read_file(const char *path, size_t max_bytes, struct buf *out, struct error *err);
/* Opens a file, or a device, with open()'s flags and without waiting for anything: INVALID for a pipe. */
int fs_open_file(const char *path, int flags, mode_t mode, int *out_fd, struct error *err);
/* Replaces atomically and durably. */
int fs_replace(const char *path, struct slice content, mode_t mode, struct error *err);
/* mkdir -p; existing folders are fine. */
int fs_make_dirs(const char *path, mode_t mode, struct error *err);
/* Is it a folder, and no link, of ours that nobody else can enter? NOT_FOUND when absent; `purpose` is for the error.
 * It is looked at through a descriptor, so that it is one folder that all the answers are about. */
int fs_check_private_dir(const char *path, const char *purpose, struct error *err);
/* rm -rf that never follows a link; a missing path is fine. Makes unwritable folders writable first. */
int fs_remove_tree(const char *path, struct error *err);
/* Copies the bytes of a regular file by reflink, copy_file_range or read/write, whichever works first; the new file
 * gets exactly `mode`; a file or link that is in the way is replaced, never written through. Memory use does not depend
 * on the size. */
int fs_copy_file(const char *from, const char *to, mode_t mode, struct error *err);
int fs_sync_dir(const char *path, struct error *err);
/* Is it a folder of this very user? Not what sudo or su let through in a variable. Follows links. */
bool fs_is_own_dir(const char *path);
bool fs_exists(const char *path); /* follows links */
bool fs_is_dir(const char *path);
/* A regular one: whatever else could be opened (a pipe) may never end. */
bool fs_is_file(const char *path);
/* The link's text, NUL-terminated, appended. */
int fs_read_link(const char *path, struct buf *out, struct error *err);
/* Whole buffer, retrying on EINTR and short writes. */
int fs_write_all(int fd, const void *data, size_t size, struct error *err);
/* At the start of a program: no file that it opens may become a standard stream because the caller had closed that one.
 * Reading from and writing to such a stream still fails. */
void fs_hold_standard_streams(void);
/* Advisory lock on a file that is made if missing; *out_fd holds it until closed. TRY_AGAIN when another process has
 * it and `wait` is false. */
int fs_lock(const char *path, bool wait, int *out_fd, struct error *err);

/* Calls `visit` for each entry of the tree in byte order of the relative paths, folders before their content, links not
 * followed. A negative result of visit stops the walk and is returned; FS_SKIP for a folder: its content is left out,
 * and need not be readable. */
enum { FS_SKIP = 1 };
typedef int fs_visit_fn(void *context, const char *relative, const struct stat *st, struct error *err);
int fs_walk(const char *root, fs_visit_fn *visit, void *context, struct error *err);

#endif
