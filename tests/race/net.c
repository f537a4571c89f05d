/* SPDX-License-Identifier: MIT */
/*
 * Several workers, many clients, answers from another thread, clients that vanish: for the thread sanitizer to watch,
 * and every answer is checked. A plain program, because the sanitizer cannot start under Criterion.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 3, CLIENTS = 8, ROUNDS = 500, PIPELINE = 40 };

static struct t_net t;
static _Atomic bool over;
static _Atomic unsigned wrong;

/* One round of requests of every kind and what must come back. */
static void fill(char *requests, char *answers, unsigned seed)
{
	static const char *const words[] = { "echo", "later", "say", "held" };
	*requests = *answers = '\0';
	for (unsigned i = 0; i < PIPELINE; i++) {
		unsigned kind = (seed * 7 + i * 13) % 9;
		if (kind == 8) {
			requests = stpcpy(requests, "tree\n");
			answers = stpcpy(answers, "[-7,[leaf,nil]]\n");
			continue;
		}
		requests +=
			sprintf(requests, "%s word-%u-%u-that-may-be-too-long-for-a-slot\n", words[kind % 4], seed, i);
		answers += sprintf(answers, "word-%u-%u-that-may-be-too-long-for-a-slot\n", seed, i);
	}
}

static void *client(void *arg)
{
	static _Thread_local char requests[PIPELINE * 80], answers[PIPELINE * 80];
	unsigned number = *(unsigned *)arg;
	int fd = t_connect(t.port);
	for (unsigned round = 0; round < ROUNDS; round++) {
		fill(requests, answers, number * 1000 + round);
		t_send(fd, requests);
		if (round % 16 == number) { /* gone before the answers */
			close(fd);
			fd = t_connect(t.port);
			continue;
		}
		const char *got = t_expect(fd, answers);
		if (got) {
			fprintf(stderr, "client %u, round %u: got '%s'\n", number, round, got);
			atomic_fetch_add(&wrong, 1);
			break;
		}
	}
	close(fd);
	return NULL;
}

static void *release(void *arg)
{
	struct net_stats stats;
	for (unsigned round = 0; !atomic_load(&over); round++) {
		t_provider_release(arg);
		net_stats(t.net, &stats);
		t_hold_writes(&t, round % 4 == 0);
		usleep(500);
	}
	t_hold_writes(&t, false);
	return NULL;
}

/* One that asks for this and that, and is cut off all the time; what it gets does not matter. */
static void *victim(void *unused)
{
	(void)unused;
	for (unsigned round = 0; !atomic_load(&over); round++) {
		int fd = t_connect(t.port);
		t_send(fd, "mark 1\nbig 100000\nbig 100000\nheld a\nlater b\nlatebig 100000\nbeside c\nbig "
			   "100000\necho d\n");
		if (round % 2)
			t_expect(fd, "1\n");
		else
			close(fd);
		t_cut_marked(); /* or one that ends */
		if (round % 2)
			close(fd);
	}
	return NULL;
}

/* Asks on and on until it hears no more. */
static void *stayer(void *arg)
{
	static const char requests[] = "echo a\nlater b\n";
	int fd = *(int *)arg;
	while (t_send_bytes(fd, requests, strlen(requests)) && !t_expect(fd, "a\nb\n"))
		;
	close(fd);
	return NULL;
}

/* The component is closed while clients are at it. */
static bool close_beside_clients(void)
{
	pthread_t stayers[CLIENTS];
	int fds[CLIENTS];
	for (unsigned i = 0; i < CLIENTS; i++) {
		fds[i] = t_connect(t.port);
		pthread_create(&stayers[i], NULL, stayer, &fds[i]);
	}
	usleep(20000);
	bool answered = net_close_owner(t.net, "test", 10000);
	for (unsigned i = 0; i < CLIENTS; i++)
		pthread_join(stayers[i], NULL);
	return answered;
}

int main(void)
{
	pthread_t clients[CLIENTS], releaser, cut;
	unsigned numbers[CLIENTS];
	t = t_net_start(WORKERS, 1000, 64 * 1024);
	pthread_create(&releaser, NULL, release, t.provider);
	pthread_create(&cut, NULL, victim, NULL);
	for (unsigned i = 0; i < CLIENTS; i++) {
		numbers[i] = i;
		pthread_create(&clients[i], NULL, client, &numbers[i]);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	atomic_store(&over, true);
	pthread_join(releaser, NULL);
	pthread_join(cut, NULL);
	bool answered = close_beside_clients();
	t_net_stop(&t);
	if (!answered || atomic_load(&wrong) > 0)
		return 1;
	printf("%d clients, %d rounds of %d requests: every answer right\n", CLIENTS, ROUNDS, PIPELINE);
	return 0;
}
