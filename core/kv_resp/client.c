/* SPDX-License-Identifier: MIT */
/* CLIENT: what a connection may say and ask about itself and others. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

/* ---- LIST and INFO ---- */

static bool answer_lines(struct request *request, struct text *lines)
{
	struct text text = { .resp3 = request->session->resp3 };
	text_verbatim(&text, (struct kvrel_slice){ lines->data, lines->size });
	if (!text.failed)
		text.failed = lines->failed;
	text_done(lines);
	return request_answer(request, &text);
}

static bool client_info(struct request *request)
{
	struct text lines = { 0 };
	client_write(&lines, request->session);
	return answer_lines(request, &lines);
}

static bool list_all(struct request *request)
{
	struct text lines = { 0 };
	client_write_all(request->server, &lines);
	return answer_lines(request, &lines);
}

/* In the order they are asked for, as often as they are. */
static bool list_some(struct request *request, const struct kvrel_slice *words, uint32_t count)
{
	struct text lines = { 0 };
	int64_t *ids = malloc(count * sizeof(*ids));
	lines.failed = ids ? TEXT_WHOLE : TEXT_NO_MEMORY;
	for (uint32_t i = 0; ids && i < count; i++) {
		if (!word_is_integer(words[i], &ids[i])) {
			free(ids);
			return request_error(request, "ERR Invalid client ID");
		}
	}
	if (ids)
		client_write_some(request->server, ids, count, &lines);
	free(ids);
	return answer_lines(request, &lines);
}

bool client_is_type(struct kvrel_slice word, bool *normal)
{
	static const char *const others[] = { "master", "replica", "slave", "pubsub" };
	*normal = word_is(word, "normal");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (word_is(word, others[i]))
			return true;
	}
	return *normal;
}

static bool list_type(struct request *request, struct kvrel_slice type)
{
	struct text none = { 0 };
	bool normal = false;
	if (!client_is_type(type, &normal))
		return request_error(request, "ERR Unknown client type '%.*s'",
				     (int)(type.size > 128 ? 128 : type.size), type.data);
	return normal ? list_all(request) : answer_lines(request, &none);
}

static bool client_list(struct request *request)
{
	if (request->count == 2)
		return list_all(request);
	if (request->count == 4 && word_is(request->args[2], "type"))
		return list_type(request, request->args[3]);
	if (request->count > 3 && word_is(request->args[2], "id"))
		return list_some(request, request->args + 3, request->count - 3);
	return request_error(request, "ERR syntax error");
}

/* ---- the others ---- */

static bool client_setname(struct request *request)
{
	const char *mistake = client_text_mistake(request->args[2]);
	if (mistake)
		return request_error(request, "ERR Client names %s", mistake);
	if (!client_set_text(request->server, &request->session->name, request->args[2]))
		return request_error(request, "ERR out of memory");
	return request_ok(request);
}

static bool client_getname(struct request *request)
{
	struct text text = { .resp3 = request->session->resp3 };
	if (request->session->name)
		text_string(&text, request->session->name);
	else
		text_nil(&text);
	return request_answer(request, &text);
}

static bool client_id(struct request *request)
{
	struct text text = { 0 };
	text_integer(&text, (int64_t)request->session->id);
	return request_answer(request, &text);
}

static bool client_setinfo(struct request *request)
{
	struct session *session = request->session;
	struct kvrel_slice option = request->args[2];
	bool version = word_is(option, "lib-ver");
	if (!version && !word_is(option, "lib-name"))
		return request_error(request, "ERR Unrecognized option '%.*s'",
				     (int)(option.size > 128 ? 128 : option.size), option.data);
	const char *mistake = client_text_mistake(request->args[3]);
	if (mistake)
		return request_error(request, "ERR %s %s", version ? "lib-ver" : "lib-name", mistake);
	if (!client_set_text(request->server, version ? &session->version : &session->library, request->args[3]))
		return request_error(request, "ERR out of memory");
	return request_ok(request);
}

/* Nothing is evicted here, nor are looks at a key counted. */
static bool client_switch(struct request *request)
{
	if (!word_is(request->args[2], "on") && !word_is(request->args[2], "off"))
		return request_error(request, "ERR syntax error");
	return request_ok(request);
}

/* SKIP is about the next request; after OFF it changes nothing. Neither is answered. */
static bool client_reply(struct request *request)
{
	struct session *session = request->session;
	if (word_is(request->args[2], "on")) {
		session->replies = REPLY_ON;
		return request_ok(request);
	}
	if (word_is(request->args[2], "off")) {
		session->replies = REPLY_OFF;
		return true;
	}
	if (word_is(request->args[2], "skip")) {
		session->replies = session->replies == REPLY_OFF ? REPLY_OFF : REPLY_SKIP_NEXT;
		return true;
	}
	return request_error(request, "ERR syntax error");
}

const struct subcommand client_family[] = {
	{ "getname", 2, client_getname, "GETNAME", "Return the name of the current connection." },
	{ "id", 2, client_id, "ID", "Return the ID of the current connection." },
	{ "info", 2, client_info, "INFO", "Return information about the current client connection." },
	{ "kill", -3, client_kill, "KILL <ip:port>|<option> <value> [<option> <value> [...]]",
	  "End connections: of an address, or by ID, ADDR, TYPE, USER and SKIPME." },
	{ "list", -2, client_list, "LIST [TYPE <type> | ID <id> [<id> ...]]",
	  "Return information about client connections." },
	{ "no-evict", 3, client_switch, "NO-EVICT (ON|OFF)", "Accepted; nothing is evicted here." },
	{ "no-touch", 3, client_switch, "NO-TOUCH (ON|OFF)", "Accepted; accesses are not counted here." },
	{ "reply", 3, client_reply, "REPLY (ON|OFF|SKIP)", "Control the replies sent to the current connection." },
	{ "setinfo", 4, client_setinfo, "SETINFO (LIB-NAME|LIB-VER) <value>",
	  "Tell the client library and its version." },
	{ "setname", 3, client_setname, "SETNAME <name>", "Assign the name <name> to the current connection." },
	{ 0 },
};
