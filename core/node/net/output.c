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

void out_release(struct kvrel_out *out)
{
	if (out->data)
		pool_give(out->worker, out->data, out->capacity);
	out->data = NULL;
	out->size = out->sent = out->capacity = 0;
}

static bool grow(struct kvrel_out *out, size_t extra)
{
	if (!out->data)
		out->data = pool_take(out->worker, &out->capacity);
	if (extra <= out->capacity - out->size)
		return true;
	if (extra > SIZE_MAX / 2 - out->size)
		return false;
	size_t capacity = out->capacity < OUT_BLOCK_BYTES ? OUT_BLOCK_BYTES : out->capacity;
	while (capacity - out->size < extra)
		capacity *= 2;
	char *data = realloc(out->data, capacity);
	if (!data)
		return false;
	out->data = data;
	out->capacity = capacity;
	return true;
}

static char *out_reserve(struct kvrel_out *out, size_t size)
{
	if (out->failed)
		return NULL;
	if (size > out->capacity - out->size && !grow(out, size)) {
		out->failed = true;
		return NULL;
	}
	return out->data + out->size;
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

static void drop_sent(struct kvrel_out *out)
{
	if (out->sent < OUT_BLOCK_BYTES || out->sent < out->size / 2)
		return;
	memmove(out->data, out->data + out->sent, out->size - out->sent);
	out->size -= out->sent;
	out->sent = 0;
}

int out_send(struct kvrel_out *out, int fd)
{
	while (out->sent < out->size) {
		size_t asked = out->size - out->sent;
		ssize_t n = send(fd, out->data + out->sent, asked, MSG_NOSIGNAL | MSG_DONTWAIT);
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
