/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include "base/slice.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_MS = 500, TICK_MS = 100, WHAT_BYTES = 100 };

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, ending, drawn;
	struct timespec began;
	char what[WHAT_BYTES];
} line = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool is_wanted(void)
{
	const char *term = getenv("TERM");
	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static long elapsed_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - line.began.tv_sec) * 1000 + (now.tv_nsec - line.began.tv_nsec) / 1000000;
}

static void erase(void)
{
	if (line.drawn)
		fputs("\r\033[K", stderr);
	line.drawn = false;
}

static void draw(void)
{
	long ms = elapsed_ms();
	/* a background job must not write over what the user types meanwhile */
	if (ms < QUIET_MS || tcgetpgrp(STDERR_FILENO) != getpgrp())
		return;
	char text[WHAT_BYTES + 32];
	int size = snprintf(text, sizeof(text), "%s ... %ld.%ld s", line.what, ms / 1000, ms % 1000 / 100);
	/* what goes on in the next row would not be erased there */
	struct winsize window;
	int room = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col - 1 : size;
	struct slice shown = { text, (size_t)(size < room ? size : room) };
	fprintf(stderr, "\r\033[K%.*s", (int)slice_utf8_prefix(shown), text);
	fflush(stderr);
	line.drawn = true;
}

static void *tick(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&line.lock);
	while (!line.ending) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		if (pthread_cond_timedwait(&line.wake, &line.lock, &until) == ETIMEDOUT)
			draw();
	}
	erase();
	pthread_mutex_unlock(&line.lock);
	return NULL;
}

static void begin(void)
{
	pthread_condattr_t attributes;
	clock_gettime(CLOCK_MONOTONIC, &line.began);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&line.wake, &attributes);
	pthread_condattr_destroy(&attributes);
	line.ending = false;
	/* without a thread there is no line: nothing that anyone needs */
	line.running = pthread_create(&line.thread, NULL, tick, NULL) == 0;
}

void progress_say(const char *what)
{
	if (!is_wanted())
		return;
	pthread_mutex_lock(&line.lock);
	snprintf(line.what, sizeof(line.what), "%s", what);
	bool fresh = !line.running;
	pthread_mutex_unlock(&line.lock);
	if (fresh)
		begin();
}

void progress_pause(void)
{
	if (!line.running)
		return;
	pthread_mutex_lock(&line.lock);
	erase();
	fflush(stderr);
	pthread_mutex_unlock(&line.lock);
}

void progress_end(void)
{
	if (!line.running)
		return;
	pthread_mutex_lock(&line.lock);
	line.ending = true;
	pthread_cond_signal(&line.wake);
	pthread_mutex_unlock(&line.lock);
	pthread_join(line.thread, NULL);
	pthread_cond_destroy(&line.wake);
	line.running = false;
}
