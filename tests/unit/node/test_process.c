/* SPDX-License-Identifier: MIT */
/* The whole runtime as a process: its command line, its control socket, its end. */
#include "base/control.h"
#include "base/fs.h"
#include "base/scope.h"
#include "bundle.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bundle bundle;
static struct process node;
static const char *output;

static void begin(void)
{
	t_bundle_init(&bundle);
	node.pid = 0;
}

static void end(void)
{
	if (node.pid > 0)
		kill(node.pid, SIGKILL);
	t_bundle_done(&bundle);
}

TestSuite(process, .init = begin, .fini = end, .timeout = 60);

static const char *const start[] = { "start", NULL };

static void boot(void)
{
	t_process_start(&node, start, true);
	const char *line = t_process_ready(&bundle, &node);
	cr_assert_str_eq(line, "ready\n");
}

static int stop(int signal_number)
{
	kill(node.pid, signal_number);
	int code = t_process_wait(&bundle, &node, &output);
	node.pid = 0;
	return code;
}

/* ---- the control socket ---- */

static char frame[CONTROL_FRAME_MAX];

static int open_client(void)
{
	char dir[4096];
	struct error err;
	int fd = -1;
	char type;
	struct slice hello;
	cr_assert(control_dir(dir, sizeof(dir), bundle.root, false, &err) == 0, "%s", err.message);
	cr_assert(control_connect(dir, "foo@here", &fd, &err) == 0, "%s", err.message);
	cr_assert(control_receive(fd, frame, sizeof(frame), &type, &hello, &err) == 1);
	cr_assert(type == CONTROL_HELLO && hello.data[0] == CONTROL_VERSION);
	cr_assert(slice_ends(hello, SLICE("foo 0.0.1 foo@here")));
	return fd;
}

/* The next frame's payload, in the arena; its type in *type. */
static const char *next(int fd, char *type)
{
	struct slice payload;
	struct error err;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	cr_assert(poll(&wait, 1, 20000) == 1, "no answer for 20 seconds");
	int rc = control_receive(fd, frame, sizeof(frame), type, &payload, &err);
	if (rc == 0) {
		*type = 0;
		return "";
	}
	cr_assert(rc == 1, "%s", err.message);
	return arena_copy(&bundle.arena, payload);
}

/* Everything up to DONE: what was printed, errors marked by '!'; the exit code at the end. */
static const char *conversation(int fd)
{
	SCOPE(buf_done) struct buf text = { 0 };
	for (;;) {
		char type;
		const char *payload = next(fd, &type);
		if (type == CONTROL_DONE || type == 0) {
			buf_printf(&text, type == 0 ? "gone" : "=%d", (unsigned char)payload[0]);
			return arena_copy(&bundle.arena, buf_slice(&text));
		}
		buf_printf(&text, "%s%s", type == CONTROL_ERR ? "!" : "", payload);
	}
}

static void send_rpc(int fd, const char *flags, const char *text)
{
	SCOPE(buf_done) struct buf request = { 0 };
	buf_append(&request, flags, strlen(flags) + 1);
	buf_append(&request, "(rpc)", 6);
	buf_append_string(&request, text);
	buf_append(&request, "\0one\0two", 8);
	cr_assert(control_send(fd, CONTROL_RPC, buf_slice(&request), NULL) == 0);
}

static const char *rpc(const char *text)
{
	SCOPE_FD int fd = open_client();
	send_rpc(fd, "", text);
	return conversation(fd);
}

Test(process, says_when_it_is_ready_and_stops_at_sigterm_with_0)
{
	boot();
	cr_assert_eq(stop(SIGTERM), 0);
	cr_assert_not_null(strstr(output, "foo@here is ready"), "%s", output);
	cr_assert_not_null(strstr(output, "foo@here has stopped"), "%s", output);
}

Test(process, stops_at_sigint)
{
	boot();
	cr_assert_eq(stop(SIGINT), 0);
}

