/* SPDX-License-Identifier: MIT */
#include "node/dist/frame.h"

#include "node/dist/frame_bytes.h"

enum { HELLO_MAGIC = 0x6b766431 /* "kvd1" */ };

int frame_next(struct slice input, size_t max, char *type, struct slice *payload, size_t *consumed)
{
	struct reader r = reader_of(input);
	uint64_t size = get_number(&r, 4);
	if (r.failed)
		return 0;
	if (size == 0 || size > max)
		return -1;
	if (r.left < size)
		return 0;
	*type = input.data[4];
	*payload = (struct slice){ input.data + FRAME_HEADER_BYTES, (size_t)size - 1 };
	*consumed = 4 + (size_t)size;
	return 1;
}

void frame_put(struct buf *out, enum frame_type type, struct slice payload)
{
	char *to = begin_frame(out, type, payload.size);
	if (to != NULL)
		put_bytes(to, payload.data, payload.size);
}

/* ---- greetings ---- */

static char *put_name(char *to, struct slice name)
{
	return put_bytes(put_number(to, name.size, 2), name.data, name.size);
}

static struct slice get_name(struct reader *r)
{
	size_t size = get_number(r, 2);
	if (size > FRAME_NAME_MAX)
		r->failed = true;
	return get_bytes(r, size);
}

void frame_put_hello(struct buf *out, const struct frame_hello *hello)
{
	char *to = begin_frame(out, FRAME_HELLO, 4 + 4 + 8 + 2 + hello->from.size + 2 + hello->to.size);
	if (to == NULL)
		return;
	to = put_number(to, HELLO_MAGIC, 4);
	to = put_number(to, hello->version, 4);
	to = put_number(to, hello->instance, 8);
	to = put_name(to, hello->from);
	put_name(to, hello->to);
}

/* A later version may say more at the end. */
bool frame_get_hello(struct slice payload, struct frame_hello *out)
{
	struct reader r = reader_of(payload);
	bool ours = get_number(&r, 4) == HELLO_MAGIC;
	out->version = (uint32_t)get_number(&r, 4);
	out->instance = get_number(&r, 8);
	out->from = get_name(&r);
	out->to = get_name(&r);
	return ours && !r.failed && out->from.size > 0;
}

void frame_put_control(struct buf *out, struct slice name)
{
	char *to = begin_frame(out, FRAME_CONTROL, 4 + 4 + 2 + name.size);
	if (to == NULL)
		return;
	to = put_number(to, HELLO_MAGIC, 4);
	to = put_number(to, CHANNEL_VERSION, 4);
	put_name(to, name);
}

bool frame_get_control(struct slice payload, uint32_t *version, struct slice *to)
{
	struct reader r = reader_of(payload);
	bool ours = get_number(&r, 4) == HELLO_MAGIC;
	*version = (uint32_t)get_number(&r, 4);
	*to = get_name(&r);
	return ours && !r.failed;
}
