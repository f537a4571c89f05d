/* SPDX-License-Identifier: MIT */
/* The whole runtime as a process: its boot, its end, its restart. */
#include "base/fs.h"
#include "booted.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

TestSuite(process, .init = begin, .fini = end, .timeout = 60);

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

/* ---- restarts ---- */

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
