/* SPDX-License-Identifier: MIT */
/* A session's thread and what it runs: one expression, or the texts that are typed at a console. */
#include "node/control/session_internal.h"

#include "base/scope.h"
#include "node/node.h"
#include "node/process/crash.h"
#include "script/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	STACK_BYTES = 4 << 20,     /* of address space; what recursion in C may take within the limits of Lua */
	LINES_MAX_BYTES = 1 << 20, /* and as much of stdin */
	TEXT_MAX_BYTES = 1 << 20,
	ARGUMENTS_MAX = 256,
	NICENESS = 19,
	SLICE_NS = 100 * 1000,
};

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

static bool has_word(struct slice words, struct slice wanted)
{
	while (words.size > 0) {
		struct slice word;
		slice_split(words, ' ', &word, &words);
		if (slice_equal(word, wanted))
			return true;
	}
	return false;
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
		session_output(session, EVALUATE_ERR, SLICE("malformed request\n"));
		return 1;
	}
	session->evaluator.json = has_word(slice_of(parts[0]), SLICE("json"));
	session->has_stdin = has_word(slice_of(parts[0]), SLICE("stdin"));
	evaluator_set_arguments(&session->evaluator, parts[1], parts + 3, count - 3);
	return run_text(session, slice_of(parts[2]), parts[1]);
}

/* ---- console ---- */

/* Lines until they make a whole text. Empty ones are part of it, as code is pasted; Ctrl-C gives one up. */
static enum session_input read_text(struct session *session, const char *prompt, struct buf *text)
{
	buf_clear(text);
	enum session_input input = session_next_line(session, prompt, text);
	while (input == INPUT_LINE && !text->failed &&
	       script_is_incomplete(session->evaluator.script, buf_slice(text))) {
		buf_append_char(text, '\n');
		input = session_next_line(session, "…> ", text);
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
	enum session_input input;
	evaluator_set_arguments(&session->evaluator, "console", NULL, 0);
	snprintf(prompt, sizeof(prompt), "%.250s> ", node);
	while ((input = read_text(session, prompt, &text)) != INPUT_END) {
		if (input == INPUT_LINE && text.failed)
			session_output(session, EVALUATE_ERR, SLICE("the text is too long\n"));
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
		.sink = session_output,
		.input = session_read,
		.context = session,
		.keep_last = session->start.console,
		.guest = true,
	};
	if (evaluator_init(&session->evaluator, session->start.node->flags.console_memory_bytes, &err) != 0) {
		session_done(session, 1, err.message);
	} else {
		int code = session->start.console ? run_console(session) : run_expression(session);
		/* what finalizers print comes before DONE, but the client waits for no program that was not closed */
		if (!script_waits_at_its_end(session->evaluator.script))
			evaluator_done(&session->evaluator);
		pthread_mutex_lock(&session->lock);
		bool finish = session->finish;
		pthread_mutex_unlock(&session->lock);
		/* an expression that ended in time was not disturbed by that */
		bool cut_off = finish && (session->start.console || code != 0);
		session_done(session, code, cut_off ? "the node is stopping" : "");
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
	buf_init(&session->input, LINES_MAX_BYTES);
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

bool session_input(struct session *session, struct slice bytes)
{
	pthread_mutex_lock(&session->lock);
	buf_append_slice(&session->input, bytes);
	session->end_of_input = session->end_of_input || bytes.size == 0;
	bool fits = !session->input.failed;
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
	buf_done(&session->input);
	buf_done(&session->question);
	pthread_mutex_destroy(&session->lock);
	pthread_cond_destroy(&session->changed);
	free(session);
}
