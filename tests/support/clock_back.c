/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a node: the wall clock goes back by ten years for as long as the file $CLOCK_BACK_FILE exists. The
 * system's own clock belongs to others.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { TEN_YEARS_S = 315360000 };

static time_t shift(void)
{
	const char *file = getenv("CLOCK_BACK_FILE");
	return file != NULL && access(file, F_OK) == 0 ? TEN_YEARS_S : 0;
}

static int own_clock_gettime(clockid_t clock, struct timespec *now)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, now);
	if (rc == 0 && clock == CLOCK_REALTIME)
		now->tv_sec -= shift();
	return rc;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now)
{
	return own_clock_gettime(clock, now);
}

__attribute__((visibility("default"))) time_t time(time_t *out)
{
	struct timespec now;
	own_clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec exact;
	(void)zone;
	own_clock_gettime(CLOCK_REALTIME, &exact);
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}
