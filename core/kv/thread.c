/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct beginning {
	struct engine_host host;
	const char *name;
	void (*main)(void *argument);
	void *argument;
};

static void *begin(void *argument)
{
	struct beginning beginning = *(struct beginning *)argument;

	free(argument);
	pthread_setname_np(pthread_self(), beginning.name);
	if (beginning.host.thread_begin != NULL)
		beginning.host.thread_begin(beginning.host.context);
	fault_run(beginning.main, beginning.argument);
	return NULL;
}

/* Signals are the node's main thread's. A thread's own mistakes reach it: blocked, they would end the process without a
 * word. */
static void block_signals(sigset_t *before)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

int thread_start(pthread_t *out, const struct engine_host *host, const char *name, void (*main)(void *argument),
		 void *argument)
{
	struct beginning *beginning = malloc(sizeof(*beginning));
	sigset_t before;
	int code;

	if (beginning == NULL)
		return ENOMEM;
	*beginning = (struct beginning){ *host, name, main, argument };
	block_signals(&before);
	code = pthread_create(out, NULL, begin, beginning);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		free(beginning);
	return code;
}
