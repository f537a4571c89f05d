/* SPDX-License-Identifier: MIT */
/* The consoles of a booted node: over its control socket, on a terminal, its own. */
#include "booted.h"

#include <pty.h>
#include <sys/wait.h>

TestSuite(booted_console, .init = begin, .fini = end, .timeout = 60);

/* Sends a line and returns all up to the next prompt. */
static const char *line(int fd, const char *text)
{
	SCOPE(buf_done) struct buf all = { 0 };
	if (text != NULL)
		cr_assert(control_send(fd, CONTROL_LINE, slice_of(text), NULL) == 0);
	for (;;) {
		char type;
		const char *payload = next(fd, &type);
		buf_append_string(&all, payload);
		if (type == CONTROL_PROMPT || type == CONTROL_DONE || type == 0)
			return arena_copy(&bundle.arena, buf_slice(&all));
	}
}

Test(booted_console, talks_in_a_console)
{
	boot();
	SCOPE_FD int fd = open_client();
	cr_assert(control_send(fd, CONTROL_CONSOLE, (struct slice){ 0 }, NULL) == 0);
	cr_assert_str_eq(line(fd, NULL), "foo@here> ");
	cr_assert_str_eq(line(fd, "x = 20"), "foo@here> ");
	cr_assert_str_eq(line(fd, "x + 1"), "21\nfoo@here> ");
	cr_assert_str_eq(line(fd, "_ + 1"), "22\nfoo@here> ");
	cr_assert_str_eq(line(fd, "for i = 1, 2 do"), "…> ");
	cr_assert_str_eq(line(fd, ""), "…> "); /* as in pasted code */
	cr_assert_str_eq(line(fd, "print(i)"), "…> ");
	cr_assert_str_eq(line(fd, "end"), "1\n2\nfoo@here> ");
	cr_assert(strncmp(line(fd, "error('oops')"), "console:1: oops\n", 16) == 0);
	cr_assert(slice_starts(slice_of(line(fd, "error('\\27]0;x\\7')")), SLICE("console:1: \\x1b]0;x\\x07\n")));
	cr_assert_str_eq(line(fd, "setmetatable({}, {__tostring = function() return '\\27c\\n' end})"),
			 "\\x1bc\n\nfoo@here> ");
	cr_assert_str_eq(line(fd, "for i = 1, 2 do"), "…> ");
	cr_assert(control_send(fd, CONTROL_INTERRUPT, (struct slice){ 0 }, NULL) == 0);
	cr_assert_str_eq(line(fd, NULL), "foo@here> ");
	cr_assert_str_eq(line(fd, "x"), "20\nfoo@here> ");
	cr_assert_eq(stop(SIGTERM), 0);
	char type;
	next(fd, &type);
	cr_assert_eq(type, CONTROL_DONE);
}

/* ---- on a terminal ---- */

/* With what tells the terminal to mark what is pasted. */
#define PROMPT "\033[?2004hfoo@here> "

static pid_t on_terminal(const char *command, int *terminal)
{
	pid_t pid = forkpty(terminal, NULL, NULL, NULL);
	if (pid < 0)
		cr_skip_test("there are no pseudo-terminals here");
	if (pid == 0) {
		setenv("TERM", "xterm", 1); /* one that knows how to mark what is pasted */
		const char *const argv[] = { KVNODE, command, strcmp(command, "start") == 0 ? "--console" : NULL,
					     NULL };
		execv(KVNODE, (char *const *)argv);
		_exit(127);
	}
	return pid;
}

/* Reads what the terminal shows until `words` come. */
static void expect(int terminal, const char *words)
{
	SCOPE(buf_done) struct buf text = { 0 };
	while (strstr(buf_string(&text), words) == NULL) {
		struct pollfd wait = { .fd = terminal, .events = POLLIN };
		cr_assert(poll(&wait, 1, 20000) == 1, "no '%s' in 20 seconds: %s", words, buf_string(&text));
		ssize_t got = read(terminal, buf_reserve(&text, 4097), 4096);
		cr_assert(got > 0, "no '%s': %s", words, buf_string(&text));
		text.size += (size_t)got;
		text.data[text.size] = '\0';
	}
}

static void type_keys(int terminal, const char *keys)
{
	cr_assert(write(terminal, keys, strlen(keys)) == (ssize_t)strlen(keys));
}

static int ended(pid_t pid)
{
	int status = -1;
	cr_assert(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Test(booted_console, is_reached_by_a_console_on_a_terminal)
{
	boot();
	int terminal;
	pid_t remote = on_terminal("remote", &terminal);
	expect(terminal, "Ctrl-D leaves.\r\n" PROMPT);
	type_keys(terminal, "6 * 7\n");
	expect(terminal, "42\r\n" PROMPT);
	type_keys(terminal, "print('begun') while true do end\n");
	expect(terminal, "begun\r\n");
	type_keys(terminal, "\x03");
	expect(terminal, "interrupted\r\n" PROMPT);
	type_keys(terminal, "\x04");
	cr_assert_eq(ended(remote), 0);
	close(terminal);
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(booted_console, has_its_own_console_that_can_be_left)
{
	int terminal;
	pid_t pid = on_terminal("start", &terminal);
	expect(terminal, PROMPT);
	type_keys(terminal, "1 + 1\n");
	expect(terminal, "2\r\n" PROMPT);
	type_keys(terminal, "\x04");
	expect(terminal, "the node goes on");
	cr_assert_str_eq(rpc("1"), "1\n=0");
	type_keys(terminal, "\x03");
	expect(terminal, "has stopped");
	cr_assert_eq(ended(pid), 0);
	close(terminal);
}
