/* SPDX-License-Identifier: MIT */
/*
 * A program that prints settings. It is never trusted to end, to be brief or to make sense: a deadline, a cap on its
 * output, and a message that says which of them it was. What it says on stderr is shown as it comes; its environment
 * is the node's (RELEASE_* included), its standard input is empty.
 */
#include "base/json.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/scope.h"
#include "base/text.h"
#include "base/yaml.h"
#include "node/config/providers.h"
#include "node/process/heart.h"

#include <signal.h>
#include <string.h>

enum { OUTPUT_MAX_BYTES = 4 << 20, TIMEOUT_DEFAULT_MS = 10 * 1000 };

static int64_t timeout_ms(const struct provider_run *run)
{
	const struct value *timeout = value_get(run->entry, "timeout");
	uint64_t ms;
	if (timeout != NULL && timeout->type == VALUE_INT && timeout->integer > 0 && timeout->integer < INT32_MAX)
		return timeout->integer * 1000;
	if (timeout != NULL && timeout->type == VALUE_STRING && text_to_duration_ms(timeout->string, &ms) && ms > 0 &&
	    ms < INT64_MAX)
		return (int64_t)ms;
	return TIMEOUT_DEFAULT_MS;
}

/* A program without a slash is looked for in PATH. */
static const char **arguments(struct provider_run *run)
{
	const struct value *exec = value_get(run->entry, "exec");
	size_t count = exec->type == VALUE_LIST ? exec->list.count : 1;
	const char **argv = arena_array(run->arena, count + 1, sizeof(*argv));
	for (size_t i = 0; i < count; i++)
		argv[i] = value_text(exec->type == VALUE_LIST ? exec->list.items[i] : exec, NULL);
	if (count == 0 || argv[0] == NULL) {
		provider_failed(run, "expected a program and its arguments");
		return NULL;
	}
	if (strchr(argv[0], '/') != NULL || strchr(argv[0], '$') != NULL)
		argv[0] = provider_path(run, argv[0]);
	return argv[0] != NULL ? argv : NULL;
}

/* JSON is tried first where it looks like it: YAML 1.1 readers stumble over some of its escapes and over tabs. */
static int parse(struct provider_run *run, struct slice text, const char *name, struct value **out, struct error *err)
{
	struct slice trimmed = slice_trim(text);
	if (trimmed.size > 0 && trimmed.data[0] == '{' && json_parse(run->arena, text, name, out, NULL) == 0)
		return 0;
	return yaml_parse(run->arena, text, name, &YAML_LIMITS_DEFAULT, out, err);
}

static void take_output(struct provider_run *run, struct slice text, const char *program)
{
	const char *name = arena_printf(run->arena, "output of %s", program);
	struct value *document = NULL;
	struct error err;
	if (parse(run, text, name, &document, &err) != 0) {
		report_line(run->report, err.message);
		return;
	}
	/* json_parse() knows no positions */
	config_stamp(document, &(struct origin){ .file = name }, true);
	for (size_t i = 0; document->type == VALUE_MAP && i < document->map.count; i++) {
		struct member *member = &document->map.members[i];
		if (member->origin.file == NULL)
			member->origin.file = name;
	}
	provider_take_document(run, document);
}

void provider_exec(struct provider_run *run)
{
	const char **argv = arguments(run);
	if (argv == NULL)
		return;
	SCOPE(buf_done) struct buf out = { 0 };
	buf_init(&out, OUTPUT_MAX_BYTES);
	const struct proc_options options = { .argv = argv, .out = &out, .timeout_ms = timeout_ms(run) };
	struct error err;
	int status = 0;
	heart_before_silence(); /* each may take as long as its own timeout */
	int rc = proc_run(&options, &status, &err);
	if (rc == -ERROR_TRY_AGAIN)
		provider_failed(run, "%s did not end within %lld ms and was killed", argv[0],
				(long long)options.timeout_ms);
	else if (rc == -ERROR_LIMIT)
		provider_failed(run, "%s printed more than %d bytes and was killed", argv[0], OUTPUT_MAX_BYTES);
	else if (rc != 0)
		provider_failed(run, "%s", err.message);
	else if (status > 128)
		provider_failed(run, "%s was ended by signal %d (%s)", argv[0], status - 128, strsignal(status - 128));
	else if (status != 0)
		provider_failed(run, "%s ended with exit code %d", argv[0], status);
	else
		take_output(run, buf_slice(&out), release_shown(run->release, argv[0]));
	if (out.data != NULL)
		explicit_bzero(out.data, out.capacity);
}
