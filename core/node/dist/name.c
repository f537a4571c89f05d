/* SPDX-License-Identifier: MIT */
#include "node/dist/name.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

uint16_t dist_port(struct slice name)
{
	uint32_t hash = 0x811c9dc5u;
	for (size_t i = 0; i < name.size; i++)
		hash = (hash ^ (unsigned char)name.data[i]) * 0x01000193u;
	return (uint16_t)(DIST_PORT_FIRST + hash % DIST_PORT_COUNT);
}

static bool keep_host(struct slice host, struct dist_place *out)
{
	if (host.size == 0 || host.size >= sizeof(out->host))
		return false;
	memcpy(out->host, host.data, host.size);
	out->host[host.size] = '\0';
	return true;
}

int dist_place_of_node(const char *node, struct dist_place *out, struct error *err)
{
	struct slice name;
	struct slice host;
	uint16_t port;
	struct dist_place place;
	if (!text_split_node(slice_of(node), &name, &host, &port) || !keep_host(host, &place))
		return error_set(err, ERROR_INVALID, "'%s' is no node name; expected NAME@HOST or NAME@HOST:PORT",
				 node);
	place.port = port != 0 ? port : dist_port(name);
	*out = place;
	return 0;
}

int dist_place_of_flag(const char *text, struct dist_place *out, struct error *err)
{
	const char *colon = strrchr(text, ':');
	int64_t port;
	struct dist_place place;
	if (colon == NULL || !slice_to_int64(slice_of(colon + 1), &port) || port < 0 || port > UINT16_MAX)
		return error_set(err, ERROR_INVALID, "'%s' is no ADDRESS:PORT", text);
	struct slice host = { text, (size_t)(colon - text) };
	if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
		host = (struct slice){ host.data + 1, host.size - 2 };
	if (!keep_host(host, &place))
		return error_set(err, ERROR_INVALID, "'%s' is no ADDRESS:PORT", text);
	place.port = (uint16_t)port;
	*out = place;
	return 0;
}

static void take(const struct sockaddr *address, socklen_t size, uint16_t port, struct dist_address *out)
{
	*out = (struct dist_address){ .size = size };
	memcpy(&out->storage, address, size);
	if (address->sa_family == AF_INET6)
		((struct sockaddr_in6 *)&out->storage)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&out->storage)->sin_port = htons(port);
}

unsigned dist_addresses_of(const struct addrinfo *found, uint16_t port, struct dist_address out[DIST_ADDRESSES_MAX])
{
	unsigned count = 0;
	for (; found != NULL && count < DIST_ADDRESSES_MAX; found = found->ai_next)
		take(found->ai_addr, found->ai_addrlen, port, &out[count++]);
	return count;
}

static int look_up(const struct dist_place *place, int flags, struct dist_address out[DIST_ADDRESSES_MAX],
		   unsigned *count)
{
	struct addrinfo *found = NULL;
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	int rc = getaddrinfo(place->host, NULL, &hints, &found);
	if (rc != 0)
		return rc;
	*count = dist_addresses_of(found, place->port, out);
	freeaddrinfo(found);
	return 0;
}

bool dist_address_numeric(const struct dist_place *place, struct dist_address *out)
{
	struct dist_address found[DIST_ADDRESSES_MAX];
	unsigned count;
	if (look_up(place, AI_NUMERICHOST, found, &count) != 0)
		return false;
	*out = found[0];
	return true;
}

int dist_addresses_resolve(const struct dist_place *place, struct dist_address out[DIST_ADDRESSES_MAX], unsigned *count,
			   struct error *err)
{
	int rc = look_up(place, 0, out, count);
	return rc == 0 ? 0 : error_set(err, ERROR_FAILED, "cannot find host '%s': %s", place->host, gai_strerror(rc));
}

const char *dist_address_text(const struct sockaddr_storage *address, char out[DIST_ADDRESS_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, DIST_ADDRESS_BYTES, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
	} else if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, DIST_ADDRESS_BYTES, "%s:%u", host, (unsigned)ntohs(in->sin_port));
	} else {
		snprintf(out, DIST_ADDRESS_BYTES, "this host");
	}
	return out;
}

void dist_prepare_socket(int fd)
{
	enum { IDLE_S = 15, AGAIN_S = 5, TIMES = 3 };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ IDLE_S }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){ AGAIN_S }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){ TIMES }, sizeof(int));
}
