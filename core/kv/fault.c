/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include "pages.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

_Thread_local struct fault_watch *fault_watched __attribute__((tls_model("initial-exec")));

_Thread_local struct pages *fault_changing __attribute__((tls_model("initial-exec")));
static _Thread_local sigjmp_buf *way_out __attribute__((tls_model("initial-exec")));
static _Thread_local sigjmp_buf *opening __attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned stores;
static struct sigaction before; /* who is asked about all other faults */
static uintptr_t page_bytes;

static bool lies_in(const char *map, uint64_t size, const char *at)
{
	return map != NULL && at >= map && (uint64_t)(at - map) < size;
}

/* The set stays while the thread reads: it is inside the epoch, or the set is its own. */
static bool lies_in_values(const struct values *values, const char *at)
{
	const struct value_set *set = values != NULL ? atomic_load(&values->set) : NULL;

	for (size_t i = 0; set != NULL && i < set->count; i++)
		if (lies_in(atomic_load(&set->files[i]->map), set->files[i]->row.used, at))
			return true;
	return false;
}

static bool lies_in_store(const struct pages *pages, const struct values *values, const char *at)
{
	return lies_in(pages->map.at, pages->map.size, at) || lies_in_values(values, at);
}

static struct fault_watch *watch_of(const char *at)
{
	struct fault_watch *watch = fault_watched;

	while (watch != NULL && (watch->state == FAULT_UNWATCHED || !lies_in_store(watch->pages, watch->values, at)))
		watch = watch->outer;
	return watch;
}

static void leave_if_opening_or_changing(const char *at)
{
	if (opening != NULL)
		siglongjmp(*opening, 1);
	if (fault_changing == NULL || way_out == NULL || !lies_in_store(fault_changing, fault_changing->values, at))
		return;
	atomic_store(&fault_changing->map.lost, true);
	siglongjmp(*way_out, 1);
}

static void pass_on(int number, siginfo_t *info, void *context)
{
	if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(number, info, context);
	else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
		before.sa_handler(number);
	else
		sigaction(number, &before, NULL); /* it happens again on return */
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	struct fault_watch *watch = info->si_code == BUS_ADRERR ? watch_of(info->si_addr) : NULL;
	char *at = (char *)((uintptr_t)info->si_addr & ~(page_bytes - 1));
	int error = errno;

	if (watch != NULL) {
		/* before anybody can see zeros */
		atomic_store(&watch->pages->map.lost, true);
		watch->state = FAULT_SEEN;
		if (mmap(at, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at) {
			errno = error;
			return;
		}
	}
	if (info->si_code == BUS_ADRERR)
		leave_if_opening_or_changing(info->si_addr);
	pass_on(number, info, context);
}

void fault_run(void (*main)(void *argument), void *argument)
{
	sigjmp_buf back;

	way_out = &back;
	if (sigsetjmp(back, 1) == 0)
		main(argument);
	else if (fault_changing->lost != NULL)
		fault_changing->lost(fault_changing->lost_context);
	way_out = NULL;
}

bool fault_ends(void (*open)(void *argument), void *argument)
{
	sigjmp_buf back;
	bool ended = true;

	opening = &back;
	if (sigsetjmp(back, 1) == 0) {
		open(argument);
		ended = false;
	}
	opening = NULL;
	return ended;
}

void faults_begin(void)
{
	struct sigaction ours = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	pthread_mutex_lock(&lock);
	page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	if (stores++ == 0)
		sigaction(SIGBUS, &ours, &before);
	pthread_mutex_unlock(&lock);
}

void faults_end(void)
{
	struct sigaction now;

	pthread_mutex_lock(&lock);
	if (--stores == 0 && sigaction(SIGBUS, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
	    now.sa_sigaction == on_fault)
		sigaction(SIGBUS, &before, NULL);
	pthread_mutex_unlock(&lock);
}