Test(process, says_why_it_cannot_boot)
{
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {refuse = 'port 4040 is in use'})");
	t_process_start(&node, start, true);
	cr_assert_str_eq(t_process_ready(&bundle, &node), "component 'echo': port 4040 is in use\n");
	cr_assert_eq(t_process_wait(&bundle, &node, &output), 1);
	cr_assert_not_null(strstr(output, "kvnode: error: component 'echo': port 4040 is in use\n"), "%s", output);
	node.pid = 0;
}

Test(process, ends_with_3_for_a_wrong_configuration)
{
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "\nenv('NOWHERE')");
	cr_assert_eq(t_run(&bundle, start, &output), 3);
	cr_assert_str_eq(output, "rel/runtime.lua:2: environment variable NOWHERE is not set\n");
}

Test(process, reachable_by_name_needs_a_cookie)
{
	setenv("RELEASE_DISTRIBUTION", "name", 1);
	cr_assert_eq(t_run(&bundle, start, &output), 1);
	cr_assert_not_null(strstr(output, "distribution 'name' needs a cookie"), "%s", output);
}

Test(process, of_the_same_name_is_refused_with_the_process_id_of_the_first)
{
	boot();
	cr_assert_eq(t_run(&bundle, start, &output), 1);
	cr_assert_not_null(strstr(output, arena_printf(&bundle.arena, "running already with process id %d", node.pid)),
			   "%s", output);
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, starts_over_what_kill_9_left)
{
	boot();
	cr_assert_eq(stop(SIGKILL), 137);
	boot();
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, without_distribution_has_no_socket)
{
	setenv("RELEASE_DISTRIBUTION", "none", 1);
	boot();
	cr_assert_not(fs_exists(arena_printf(&bundle.arena, "%s/run/kvrel", bundle.root)));
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, that_hangs_in_stop_says_what_hung_and_ends_with_1)
{
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {hang = true})");
	t_bundle_write(&bundle, "releases/0.0.1/vm.args", "--shutdown-timeout 200\n");
	boot();
	cr_assert_eq(stop(SIGTERM), 1);
	cr_assert_not_null(strstr(output, "component 'echo'"), "%s", output);
	cr_assert_not_null(strstr(output, "stop took longer than 200 ms"), "%s", output);
}

Test(process, ends_at_once_at_the_second_signal)
{
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {hang = true})");
	boot();
	kill(node.pid, SIGTERM);
	/* signals of one kind that come together count once: wait until the first one was seen */
	char byte[1024];
	ssize_t got = 0;
	for (size_t used = 0; memmem(byte, used, "stopping", 8) == NULL; used += (size_t)got) {
		got = read(node.out_fd, byte + used, sizeof(byte) - used);
		cr_assert(got > 0);
	}
	cr_assert_eq(stop(SIGTERM), 1);
	cr_assert_not_null(strstr(output, "second signal"), "%s", output);
}

Test(process, starts_a_component_that_failed_again)
{
	boot();
	cr_assert_not_null(strstr(rpc("echo.die()"), "="));
	for (int i = 0; i < 500 && strstr(rpc("return echo.say('again')"), "again") == NULL; i++)
		usleep(10000);
	cr_assert_not_null(strstr(rpc("return echo.say('again')"), "again"));
	cr_assert_eq(stop(SIGTERM), 0);
	cr_assert_not_null(strstr(output, "restarted"), "%s", output);
}

Test(process, ends_with_1_when_a_permanent_component_fails_too_often)
{
	t_bundle_write(&bundle, "releases/0.0.1/vm.args", "--max-restarts 0\n");
	boot();
	cr_assert_not_null(strstr(rpc("echo.die()"), "="));
	cr_assert_eq(t_process_wait(&bundle, &node, &output), 1);
	node.pid = 0;
	cr_assert_not_null(strstr(output, "kvnode: error: component 'echo' failed: told to die"), "%s", output);
}

