/* SPDX-License-Identifier: MIT */
/*
 * CLIENT, and the list of connections behind it. Workers put their connections on one list and take them off; whoever
 * lists them walks it under the same lock. What changes with every request is atomic, and written by one thread alone,
 * so that serving takes no lock.
 *
 * A connection cannot end another one's: CLIENT KILL is not offered.
 */
#include "request.h"

#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

void client_opened(struct server *server, struct session *session, const char *peer)
{
	session->peer = peer;
	session->opened_s = clock_s();
	session->active_s = session->opened_s;
	session->id = atomic_fetch_add(&server->next_id, 1) + 1;
	pthread_mutex_lock(&server->sessions_lock);
	session->previous = server->newest;
	*(session->previous ? &session->previous->next : &server->oldest) = session;
	server->newest = session;
	server->connected++;
	pthread_mutex_unlock(&server->sessions_lock);
}

void client_closed(struct server *server, struct session *session)
{
	pthread_mutex_lock(&server->sessions_lock);
	*(session->previous ? &session->previous->next : &server->oldest) = session->next;
	*(session->next ? &session->next->previous : &server->newest) = session->previous;
	server->commands += atomic_load_explicit(&session->commands, memory_order_relaxed);
	pthread_mutex_unlock(&server->sessions_lock);
	free(session->name);
	free(session->library);
	free(session->version);
}

bool client_set_text(struct server *server, char **place, struct kvrel_slice text)
{
	char *copy = text.size ? strndup(text.data, text.size) : NULL;
	if (text.size && !copy)
		return false;
	pthread_mutex_lock(&server->sessions_lock);
	char *old = *place;
	*place = copy;
	pthread_mutex_unlock(&server->sessions_lock);
	free(old);
	return true;
}

struct client_figures client_figures(struct server *server)
{
	pthread_mutex_lock(&server->sessions_lock);
	struct client_figures figures = { .connected = server->connected, .commands = server->commands };
	for (const struct session *session = server->oldest; session; session = session->next) {
		figures.open++;
		figures.commands += atomic_load_explicit(&session->commands, memory_order_relaxed);
	}
	pthread_mutex_unlock(&server->sessions_lock);
	return figures;
}

/* The counters of open sessions are their workers': what they hold now is taken off instead. */
void client_reset_figures(struct server *server)
{
	pthread_mutex_lock(&server->sessions_lock);
	server->connected = 0;
	server->commands = 0;
	for (const struct session *session = server->oldest; session; session = session->next)
		server->commands -= atomic_load_explicit(&session->commands, memory_order_relaxed);
	pthread_mutex_unlock(&server->sessions_lock);
}

/* ---- LIST and INFO ---- */

static void write_text(struct text *text, const char *key, const char *value)
{
	text_format(text, " %s=", key);
	if (value)
		text_bytes(text, value, strlen(value));
}

/* The fields that client libraries read; those that mean nothing here have the value of an idle connection of Redis. */
static void write_line(struct text *text, const struct session *session, int64_t now_s)
{
	const struct command *last = atomic_load_explicit(&session->last, memory_order_relaxed);
	text_format(text, "id=%llu addr=%s fd=-1", (unsigned long long)session->id, session->peer);
	write_text(text, "name", session->name);
	text_format(text,
		    " age=%lld idle=%lld flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 ",
		    (long long)(now_s - session->opened_s),
		    (long long)(now_s - atomic_load_explicit(&session->active_s, memory_order_relaxed)));
	text_format(text, "multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=%s user=default redir=-1",
		    last ? last->name : "NULL");
	text_format(text, " resp=%d", atomic_load_explicit(&session->resp3, memory_order_relaxed) ? 3 : 2);
	write_text(text, "lib-name", session->library);
	write_text(text, "lib-ver", session->version);
	text_bytes(text, "\n", 1);
}

