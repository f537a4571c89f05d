/* SPDX-License-Identifier: MIT */
/*
 * A TCP client for the test programs: connect to this host, send all, read lines. Messages go to stderr; the callers
 * are short programs that end on the first thing that goes wrong.
 */
#ifndef T_CLIENT_H
#define T_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct t_client {
	int fd;
	char input[1 << 16];
	size_t start, end; /* what of `input` has not been read yet */
};

/* A blocking socket to 127.0.0.1, or -1 with errno. Gives up sending and receiving after 20 s. */
int t_connect(const char *port);
/* False when the peer is gone. Never raises SIGPIPE. */
bool t_send(int fd, const void *data, size_t size);
/* The next line without its end, valid until the next call; NULL at the end of the stream or when it breaks. */
char *t_line(struct t_client *client);
/* Raises the limit of open files as far as it goes. */
void t_raise_file_limit(void);

#endif
