/* SPDX-License-Identifier: MIT */
#include "base/control.h"

#include "base/fs.h"
#include "base/scope.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct error err;

static void begin(void)
{
	scratch_begin();
	setenv("XDG_RUNTIME_DIR", scratch, 1);
}

TestSuite(control, .init = begin, .fini = scratch_end);

static void make_pair(int fds[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

Test(control, a_frame_arrives_as_it_was_sent)
{
	char buffer[64], type;
	struct slice payload;
	int fds[2];

	make_pair(fds);
	cr_assert_eq(control_send(fds[0], CONTROL_RPC, SLICE("a\0b"), &err), 0);
	cr_assert_eq(control_send(fds[0], CONTROL_PING, SLICE(""), &err), 0);
	cr_assert_eq(control_receive(fds[1], buffer, sizeof(buffer), &type, &payload, &err), 1);
	cr_assert_eq(type, CONTROL_RPC);
	cr_assert(slice_equal(payload, SLICE("a\0b")));
	cr_assert_eq(control_receive(fds[1], buffer, sizeof(buffer), &type, &payload, &err), 1);
	cr_assert_eq(type, CONTROL_PING);
	cr_assert_eq(payload.size, 0);
	close(fds[0]);
	cr_assert_eq(control_receive(fds[1], buffer, sizeof(buffer), &type, &payload, &err), 0);
	close(fds[1]);
}

static void *send_large(void *context)
{
	static char large[CONTROL_FRAME_MAX - 1];

	memset(large, 'x', sizeof(large));
	return (void *)(intptr_t)control_send(*(int *)context, CONTROL_OUT, (struct slice){ large, sizeof(large) },
					      NULL);
}

Test(control, the_largest_frame_passes_in_pieces_over_a_socket_that_does_not_block)
{
	char *buffer = malloc(CONTROL_FRAME_MAX), type;
	struct slice payload;
	pthread_t thread;
	void *result;
	int fds[2];

	make_pair(fds);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	pthread_create(&thread, NULL, send_large, &fds[0]);
	cr_assert_eq(control_receive(fds[1], buffer, CONTROL_FRAME_MAX, &type, &payload, &err), 1, "%s", err.message);
	pthread_join(thread, &result);
	cr_assert_null(result);
	cr_assert_eq(payload.size, CONTROL_FRAME_MAX - 1);
	cr_assert_eq(payload.data[payload.size - 1], 'x');
	free(buffer);
}

Test(control, frames_that_are_too_long_are_refused_on_both_sides)
{
	static const char huge[] = "\xff\xff\xff\xffO", empty[] = "\0\0\0\0O";
	char buffer[16], type;
	struct slice payload;
	int fds[2];

	make_pair(fds);
	cr_assert_eq(control_send(fds[0], CONTROL_OUT, (struct slice){ buffer, CONTROL_FRAME_MAX }, &err),
		     -(int)ERROR_INVALID);
	cr_assert_eq(write(fds[0], huge, 5), 5);
	cr_assert_eq(control_receive(fds[1], buffer, sizeof(buffer), &type, &payload, &err), -(int)ERROR_INVALID);
	cr_assert_eq(write(fds[0], empty, 5), 5);
	cr_assert_eq(control_receive(fds[1], buffer, sizeof(buffer), &type, &payload, &err), -(int)ERROR_INVALID);
	control_send(fds[0], CONTROL_OUT, SLICE("more than sixteen bytes"), &err);
	cr_assert_eq(control_receive(fds[1], buffer, sizeof(buffer), &type, &payload, &err), -(int)ERROR_LIMIT);
}

Test(control, a_stream_that_ends_inside_a_frame_is_an_error)
{
	char buffer[16], type;
	struct slice payload;
	int fds[2];

	make_pair(fds);
	cr_assert_eq(write(fds[0], "\0\0\0\x05O", 5), 5);
	close(fds[0]);
	cr_assert_eq(control_receive(fds[1], buffer, sizeof(buffer), &type, &payload, &err), -(int)ERROR_FAILED);
	cr_assert(strstr(err.message, "middle of a frame"));
}

Test(control, sending_to_nobody_is_an_error_and_no_signal)
{
	int fds[2];

	make_pair(fds);
	close(fds[1]);
	cr_assert_eq(control_send(fds[0], CONTROL_PING, SLICE(""), &err), -(int)ERROR_SYSTEM);
	cr_assert_eq(err.errnum, EPIPE);
}

Test(control, a_time_limit_of_the_socket_ends_the_waiting)
{
	struct timeval limit = { .tv_usec = 20000 };
	char buffer[16], type;
	struct slice payload;
	int fds[2];

	make_pair(fds);
	setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	cr_assert_eq(control_receive(fds[1], buffer, sizeof(buffer), &type, &payload, &err), -(int)ERROR_TRY_AGAIN);
}

Test(control, parsing_waits_for_whole_frames)
{
	char frame[CONTROL_HEADER_BYTES + 3];
	struct slice payload;
	size_t consumed;
	char type;

	control_header(frame, CONTROL_LINE, 3);
	memcpy(frame + CONTROL_HEADER_BYTES, "abc", 3);
	for (size_t size = 0; size < sizeof(frame); size++)
		cr_assert_eq(control_parse((struct slice){ frame, size }, &type, &payload, &consumed, &err), 0);
	cr_assert_eq(control_parse((struct slice){ frame, sizeof(frame) }, &type, &payload, &consumed, &err), 1);
	cr_assert_eq(type, CONTROL_LINE);
	cr_assert_eq(consumed, sizeof(frame));
	cr_assert(slice_is(payload, "abc"));
	cr_assert_eq(control_parse(SLICE("\0\0\0\0H"), &type, &payload, &consumed, &err), -(int)ERROR_INVALID);
}

Test(control, the_folder_is_made_for_us_alone)
{
	char dir[512] = "";
	struct stat st;

	cr_assert_eq(control_dir(dir, sizeof(dir), NULL, true, &err), 0, "%s", err.message);
	cr_assert_str_eq(dir, at("kvrel"));
	cr_assert_eq(stat(dir, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(control_dir(dir, sizeof(dir), NULL, false, &err), 0);
	cr_assert_eq(control_dir(dir, 5, NULL, false, &err), -(int)ERROR_LIMIT);
}

Test(control, a_folder_that_others_may_enter_is_refused)
{
	char dir[512] = "unchanged";

	cr_assert_eq(mkdir(at("kvrel"), 0700), 0);
	cr_assert_eq(chmod(at("kvrel"), 0750), 0);
	cr_assert_eq(control_dir(dir, sizeof(dir), NULL, true, &err), -(int)ERROR_FAILED);
	cr_assert(strstr(err.message, "chmod 700"));
	cr_assert_str_eq(dir, "unchanged");
}

Test(control, a_link_in_place_of_the_folder_is_refused)
{
	char dir[512];

	cr_assert_eq(mkdir(at("mine"), 0700), 0);
	cr_assert_eq(symlink("mine", at("kvrel")), 0);
	cr_assert_eq(control_dir(dir, sizeof(dir), NULL, true, &err), -(int)ERROR_FAILED);
	cr_assert(strstr(err.message, "no folder"));
}

Test(control, a_folder_of_another_user_is_refused)
{
	char dir[512];

	if (geteuid() != 0)
		cr_skip_test("only root can make a folder of another user");
	cr_assert_eq(mkdir(at("kvrel"), 0700), 0);
	cr_assert_eq(chown(at("kvrel"), 12345, 12345), 0);
	cr_assert_eq(control_dir(dir, sizeof(dir), NULL, true, &err), -(int)ERROR_FAILED);
	cr_assert(strstr(err.message, "belongs to user 12345"));
}

Test(control, a_runtime_folder_that_is_not_there_is_passed_over)
{
	char dir[512], expected[64];

	setenv("XDG_RUNTIME_DIR", at("none"), 1);
	snprintf(expected, sizeof(expected), "/tmp/kvrel-%lu", (unsigned long)geteuid());
	if (control_dir(dir, sizeof(dir), NULL, false, &err) == 0)
		cr_assert_str_eq(dir, expected);
	else
		cr_assert_eq(err.code, ERROR_NOT_FOUND);
}

static void connect_and_check(const char *dir, const char *node)
{
	int listener = -1, client = -1;

	cr_assert_eq(control_connect(dir, node, &client, &err), -(int)ERROR_NOT_FOUND);
	cr_assert_eq(client, -1);
	cr_assert_eq(control_listen(dir, node, &listener, &err), 0, "%s", err.message);
	cr_assert_eq(control_connect(dir, node, &client, &err), 0, "%s", err.message);
	cr_assert_eq(control_check_peer(client, &err), 0);
	close(client);
	close(listener);
	cr_assert_eq(control_connect(dir, node, &client, &err), -(int)ERROR_NOT_FOUND, "a stale socket is nobody");
	cr_assert_eq(control_listen(dir, node, &listener, &err), 0, "and in nobody's way: %s", err.message);
	close(listener);
}

Test(control, nodes_are_reached_by_name)
{
	connect_and_check(scratch, "foo@host");
}

Test(control, a_folder_longer_than_socket_addresses_is_no_obstacle)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/%0200d", scratch, 7);
	cr_assert_eq(mkdir(dir, 0700), 0);
	connect_and_check(dir, "foo@host");
}

Test(control, neither_is_a_long_name)
{
	char node[300];

	memset(node, 'n', sizeof(node) - 1);
	node[sizeof(node) - 1] = '\0';
	connect_and_check(scratch, node);
}

Test(control, long_names_that_begin_alike_stay_apart)
{
	char a[CONTROL_FILE_BYTES], b[CONTROL_FILE_BYTES], node[200];

	memset(node, 'n', sizeof(node) - 1);
	node[sizeof(node) - 1] = '\0';
	control_file(a, node, ".sock");
	node[sizeof(node) - 2] = 'm';
	control_file(b, node, ".sock");
	cr_assert_str_neq(a, b);
	control_file(a, "foo", ".lock");
	cr_assert_str_eq(a, "foo.lock");
}

Test(control, long_paths_work_without_proc_too)
{
	SCOPE_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char dir[512], now[512];

	if (geteuid() != 0)
		cr_skip_test("only root can hide /proc: chroot");
	/* in a root without /proc the detour is a thread with a working directory of its own */
	cr_assert_eq(chroot(scratch), 0);
	cr_assert_eq(mkdir("/work", 0700), 0);
	cr_assert_eq(chdir("/work"), 0);
	snprintf(dir, sizeof(dir), "/%0200d", 7);
	cr_assert_eq(mkdir(dir, 0700), 0);
	connect_and_check(dir, "foo@host");
	cr_assert_not_null(getcwd(now, sizeof(now)));
	cr_assert_str_eq(now, "/work", "the working directory of the caller stays");
	cr_assert_eq(fchdir(root), 0);
	cr_assert_eq(chroot("."), 0);
}

Test(control, an_empty_root_has_its_folder_at_the_fallback)
{
	SCOPE_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char dir[512];

	if (geteuid() != 0)
		cr_skip_test("only root can hide /tmp: chroot");
	cr_assert_eq(chroot(scratch), 0);
	cr_assert_eq(control_dir(dir, sizeof(dir), "/bundle/tmp", false, &err), -(int)ERROR_NOT_FOUND);
	cr_assert_eq(control_dir(dir, sizeof(dir), NULL, true, &err), -(int)ERROR_NOT_FOUND);
	cr_assert_eq(control_dir(dir, sizeof(dir), "/bundle/tmp", true, &err), 0, "%s", err.message);
	cr_assert_str_eq(dir, "/bundle/tmp/kvrel");
	cr_assert_eq(control_dir(dir, sizeof(dir), "/bundle/tmp", false, &err), 0);
	cr_assert_eq(fchdir(root), 0);
	cr_assert_eq(chroot("."), 0);
}

/* ---- the lock's file ---- */

static int open_lock(const char **path)
{
	int fd;

	*path = at("foo.lock");
	cr_assert_eq(fs_lock(*path, false, &fd, &err), 0);
	return fd;
}

/* What is written comes back, of this process. */
static void expect_noted(int fd, const char *path, enum control_note note)
{
	struct control_holder holder;

	cr_assert_eq(control_lock_write(fd, note, &err), 0);
	cr_assert_eq(control_lock_read(path, &holder, &err), 0);
	cr_assert_eq(holder.pid, getpid());
	cr_assert_eq(holder.boots, note == CONTROL_BOOTS || note == CONTROL_RETURNS);
	cr_assert_eq(holder.restarts, note == CONTROL_RESTARTS || note == CONTROL_RETURNS);
}

Test(control, a_lock_names_who_holds_it)
{
	struct control_holder holder;
	const char *path;
	SCOPE_FD int fd = open_lock(&path);

	cr_assert_eq(control_lock_read(path, &holder, &err), -(int)ERROR_NOT_FOUND);
	expect_noted(fd, path, CONTROL_SERVES);
}

Test(control, a_lock_tells_of_a_boot_until_there_is_a_socket)
{
	const char *path;
	SCOPE_FD int fd = open_lock(&path);

	expect_noted(fd, path, CONTROL_BOOTS);
	expect_noted(fd, path, CONTROL_SERVES);
}

Test(control, a_lock_tells_of_a_restart_until_it_is_over)
{
	const char *path;
	SCOPE_FD int fd = open_lock(&path);

	expect_noted(fd, path, CONTROL_RESTARTS);
	expect_noted(fd, path, CONTROL_RETURNS);
	expect_noted(fd, path, CONTROL_SERVES);
}

Test(control, a_process_that_died_in_its_restart_does_not_return)
{
	struct control_holder holder;
	const char *path;
	SCOPE_FD int fd = open_lock(&path);
	pid_t child = fork();

	if (child == 0)
		_exit(control_lock_write(fd, CONTROL_RESTARTS, NULL) == 0 ? 0 : 1);
	siginfo_t info;
	cr_assert_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	for (int waited = 0; waited < 2; waited++) { /* also while it is a zombie */
		cr_assert_eq(control_lock_read(path, &holder, &err), 0);
		cr_assert_eq(holder.pid, child);
		cr_assert_not(holder.restarts);
		waitpid(child, NULL, 0);
	}
}

Test(control, another_process_of_that_id_is_not_taken_for_the_one_that_restarts)
{
	struct control_holder holder;
	const char *path;
	SCOPE_FD int fd = open_lock(&path);
	char text[64];
	int size = snprintf(text, sizeof(text), "%d restarts 1\n", (int)getpid());

	cr_assert_eq(write(fd, text, (size_t)size), size);
	cr_assert_eq(control_lock_read(path, &holder, &err), 0);
	cr_assert_not(holder.restarts);
}

Test(control, rubbish_in_a_lock_names_nobody)
{
	static const char *const rubbish[] = { "x\n", "-5\n", "0\n", "\n5\n", "99999999999999999999\n" };
	struct control_holder holder;
	const char *path;
	SCOPE_FD int fd = open_lock(&path);

	for (size_t i = 0; i < ARRAY_LEN(rubbish); i++) {
		cr_assert_eq(ftruncate(fd, 0), 0);
		cr_assert_eq(pwrite(fd, rubbish[i], strlen(rubbish[i]), 0), (ssize_t)strlen(rubbish[i]));
		cr_assert_eq(control_lock_read(path, &holder, &err), -(int)ERROR_NOT_FOUND, "%s", rubbish[i]);
	}
}
