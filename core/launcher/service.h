/* SPDX-License-Identifier: MIT */
/* The text of a systemd unit for a bundle; pure. install.c puts it in its place. */
#ifndef LAUNCHER_SERVICE_H
#define LAUNCHER_SERVICE_H

#include "base/buf.h"

/* how a unit begins that `install` wrote, and that it may therefore replace or remove */
#define SERVICE_MARK "# Written by a release's 'install'"

struct service {
	const char *name; /* of the unit, its user and its folders */
	const char *version;
	const char *launcher; /* ROOT/bin/NAME */
	const char *root;
	const char *run_as;      /* an existing user; NULL: one that systemd makes */
	const char *node;        /* for RELEASE_DISTRIBUTION=name: its full name; NULL otherwise */
	const char *cookie_file; /* NULL: none is needed; the unit shows how */
	bool user_manager;       /* for `systemctl --user` */
};

void service_unit(struct buf *out, const struct service *service);

#endif
