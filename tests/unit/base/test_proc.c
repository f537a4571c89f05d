/* SPDX-License-Identifier: MIT */
#include "base/proc.h"

#include "base/scope.h"
#include "scratch.h"

#include <signal.h>
#include <time.h>

TestSuite(proc, .init = scratch_begin, .fini = scratch_end, .timeout = 30);

static struct error err;

#define SHELL(script) \
	.argv = (const char *const[]) \
	{ \
		"sh", "-c", (script), NULL \
	}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

Test(proc, output_and_exit_code_come_back)
{
	SCOPE(buf_done) struct buf out = { 0 };
	int status = -1;

	cr_assert_eq(proc_run(&(struct proc_options){ SHELL("echo hello; exit 3"), .out = &out }, &status, &err), 0);
	cr_assert_eq(status, 3);
	cr_assert_str_eq(buf_string(&out), "hello\n");
}

Test(proc, a_signal_shows_in_the_status)
{
	int status = -1;

	cr_assert_eq(proc_run(&(struct proc_options){ SHELL("kill -9 $$") }, &status, &err), 0);
	cr_assert_eq(status, 128 + SIGKILL);
}

Test(proc, arguments_are_passed_as_they_are)
{
	SCOPE(buf_done) struct buf out = { 0 };
	int status;
	const char *argv[] = { "printf", "%s|", "a b", "$HOME", "'", NULL };

	cr_assert_eq(proc_run(&(struct proc_options){ .argv = argv, .out = &out }, &status, &err), 0);
	cr_assert_str_eq(buf_string(&out), "a b|$HOME|'|");
}

Test(proc, the_environment_is_exactly_the_one_given)
{
	SCOPE(buf_done) struct buf out = { 0 };
	const char *env[] = { "A=1", "PATH=/usr/bin:/bin", NULL };
	const char *argv[] = { "env", NULL };
	int status;

	setenv("SECRET", "x", 1);
	cr_assert_eq(proc_run(&(struct proc_options){ .argv = argv, .env = env, .out = &out }, &status, &err), 0);
	cr_assert_str_eq(buf_string(&out), "A=1\nPATH=/usr/bin:/bin\n");
}

Test(proc, the_working_directory_can_be_chosen)
{
	SCOPE(buf_done) struct buf out = { 0 };
	int status;

	cr_assert_eq(proc_run(&(struct proc_options){ SHELL("pwd -P"), .cwd = scratch, .out = &out }, &status, &err),
		     0);
	cr_assert_eq(strncmp(buf_string(&out), scratch, strlen(scratch)), 0);
	cr_assert_lt(proc_run(&(struct proc_options){ SHELL("pwd"), .cwd = at("none") }, &status, &err), 0);
	cr_assert(strstr(err.message, "No such file"));
}

Test(proc, what_is_not_there_is_an_error_that_says_so)
{
	const char *missing[] = { "no-such-program-anywhere", NULL }, *path[] = { at("none"), NULL };
	int status = -1;

	cr_assert_eq(proc_run(&(struct proc_options){ .argv = missing }, &status, &err), -(int)ERROR_NOT_FOUND);
	cr_assert_str_eq(err.message, "cannot run 'no-such-program-anywhere': it is not in PATH");
	cr_assert_eq(proc_run(&(struct proc_options){ .argv = path }, &status, &err), -(int)ERROR_NOT_FOUND);
	write_file(at("plain"), "");
	path[0] = at("plain");
	cr_assert_lt(proc_run(&(struct proc_options){ .argv = path }, &status, &err), 0);
	cr_assert(strstr(err.message, "Permission denied"));
	cr_assert_eq(status, -1);
}

Test(proc, a_script_whose_interpreter_is_missing_is_not_called_missing_itself)
{
	const char *argv[] = { at("script"), NULL }, *relative[] = { "./script", NULL };
	char expected[512];
	int status;

	write_file(argv[0], "#! /none/sh -e\necho\n");
	cr_assert_eq(chmod(argv[0], 0755), 0);
	snprintf(expected, sizeof(expected), "cannot run '%s': its interpreter '/none/sh' is not on this machine",
		 argv[0]);
	cr_assert_eq(proc_run(&(struct proc_options){ .argv = argv }, &status, &err), -(int)ERROR_NOT_FOUND);
	cr_assert_str_eq(err.message, expected);
	cr_assert_lt(proc_run(&(struct proc_options){ .argv = relative, .cwd = scratch }, &status, &err), 0);
	cr_assert_str_eq(err.message, "cannot run './script': its interpreter '/none/sh' is not on this machine");
}

