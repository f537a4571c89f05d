/* SPDX-License-Identifier: MIT */
/* Who was refused: told once per peer and minute, in a table of fixed size, so that no one can fill the log. */
#include "node/dist/internal.h"

#include <string.h>

/* The address without its port. */
static size_t host_size(const char *address)
{
	const char *colon = strrchr(address, ':');
	return colon != NULL ? (size_t)(colon - address) : strlen(address);
}

void refusal_log(struct dist *dist, const struct link *link, const char *reason)
{
	size_t size = host_size(link->address);
	int64_t now = dist_now_ms();
	struct refusal *oldest = &dist->refusals[0];
	for (size_t i = 0; i < REFUSALS_KEPT; i++) {
		struct refusal *refusal = &dist->refusals[i];
		if (strlen(refusal->host) == size && memcmp(refusal->host, link->address, size) == 0) {
			oldest = refusal;
			break;
		}
		if (refusal->told_ms < oldest->told_ms)
			oldest = refusal;
	}
	bool known = strlen(oldest->host) == size && memcmp(oldest->host, link->address, size) == 0;
	if (known && now - oldest->told_ms < REFUSAL_AGAIN_MS)
		return;
	memcpy(oldest->host, link->address, size);
	oldest->host[size] = '\0';
	oldest->told_ms = now;
	log_warn("dist", LOG_FIELDS(LOG_S("peer", link->address)), "refused a connection: %s", reason);
}
