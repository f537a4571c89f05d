/* SPDX-License-Identifier: MIT */
/*
 * A network with a tiny protocol and a provider whose answers come when a test wants them.
 *
 * Requests are lines "OPERATION ARGUMENT…" with one blank between words; replies are lines too:
 *	echo TEXT      TEXT, at once                         later TEXT   TEXT, from the provider's thread after the
 *batch big N          N times 'x', at once                  latebig N    the same, later held TEXT      TEXT, once
 *t_provider_release() is called tree           a list with a list in it, later       say TEXT     TEXT, without an
 *operation nothing        "nothing", without an operation or a result bye            "bye", then the connection is
 *closed beside TEXT  as held, outside the order
 */
#ifndef TEST_NET_FIXTURE_H
#define TEST_NET_FIXTURE_H

#include "node/net.h"

struct t_provider;

struct t_net {
	struct net *net;
	struct t_provider *provider;
	uint16_t port;
};

struct t_net t_net_start(unsigned workers, unsigned max_connections, size_t output_max);
void t_net_stop(struct t_net *t);
/* Lets the held calls go, from a thread of the provider's. */
void t_provider_release(struct t_provider *provider);
unsigned t_provider_held(struct t_provider *provider);
/* Calls that prefetch() saw before the first run() of their batch, at most; and how often batch_end was called. */
unsigned t_provider_deepest_batch(struct t_provider *provider);
unsigned t_provider_batch_ends(struct t_provider *provider);

/* Blocking, with a limit of ten seconds on everything. */
int t_connect(uint16_t port);
void t_send(int fd, const char *text);
void t_send_bytes(int fd, const void *data, size_t size);
/* Reads exactly as many bytes as `expected` has; NULL when they are the same, else what came instead (static). */
const char *t_expect(int fd, const char *expected);
/* Reads to the end; -1 on a reset. */
long t_read_to_end(int fd);
/* Waits until `condition` holds. */
#define T_WAIT(condition) \
	do { \
		for (int waited_ = 0; !(condition) && waited_ < 10000; waited_++) \
			usleep(1000); \
	} while (0)

#endif
