/* SPDX-License-Identifier: MIT */
/*
 * Stands where a bundle's loader stands and shows what the launcher hands over: its arguments, the RELEASE_* variables,
 *the cookie. With FAKE=serve it is a node that answers on the control socket; other values are other ends of a boot:
 *
 *	FAKE=fail   tells a reason on --ready-fd and ends with 1
 *	FAKE=die    says something on stderr and ends with 3 without a word on --ready-fd
 *	FAKE=kill   is killed
 *	FAKE=hang   never gets ready
 *	FAKE=deaf   is ready, and answers nobody
 *	FAKE=serve  serves; FAKE_STOP=hang: a stop is promised and does not happen; FAKE_RESTART=refuse: a restart is
 *refused
 */
#include "base/buf.h"
#include "base/control.h"
#include "base/fs.h"
#include "base/scope.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static char frame[CONTROL_FRAME_MAX];
static bool leave;

static _Noreturn void die(const struct error *err)
{
	fprintf(stderr, "fakenode: %s\n", err->message);
	exit(70);
}

static const char *option(char **argv, const char *name)
{
	for (; *argv; argv++)
		if (strcmp(*argv, name) == 0)
			return argv[1];
	return NULL;
}

static bool is(const char *variable, const char *value)
{
	const char *found = getenv(variable);

	return found && strcmp(found, value) == 0;
}

/* ---- showing ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_variables(void)
{
	static const char *const prefixes[] = { "RELEASE_", "XD_", "KVREL_", "LD_", "PWD" };
	size_t count = 0;

	while (environ[count])
		count++;
	qsort(environ, count, sizeof(*environ), compare);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < sizeof(prefixes) / sizeof(prefixes[0]); j++)
			if (strncmp(environ[i], prefixes[j], strlen(prefixes[j])) == 0)
				puts(environ[i]);
}

static void show_cookie(const char *fd)
{
	char cookie[4096];
	ssize_t size = fd ? read(atoi(fd), cookie, sizeof(cookie)) : 0;

	if (size > 0)
		printf("cookie: %.*s\n", (int)size, cookie);
}

static int show(char **argv)
{
	for (char **word = argv; *word; word++)
		printf("<%s>%s", *word, word[1] ? " " : "\n");
	show_cookie(option(argv, "--cookie-fd"));
	if (getenv("SHOW"))
		show_variables();
	return 0;
}

/* ---- serving ---- */

/* A client that went away is no reason to end. */
static void send_frame(int fd, enum control_type type, struct slice payload)
{
	(void)control_send(fd, type, payload, NULL);
}

static void done(int fd, unsigned char code, const char *text)
{
	SCOPE(buf_done) struct buf payload = { 0 };

	buf_append_char(&payload, (char)code);
	buf_append_string(&payload, text);
	send_frame(fd, CONTROL_DONE, buf_slice(&payload));
}

static void hello(int fd)
{
	SCOPE(buf_done) struct buf payload = { 0 };
	uint32_t pid = (uint32_t)getpid();

	buf_append_char(&payload, CONTROL_VERSION);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_append_char(&payload, (char)(pid >> shift));
	buf_printf(&payload, "foo 0.0.1 %s", getenv("RELEASE_NODE"));
	send_frame(fd, CONTROL_HELLO, buf_slice(&payload));
}

