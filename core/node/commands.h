/* SPDX-License-Identifier: MIT */
/* The commands of kvnode. Each returns the exit code of the process. */
#ifndef NODE_COMMANDS_H
#define NODE_COMMANDS_H

#include "base/error.h"
#include "node/node.h"

/* The options that stand before a command's own arguments. */
struct command_options {
	int ready_fd;  /* -1: none */
	int cookie_fd; /* -1: none */
	int text_fd;   /* eval: the text, which stands on the command line otherwise; -1: none */
	bool console;
	bool json;
	const char *chunk;       /* NULL: "(eval)" */
	const char *const *argv; /* what follows them */
	int argc;
};

int command_start(const struct command_options *options);
int command_eval(const struct command_options *options);
int command_config(const struct command_options *options);
int command_remote(const struct command_options *options);
int command_channel(const struct command_options *options);
/* A descriptor that speaks the control protocol with the release's node, which is reached by name. */
int channel_open(const struct release *release, int cookie_fd, int *out, struct error *err);
struct dist_client;
/* … carried by this client, which is freed with it, or at once when that fails. A thread of its own does it. */
int channel_carry(struct dist_client *client, int *out, struct error *err);

/* Prints why something ended: the lines of the report when it has some, else one line with `kvnode: error: `. */
void command_report(const struct report *report, const struct error *err);

#endif
