/* SPDX-License-Identifier: MIT */
/*
 * How a frame of the control protocol is written and read: by the launcher, which waits for each one, and by the node's
 * loop, which parses what has come so far. Every length is checked before a byte of the payload is touched: the other
 * end may be anybody's program. Whose socket it is and where it lies: control.c.
 */
#include "base/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

void control_header(char out[CONTROL_HEADER_BYTES], enum control_type type, size_t size)
{
	uint32_t length = (uint32_t)size + 1;

	out[0] = (char)(length >> 24);
	out[1] = (char)(length >> 16);
	out[2] = (char)(length >> 8);
	out[3] = (char)length;
	out[4] = (char)type;
}

/* The payload's size from a header. */
static int header_size(const char *header, size_t *size, struct error *err)
{
	const unsigned char *bytes = (const unsigned char *)header;
	uint32_t length = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];

	if (length < 1 || length > CONTROL_FRAME_MAX)
		return error_set(err, ERROR_INVALID, "a control frame of %u bytes; 1 to %d are allowed", length,
				 CONTROL_FRAME_MAX);
	*size = length - 1;
	return 0;
}

int control_parse(struct slice input, char *type, struct slice *payload, size_t *consumed, struct error *err)
{
	size_t size = 0;
	int rc;

	if (input.size < CONTROL_HEADER_BYTES)
		return 0;
	rc = header_size(input.data, &size, err);
	if (rc < 0)
		return rc;
	if (input.size - CONTROL_HEADER_BYTES < size)
		return 0;
	*type = input.data[CONTROL_HEADER_BYTES - 1];
	*payload = (struct slice){ input.data + CONTROL_HEADER_BYTES, size };
	*consumed = CONTROL_HEADER_BYTES + size;
	return 1;
}

/* After EAGAIN: on a non-blocking descriptor waits; on a blocking one a time limit has passed. */
static int wait_for(int fd, short events, struct error *err)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && !(flags & O_NONBLOCK))
		return error_set(err, ERROR_TRY_AGAIN, "no answer in time");
	if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
		return error_system(err, errno, "poll");
	return 0;
}

int control_send(int fd, enum control_type type, struct slice payload, struct error *err)
{
	char header[CONTROL_HEADER_BYTES];
	struct iovec parts[2] = { { header, sizeof(header) }, { (void *)payload.data, payload.size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (payload.size >= CONTROL_FRAME_MAX)
		return error_set(err, ERROR_INVALID, "a control frame of %zu bytes; at most %d are allowed",
				 payload.size + 1, CONTROL_FRAME_MAX);
	control_header(header, type, payload.size);
	while (parts[0].iov_len + parts[1].iov_len > 0) {
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			int rc = wait_for(fd, POLLOUT, err);

			if (rc < 0)
				return rc;
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return error_system(err, errno, "cannot send over the control socket");
		for (size_t i = 0; i < 2; i++) {
			size_t taken = (size_t)sent < parts[i].iov_len ? (size_t)sent : parts[i].iov_len;

			parts[i].iov_base = (char *)parts[i].iov_base + taken;
			parts[i].iov_len -= taken;
			sent -= (ssize_t)taken;
		}
	}
	return 0;
}

/* Exactly `size` bytes: 1; 0 at end of stream before the first one. */
static int receive_all(int fd, char *out, size_t size, struct error *err)
{
	size_t have = 0;

	while (have < size) {
		ssize_t got = recv(fd, out + have, size - have, 0);

		if (got == 0 && have == 0)
			return 0;
		if (got == 0)
			return error_set(err, ERROR_FAILED,
					 "the control connection was closed in the middle of a frame");
		if (got > 0) {
			have += (size_t)got;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			int rc = wait_for(fd, POLLIN, err);

			if (rc < 0)
				return rc;
		} else if (errno != EINTR) {
			return error_system(err, errno, "cannot receive from the control socket");
		}
	}
	return 1;
}

int control_receive(int fd, char *buffer, size_t buffer_size, char *type, struct slice *payload, struct error *err)
{
	char header[CONTROL_HEADER_BYTES];
	int rc = receive_all(fd, header, sizeof(header), err);
	size_t size = 0;

	if (rc <= 0)
		return rc;
	rc = header_size(header, &size, err);
	if (rc < 0)
		return rc;
	if (size > buffer_size)
		return error_set(err, ERROR_LIMIT, "a control frame of %zu bytes; there is room for %zu", size,
				 buffer_size);
	rc = size ? receive_all(fd, buffer, size, err) : 1;
	if (rc < 0)
		return rc;
	if (rc == 0)
		return error_set(err, ERROR_FAILED, "the control connection was closed in the middle of a frame");
	*type = header[CONTROL_HEADER_BYTES - 1];
	*payload = (struct slice){ buffer, size };
	return 1;
}
