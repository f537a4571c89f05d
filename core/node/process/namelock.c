/* SPDX-License-Identifier: MIT */
#include "node/process/namelock.h"

#include "base/control.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "node/node.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int running_already(const struct node *node, pid_t pid, struct error *err)
{
	if (pid <= 0) /* it has stopped all but its process, and emptied the lock's file */
		return error_set(err, ERROR_EXISTS, "node '%s' is ending this moment: try again", node->release.node);
	return error_set(err, ERROR_EXISTS, "node '%s' is running already with process id %ld", node->release.node,
			 (long)pid);
}

/* Somebody may have removed the lock file of a node that runs: its socket answers nevertheless, and is not taken away
 * from it. */
static int check_nobody_answers(const struct node *node, struct error *err)
{
	SCOPE_FD int fd = -1;
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int rc = control_connect_now(node->control_dir, node->release.node, &fd, NULL);
	if (rc != 0 && rc != -ERROR_TRY_AGAIN)
		return 0;
	if (rc != 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return error_set(err, ERROR_EXISTS, "node '%s' is running already", node->release.node);
	return running_already(node, peer.pid, err);
}

/* A node that ended in good order empties its lock file; one that restarts says so in it. */
static void remember_unclean_end(struct node *node, const struct control_holder *before)
{
	if (before->pid == getpid())
		return;
	if (node->boot_reason == NULL)
		node->boot_reason =
			arena_printf(&node->arena, "start, after process %ld ended without a stop", (long)before->pid);
	log_notice("node", LOG_FIELDS(LOG_I("pid", before->pid)), "the node before this one ended without a stop");
}

static int lock(struct node *node, const char *path, struct error *err)
{
	struct control_holder holder = { 0 };
	int rc = fs_lock(path, false, &node->lock_fd, err);
	bool named = control_lock_read(path, &holder, NULL) == 0;
	bool returns = named && holder.restarts;
	if (rc == -ERROR_TRY_AGAIN || (rc == 0 && returns && holder.pid != getpid()))
		return running_already(node, holder.pid, err);
	if (rc == 0)
		rc = check_nobody_answers(node, err);
	if (rc != 0)
		return rc;
	if (named)
		remember_unclean_end(node, &holder);
	/* until there is a socket, commands wait for a node that restarts */
	rc = control_lock_write(node->lock_fd, returns ? CONTROL_RETURNS : CONTROL_BOOTS, err);
	return rc == 0 ? 0 : error_wrap(err, "'%s'", path);
}

int namelock_take(struct node *node, struct error *err)
{
	char dir[PATH_MAX];
	char file[CONTROL_FILE_BYTES];
	if (node->release.distribution == DISTRIBUTION_NONE)
		return 0;
	int rc = control_dir(dir, sizeof(dir), node->release.tmp, true, err);
	if (rc != 0)
		return rc;
	node->control_dir = arena_string(&node->arena, dir);
	control_file(file, node->release.node, ".lock");
	return lock(node, arena_printf(&node->arena, "%s/%s", dir, file), err);
}

static void write_note(const struct node *node, enum control_note note)
{
	struct error err;
	if (node->lock_fd >= 0 && control_lock_write(node->lock_fd, note, &err) != 0)
		log_warn("node", LOG_NONE, "%s", err.message);
}

void namelock_settle(const struct node *node)
{
	write_note(node, CONTROL_SERVES);
}

void namelock_announce_restart(const struct node *node)
{
	write_note(node, CONTROL_RESTARTS);
}

void namelock_refresh(const struct node *node)
{
	if (node->lock_fd >= 0)
		(void)futimens(node->lock_fd, NULL); /* it has nothing else to lose by */
}

void namelock_leave(const struct node *node)
{
	if (node->lock_fd >= 0 && ftruncate(node->lock_fd, 0) != 0)
		log_warn("node", LOG_NONE, "cannot empty the lock file: %s", strerror(errno));
}
