/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(error, set_returns_the_negative_code_and_fills_the_struct)
{
	struct error err = { .errnum = 7 };

	cr_assert_eq(error_set(&err, ERROR_INVALID, "unknown key '%s'", "verison"), -(int)ERROR_INVALID);
	cr_assert_eq(err.code, ERROR_INVALID);
	cr_assert_eq(err.errnum, 0);
	cr_assert_str_eq(err.message, "unknown key 'verison'");
}

Test(error, nobody_has_to_want_the_text)
{
	cr_assert_eq(error_set(NULL, ERROR_LIMIT, "%s", "x"), -(int)ERROR_LIMIT);
	cr_assert_eq(error_system(NULL, ENOENT, "open"), -(int)ERROR_NOT_FOUND);
	cr_assert_eq(error_wrap(NULL, "outer"), -(int)ERROR_FAILED);
}

Test(error, system_errors_name_the_reason_and_keep_its_number)
{
	struct error err;

	cr_assert_eq(error_system(&err, EACCES, "cannot open '%s'", "f"), -(int)ERROR_SYSTEM);
	cr_assert_str_eq(err.message, "cannot open 'f': Permission denied");
	cr_assert_eq(err.errnum, EACCES);
}

Test(error, some_reasons_have_codes_of_their_own)
{
	cr_assert_eq(error_system(NULL, ENOMEM, "x"), -(int)ERROR_NO_MEMORY);
	cr_assert_eq(error_system(NULL, EEXIST, "x"), -(int)ERROR_EXISTS);
}

Test(error, wrapping_puts_the_context_in_front)
{
	struct error err;

	error_system(&err, ENOENT, "open 'kv.so'");
	cr_assert_eq(error_wrap(&err, "component '%s'", "kv"), -(int)ERROR_NOT_FOUND);
	cr_assert_str_eq(err.message, "component 'kv': open 'kv.so': No such file or directory");
	cr_assert_eq(err.errnum, ENOENT);
}

Test(error, without_room_the_outer_context_goes_and_the_root_cause_stays)
{
	char noun[600];
	struct error err;

	memset(noun, 'n', sizeof(noun) - 1);
	noun[sizeof(noun) - 1] = '\0';
	error_set(&err, ERROR_FAILED, "root cause");
	error_wrap(&err, "%s", noun);
	error_wrap(&err, "%s", noun);
	cr_assert_eq(strlen(err.message), strlen(noun) + strlen(": root cause"));
	cr_assert(strstr(err.message, ": root cause"));
}

Test(error, a_context_that_is_too_long_loses_its_end_not_the_reason)
{
	char path[2000];
	struct error err;

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	error_system(&err, EACCES, "open '%s'", path);
	cr_assert_lt(strlen(err.message), sizeof(err.message));
	cr_assert_str_eq(err.message + strlen(err.message) - strlen("pp: Permission denied"), "pp: Permission denied");
}

Test(error, the_old_message_may_be_part_of_the_new_one)
{
	struct error err;

	error_set(&err, ERROR_FAILED, "inner");
	error_set(&err, ERROR_FAILED, "outer (%s)", err.message);
	cr_assert_str_eq(err.message, "outer (inner)");
}

Test(error, exit_codes_are_those_of_the_contract)
{
	cr_assert_eq(error_exit_code(ERROR_NONE), 0);
	cr_assert_eq(error_exit_code(ERROR_FAILED), 1);
	cr_assert_eq(error_exit_code(ERROR_USAGE), 2);
	cr_assert_eq(error_exit_code(ERROR_INVALID), 3);
	cr_assert_eq(error_exit_code(ERROR_INTEGRITY), 4);
	cr_assert_eq(error_exit_code(ERROR_TRY_AGAIN), 75);
	cr_assert_str_eq(error_code_name(ERROR_TRY_AGAIN), "TRY_AGAIN");
}
