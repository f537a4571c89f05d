/* SPDX-License-Identifier: MIT */
/*
 * crowd PORT SECONDS DEPTH BUCKET…
 *
 * A client of a cluster whose nodes come and go. It sends PUTs to its buckets in turn, DEPTH at a time, each key with
 * growing values, connects again whenever the node it talks to is gone, and counts how each request ended:
 *
 *	done       OK
 *	refused    an ERROR that says that a node is down: it was not done
 *	unknown    an ERROR that says so, or no reply before the connection ended
 *
 * Any other reply is unexplained and ends it with 1. At last it reads every key: its value has to be one that was done
 * or unknown, and no older than the last one that was done. Prints "done N refused N unknown N".
 */
#include "client.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 256, VALUES_MAX = 1 << 16, PAUSE_US = 5000 };

enum ending { REFUSED, UNKNOWN, DONE, ENDINGS };

static const char *const down_words[] = {
	"is unreachable", "was not asked", "is stopping", "is not started", "does not run what offers",
};

struct crowd {
	const char *port;
	unsigned depth;
	char **buckets;
	unsigned bucket_count;
	struct t_client client;
	uint64_t counts[ENDINGS];
	unsigned char *endings; /* of value N of all keys of a round: [round * depth + place] */
	uint32_t rounds;
};

static bool connect_again(struct crowd *crowd, int64_t until)
{
	if (crowd->client.fd >= 0)
		close(crowd->client.fd);
	crowd->client.start = crowd->client.end = 0;
	while ((crowd->client.fd = t_connect(crowd->port)) < 0 && time(NULL) < until)
		usleep(PAUSE_US);
	return crowd->client.fd >= 0;
}

static enum ending ending_of(const char *reply)
{
	if (reply == NULL || strstr(reply, "outcome is unknown") != NULL)
		return UNKNOWN;
	if (strcmp(reply, "OK") == 0)
		return DONE;
	for (size_t i = 0; strncmp(reply, "ERROR ", 6) == 0 && i < sizeof(down_words) / sizeof(down_words[0]); i++)
		if (strstr(reply, down_words[i]) != NULL)
			return REFUSED;
	fprintf(stderr, "crowd: unexplained: '%s'\n", reply);
	exit(1);
}

/* False when the connection ended. */
static bool round_of(struct crowd *crowd, uint32_t round)
{
	char out[DEPTH_MAX * 96];
	size_t used = 0;
	bool whole;

	for (unsigned i = 0; i < crowd->depth; i++)
		used += (size_t)snprintf(out + used, sizeof(out) - used, "PUT %.60s k%u %u\r\n",
					 crowd->buckets[i % crowd->bucket_count], i, (unsigned)round);
	whole = t_send(crowd->client.fd, out, used);
	for (unsigned i = 0; i < crowd->depth; i++) {
		const char *reply = whole ? t_line(&crowd->client) : NULL;

		whole = reply != NULL;
		enum ending ending = ending_of(reply);
		crowd->endings[(size_t)round * crowd->depth + i] = (unsigned char)ending;
		crowd->counts[ending]++;
	}
	return whole;
}

static bool check_key(struct crowd *crowd, unsigned place)
{
	char request[128];
	const char *bucket = crowd->buckets[place % crowd->bucket_count], *reply;
	uint32_t done = 0;
	unsigned long found;
	int size = snprintf(request, sizeof(request), "GET %.60s k%u\r\n", bucket, place);

	for (uint32_t round = 1; round < crowd->rounds; round++)
		if (crowd->endings[(size_t)round * crowd->depth + place] == DONE)
			done = round;
	if (!t_send(crowd->client.fd, request, (size_t)size) || (reply = t_line(&crowd->client)) == NULL ||
	    strncmp(reply, "ERROR", 5) == 0) {
		fprintf(stderr, "crowd: cannot read %s k%u: %s\n", bucket, place, reply != NULL ? reply : "no reply");
		return false;
	}
	found = strtoul(reply, NULL, 10);
	bool right = found >= done && found < crowd->rounds &&
		     (found == 0 || crowd->endings[found * crowd->depth + place] != REFUSED);
	if (!right)
		fprintf(stderr, "crowd: %s k%u is %lu; the last one that was done is %u\n", bucket, place, found,
			(unsigned)done);
	reply = t_line(&crowd->client);
	return right && reply != NULL && strcmp(reply, "OK") == 0;
}

static int run(struct crowd *crowd, int seconds)
{
	int64_t until = time(NULL) + seconds;
	bool connected = connect_again(crowd, until);

	for (crowd->rounds = 1; crowd->rounds < VALUES_MAX && time(NULL) < until; crowd->rounds++)
		if (connected && !round_of(crowd, crowd->rounds))
			connected = connect_again(crowd, until + 20);
	for (unsigned i = 0; i < crowd->depth; i++)
		if (!connected || !check_key(crowd, i))
			return 1;
	printf("done %llu refused %llu unknown %llu\n", (unsigned long long)crowd->counts[DONE],
	       (unsigned long long)crowd->counts[REFUSED], (unsigned long long)crowd->counts[UNKNOWN]);
	return 0;
}

int main(int argc, char **argv)
{
	static struct crowd crowd = { .client = { .fd = -1 } };

	if (argc < 5 || (crowd.depth = (unsigned)atoi(argv[3])) < 1 || crowd.depth > DEPTH_MAX) {
		fprintf(stderr, "usage: crowd PORT SECONDS DEPTH BUCKET...\n");
		return 2;
	}
	crowd.port = argv[1];
	crowd.buckets = argv + 4;
	crowd.bucket_count = (unsigned)argc - 4;
	crowd.endings = calloc((size_t)VALUES_MAX * crowd.depth, 1);
	return crowd.endings == NULL ? 1 : run(&crowd, atoi(argv[2]));
}
