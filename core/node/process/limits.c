/* SPDX-License-Identifier: MIT */
#include "node/process/limits.h"

#include "node/config/flags.h"

#include <sys/resource.h>

/* libraries, the engine's files, consoles, listeners */
enum { FILES_BESIDE_CONNECTIONS = 256 };

void limits_raise(struct flags *flags)
{
	struct rlimit limit;
	const rlim_t wanted = (rlim_t)flags->max_connections + FILES_BESIDE_CONNECTIONS;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	struct rlimit raised = { wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted };
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0) /* beyond the hard limit: root only */
		return;
	raised = (struct rlimit){ limit.rlim_max, limit.rlim_max };
	rlim_t got = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? limit.rlim_max : limit.rlim_cur;
	unsigned fits =
		got > 2 * FILES_BESIDE_CONNECTIONS ? (unsigned)got - FILES_BESIDE_CONNECTIONS : (unsigned)got / 2;
	log_warn("node", LOG_FIELDS(LOG_I("open_files", (int64_t)got), LOG_I("max_connections", (int64_t)fits)),
		 "the limit of open files is too low for --max-connections %u", flags->max_connections);
	flags->max_connections = fits > 0 ? fits : 1;
}