Test(process, tells_the_service_manager)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", bundle.root);
	SCOPE_FD int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	cr_assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	boot();
	char message[64] = "";
	cr_assert(recv(fd, message, sizeof(message) - 1, 0) > 0);
	cr_assert_str_eq(message, "READY=1");
	cr_assert_eq(stop(SIGTERM), 0);
	memset(message, 0, sizeof(message));
	cr_assert(recv(fd, message, sizeof(message) - 1, 0) > 0);
	cr_assert_str_eq(message, "STOPPING=1");
}

Test(process, feeds_the_watchdog_of_the_service_manager)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", bundle.root);
	SCOPE_FD int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	cr_assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("WATCHDOG_USEC", "200000", 1);
	boot();
	for (int i = 0; i < 3; i++) {
		char message[64] = "";
		cr_assert(recv(fd, message, sizeof(message) - 1, 0) > 0);
		cr_assert_str_eq(message, i == 0 ? "READY=1" : "WATCHDOG=1");
	}
	cr_assert_eq(stop(SIGTERM), 0);
}

/* ---- eval ---- */

static int eval(const char *text)
{
	const char *const args[] = { "eval", text, "first", "second", NULL };
	return t_run(&bundle, args, &output);
}

Test(process, eval_prints_values_one_a_line_and_nil_not_at_all)
{
	cr_assert_eq(eval("return 1 + 1, nil, 'x', {1, 2}"), 0);
	cr_assert_str_eq(output, "2\nx\n{1, 2}\n");
	cr_assert_eq(eval("release.name .. ' ' .. release.version"), 0);
	cr_assert_str_eq(output, "foo 0.0.1\n");
	cr_assert_eq(eval("arg[1], arg[2], #arg"), 0);
	cr_assert_str_eq(output, "first\nsecond\n2\n");
}

Test(process, eval_ends_as_the_text_says)
{
	cr_assert_eq(eval("os.exit(7)"), 7);
	cr_assert_eq(eval("error('broken')"), 1);
	cr_assert(strncmp(output, "(eval):1: broken\nstack traceback:", 32) == 0, "%s", output);
	cr_assert_eq(eval("return +"), 1);
}

Test(process, eval_starts_nothing_unless_asked)
{
	cr_assert_eq(eval("echo.say('x')"), 1);
	cr_assert_not_null(strstr(output, "component echo is not started (app.start(\"echo\"))"), "%s", output);
	cr_assert_eq(eval("app.start('echo') print(echo.say('x')) return app.list()[1].state"), 0);
	cr_assert_not_null(strstr(output, "x\nstarted\n"), "%s", output);
}

Test(process, eval_turns_results_into_values_and_failures_into_errors)
{
	cr_assert_eq(eval("app.start('echo') assert(echo.nothing() == nil and echo.count('a', 2) == 2)\n"
			  "assert(echo.pairs().milk == 1 and echo.list('a', 'b')[2] == 'b')\n"
			  "local function why(f, ...) return select(2, pcall(f, ...)) end\n"
			  "assert(why(echo.missing) == 'echo.missing: not found')\n"
			  "assert(why(echo.broken) == 'echo.broken: the disk is full')\n"
			  "assert(why(echo.say):find('wrong number of arguments for echo.say %(expected text%)'))\n"
			  "assert(why(echo.say, {}):find('string expected, got table'))"),
		     0, "%s", output);
}

Test(process, eval_reads_and_changes_settings)
{
	cr_assert_eq(eval("app.start('echo') app.put_env('echo', 'loudness', 9)\n"
			  "assert(app.env('echo', 'loudness') == 9 and app.env('echo').port == 4050)\n"
			  "local function why(...) return select(2, pcall(app.put_env, ...)) end\n"
			  "assert(why('echo', 'loudness', 12) == 'echo.loudness: that is too loud')\n"
			  "assert(app.env('echo', 'loudness') == 9)\n"
			  "assert(why('echo', 'loudness', 'x'):find('expected integer'))\n"
			  "assert(why('echo', 'port', 1):find('cannot change while the component runs'))\n"
			  "assert(why('nope', 'port', 1):find(\"no component 'nope'\"))\n"),
		     0, "%s", output);
}

