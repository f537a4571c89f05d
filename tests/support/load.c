/* SPDX-License-Identifier: MIT */
/*
 * load write PORT FILE SECONDS CONNECTIONS DEPTH
 * load check PORT FILE
 *
 * The witness of durability. `write` sends PUTs to the bucket 'load', DEPTH at a time on each connection, each key
 * again and again with growing values, and remembers for every key the highest value that was acknowledged. When the
 * time is up or the node has gone it writes "KEY VALUE" lines to FILE and prints how many writes were acknowledged.
 * `check` reads each key and complains of every one whose value is lower than the acknowledged one. Higher is right:
 * that write was under way when the node went.
 */
#include "client.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KEYS_PER_CONNECTION = 5000, CONNECTIONS_MAX = 64, DEPTH_MAX = 256 };

struct writer {
	pthread_t thread;
	const char *port;
	unsigned number;
	unsigned depth;
	time_t until;
	uint64_t acknowledged;
	uint64_t values[KEYS_PER_CONNECTION]; /* 0: never acknowledged */
	struct t_client client;
};

/* One round: DEPTH writes at once, then their replies. False when the node has gone. */
static bool write_round(struct writer *writer, uint64_t first)
{
	char out[DEPTH_MAX * 64];
	size_t used = 0;

	for (uint64_t n = first; n < first + writer->depth; n++)
		used += (size_t)snprintf(out + used, sizeof(out) - used, "PUT load k%u-%u %llu\r\n", writer->number,
					 (unsigned)(n % KEYS_PER_CONNECTION), (unsigned long long)n);
	if (!t_send(writer->client.fd, out, used))
		return false;
	for (uint64_t n = first; n < first + writer->depth; n++) {
		const char *reply = t_line(&writer->client);
		if (!reply)
			return false;
		if (strcmp(reply, "OK") != 0) {
			fprintf(stderr, "load: PUT was answered by '%s'\n", reply);
			exit(1);
		}
		writer->values[n % KEYS_PER_CONNECTION] = n;
		writer->acknowledged++;
	}
	return true;
}

static void *write_until(void *context)
{
	struct writer *writer = context;

	writer->client.fd = t_connect(writer->port);
	for (uint64_t n = 1; writer->client.fd >= 0 && time(NULL) < writer->until; n += writer->depth)
		if (!write_round(writer, n))
			break;
	return NULL;
}

static int create_bucket(const char *port)
{
	static struct t_client client;
	const char *reply;

	client.fd = t_connect(port);
	if (client.fd < 0 || !t_send(client.fd, "CREATE load\r\n", 13) || !(reply = t_line(&client)) ||
	    strcmp(reply, "OK") != 0) {
		fprintf(stderr, "load: cannot create the bucket on port %s\n", port);
		return -1;
	}
	close(client.fd);
	return 0;
}

static int write_file(const char *path, const struct writer *writers, unsigned count)
{
	FILE *file = fopen(path, "w");
	uint64_t acknowledged = 0;

	if (!file) {
		perror(path);
		return 1;
	}
	for (unsigned w = 0; w < count; w++) {
		acknowledged += writers[w].acknowledged;
		for (unsigned k = 0; k < KEYS_PER_CONNECTION; k++)
			if (writers[w].values[k])
				fprintf(file, "k%u-%u %llu\n", w, k, (unsigned long long)writers[w].values[k]);
	}
	if (fclose(file) != 0) {
		perror(path);
		return 1;
	}
	printf("%llu\n", (unsigned long long)acknowledged);
	return acknowledged > 0 ? 0 : 1;
}

static int load_write(char **argv)
{
	unsigned count = (unsigned)atoi(argv[5]), depth = (unsigned)atoi(argv[6]);
	struct writer *writers;

	if (count < 1 || count > CONNECTIONS_MAX || depth < 1 || depth > DEPTH_MAX || create_bucket(argv[2]) != 0)
		return 1;
	writers = calloc(count, sizeof(*writers));
	if (!writers)
		return 1;
	for (unsigned w = 0; w < count; w++) {
		writers[w].port = argv[2];
		writers[w].number = w;
		writers[w].depth = depth;
		writers[w].until = time(NULL) + atoi(argv[4]);
		if (pthread_create(&writers[w].thread, NULL, write_until, &writers[w]) != 0)
			return 1;
	}
	for (unsigned w = 0; w < count; w++)
		pthread_join(writers[w].thread, NULL);
	int status = write_file(argv[3], writers, count);
	free(writers);
	return status;
}

/* Is what the node says about `key` at least what it acknowledged? */
static bool check_key(struct t_client *client, const char *key, unsigned long long acknowledged)
{
	char request[128];
	int size = snprintf(request, sizeof(request), "GET load %s\r\n", key);
	const char *reply;
	unsigned long long found;

	if (!t_send(client->fd, request, (size_t)size) || !(reply = t_line(client))) {
		fprintf(stderr, "load: the connection broke at key %s\n", key);
		exit(1);
	}
	found = strtoull(reply, NULL, 10);
	if (found < acknowledged)
		fprintf(stderr, "load: %s is '%s', but %llu was acknowledged\n", key, reply, acknowledged);
	reply = t_line(client);
	return found >= acknowledged && reply && strcmp(reply, "OK") == 0;
}

static int load_check(char **argv)
{
	static struct t_client client;
	unsigned long long acknowledged, keys = 0, lost = 0;
	char key[64];
	FILE *file = fopen(argv[3], "r");

	client.fd = t_connect(argv[2]);
	if (!file || client.fd < 0) {
		perror(file ? argv[2] : argv[3]);
		return 1;
	}
	for (; fscanf(file, "%63s %llu", key, &acknowledged) == 2; keys++)
		if (!check_key(&client, key, acknowledged))
			lost++;
	fclose(file);
	printf("%llu keys, %llu lost\n", keys, lost);
	return keys > 0 && lost == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "write") == 0)
		return load_write(argv);
	if (argc == 4 && strcmp(argv[1], "check") == 0)
		return load_check(argv);
	fprintf(stderr, "usage: load write PORT FILE SECONDS CONNECTIONS DEPTH | load check PORT FILE\n");
	return 2;
}