static bool answer_lines(struct request *request, struct text *lines)
{
	struct text text = { 0 };
	text_bulk(&text, (struct kvrel_slice){ lines->data, lines->size });
	text.failed |= lines->failed;
	text_done(lines);
	return request_answer(request, &text);
}

static bool client_info(struct request *request)
{
	struct text lines = { 0 };
	write_line(&lines, request->session, clock_s());
	return answer_lines(request, &lines);
}

/* `ids` is NULL for all. */
static bool is_listed(const struct session *session, const struct kvrel_slice *ids, uint32_t count)
{
	int64_t id;
	for (uint32_t i = 0; i < count; i++) {
		if (word_is_integer(ids[i], &id) && (uint64_t)id == session->id)
			return true;
	}
	return !ids;
}

static bool answer_list(struct request *request, const struct kvrel_slice *ids, uint32_t count)
{
	struct server *server = request->server;
	struct text lines = { 0 };
	int64_t now_s = clock_s();
	pthread_mutex_lock(&server->sessions_lock);
	for (const struct session *session = server->oldest; session; session = session->next) {
		if (is_listed(session, ids, count))
			write_line(&lines, session, now_s);
	}
	pthread_mutex_unlock(&server->sessions_lock);
	return answer_lines(request, &lines);
}

/* All connections are of the type `normal`; the others that Redis has are none here. */
static bool client_list(struct request *request)
{
	static const char *const others[] = { "master", "replica", "slave", "pubsub" };
	if (request->count == 2)
		return answer_list(request, NULL, 0);
	struct kvrel_slice option = request->args[2], value = request->args[request->count > 3 ? 3 : 2];
	if (word_is(option, "id") && request->count > 3) {
		for (uint32_t i = 3; i < request->count; i++) {
			int64_t id;
			if (!word_is_integer(request->args[i], &id) || id < 1)
				return request_error(request, "ERR Invalid client ID");
		}
		return answer_list(request, request->args + 3, request->count - 3);
	}
	if (!word_is(option, "type") || request->count != 4)
		return request_error(request, "ERR syntax error");
	if (word_is(value, "normal"))
		return answer_list(request, NULL, 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (word_is(value, others[i]))
			return answer_list(request, request->args, 0);
	}
	return request_error(request, "ERR Unknown client type '%.*s'", (int)(value.size > 128 ? 128 : value.size),
			     value.data);
}

/* ---- the others ---- */

static bool client_setname(struct request *request)
{
	if (!is_client_name(request->args[2]))
		return request_error(request,
				     "ERR Client names cannot contain spaces, newlines or special characters.");
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
	if (!is_client_name(request->args[3]))
		return request_error(request, "ERR %s cannot contain spaces, newlines or special characters.",
				     version ? "lib-ver" : "lib-name");
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

bool run_client(struct request *request)
{
	static const struct subcommand table[] = {
		{ "getname", 2, client_getname, "GETNAME", "Return the name of the current connection." },
		{ "id", 2, client_id, "ID", "Return the ID of the current connection." },
		{ "info", 2, client_info, "INFO", "Return information about the current client connection." },
		{ "list", -2, client_list, "LIST [TYPE <type> | ID <id> [<id> ...]]",
		  "Return information about client connections." },
		{ "no-evict", 3, client_switch, "NO-EVICT (ON|OFF)", "Accepted; nothing is evicted here." },
		{ "no-touch", 3, client_switch, "NO-TOUCH (ON|OFF)", "Accepted; accesses are not counted here." },
		{ "reply", 3, client_reply, "REPLY (ON|OFF|SKIP)",
		  "Control the replies sent to the current connection." },
		{ "setinfo", 4, client_setinfo, "SETINFO (LIB-NAME|LIB-VER) <value>",
		  "Tell the client library and its version." },
		{ "setname", 3, client_setname, "SETNAME <name>", "Assign the name <name> to the current connection." },
	};
	return subcommand_run(request, table, sizeof(table) / sizeof(table[0]));
}
