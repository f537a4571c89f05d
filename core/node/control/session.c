/* SPDX-License-Identifier: MIT */
#include "node/control/session.h"

#include "base/buf.h"
#include "base/control.h"
#include "base/scope.h"
#include "node/lua/evaluate.h"
#include "node/lua/lua_complete.h"
#include "node/node.h"
#include "node/process/crash.h"
#include "script/script.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	STACK_BYTES = 4 << 20, /* of address space; what recursion in C may take within the limits of Lua */
	LINES_MAX_BYTES = 1 << 20,
	TEXT_MAX_BYTES = 1 << 20,
	CHUNK_BYTES = 64 << 10, /* of one frame */
	ARGUMENTS_MAX = 256,
	NICENESS = 19,
	SLICE_NS = 100 * 1000,
};

struct session {
	struct session_start start;
	struct buf request;
	struct evaluator evaluator;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct buf lines;    /* each with its newline */
	struct buf question; /* what is to be completed */
	bool asked;
	bool end_of_input;
	bool aborted;        /* the client is gone */
	bool finish;         /* the node stops */
	bool running;        /* an expression runs */
	unsigned interrupts; /* of running expressions so far */
	bool interrupted;    /* while no expression ran: ends the next one, or the text at a console's prompt */
};

/* ---- to the client ---- */

static bool is_aborted(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	bool aborted = session->aborted;
	pthread_mutex_unlock(&session->lock);
	return aborted;
}

