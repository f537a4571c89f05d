/* SPDX-License-Identifier: MIT */
/*
 * What a client may ask about the configuration of the running node: all of it, one setting, or what the next boot's,
 * which the client has read, would change. The node compares, so that its secrets stay with it.
 */
#include "node/control/control_internal.h"

#include "base/json.h"
#include "base/scope.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = CONTROL_FRAME_MAX / 2 };

struct question {
	struct slice what;
	bool json;
	struct slice text; /* of get and diff */
};

static struct question read_question(struct slice payload)
{
	struct question question;
	struct slice form;
	slice_split(payload, '\0', &question.what, &payload);
	slice_split(payload, '\0', &form, &question.text);
	question.json = slice_is(form, "json");
	return question;
}

static void title(const struct node *node, const struct question *question, struct buf *out)
{
	if (!question->json)
		buf_printf(out, "# %s, as it runs (process %d)\n", node->release.node, (int)getpid());
}

static int answer_diff(const struct node *node, const struct question *question, struct buf *out, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	struct value *next = NULL;
	int rc = json_parse(&arena, question->text, "the next boot's settings", &next, err);
	if (rc == 0)
		config_show_diff(config_diff(&node->config, next, &arena), question->json, out);
	return rc;
}

static int answer(const struct node *node, const struct question *question, struct buf *out, struct error *err)
{
	SCOPE(arena_done) struct arena arena = { 0 };
	if (slice_is(question->what, "diff"))
		return answer_diff(node, question, out, err);
	if (slice_is(question->what, "get"))
		return config_show_one(&node->config, arena_copy(&arena, question->text), question->json, out, err);
	if (!slice_is(question->what, "show"))
		return error_set(err, ERROR_UNSUPPORTED, "this node does not know the question");
	title(node, question, out);
	config_show(&node->config, question->json, out);
	return 0;
}

static void forget(struct slice payload)
{
	explicit_bzero((char *)payload.data, payload.size); /* diff: it holds secrets */
}

void client_on_config(struct client *client, struct slice payload)
{
	SCOPE(buf_done) struct buf out = { 0 };
	const struct question question = read_question(payload);
	struct error err;
	int rc = answer(client->server->node, &question, &out, &err);
	forget(payload);
	if (rc == 0 && out.failed)
		rc = error_set(&err, ERROR_NO_MEMORY, "no memory for the configuration");
	for (size_t at = 0; rc == 0 && at < out.size && !client->closing; at += PIECE_BYTES) {
		size_t left = out.size - at;
		client_reply(client, CONTROL_OUT,
			     (struct slice){ out.data + at, left < PIECE_BYTES ? left : PIECE_BYTES });
	}
	if (!client->closing)
		client_reply_done(client, rc == 0 ? 0 : 1, rc == 0 ? "" : err.message);
}
