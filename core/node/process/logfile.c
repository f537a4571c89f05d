/* SPDX-License-Identifier: MIT */
#include "node/process/logfile.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_VARIABLE "KVREL_LOG_FILE"

enum { FILE_MODE = 0640 };

static struct {
	char path[PATH_MAX];
	uint64_t max_bytes;
	unsigned files;
	bool complained; /* once for each trouble, not once a second */
} log_file;

void logfile_begin(uint64_t max_bytes, unsigned files)
{
	const char *path = getenv(FILE_VARIABLE);
	log_file.path[0] = '\0';
	if (path != NULL && path[0] == '/' && strlen(path) < sizeof(log_file.path))
		memcpy(log_file.path, path, strlen(path) + 1);
	unsetenv(FILE_VARIABLE);
	logfile_limit(max_bytes, files);
	/* who removed it means to have a new one at the next restart at the latest */
	if (log_file.path[0] != '\0' && access(log_file.path, F_OK) != 0)
		logfile_reopen();
}

void logfile_limit(uint64_t max_bytes, unsigned files)
{
	log_file.max_bytes = max_bytes;
	log_file.files = files;
}

void logfile_hand_over(void)
{
	if (log_file.path[0] != '\0')
		setenv(FILE_VARIABLE, log_file.path, 1);
}

static void complain(const char *what, const char *why)
{
	if (!log_file.complained)
		log_warn("node", LOG_FIELDS(LOG_S("file", log_file.path)), "%s: %s", what, why);
	log_file.complained = true;
}

/* Does the name still belong to what we write to? Otherwise somebody else rotates it. */
static bool is_ours(const struct stat *open_file)
{
	struct stat named;
	return stat(log_file.path, &named) == 0 && named.st_ino == open_file->st_ino &&
	       named.st_dev == open_file->st_dev;
}

static void put_in_place(int fd, const struct stat *old)
{
	struct stat out;
	/* stdout may lead elsewhere: it moves only when it is the same file */
	if (fstat(STDOUT_FILENO, &out) == 0 && out.st_ino == old->st_ino && out.st_dev == old->st_dev)
		dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

bool logfile_reopen(void)
{
	struct stat old;
	struct error err;
	SCOPE_FD int fd = -1;
	if (log_file.path[0] == '\0' || fstat(STDERR_FILENO, &old) != 0)
		return false;
	if (fs_open_file(log_file.path, O_WRONLY | O_APPEND | O_CREAT, FILE_MODE, &fd, &err) != 0) {
		complain("the log goes on where it was", err.message);
		return true;
	}
	put_in_place(fd, &old);
	log_file.complained = false;
	return true;
}

static void numbered(char out[PATH_MAX + 16], unsigned number)
{
	if (number == 0)
		snprintf(out, PATH_MAX + 16, "%s", log_file.path);
	else
		snprintf(out, PATH_MAX + 16, "%s.%u", log_file.path, number);
}

/* FILE.2 → FILE.3, FILE.1 → FILE.2, FILE → FILE.1; the oldest is overwritten. */
static int shift(void)
{
	char from[PATH_MAX + 16];
	char to[PATH_MAX + 16];
	for (unsigned i = log_file.files - 1; i > 0; i--) {
		numbered(from, i - 1);
		numbered(to, i);
		if (rename(from, to) != 0 && errno != ENOENT)
			return errno;
	}
	return 0;
}

void logfile_check(void)
{
	struct stat st;
	if (log_file.path[0] == '\0' || fstat(STDERR_FILENO, &st) != 0 || (uint64_t)st.st_size < log_file.max_bytes ||
	    !is_ours(&st))
		return;
	if (log_file.files == 1) { /* nothing is kept: the descriptors append, so an empty file is a new one */
		if (ftruncate(STDERR_FILENO, 0) != 0)
			complain("cannot empty the log", strerror(errno));
		return;
	}
	int failed = shift();
	if (failed != 0)
		complain("cannot rotate the log", strerror(failed));
	else
		logfile_reopen();
}
