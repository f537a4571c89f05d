/* SPDX-License-Identifier: MIT */
/*
 * Where a node is found by its name: foo@host listens on the address of its host part, on a port that follows from the
 * part before the '@', unless the name says foo@host:port.
 */
#ifndef NODE_DIST_NAME_H
#define NODE_DIST_NAME_H

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <sys/socket.h>

enum {
	DIST_PORT_FIRST = 21000,
	DIST_PORT_COUNT = 8000,
	DIST_HOST_BYTES = 256,
	DIST_ADDRESS_BYTES = 80,
	DIST_ADDRESSES_MAX = 8
};

struct dist_place {
	char host[DIST_HOST_BYTES]; /* a name, or an address without brackets */
	uint16_t port;
};

struct dist_address {
	struct sockaddr_storage storage;
	socklen_t size;
};

/* FNV-1a of the name, in DIST_PORT_FIRST …; the same on every host. */
uint16_t dist_port(struct slice name);
/* Of "foo@host" or "foo@host:port"; INVALID for anything else. */
int dist_place_of_node(const char *node, struct dist_place *out, struct error *err);
/* Of "ADDRESS:PORT", the value of --dist-listen. */
int dist_place_of_flag(const char *text, struct dist_place *out, struct error *err);
/* The place is a numeric address: no need to ask a name service. */
bool dist_address_numeric(const struct dist_place *place, struct dist_address *out);
struct addrinfo;
/* In the resolver's order; how many there are. */
unsigned dist_addresses_of(const struct addrinfo *found, uint16_t port, struct dist_address out[DIST_ADDRESSES_MAX]);
/* Asks the name service and waits for it. */
int dist_addresses_resolve(const struct dist_place *place, struct dist_address out[DIST_ADDRESSES_MAX], unsigned *count,
			   struct error *err);
/* "127.0.0.1:21000", "[::1]:21000" */
const char *dist_address_text(const struct sockaddr_storage *address, char out[DIST_ADDRESS_BYTES]);

/* A TCP socket between nodes: nothing waits for more to send, and a host that vanished is noticed within half a minute.
 */
void dist_prepare_socket(int fd);

#endif