/* Shows the fields of an RPC; "loop" runs until it is interrupted, "exit" ends with 7, "error" with a message. */
static void rpc(int fd, struct slice payload)
{
	struct slice field[3] = { { 0 } };
	struct slice rest = payload;

	for (size_t i = 0; i < 3; i++)
		slice_split(rest, '\0', &field[i], &rest);
	send_frame(fd, CONTROL_OUT, SLICE("fields:"));
	for (size_t i = 0; i < payload.size; i++)
		if (payload.data[i] == '\0')
			((char *)payload.data)[i] = '|';
	send_frame(fd, CONTROL_OUT, payload);
	send_frame(fd, CONTROL_OUT, SLICE("\n"));
	if (slice_is(field[2], "loop")) {
		char type;
		struct slice none;

		send_frame(fd, CONTROL_OUT, SLICE("looping\n"));
		if (control_receive(fd, frame, sizeof(frame), &type, &none, NULL) == 1 && type == CONTROL_INTERRUPT)
			send_frame(fd, CONTROL_ERR, SLICE("interrupted!\n"));
		done(fd, 1, "");
	} else if (slice_is(field[2], "error")) {
		send_frame(fd, CONTROL_ERR, SLICE("rpc:1: broken\nstack traceback: …\n"));
		done(fd, 1, "");
	} else {
		done(fd, slice_is(field[2], "exit") ? 7 : 0, "");
	}
}

static void answer(int fd, char type, struct slice payload)
{
	switch (type) {
	case CONTROL_PING:
		done(fd, 0, "");
		break;
	case CONTROL_STATUS:
		send_frame(fd, CONTROL_OUT, SLICE("status as "));
		send_frame(fd, CONTROL_OUT, payload);
		send_frame(fd, CONTROL_OUT, SLICE("\n"));
		done(fd, 0, "");
		break;
	case CONTROL_STOP:
		leave = !is("FAKE_STOP", "hang");
		done(fd, 0, "100");
		break;
	case CONTROL_RESTART:
		if (is("FAKE_RESTART", "refuse"))
			done(fd, 1, "runtime.lua:3: nothing was changed");
		else
			done(fd, 0, "");
		break;
	case CONTROL_RPC:
		rpc(fd, payload);
		break;
	default:
		done(fd, 1, "what?");
	}
}

static void serve_one(int listener)
{
	SCOPE_FD int fd = accept(listener, NULL, NULL);
	struct slice payload;
	char type;

	if (fd < 0)
		return;
	hello(fd);
	if (control_receive(fd, frame, sizeof(frame), &type, &payload, NULL) == 1)
		answer(fd, type, payload);
}

static void say(const char *ready_fd, const char *line)
{
	if (ready_fd) {
		dprintf(atoi(ready_fd), "%s\n", line);
		close(atoi(ready_fd));
	}
}

static int serve(const char *ready_fd)
{
	char folder[PATH_MAX];
	struct error err;
	int listener;

	/* never longer than a test */
	alarm(60);
	if (control_dir(folder, sizeof(folder), getenv("RELEASE_TMP"), true, &err) < 0 ||
	    control_listen(folder, getenv("RELEASE_NODE"), &listener, &err) < 0)
		die(&err);
	puts("fakenode serves");
	fflush(stdout);
	say(ready_fd, "ready");
	while (is("FAKE", "deaf"))
		pause();
	while (!leave)
		serve_one(listener);
	return 0;
}

int main(int argc, char **argv)
{
	const char *ready_fd = option(argv, "--ready-fd");
	bool starts = argc > 7 && strcmp(argv[7], "start") == 0;
	bool carries = argc > 7 && strcmp(argv[7], "channel") == 0;

	/* hung up on by a node that stops; after that there is none */
	if (carries && is("FAKE", "hangup"))
		return mkdir("asked", 0700) == 0 ? 0 : 3;
	if (starts && (is("FAKE", "serve") || is("FAKE", "deaf")))
		return serve(ready_fd);
	if (is("FAKE", "fail"))
		return say(ready_fd, "port 4040 is in use"), 1;
	if (is("FAKE", "die"))
		return fputs("first line\nlast words\n", stderr), 3;
	if (is("FAKE", "kill"))
		raise(SIGKILL);
	if (is("FAKE", "hang")) {
		printf("hanging %d\n", (int)getpid());
		fflush(stdout);
		alarm(60);
		pause();
	}
	show(argv);
	fflush(stdout);
	say(ready_fd, "ready");
	return carries ? 1 : 0;
}
