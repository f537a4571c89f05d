/* SPDX-License-Identifier: MIT */
/*
 * The connections of this front-end, for who lists or ends them. Workers put theirs on one list, by age, and take them
 * off; whoever looks at others' walks it under the same lock. What changes with every request is atomic, and written by
 * one thread alone, so that serving takes no lock.
 */
#include "request.h"

#include <stdlib.h>
#include <string.h>

void client_opened(struct server *server, struct session *session, struct kvrel_conn *conn, const char *peer)
{
	session->conn = conn;
	session->peer = peer;
	session->opened_s = clock_s();
	session->active_s = session->opened_s;
	pthread_mutex_lock(&server->sessions_lock);
	session->id = ++server->last_id;
	session->previous = server->newest;
	*(session->previous ? &session->previous->next : &server->oldest) = session;
	server->newest = session;
	server->open++;
	server->connected++;
	pthread_mutex_unlock(&server->sessions_lock);
}

void client_closed(struct server *server, struct session *session)
{
	pthread_mutex_lock(&server->sessions_lock);
	*(session->previous ? &session->previous->next : &server->oldest) = session->next;
	*(session->next ? &session->next->previous : &server->newest) = session->previous;
	server->open--;
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
	struct client_figures figures = { .open = server->open,
					  .connected = server->connected,
					  .commands = server->commands };
	for (const struct session *session = server->oldest; session; session = session->next)
		figures.commands += atomic_load_explicit(&session->commands, memory_order_relaxed);
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

/* ---- lines of CLIENT LIST ---- */

static void write_text(struct text *text, const char *key, const char *value)
{
	text_format(text, " %s=", key);
	if (value)
		text_bytes(text, value, strlen(value));
}

/* The fields that client libraries read; those that mean nothing here have the value of an idle connection of Redis. */
static void write_line(struct text *text, const struct session *session, int64_t now_s)
{
	uint32_t queued = atomic_load_explicit(&session->queued, memory_order_relaxed);
	const struct command *last = atomic_load_explicit(&session->last, memory_order_relaxed);
	text_format(text, "id=%llu addr=%s fd=-1", (unsigned long long)session->id, session->peer);
	write_text(text, "name", session->name);
	text_format(text,
		    " age=%lld idle=%lld flags=%s db=0 sub=0 psub=0 ssub=0 multi=%d qbuf=0 qbuf-free=0 argv-mem=0 ",
		    (long long)(now_s - session->opened_s),
		    (long long)(now_s - atomic_load_explicit(&session->active_s, memory_order_relaxed)),
		    queued ? "x" : "N", (int)queued - 1);
	text_format(text, "multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=%s user=default redir=-1",
		    last ? last->name : "NULL");
	text_format(text, " resp=%d", atomic_load_explicit(&session->resp3, memory_order_relaxed) ? 3 : 2);
	write_text(text, "lib-name", session->library);
	write_text(text, "lib-ver", session->version);
	text_bytes(text, "\n", 1);
}

void client_write(struct text *text, const struct session *session)
{
	write_line(text, session, clock_s());
}

void client_write_all(struct server *server, struct text *text)
{
	int64_t now_s = clock_s();
	pthread_mutex_lock(&server->sessions_lock);
	for (const struct session *session = server->oldest; session; session = session->next)
		write_line(text, session, now_s);
	pthread_mutex_unlock(&server->sessions_lock);
}

static int by_id(const void *a, const void *b)
{
	int64_t id = *(const int64_t *)a;
	const struct session *session = *(const struct session *const *)b;
	return id < (int64_t)session->id ? -1 : id > (int64_t)session->id;
}

/* The list is in the order of the ids: a million of them are looked up as quickly as they come. */
void client_write_some(struct server *server, const int64_t *ids, size_t count, struct text *text)
{
	int64_t now_s = clock_s();
	size_t open = 0;
	pthread_mutex_lock(&server->sessions_lock);
	const struct session **all = malloc((server->open + 1) * sizeof(struct session *));
	if (!all)
		text->failed = TEXT_NO_MEMORY;
	for (const struct session *session = server->oldest; all && session; session = session->next)
		all[open++] = session;
	for (size_t i = 0; all && !text->failed && i < count; i++) {
		const struct session *const *found = bsearch(&ids[i], all, open, sizeof(struct session *), by_id);
		if (found)
			write_line(text, *found, now_s);
	}
	pthread_mutex_unlock(&server->sessions_lock);
	free(all);
}

/* ---- CLIENT KILL ---- */

static bool is_meant(const struct session *session, const struct client_filter *filter)
{
	return !session->cut && (filter->id == 0 || session->id == filter->id) &&
	       (!filter->address.data || (strlen(session->peer) == filter->address.size &&
					  memcmp(session->peer, filter->address.data, filter->address.size) == 0));
}

void client_cut(const struct kvrel_api *api, struct server *server, const struct client_filter *filter,
		struct session *own)
{
	pthread_mutex_lock(&server->sessions_lock);
	for (struct session *session = server->oldest; session; session = session->next) {
		if (!is_meant(session, filter) || (session == own && filter->spare_own))
			continue;
		session->cut = true;
		own->killed++;
		own->killed_itself |= session == own;
		if (session != own)
			api->conn_cut(session->conn);
	}
	pthread_mutex_unlock(&server->sessions_lock);
}