static unsigned interrupts_of(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	unsigned interrupts = session->interrupts;
	pthread_mutex_unlock(&session->lock);
	return interrupts;
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

static void send_frame(struct session *session, enum control_type type, struct slice payload)
{
	char header[CONTROL_HEADER_BYTES];
	control_header(header, type, payload.size);
	if (!send_bytes(session, header, sizeof(header)) || !send_bytes(session, payload.data, payload.size))
		session_abort(session);
}

static void on_output(void *context, enum evaluate_stream stream, struct slice text)
{
	struct session *session = context;
	unsigned before = interrupts_of(session);
	/* an interrupt cuts a long text short, too */
	while (text.size > 0 && !is_aborted(session) && interrupts_of(session) == before) {
		size_t size = text.size < CHUNK_BYTES ? text.size : CHUNK_BYTES;
		send_frame(session, stream == EVALUATE_OUT ? CONTROL_OUT : CONTROL_ERR,
			   (struct slice){ text.data, size });
		text = (struct slice){ text.data + size, text.size - size };
	}
}

static void send_done(struct session *session, int code, const char *text)
{
	char payload[256];
	size_t size = strlen(text);
	if (size > sizeof(payload) - 1)
		size = sizeof(payload) - 1;
	payload[0] = (char)code;
	memcpy(payload + 1, text, size);
	send_frame(session, CONTROL_DONE, (struct slice){ payload, size + 1 });
}

/* ---- running ---- */

static int run_text(struct session *session, struct slice text, const char *chunk)
{
	pthread_mutex_lock(&session->lock);
	session->running = true;
	bool cancelled = session->aborted;
	if (session->interrupted)
		script_interrupt(session->evaluator.script);
	session->interrupted = false;
	pthread_mutex_unlock(&session->lock);
	int code = cancelled ? 1 : evaluator_run(&session->evaluator, text, chunk);
	pthread_mutex_lock(&session->lock);
	session->running = false;
	pthread_mutex_unlock(&session->lock);
	return code;
}

/* The request is NUL-separated; the parts are NUL-terminated because a NUL follows the last one, too. */
static int run_expression(struct session *session)
{
	const char *parts[3 + ARGUMENTS_MAX];
	size_t count = 0;
	struct slice rest = buf_slice(&session->request);
	while (rest.size > 0 && count < ARRAY_LEN(parts)) {
		struct slice part;
		slice_split(rest, '\0', &part, &rest);
		parts[count++] = part.data;
	}
	if (count < 3 || rest.size > 0) {
		on_output(session, EVALUATE_ERR, SLICE("malformed request\n"));
		return 1;
	}
	session->evaluator.json = strcmp(parts[0], "json") == 0;
	evaluator_set_arguments(&session->evaluator, parts[1], parts + 3, count - 3);
	return run_text(session, slice_of(parts[2]), parts[1]);
}

/* ---- console ---- */

enum input { INPUT_LINE, INPUT_END, INPUT_CANCELLED };

static bool has_input(const struct session *session)
{
	return session->lines.size > 0 || session->end_of_input || session->aborted || session->finish ||
	       session->interrupted || session->asked;
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
	lua_complete(&session->evaluator, buf_slice(&line), &answer);
	send_frame(session, CONTROL_COMPLETIONS, buf_slice(&answer)); /* what has no room is left out */
	pthread_mutex_lock(&session->lock);
}

static void wait_for_input(struct session *session)
{
	while (!has_input(session) || session->asked) {
		if (session->asked)
			answer_question(session);
		else
			pthread_cond_wait(&session->changed, &session->lock);
	}
}

/* Shows the prompt and appends the next line. */
static enum input next_line(struct session *session, const char *prompt, struct buf *text)
{
	enum input input = INPUT_END;
	send_frame(session, CONTROL_PROMPT, slice_of(prompt));
	pthread_mutex_lock(&session->lock);
	wait_for_input(session);
	if (session->interrupted) {
		buf_clear(&session->lines);
		input = INPUT_CANCELLED;
	} else if (session->lines.size > 0 && !session->aborted && !session->finish) {
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

/* Lines until they make a whole text. An empty line ends a text that stays incomplete: its error is then shown. */
static enum input read_text(struct session *session, const char *prompt, struct buf *text)
{
	buf_clear(text);
	enum input input = next_line(session, prompt, text);
	while (input == INPUT_LINE && !text->failed &&
	       script_is_incomplete(session->evaluator.script, buf_slice(text))) {
		size_t before = text->size;
		buf_append_char(text, '\n');
		input = next_line(session, "…> ", text);
		if (input == INPUT_LINE && text->size == before + 1)
			break;
	}
	return input;
}

/* False when os.exit() ended the console. */
static bool run_line(struct session *session, struct slice text, int *code)
{
	script_clear_interrupt(session->evaluator.script);
	int result = run_text(session, text, "console");
	if (result != 0 || session->evaluator.exit_asked)
		*code = result;
	return !session->evaluator.exit_asked;
}

/* A script ended in the middle of a text. */
static bool is_cut_off(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	bool cut_off = session->end_of_input && !session->aborted && !session->finish;
	pthread_mutex_unlock(&session->lock);
	return cut_off && !slice_is((struct slice){ session->request.data, session->request.size - 1 }, "terminal");
}

static int run_console(struct session *session)
{
	char prompt[300];
	const char *node = session->start.node->release.node;
	SCOPE(buf_done) struct buf text = { 0 };
	buf_init(&text, TEXT_MAX_BYTES);
	int code = 0;
	enum input input;
	evaluator_set_arguments(&session->evaluator, "console", NULL, 0);
	snprintf(prompt, sizeof(prompt), "%.250s> ", node);
	while ((input = read_text(session, prompt, &text)) != INPUT_END) {
		if (input == INPUT_LINE && text.failed)
			on_output(session, EVALUATE_ERR, SLICE("the text is too long\n"));
		else if (input == INPUT_LINE && !run_line(session, buf_slice(&text), &code))
			break;
	}
	if (text.size > 0 && is_cut_off(session)) /* its error is to be seen */
		(void)run_line(session, buf_slice(&text), &code);
	return code;
}

/*
 * The service comes first: on a busy machine an endless loop gets what the workers leave. Niceness alone would let it
 * finish its time slice before a worker that wakes up is let in; so the slice is made the shortest that there is (Linux
 * 6.12; before that its value is ignored).
 */
static void step_back(void)
{
	struct {
		uint32_t size;
		uint32_t policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime;
		uint64_t deadline;
		uint64_t period;
	} attributes = { .size = sizeof(attributes), .nice = NICENESS, .runtime = SLICE_NS };
	if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); /* of this thread; always allowed */
}

static void *run(void *context)
{
	struct session *session = context;
	step_back();
	struct error err;
	crash_guard_thread();
	session->evaluator = (struct evaluator){
		.node = session->start.node,
		.sink = on_output,
		.context = session,
		.keep_last = session->start.console,
		.guest = true,
	};
	if (evaluator_init(&session->evaluator, session->start.node->flags.console_memory_bytes, &err) != 0) {
		send_done(session, 1, err.message);
	} else {
		int code = session->start.console ? run_console(session) : run_expression(session);
		pthread_mutex_lock(&session->lock);
		session->running = false;
		bool finish = session->finish;
		pthread_mutex_unlock(&session->lock);
		send_done(session, code, finish && session->start.console ? "the node is stopping" : "");
	}
	evaluator_done(&session->evaluator);
	session->start.ended(session->start.context);
	return NULL;
}

/* ---- from the main thread ---- */

int session_new(const struct session_start *start, struct session **out, struct error *err)
{
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		return error_set(err, ERROR_NO_MEMORY, "no memory for a session");
	session->start = *start;
	buf_init(&session->lines, LINES_MAX_BYTES);
	buf_append_slice(&session->request, start->request);
	buf_append_char(&session->request, '\0');
	pthread_mutex_init(&session->lock, NULL);
	pthread_cond_init(&session->changed, NULL);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	int rc = session->request.failed ? ENOMEM : pthread_create(&session->thread, &attributes, run, session);
	pthread_attr_destroy(&attributes);
	if (rc != 0) {
		buf_done(&session->request);
		free(session);
		return error_system(err, rc, "cannot start a session");
	}
	*out = session;
	return 0;
}

bool session_line(struct session *session, struct slice line)
{
	pthread_mutex_lock(&session->lock);
	buf_append_slice(&session->lines, line);
	buf_append_char(&session->lines, '\n');
	bool fits = !session->lines.failed;
	pthread_cond_signal(&session->changed);
	pthread_mutex_unlock(&session->lock);
	return fits;
}

void session_complete(struct session *session, struct slice line)
{
	pthread_mutex_lock(&session->lock);
	buf_clear(&session->question);
	buf_append_slice(&session->question, line);
	session->asked = true;
	pthread_cond_signal(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

void session_interrupt(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	if (session->running) {
		session->interrupts++;
		script_interrupt(session->evaluator.script);
	} else {
		session->interrupted = true;
	}
	pthread_cond_signal(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

static void set_flag(struct session *session, bool *flag)
{
	pthread_mutex_lock(&session->lock);
	*flag = true;
	pthread_cond_signal(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

void session_end_of_input(struct session *session)
{
	set_flag(session, &session->end_of_input);
}

void session_abort(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	session->aborted = true;
	if (session->running)
		script_interrupt(session->evaluator.script);
	pthread_cond_signal(&session->changed);
	pthread_mutex_unlock(&session->lock);
	shutdown(session->start.fd, SHUT_RDWR);
}

void session_finish(struct session *session)
{
	set_flag(session, &session->finish);
}

void session_free(struct session *session)
{
	if (session == NULL)
		return;
	pthread_join(session->thread, NULL);
	buf_done(&session->request);
	buf_done(&session->lines);
	buf_done(&session->question);
	pthread_mutex_destroy(&session->lock);
	pthread_cond_destroy(&session->changed);
	free(session);
}