Test(proc, large_outputs_are_collected_whole)
{
	SCOPE(buf_done) struct buf out = { 0 };
	int status;

	cr_assert_eq(proc_run(&(struct proc_options){ SHELL("head -c 5000000 /dev/zero"), .out = &out }, &status, &err),
		     0);
	cr_assert_eq(out.size, 5000000);
}

Test(proc, a_program_that_talks_too_much_is_cut_off)
{
	SCOPE(buf_done) struct buf out;
	int64_t start = now_ms();
	int status = -1;

	buf_init(&out, 100000);
	cr_assert_eq(proc_run(&(struct proc_options){ SHELL("exec cat /dev/zero"), .out = &out, .timeout_ms = 20000 },
			      &status, &err),
		     -(int)ERROR_LIMIT);
	cr_assert(strstr(err.message, "more than 100000 bytes"));
	cr_assert_eq(status, -1);
	cr_assert_lt(now_ms() - start, 10000);
}

Test(proc, a_program_that_hangs_is_killed_with_all_it_started)
{
	SCOPE(buf_done) struct buf out = { 0 };
	int64_t start = now_ms();
	char script[200];
	int status;
	pid_t grandchild;

	snprintf(script, sizeof(script), "sleep 25 & echo $! > %s; wait", at("pid"));
	cr_assert_eq(proc_run(&(struct proc_options){ SHELL(script), .out = &out, .timeout_ms = 300 }, &status, &err),
		     -(int)ERROR_TRY_AGAIN);
	cr_assert_str_eq(err.message, "'sh' was cut off: no end within 300 ms");
	cr_assert_lt(now_ms() - start, 10000);
	grandchild = (pid_t)atoi(content_of(at("pid")));
	cr_assert_gt(grandchild, 1);
	/* whoever adopted it may need a moment to collect it */
	for (int i = 0; i < 500 && kill(grandchild, 0) == 0; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)grandchild);
		if (!fs_exists(path) || strstr(content_of(path), ") Z "))
			return;
		usleep(10000);
	}
	cr_assert_neq(kill(grandchild, 0), 0);
}

static bool is_there(void)
{
	return access(at("there"), F_OK) == 0;
}

static int64_t run_until_cancelled(const char *script)
{
	int64_t began = now_ms();
	int status;
	const struct proc_options options = { SHELL(script), .cwd = scratch, .timeout_ms = 60000,
					      .cancelled = is_there };

	cr_assert_eq(proc_run(&options, &status, &err), -(int)ERROR_FAILED);
	return now_ms() - began;
}

Test(proc, a_program_that_is_not_wanted_any_more_is_asked_to_end)
{
	cr_expect_lt(run_until_cancelled("trap 'touch asked; exit' TERM; touch there; sleep 50 & wait"), 20000);
	cr_expect_eq(access(at("asked"), F_OK), 0);
	cr_expect(strstr(err.message, "'sh' was cut off: it was asked to end"), "%s", err.message);
}

Test(proc, a_program_that_will_not_end_is_made_to)
{
	cr_expect_lt(run_until_cancelled("trap '' TERM; touch there; while :; do sleep 1; done"), 25000);
	cr_expect(strstr(err.message, "it was asked to end, and did not within 5 s"), "%s", err.message);
}

Test(proc, a_background_process_that_keeps_the_pipe_does_not_hold_us_up)
{
	SCOPE(buf_done) struct buf out = { 0 };
	int64_t start = now_ms();
	int status;

	cr_assert_eq(proc_run(&(struct proc_options){ SHELL("sleep 20 2>/dev/null & echo $!"), .out = &out }, &status,
			      &err),
		     0);
	cr_assert_lt(now_ms() - start, 15000);
	cr_assert_eq(kill((pid_t)atoi(buf_string(&out)), SIGKILL), 0, "it was still there: '%s'", buf_string(&out));
}

Test(proc, with_a_time_limit_there_is_no_input_to_wait_for)
{
	SCOPE(buf_done) struct buf out = { 0 };
	int status;

	cr_assert_eq(proc_run(&(struct proc_options){ SHELL("cat; echo end"), .out = &out, .timeout_ms = 20000 },
			      &status, &err),
		     0);
	cr_assert_str_eq(buf_string(&out), "end\n");
}

Test(proc, signals_that_we_ignore_are_not_ignored_in_the_program)
{
	int status;

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(proc_run(&(struct proc_options){ SHELL("kill -PIPE $$") }, &status, &err), 0);
	cr_assert_eq(status, 128 + SIGPIPE);
}
