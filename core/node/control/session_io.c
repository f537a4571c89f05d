/* SPDX-License-Identifier: MIT */
/*
 * What a session and its client say to each other: output at once, waiting for a client that does not read; lines and
 * stdin when they are asked for, so that nothing piles up here and nothing is taken from the client that is not used.
 */
#include "node/control/session_internal.h"

#include "base/control.h"
#include "base/scope.h"
#include "node/lua/lua_complete.h"
#include "script/script.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { CHUNK_BYTES = 64 << 10 /* of one frame */ };

/* ---- to the client ---- */

static bool is_aborted(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	bool aborted = session->aborted;
	pthread_mutex_unlock(&session->lock);
	return aborted;
}

/* All of it, waiting for the client to read; false when the client is gone. */
static bool send_bytes(struct session *session, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(session->start.fd, data, size, MSG_NOSIGNAL);
		if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
			continue;
		}
		struct pollfd wait = { .fd = session->start.fd, .events = POLLOUT };
		if (sent < 0 && errno == EINTR)
			continue;
		/* session_abort() shuts the socket down, which ends this wait */
		if (sent < 0 && errno == EAGAIN && !is_aborted(session) && poll(&wait, 1, -1) >= 0)
			continue;
		return false;
	}
	return true;
}

void session_send(struct session *session, enum control_type type, struct slice payload)
{
	char header[CONTROL_HEADER_BYTES];
	control_header(header, type, payload.size);
	if (!send_bytes(session, header, sizeof(header)) || !send_bytes(session, payload.data, payload.size))
		session_abort(session);
}

void session_output(void *context, enum evaluate_stream stream, struct slice text)
{
	struct session *session = context;
	/* an interrupt cuts a long text short, too */
	while (text.size > 0 && !is_aborted(session) && !script_is_interrupted(session->evaluator.script)) {
		size_t size = text.size < CHUNK_BYTES ? text.size : CHUNK_BYTES;
		session_send(session, stream == EVALUATE_OUT ? CONTROL_OUT : CONTROL_ERR,
			     (struct slice){ text.data, size });
		text = (struct slice){ text.data + size, text.size - size };
	}
}

void session_done(struct session *session, int code, const char *text)
{
	char payload[256];
	size_t size = strlen(text);
	if (size > sizeof(payload) - 1)
		size = sizeof(payload) - 1;
	payload[0] = (char)code;
	memcpy(payload + 1, text, size);
	session_send(session, CONTROL_DONE, (struct slice){ payload, size + 1 });
}

/* ---- from the client ---- */

/* With the lock held. */
static bool is_over(const struct session *session)
{
	return session->aborted || (session->running && script_is_interrupted(session->evaluator.script));
}

static bool has_line(const struct session *session)
{
	return session->lines.size > 0 || session->end_of_input || session->finish || session->interrupted ||
	       session->asked || is_over(session);
}

/* Locked when called and when it returns. */
static void answer_question(struct session *session)
{
	SCOPE(buf_done) struct buf line = { 0 };
	SCOPE(buf_done) struct buf answer = { 0 };
	buf_append_slice(&line, buf_slice(&session->question));
	session->asked = false;
	pthread_mutex_unlock(&session->lock);
	buf_init(&answer, CHUNK_BYTES);
	if (session->running) /* an expression that reads a line: its state is not to be touched */
		buf_append_char(&answer, '0');
	else
		lua_complete(&session->evaluator, buf_slice(&line), &answer);
	session_send(session, CONTROL_COMPLETIONS, buf_slice(&answer)); /* what has no room is left out */
	pthread_mutex_lock(&session->lock);
}

static void wait_for_line(struct session *session)
{
	while (!has_line(session) || session->asked) {
		if (session->asked)
			answer_question(session);
		else
			pthread_cond_wait(&session->changed, &session->lock);
	}
}

/* Shows the prompt and appends the next line. */
enum session_input session_next_line(struct session *session, const char *prompt, struct buf *text)
{
	enum session_input input = INPUT_END;
	session_send(session, CONTROL_PROMPT, slice_of(prompt));
	pthread_mutex_lock(&session->lock);
	wait_for_line(session);
	if (session->interrupted || is_over(session)) {
		buf_clear(&session->lines);
		input = INPUT_CANCELLED;
	} else if (session->lines.size > 0 && !session->finish) {
		struct slice first;
		struct slice rest;
		slice_split(buf_slice(&session->lines), '\n', &first, &rest);
		buf_append_slice(text, first);
		buf_consume(&session->lines, first.size + 1);
		input = INPUT_LINE;
	}
	session->interrupted = false;
	pthread_mutex_unlock(&session->lock);
	return input;
}

/* ---- stdin of an expression ---- */

/* What the client reads from its stdin when it is told that somebody wants it. False: there is no more. */
static bool want_input(struct session *session)
{
	session_send(session, CONTROL_WANT, (struct slice){ 0 });
	pthread_mutex_lock(&session->lock);
	while (session->input.size == 0 && !session->end_of_input && !is_over(session))
		pthread_cond_wait(&session->changed, &session->lock);
	bool got = session->input.size > 0;
	pthread_mutex_unlock(&session->lock);
	return got;
}

/* In a console it is the next line that is typed. */
static bool want_line(struct session *session)
{
	SCOPE(buf_done) struct buf line = { 0 };
	if (session_next_line(session, "", &line) != INPUT_LINE)
		return false;
	pthread_mutex_lock(&session->lock);
	buf_append_slice(&session->input, buf_slice(&line));
	buf_append_char(&session->input, '\n');
	pthread_mutex_unlock(&session->lock);
	return true;
}

static bool fill_input(struct session *session)
{
	if (session->start.console)
		return want_line(session);
	return session->has_stdin && want_input(session);
}

ssize_t session_read(void *context, char *to, size_t room)
{
	struct session *session = context;
	pthread_mutex_lock(&session->lock);
	bool empty = session->input.size == 0;
	pthread_mutex_unlock(&session->lock);
	if (empty && !fill_input(session))
		return script_is_interrupted(session->evaluator.script) ? -1 : 0;
	pthread_mutex_lock(&session->lock);
	size_t size = session->input.size < room ? session->input.size : room;
	memcpy(to, session->input.data, size);
	buf_consume(&session->input, size);
	pthread_mutex_unlock(&session->lock);
	return (ssize_t)size;
}