Test(process, eval_refuses_other_nodes_and_knows_its_own)
{
	cr_assert_eq(eval("assert(node.name() == 'foo@here' and #node.list() == 0)\n"
			  "assert(select(2, pcall(node.ping, 'bar@there')):find('no links to others'))\n"
			  "assert(rpc.call('foo@here', 'string.upper', 'x') == 'X')"),
		     0, "%s", output);
}

Test(process, eval_gives_one_json_document)
{
	const char *const args[] = { "eval", "--json", "1, {a = {true, 'x'}}", NULL };
	cr_assert_eq(t_run(&bundle, args, &output), 0);
	cr_assert_str_eq(output, "[1,{\"a\":[true,\"x\"]}]\n");
}

/* ---- config ---- */

Test(process, shows_its_configuration_without_booting)
{
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {loudness = 7, token = 'hunter2'})");
	const char *const all[] = { "config", NULL };
	cr_assert_eq(t_run(&bundle, all, &output), 0);
	cr_assert_not_null(strstr(output, "echo.loudness = 7"), "%s", output);
	cr_assert_not_null(strstr(output, "# rel/runtime.lua:1\n"), "%s", output);
	cr_assert_not_null(strstr(output, "# releases.yaml:9:7\n"), "%s", output);
	cr_assert_not_null(strstr(output, "echo.token = \"********\""), "%s", output);
	cr_assert_null(strstr(output, "hunter2"));
	const char *const one[] = { "config", "get", "echo.durability", NULL };
	cr_assert_eq(t_run(&bundle, one, &output), 0);
	cr_assert_str_eq(output, "always\n");
	const char *const none[] = { "config", "get", "echo.nope", NULL };
	cr_assert_eq(t_run(&bundle, none, &output), 1);
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {loudness = 'x', prot = 1})");
	const char *const check[] = { "config", "check", NULL };
	cr_assert_eq(t_run(&bundle, check, &output), 3);
	cr_assert_not_null(strstr(output, "echo.loudness"), "%s", output);
	cr_assert_not_null(strstr(output, "unknown key 'prot'"), "%s", output);
}

/* ---- rpc and consoles ---- */

Test(process, answers_rpc)
{
	boot();
	cr_assert_str_eq(rpc("1 + 1, 'x'"), "2\nx\n=0");
	cr_assert_str_eq(rpc("print('hello') echo.nothing() return echo.say(arg[2])"), "hello\ntwo\n=0");
	cr_assert_str_eq(rpc("os.exit(9)"), "=9");
	cr_assert_str_eq(rpc("io.write('a') io.stderr:write('b', 1) io.stdout:write('c')"), "a!b!1c=0");
	cr_assert(strncmp(rpc("error('x')"), "!(rpc):1: x\n", 11) == 0);
	SCOPE_FD int fd = open_client();
	send_rpc(fd, "json", "print('aside') return {1}");
	cr_assert_str_eq(conversation(fd), "!aside\n[1]\n=0");
	send_rpc(fd, "", "'again'");
	cr_assert_str_eq(conversation(fd), "again\n=0");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, goes_on_while_an_expression_loops)
{
	boot();
	SCOPE_FD int fd = open_client();
	send_rpc(fd, "", "while true do pcall(error) end");
	cr_assert_str_eq(rpc("'still here'"), "still here\n=0");
	cr_assert(control_send(fd, CONTROL_INTERRUPT, (struct slice){ 0 }, NULL) == 0);
	cr_assert_str_eq(conversation(fd), "!interrupted\n=1");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, ends_an_expression_whose_client_is_gone_or_whose_node_stops)
{
	boot();
	int gone = open_client();
	send_rpc(gone, "", "while true do end");
	close(gone);
	SCOPE_FD int fd = open_client();
	send_rpc(fd, "", "print('begun') while true do end");
	char type;
	cr_assert_str_eq(next(fd, &type), "begun\n");
	cr_assert_eq(stop(SIGTERM), 0);
	cr_assert_str_eq(conversation(fd), "!interrupted\n=1");
}

