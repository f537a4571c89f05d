/* SPDX-License-Identifier: MIT */
/* A data file that cannot be read any more while LMDB opens it, after it was looked at. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <lmdb.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool disk_fails;

__attribute__((visibility("default"))) int mdb_env_open(MDB_env *env, const char *path, unsigned flags,
							mdb_mode_t mode);

/* Stands in for LMDB's own: its map is there, and what it shows is not. */
int mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	int (*real)(MDB_env *, const char *, unsigned, mdb_mode_t), code;

	*(void **)&real = dlsym(RTLD_NEXT, "mdb_env_open");
	code = real(env, path, flags, mode);
	if (code == 0 && disk_fails && truncate(data, 0) != 0)
		code = errno;
	return code;
}

TestSuite(fault_open, .init = t_up, .fini = t_down);

Test(fault_open, of_the_data_file_is_an_error_of_the_start)
{
	pid_t pid;
	int status = 0;

	t_open(&t, dir, ENGINE_ALWAYS);
	ANSWERS("OK 1", "hset", "h", "k", "v");
	t_close(&t);
	pid = fork();
	if (pid == 0) {
		disk_fails = true;
		/* what LMDB had begun is left to the end of the process */
		_exit(strstr(t_open_fails(&t, dir), "can be read: it was cut short, or its disk fails") != NULL ? 7
														: 8);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", status);
}
