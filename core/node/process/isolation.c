/* SPDX-License-Identifier: MIT */
/*
 * Where the host shows through a bundled libc, and the switch for each.
 *
 * Name services: `files` and `dns` are inside libc; any other name in the host's nsswitch.conf makes libc load the
 * host's module, built for another glibc. The locale stays "C" because nobody calls setlocale(); text is UTF-8 by our
 * own code. Signals that only say what a write returns as well (to a closed pipe, over a limit of the size of files)
 * must not end a node; the disposition "ignored" would survive exec into children, a handler does not.
 */
#include "node/process/isolation.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <netdb.h>
#include <nss.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int pin_name_services(struct error *err)
{
	static const char *const databases[] = { "passwd",   "group",     "shadow",   "initgroups", "gshadow",
						 "services", "protocols", "networks", "ethers",     "rpc",
						 "netgroup", "aliases",   "publickey" };
	if (__nss_configure_lookup("hosts", "files dns") != 0)
		return error_system(err, errno, "cannot pin the name service of 'hosts'");
	for (size_t i = 0; i < ARRAY_LEN(databases); i++) {
		/* a libc that does not know one of them has nothing to load for it */
		if (__nss_configure_lookup(databases[i], "files") != 0 && errno != EINVAL && errno != ENOENT)
			return error_system(err, errno, "cannot pin the name service of '%s'", databases[i]);
	}
	return 0;
}

static int give_back(const char *hidden, const char *name, struct error *err)
{
	const char *value = getenv(hidden);
	if (value == NULL)
		return 0;
	if (setenv(name, value, 1) != 0)
		return error_system(err, errno, "cannot set %s", name);
	unsetenv(hidden);
	return 0;
}

static void ignore_signal(int signal_number)
{
	(void)signal_number;
}

static int ignore_signals_of_writes(struct error *err)
{
	struct sigaction action = { .sa_handler = ignore_signal, .sa_flags = SA_RESTART };
	if (sigaction(SIGPIPE, &action, NULL) != 0 || sigaction(SIGXFSZ, &action, NULL) != 0)
		return error_system(err, errno, "cannot handle SIGPIPE and SIGXFSZ");
	return 0;
}

/*
 * Old container runtimes answer clone3 with EPERM, which libc takes for a refusal of the thread; ENOSYS makes it use
 * clone. The filter that was added last wins, so one more filter repairs it. It needs no_new_privs (sudo from children
 * stops working), hence only where threads are impossible otherwise.
 */
static int rescue_clone3(struct error *err)
{
#if defined(SYS_clone3) && defined(SECCOMP_RET_ERRNO)
	if (syscall(SYS_clone3, NULL, 0) == 0 || errno != EPERM)
		return 0;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_system(err, errno, "this host forbids clone3 and no_new_privs, so no thread can start");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return error_system(err, errno, "this host forbids clone3 and seccomp, so no thread can start");
#else
	(void)err;
#endif
	return 0;
}

/* A file opened later must not become stdout or stderr: the log would go into it. */
static int open_standard_files(struct error *err)
{
	int fd;
	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return errno == ENOENT ? 0 : error_system(err, errno, "cannot open /dev/null");
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static void keep_memory_small(void)
{
	/* an arena a thread would cost address space and idle memory; four are enough for the few threads we have */
	mallopt(M_ARENA_MAX, 4);
}

int isolation_begin(struct error *err)
{
	keep_memory_small();
	int rc = open_standard_files(err);
	if (rc == 0)
		rc = rescue_clone3(err);
	if (rc == 0)
		rc = pin_name_services(err);
	if (rc == 0)
		rc = ignore_signals_of_writes(err);
	if (rc == 0)
		rc = give_back("XD_LD_PRELOAD", "LD_PRELOAD", err);
	if (rc == 0)
		rc = give_back("XD_LD_AUDIT", "LD_AUDIT", err);
	return rc;
}
