/* SPDX-License-Identifier: MIT */
/*
 * A network with a tiny protocol and a provider whose answers come when a test wants them.
 *
 * Requests are lines "OPERATION ARGUMENT…" with one blank between words; replies are lines too:
 *
 *	echo TEXT     TEXT, at once
 *	big N         N times 'x', at once
 *	later TEXT    TEXT, from the provider's thread after the batch
 *	latebig N     N times 'x', the same
 *	held TEXT     TEXT, once t_provider_release() is called
 *	heldbig N     N times 'x', then
 *	tree          a list with a list in it, later
 *	say TEXT      TEXT, without an operation
 *	mark TEXT     the same; it is the marked connection from now on
 *	nothing       "nothing", without an operation or a result
 *	bye           "bye", then the connection is closed
 *	beside TEXT   as held, outside the order
 */
#ifndef TEST_NET_FIXTURE_H
#define TEST_NET_FIXTURE_H

#include "node/net.h"
#include "provider.h"

struct t_net {
	struct net *net;
	struct t_provider *provider;
	uint16_t port;
};

/* What unfinished requests may hold in the nets that are started from now on; 0: the usual. */
extern size_t t_input_max;
/* How long a client of theirs may take nothing; 0: for ever. */
extern int64_t t_write_timeout_ms;
/* How long one may ask nothing; 0: for ever. */
extern int64_t t_idle_timeout_ms;
struct t_net t_net_start(unsigned workers, unsigned max_connections, size_t output_max);
void t_net_stop(struct t_net *t);
/* One more component that listens, and its port. */
uint16_t t_net_listen(struct t_net *t, const char *owner);
/* The provider's writes wait as long as it is told so: later, latebig, held. */
void t_hold_writes(struct t_net *t, bool hold);
/* Cuts off the connection that was marked last; false when it has ended. */
bool t_cut_marked(void);

/* Blocking, with a limit of ten seconds on everything. */
int t_connect(uint16_t port);
void t_send(int fd, const char *text);
/* False when not all of it was taken. */
bool t_send_bytes(int fd, const void *data, size_t size);
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
