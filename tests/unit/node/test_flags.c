/* SPDX-License-Identifier: MIT */
#include "base/fs.h"
#include "bundle.h"
#include "node/config/flags.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct bundle bundle;
static struct flags flags;
static struct report report;

static void begin(void)
{
	t_bundle_init(&bundle);
	flags_init(&flags);
}

static void end(void)
{
	report_done(&report);
	t_bundle_done(&bundle);
}

TestSuite(flags, .init = begin, .fini = end);

static const char *read_text(const char *text)
{
	struct error err;
	t_bundle_write(&bundle, "vm.args", text);
	const char *path = arena_printf(&bundle.arena, "%s/vm.args", bundle.root);
	cr_assert(flags_read(&bundle.arena, path, "vm.args", &flags, &report, &err) == 0, "%s", err.message);
	return buf_string(&report.text);
}

Test(flags, may_begin_with_a_byte_order_mark)
{
	cr_assert_str_eq(read_text("\xef\xbb\xbf--workers 3\n"), "");
	cr_assert_eq(flags.workers, 3);
}

Test(flags, have_defaults)
{
	cr_assert(flags.workers >= 1 && flags.workers <= 16);
	cr_assert_eq(flags.max_connections, 16384);
	cr_assert_eq(flags.shutdown_timeout_ms, 30000);
	cr_assert_eq(flags.log_level, LOG_LEVEL_INFO);
}

Test(flags, are_read_one_a_line_with_comments_and_quotes)
{
	cr_assert_str_eq(read_text(
				 "# all of them\n\n--workers 3   # three\n  --max-connections=12\n--log-level debug\n"
				 "--log-format json\r\n--dist-listen 127.0.0.1:4000\n--heart\n--shutdown-timeout 250\n"
				 "--env 'GREETING=hello world'\n--env B=\"#\""),
			 "");
	cr_assert_eq(flags.workers, 3);
	cr_assert_eq(flags.max_connections, 12);
	cr_assert_eq(flags.log_level, LOG_LEVEL_DEBUG);
	cr_assert_eq(flags.log_format, LOG_FORMAT_JSON);
	cr_assert_str_eq(flags.dist_listen, "127.0.0.1:4000");
	cr_assert(flags.heart);
	cr_assert_eq(flags.shutdown_timeout_ms, 250);
	struct error err;
	cr_assert(flags_apply_env(&flags, &err) == 0);
	cr_assert_str_eq(getenv("GREETING"), "hello world");
	cr_assert_str_eq(getenv("B"), "#");
}

Test(flags, bound_clients_logs_and_restarts)
{
	cr_assert_str_eq(read_text("--idle-timeout 5m\n--write-timeout 250ms\n--max-output 1MiB\n--log-max-size 64KiB\n"
				   "--log-files 2\n--max-restarts 0\n--max-seconds 7\n"),
			 "");
	cr_assert_eq(flags.idle_timeout_ms, 300000);
	cr_assert_eq(flags.write_timeout_ms, 250);
	cr_assert_eq(flags.max_output_bytes, 1 << 20);
	cr_assert_eq(flags.log_max_bytes, 64 << 10);
	cr_assert_eq(flags.log_files, 2);
	cr_assert_eq(flags.max_restarts, 0);
	cr_assert_eq(flags.max_restarts_ms, 7000);
}

Test(flags, refuse_sizes_and_durations_that_are_none)
{
	cr_assert_not_null(strstr(read_text("--max-output 1\n--idle-timeout soon\n--max-restarts 101\n"),
				  "vm.args:1: error: flag '--max-output': expected a size"));
	cr_assert_eq(report.errors, 3);
}

Test(flags, name_an_unknown_one_with_its_line_and_a_suggestion)
{
	cr_assert_str_eq(read_text("--workers 2\n\n--wrokers 3\n"),
			 "vm.args:3: error: unknown flag '--wrokers' (did you mean '--workers'?)\n");
	cr_assert_eq(flags.workers, 2);
}

Test(flags, report_every_mistake_of_the_file)
{
	read_text("--workers none\n--workers\n--workers 0\n--log-level loud\n--heart=1\n--env X\nfoo\n--workers 1 2\n"
		  "--env 'open\n--dist-listen 4000\n");
	cr_assert_eq(report.errors, 10, "%s", buf_string(&report.text));
	const char *text = buf_string(&report.text);
	cr_assert_not_null(
		strstr(text, "vm.args:1: error: flag '--workers': expected a number from 1 to 256, got 'none'"));
	cr_assert_not_null(strstr(text, "vm.args:2: error: flag '--workers' needs a value: --workers N"));
	cr_assert_not_null(strstr(text, "vm.args:5: error: flag '--heart' takes no value"));
	cr_assert_not_null(strstr(text, "vm.args:6: error: flag '--env': expected NAME=VALUE, got 'X'"));
	cr_assert_not_null(strstr(text, "vm.args:7: error: unknown flag 'foo'"));
	cr_assert_not_null(strstr(text, "vm.args:8: error: unexpected '2' after flag '--workers'; one flag a line"));
	cr_assert_not_null(strstr(text, "vm.args:9"));
}

Test(flags, set_no_variable_that_is_settled_already)
{
	cr_assert_str_eq(read_text("--env RELEASE_COOKIE=x\n--env RELEASE_STAGE=prod\n"),
			 "vm.args:1: error: flag '--env': RELEASE_COOKIE is settled before this file is read; set it "
			 "in env.sh\n");
}

Test(flags, of_the_command_line_come_in_front_of_other_arguments)
{
	const char *const argv[] = { "--workers", "5", "--log-level=error", "rest" };
	cr_assert_eq(flags_take(&bundle.arena, argv, 4, &flags, &report), 3);
	cr_assert_eq(flags.workers, 5);
	cr_assert_eq(flags.log_level, LOG_LEVEL_ERROR);
	cr_assert_eq(report.errors, 0);
}

Test(flags, file_that_is_missing_is_an_error_that_names_it)
{
	struct error err;
	cr_assert(flags_read(&bundle.arena, "/nowhere/vm.args", "vm.args", &flags, &report, &err) == -ERROR_NOT_FOUND);
	cr_assert_not_null(strstr(err.message, "/nowhere/vm.args"));
}
