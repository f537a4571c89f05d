/* SPDX-License-Identifier: MIT */
#include "subscriber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bucket_name {
	struct bucket_name *next;
	uint32_t number; /* of those that are followed */
	size_t size;
	char bytes[];
};

static void add_last(struct bucket_name **first, struct bucket_name **last, struct bucket_name *name)
{
	name->next = NULL;
	if (*last)
		(*last)->next = name;
	else
		*first = name;
	*last = name;
}

static struct bucket_name *take_first(struct bucket_name **first, struct bucket_name **last)
{
	struct bucket_name *name = *first;
	*first = name->next;
	if (!*first)
		*last = NULL;
	return name;
}

bool subscriber_ask(const struct kvrel_api *api, struct kvrel_conn *conn, struct subscriber *subscriber,
		    const struct kvrel_op_ref *op, struct kvrel_slice bucket)
{
	struct bucket_name *name = malloc(sizeof(*name) + bucket.size);
	if (!name) {
		api->close_after(conn);
		return false;
	}
	if (!api->request(conn, op, &bucket, 1, COMMAND_SUBSCRIBE)) {
		free(name);
		return false;
	}
	*name = (struct bucket_name){ .size = bucket.size };
	memcpy(name->bytes, bucket.data, bucket.size);
	add_last(&subscriber->asked, &subscriber->last_asked, name);
	return true;
}

static bool ask_for_changes(const struct kvrel_api *api, struct kvrel_conn *conn, const struct kvrel_op_ref *op,
			    const struct bucket_name *name, int64_t number)
{
	char text[24];
	int size = snprintf(text, sizeof(text), "%lld", (long long)number);
	const struct kvrel_slice args[] = { { name->bytes, name->size }, { text, (size_t)size } };
	return api->request_aside(conn, op, args, 2, TAG_CHANGES + name->number);
}

static bool is_followed(const struct subscriber *subscriber, const struct bucket_name *name)
{
	const struct bucket_name *other = subscriber->followed;
	while (other && (other->size != name->size || memcmp(other->bytes, name->bytes, name->size) != 0))
		other = other->next;
	return other != NULL;
}

void subscriber_begin(const struct kvrel_api *api, struct kvrel_conn *conn, struct subscriber *subscriber,
		      const struct kvrel_op_ref *op, const struct kvrel_result *result, struct kvrel_out *out)
{
	struct bucket_name *name = take_first(&subscriber->asked, &subscriber->last_asked);
	bool is_new = result->status == KVREL_OK && !is_followed(subscriber, name);
	bool too_many = is_new && subscriber->count == KVREL_ASIDES_MAX;
	reply_write(api, out, too_many ? TAG_TOO_MANY_BUCKETS : COMMAND_SUBSCRIBE, result);
	if (!is_new || too_many) {
		free(name);
		return;
	}
	name->number = subscriber->count++;
	add_last(&subscriber->followed, &subscriber->last_followed, name);
	if (!ask_for_changes(api, conn, op, name, result->integer))
		api->close_after(conn);
}

void subscriber_tell(const struct kvrel_api *api, struct kvrel_conn *conn, const struct subscriber *subscriber,
		     const struct kvrel_op_ref *op, uint32_t number, const struct kvrel_result *result,
		     struct kvrel_out *out)
{
	const struct bucket_name *name = subscriber->followed;
	while (name->number != number)
		name = name->next;
	bool told = false;
	if (result->status == KVREL_OK)
		told = reply_write_changes(api, out, result);
	else
		reply_write(api, out, TAG_CHANGES, result);
	if (!told || result->count == 0 || !ask_for_changes(api, conn, op, name, result->items[0].integer))
		api->close_after(conn);
}

void subscriber_done(struct subscriber *subscriber)
{
	while (subscriber->asked)
		free(take_first(&subscriber->asked, &subscriber->last_asked));
	while (subscriber->followed)
		free(take_first(&subscriber->followed, &subscriber->last_followed));
}
