/* SPDX-License-Identifier: MIT */
/*
 * Who was refused: told once per peer and minute, in a table of fixed size. When it is full of those of the last minute
 * others are counted alone: who has many addresses cannot fill the log either.
 */
#include "node/dist/internal.h"

#include <stdio.h>
#include <string.h>

/* The address without its port. */
static size_t host_size(const char *address)
{
	const char *colon = strrchr(address, ':');
	return colon != NULL ? (size_t)(colon - address) : strlen(address);
}

static bool is_of(const struct refusal *refusal, const char *address, size_t size)
{
	return strlen(refusal->host) == size && memcmp(refusal->host, address, size) == 0;
}

/* Its own, or the one that was told longest ago. */
static struct refusal *place_of(struct dist *dist, const char *address, size_t size)
{
	struct refusal *oldest = &dist->refusals[0];
	for (size_t i = 0; i < REFUSALS_KEPT; i++) {
		struct refusal *refusal = &dist->refusals[i];
		if (is_of(refusal, address, size))
			return refusal;
		if (refusal->host[0] == '\0' || (oldest->host[0] != '\0' && refusal->told_ms < oldest->told_ms))
			oldest = refusal;
	}
	return oldest;
}

void refusal_log(struct dist *dist, const struct link *link, const char *reason)
{
	size_t size = host_size(link->address);
	int64_t now = dist_now_ms();
	struct refusal *refusal = place_of(dist, link->address, size);
	if (refusal->host[0] != '\0' && now - refusal->told_ms < REFUSAL_AGAIN_MS) {
		dist->refusals_untold++;
		return;
	}
	memcpy(refusal->host, link->address, size);
	refusal->host[size] = '\0';
	refusal->told_ms = now;
	char others[64] = "";
	if (dist->refusals_untold > 0)
		snprintf(others, sizeof(others), "; since the last one %lld were not told",
			 (long long)dist->refusals_untold);
	log_warn("dist", LOG_FIELDS(LOG_S("peer", link->address)), "refused a connection: %s%s", reason, others);
	dist->refusals_untold = 0;
}
