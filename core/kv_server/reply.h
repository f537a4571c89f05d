/* SPDX-License-Identifier: MIT */
/* Replies of the line protocol: a result of the store, or none, into lines that end with CR LF. */
#ifndef KV_SERVER_REPLY_H
#define KV_SERVER_REPLY_H

#include "line.h"

/* What a request is remembered by until its reply: its command, or one of these. TAG_CHANGES and all after it: changes.
 */
enum { TAG_UNKNOWN = COMMAND_COUNT, TAG_TOO_LONG, TAG_TOO_MANY_BUCKETS, TAG_CHANGES };

void reply_write(const struct kvrel_api *api, struct kvrel_out *out, uint32_t tag, const struct kvrel_result *result);
/* Changes of a bucket that is followed; false when one of them cannot be told, which was said. */
bool reply_write_changes(const struct kvrel_api *api, struct kvrel_out *out, const struct kvrel_result *result);

#endif
