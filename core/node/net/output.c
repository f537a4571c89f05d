/* SPDX-License-Identifier: MIT */
/*
 * Bytes on their way out. A connection has an output buffer only while it has something to send: buffers come from the
 * worker's pool and go back when they are empty, so that thousands of idle connections cost nothing and busy ones never
 * reach the allocator. A buffer is sent from its front; what a slow reader has taken is dropped now and then.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char *pool_take(struct worker *worker, size_t *capacity)
{
	struct out_block *block = worker->out_pool;
	if (!block)
		return NULL;
	worker->out_pool = block->next;
	worker->out_pool_bytes -= block->capacity;
	*capacity = block->capacity;
	return (char *)block;
}

static void pool_give(struct worker *worker, char *data, size_t capacity)
{
	if (capacity > OUT_BLOCK_KEEP || worker->out_pool_bytes + capacity > OUT_POOL_BYTES) {
		free(data);
		return;
	}
	struct out_block *block = (struct out_block *)(void *)data;
	block->next = worker->out_pool;
	block->capacity = capacity;
	worker->out_pool = block;
	worker->out_pool_bytes += capacity;
}

void out_pool_done(struct worker *worker)
{
	for (struct out_block *block = worker->out_pool, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	worker->out_pool = NULL;
	worker->out_pool_bytes = 0;
}

void out_release(struct out *out)
{
	if (out->bytes.data)
		pool_give(out->worker, out->bytes.data, out->bytes.capacity);
	out->bytes = (struct kvrel_out){ 0 };
	out->sent = 0;
}

static bool grow(struct out *out, size_t extra)
{
	struct kvrel_out *bytes = &out->bytes;
	if (!bytes->data)
		bytes->data = pool_take(out->worker, &bytes->capacity);
	if (extra <= bytes->capacity - bytes->size)
		return true;
	if (extra > SIZE_MAX / 2 - bytes->size)
		return false;
	size_t capacity = bytes->capacity < OUT_BLOCK_BYTES ? OUT_BLOCK_BYTES : bytes->capacity;
	while (capacity - bytes->size < extra)
		capacity *= 2;
	char *data = realloc(bytes->data, capacity);
	if (!data)
		return false;
	bytes->data = data;
	bytes->capacity = capacity;
	return true;
}

static char *out_reserve(struct kvrel_out *bytes, size_t size)
{
	struct out *out = (struct out *)bytes;
	if (out->failed)
		return NULL;
	if (size > bytes->capacity - bytes->size && !grow(out, size)) {
		out->failed = true;
		return NULL;
	}
	return bytes->data + bytes->size;
}

static void out_commit(struct kvrel_out *out, size_t used)
{
	out->size += used;
}

static void out_bytes(struct kvrel_out *out, const void *data, size_t size)
{
	char *to = out_reserve(out, size);
	if (to && size > 0) {
		memcpy(to, data, size);
		out->size += size;
	}
}

void out_fill_api(struct kvrel_api *api)
{
	api->out_bytes = out_bytes;
	api->out_reserve = out_reserve;
	api->out_commit = out_commit;
}

static void drop_sent(struct out *out)
{
	struct kvrel_out *bytes = &out->bytes;
	if (out->sent < OUT_DROP_BYTES || out->sent < bytes->size / 2)
		return;
	memmove(bytes->data, bytes->data + out->sent, bytes->size - out->sent);
	bytes->size -= out->sent;
	out->sent = 0;
}

int out_send(struct out *out, int fd)
{
	while (out->sent < out->bytes.size) {
		size_t asked = out->bytes.size - out->sent;
		ssize_t n = send(fd, out->bytes.data + out->sent, asked, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			return -1;
		if (n > 0) {
			out->sent += (size_t)n;
			out->sent_total += (uint64_t)n;
			counter_add(&out->worker->counters.bytes_out, (uint64_t)n);
		}
		if (n < 0 || (size_t)n < asked) {
			drop_sent(out); /* the socket is full: asking again would only say so */
			return 0;
		}
	}
	out_release(out);
	return 0;
}
