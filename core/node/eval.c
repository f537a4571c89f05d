/* SPDX-License-Identifier: MIT */
/*
 * `kvnode eval`: configuration and components loaded, none started, no distribution. What the text starts itself is
 * stopped in good order at its end.
 */
#include "base/fs.h"
#include "base/scope.h"
#include "node/commands.h"
#include "node/lua/evaluate.h"
#include "node/process/signals.h"
#include "script/script.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX_BYTES = 2 << 20, TEXT_BLOCK_BYTES = 64 * 1024 };

enum { EXPLAIN_S = 1 }; /* after an interrupt that ended nothing */

static struct script *running; /* for the signal handlers */

static void on_interrupt(int signal_number)
{
	static volatile sig_atomic_t times;
	(void)signal_number;
	if (++times > 1)
		_exit(130);
	script_interrupt(running);
	alarm(EXPLAIN_S);
}

static void on_delay(int signal_number)
{
	static const char text[] = "the expression waits for a call that cannot be interrupted and ends after it; "
				   "Ctrl-C again: do not wait\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)ignored;
	(void)signal_number;
}

static void handle_interrupts(bool handled)
{
	struct sigaction interrupt = { .sa_handler = handled ? on_interrupt : SIG_DFL };
	struct sigaction delay = { .sa_handler = handled ? on_delay : SIG_IGN, .sa_flags = SA_RESTART };
	if (!handled)
		alarm(0);
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &interrupt, NULL);
	sigaction(SIGALRM, &delay, NULL);
}

static int write_errno; /* why stdout took no more */

/* Nobody reads on: the text ends, and that this interrupted it is not worth a word. */
static void on_output(void *context, enum evaluate_stream stream, struct slice text)
{
	(void)context;
	struct error err;
	if (write_errno != 0 ||
	    fs_write_all(stream == EVALUATE_OUT ? STDOUT_FILENO : STDERR_FILENO, text.data, text.size, &err) == 0 ||
	    stream != EVALUATE_OUT)
		return;
	write_errno = err.errnum != 0 ? err.errnum : EIO;
	script_interrupt(running);
}

/* As any program whose reader has gone: `eval … | head -n 1` says nothing. */
static int end_unread(int code)
{
	if (write_errno == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	fprintf(stderr, "kvnode: error: cannot write to stdout: %s\n", strerror(write_errno));
	return code != 0 ? code : 1;
}

/* A text that is too long for a command line comes by a descriptor. */
static int read_text(int fd, struct buf *text, struct error *err)
{
	SCOPE_FD int owned = fd;
	buf_init(text, TEXT_MAX_BYTES);
	for (;;) {
		char *to = buf_reserve(text, TEXT_BLOCK_BYTES);
		ssize_t got = to != NULL ? read(owned, to, TEXT_BLOCK_BYTES) : 0;
		if (to == NULL)
			return error_set(err, ERROR_LIMIT, "the text is longer than %d bytes", TEXT_MAX_BYTES);
		if (got < 0 && errno != EINTR)
			return error_system(err, errno, "cannot read the text from file descriptor %d", owned);
		if (got == 0)
			return 0;
		text->size += got > 0 ? (size_t)got : 0;
	}
}

static int run_text(struct node *node, const struct command_options *options, struct error *err)
{
	SCOPE(buf_done) struct buf long_text = { 0 };
	int given = options->text_fd < 0 ? 1 : 0; /* words in front of the arguments */
	if (given == 0 && read_text(options->text_fd, &long_text, err) != 0)
		return -(int)err->code;
	struct slice text = given == 1 ? slice_of(options->argv[0]) : buf_slice(&long_text);
	const char *chunk = options->chunk != NULL ? options->chunk : "(eval)";
	static struct evaluator evaluator; /* may outlive this */
	evaluator = (struct evaluator){ .node = node, .sink = on_output, .json = options->json };
	int rc = evaluator_init(&evaluator, 0, err);
	if (rc != 0)
		return rc;
	running = evaluator.script;
	handle_interrupts(true);
	evaluator_set_arguments(&evaluator, chunk, options->argv + given, (size_t)(options->argc - given));
	int code = evaluator_run(&evaluator, text, chunk);
	handle_interrupts(false);
	/* who interrupted it does not want to wait for programs that were not closed */
	if (!script_was_interrupted(evaluator.script) || !script_waits_at_its_end(evaluator.script))
		evaluator_done(&evaluator);
	return code;
}

static int evaluate(struct node *node, const struct command_options *options, struct report *report)
{
	const struct node_options node_options = { .argv = NULL, .cookie_fd = options->cookie_fd, .ready_fd = -1 };
	struct error err;
	int rc = node_prepare(node, &node_options, report, &err);
	if (rc == 0)
		rc = node_load(node, &err);
	int code = rc == 0 ? run_text(node, options, &err) : rc;
	if (code < 0) {
		command_report(report, &err);
		code = error_exit_code(err.code);
	}
	node_stop(node);
	return write_errno != 0 ? end_unread(code) : code;
}

int command_eval(const struct command_options *options)
{
	static struct node node;
	SCOPE(report_done) struct report report = { 0 };
	if (options->argc < 1 && options->text_fd < 0) {
		fprintf(stderr, "kvnode: error: eval expects an expression as argument\n");
		return 1;
	}
	int code = evaluate(&node, options, &report);
	node_done(&node);
	return code;
}