Test(process, bounds_the_memory_of_an_expression)
{
	boot();
	const char *answer = rpc("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end");
	cr_assert_not_null(strstr(answer, "out of memory"), "%s", answer);
	cr_assert_str_eq(rpc("1"), "1\n=0");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, does_not_wait_for_a_client_that_does_not_read)
{
	boot();
	SCOPE_FD int fd = open_client();
	send_rpc(fd, "", "while true do print(('x'):rep(10000)) end");
	cr_assert_str_eq(rpc("1"), "1\n=0");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, answers_ping_status_and_stop)
{
	boot();
	SCOPE_FD int fd = open_client();
	cr_assert(control_send(fd, CONTROL_PING, (struct slice){ 0 }, NULL) == 0);
	cr_assert_str_eq(conversation(fd), "=0");
	cr_assert(control_send(fd, CONTROL_STATUS, SLICE("json"), NULL) == 0);
	const char *status = conversation(fd);
	cr_assert_not_null(strstr(status, "\"node\":\"foo@here\""), "%s", status);
	cr_assert_not_null(strstr(status, "\"state\":\"started\""), "%s", status);
	cr_assert(control_send(fd, CONTROL_STATUS, SLICE("text"), NULL) == 0);
	status = conversation(fd);
	cr_assert_not_null(strstr(status, "components   echo 1.0.0, permanent, started\n"), "%s", status);
	cr_assert(control_send(fd, CONTROL_STOP, (struct slice){ 0 }, NULL) == 0);
	cr_assert_str_eq(conversation(fd), "=0");
	cr_assert_str_eq(conversation(fd), "gone");
	cr_assert_eq(t_process_wait(&bundle, &node, &output), 0);
	node.pid = 0;
}

Test(process, stops_by_an_expression)
{
	boot();
	cr_assert_str_eq(rpc("node.stop()"), "=0");
	cr_assert_eq(t_process_wait(&bundle, &node, &output), 0);
	node.pid = 0;
}

Test(process, closes_a_connection_that_sends_rubbish)
{
	boot();
	SCOPE_FD int fd = open_client();
	cr_assert(send(fd, "\xff\xff\xff\xff rubbish", 12, 0) == 12);
	cr_assert_str_eq(conversation(fd), "gone");
	SCOPE_FD int other = open_client();
	cr_assert(control_send(other, 'Z', SLICE("?"), NULL) == 0);
	cr_assert_str_eq(conversation(other), "gone");
	cr_assert_str_eq(rpc("1"), "1\n=0");
	cr_assert_eq(stop(SIGTERM), 0);
}

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

