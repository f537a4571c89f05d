/* SPDX-License-Identifier: MIT */
/* What a booted node answers over its control socket, and how long an expression may run there. */
#include "booted.h"

#include <sys/socket.h>

TestSuite(requests, .init = begin, .fini = end, .timeout = 60);

Test(requests, answers_rpc)
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

Test(requests, goes_on_while_an_expression_loops)
{
	boot();
	SCOPE_FD int fd = open_client();
	send_rpc(fd, "", "while true do pcall(error) end");
	cr_assert_str_eq(rpc("'still here'"), "still here\n=0");
	cr_assert(control_send(fd, CONTROL_INTERRUPT, (struct slice){ 0 }, NULL) == 0);
	cr_assert_str_eq(conversation(fd), "!interrupted\n=1");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(requests, ends_an_expression_whose_client_is_gone_or_whose_node_stops)
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

Test(requests, bounds_the_memory_of_an_expression)
{
	boot();
	const char *answer = rpc("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end");
	cr_assert_not_null(strstr(answer, "out of memory"), "%s", answer);
	cr_assert_str_eq(rpc("1"), "1\n=0");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(requests, does_not_wait_for_a_client_that_does_not_read)
{
	boot();
	SCOPE_FD int fd = open_client();
	send_rpc(fd, "", "while true do print(('x'):rep(10000)) end");
	cr_assert_str_eq(rpc("1"), "1\n=0");
	cr_assert_eq(stop(SIGTERM), 0);
}

Test(requests, answers_ping_status_and_stop)
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

Test(requests, stops_by_an_expression)
{
	boot();
	cr_assert_str_eq(rpc("node.stop()"), "=0");
	cr_assert_eq(t_process_wait(&bundle, &node, &output), 0);
	node.pid = 0;
}

Test(requests, closes_a_connection_that_sends_rubbish)
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

Test(requests, of_too_many_clients_are_turned_away_with_a_word)
{
	enum { MOST = 256 + 1 };
	static int fds[MOST];
	char dir[4096];
	int fd = -1;
	char type;
	t_bundle_write(&bundle, "releases/0.0.1/vm.args", "--console-sessions 1\n");
	boot();
	for (int i = 0; i < MOST; i++)
		fds[i] = open_client();
	cr_assert(control_dir(dir, sizeof(dir), bundle.root, false, NULL) == 0);
	cr_assert(control_connect(dir, "foo@here", &fd, NULL) == 0);
	const char *reason = next(fd, &type);
	cr_assert_eq(type, CONTROL_DONE);
	cr_assert_eq(reason[0], 1);
	cr_assert_not_null(strstr(reason, "too many commands"), "%s", reason + 1);
	close(fd);
	for (int i = 0; i < MOST; i++)
		close(fds[i]);
	cr_assert_eq(stop(SIGTERM), 0);
}