Test(process, talks_in_a_console)
{
	boot();
	SCOPE_FD int fd = open_client();
	cr_assert(control_send(fd, CONTROL_CONSOLE, (struct slice){ 0 }, NULL) == 0);
	cr_assert_str_eq(line(fd, NULL), "foo@here> ");
	cr_assert_str_eq(line(fd, "x = 20"), "foo@here> ");
	cr_assert_str_eq(line(fd, "x + 1"), "21\nfoo@here> ");
	cr_assert_str_eq(line(fd, "_ + 1"), "22\nfoo@here> ");
	cr_assert_str_eq(line(fd, "for i = 1, 2 do"), "…> ");
	cr_assert_str_eq(line(fd, "print(i)"), "…> ");
	cr_assert_str_eq(line(fd, "end"), "1\n2\nfoo@here> ");
	cr_assert(strncmp(line(fd, "error('oops')"), "console:1: oops\n", 16) == 0);
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

static pid_t on_terminal(const char *command, int *terminal)
{
	pid_t pid = forkpty(terminal, NULL, NULL, NULL);
	if (pid < 0)
		cr_skip_test("there are no pseudo-terminals here");
	if (pid == 0) {
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

Test(process, is_reached_by_a_console_on_a_terminal)
{
	boot();
	int terminal;
	pid_t remote = on_terminal("remote", &terminal);
	expect(terminal, "Ctrl-D leaves.\r\nfoo@here> ");
	type_keys(terminal, "6 * 7\n");
	expect(terminal, "42\r\nfoo@here> ");
	type_keys(terminal, "print('begun') while true do end\n");
	expect(terminal, "begun\r\n");
	type_keys(terminal, "\x03");
	expect(terminal, "interrupted\r\nfoo@here> ");
	type_keys(terminal, "\x04");
	cr_assert_eq(ended(remote), 0);
	close(terminal);
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, has_its_own_console_that_can_be_left)
{
	int terminal;
	pid_t pid = on_terminal("start", &terminal);
	expect(terminal, "foo@here> ");
	type_keys(terminal, "1 + 1\n");
	expect(terminal, "2\r\nfoo@here> ");
	type_keys(terminal, "\x04");
	expect(terminal, "the node goes on");
	cr_assert_str_eq(rpc("1"), "1\n=0");
	type_keys(terminal, "\x03");
	expect(terminal, "has stopped");
	cr_assert_eq(ended(pid), 0);
	close(terminal);
}

static void write_launcher(void)
{
	t_bundle_write(&bundle, "bin/foo", arena_printf(&bundle.arena, "#!/bin/sh\nexec '%s' \"$@\"\n", KVNODE));
	cr_assert(chmod(arena_printf(&bundle.arena, "%s/bin/foo", bundle.root), 0755) == 0);
}

Test(process, restarts_as_the_same_process_with_a_fresh_configuration)
{
	write_launcher();
	boot();
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {loudness = 5})");
	SCOPE_FD int fd = open_client();
	cr_assert(control_send(fd, CONTROL_RESTART, (struct slice){ 0 }, NULL) == 0);
	cr_assert_str_eq(conversation(fd), "=0");
	setenv("RELEASE_VSN", "0.0.1", 1);
	cr_assert_str_eq(rpc("app.env('echo', 'loudness')"), "5\n=0");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, goes_on_when_a_restart_would_not_boot)
{
	write_launcher();
	boot();
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "\nconfig('echo', {port = 'x'})");
	SCOPE_FD int fd = open_client();
	char type;
	cr_assert(control_send(fd, CONTROL_RESTART, (struct slice){ 0 }, NULL) == 0);
	const char *done = next(fd, &type);
	cr_assert_eq(type, CONTROL_DONE);
	cr_assert_eq(done[0], 1);
	cr_assert_str_eq(done + 1, "rel/runtime.lua:2: error: echo.port: expected port (0–65535), got string \"x\"");
	cr_assert_str_eq(rpc("app.env('echo', 'port')"), "4050\n=0");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(process, tells_the_client_when_the_restarted_node_does_not_boot)
{
	write_launcher();
	boot();
	t_bundle_write(&bundle, "releases/0.0.1/runtime.lua", "config('echo', {refuse = 'no'})");
	SCOPE_FD int fd = open_client();
	char type;
	cr_assert(control_send(fd, CONTROL_RESTART, (struct slice){ 0 }, NULL) == 0);
	const char *done = next(fd, &type);
	cr_assert_eq(type, CONTROL_DONE);
	cr_assert_eq(done[0], 1);
	cr_assert_str_eq(done + 1, "component 'echo': no");
	cr_assert_eq(t_process_wait(&bundle, &node, &output), 1);
	node.pid = 0;
}
