/* SPDX-License-Identifier: MIT */
/* One request on its way from the parser to the node, and what it may look at. */
#ifndef KV_RESP_REQUEST_H
#define KV_RESP_REQUEST_H

#include "command.h"
#include "resp.h"
#include "text.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PASSWORD_MAX = 512 };

/* The component. Workers read it; the main thread alone changes it. */
struct server {
	struct kvrel_node *node;
	const struct kvrel_op_ref *ops[COMMANDS_MAX]; /* by index in command_table */
	const struct kvrel_op_ref *count_op, *exists_op;
	_Atomic size_t max_request;
	_Atomic bool has_password;
	_Atomic bool guarded;           /* clients of other hosts are turned away */
	pthread_rwlock_t settings_lock; /* of the password */
	char password[PASSWORD_MAX];
	size_t password_size;
	_Atomic int port; /* known a moment after the first client may be there */
	char address[64];
	int64_t started_s;               /* monotonic */
	pthread_mutex_t sessions_lock;   /* of what follows, and of the links and names of sessions */
	struct session *oldest, *newest; /* in the order of their ids */
	uint64_t last_id, open;
	uint64_t connected, commands; /* since the start or CONFIG RESETSTAT; commands without those of open sessions */
};

enum reply_mode { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT, REPLY_SKIP };

enum transaction {
	TRANSACTION_NONE,
	TRANSACTION_OPEN,
	TRANSACTION_SPOILT, /* one of its requests was refused: EXEC will run nothing */
	TRANSACTION_RUNS,   /* EXEC has come: what is read again up to there is run */
};

/* A connection. Zeroed at its start. Its own worker changes it; others look at it through the server's list. */
struct session {
	uint64_t id;
	struct session *next, *previous; /* on the server's list, by age */
	struct kvrel_conn *conn;
	const char *peer;
	int64_t opened_s;
	_Atomic int64_t active_s;
	_Atomic uint64_t commands;
	_Atomic(const struct command *) last;
	size_t need;              /* no use in parsing before the rest is this long */
	struct resp_words *words; /* of inline commands, until the next receive() */
	char *name;               /* CLIENT SETNAME */
	char *library, *version;  /* CLIENT SETINFO */
	enum reply_mode replies;
	enum transaction transaction;
	size_t held;             /* of an open one: its bytes from MULTI on, looked at and not consumed */
	_Atomic uint32_t queued; /* requests of it, and MULTI; 0: there is none */
	_Atomic bool resp3;
	bool known;   /* authenticated */
	bool foreign; /* from another host */
	bool cut;     /* a CLIENT KILL has found it; under the lock of the list */
	bool killed_itself;
	uint64_t killed; /* by a CLIENT KILL of this one that is not answered yet */
};

/* The last command whose name has four to eight bytes: its first four and its last four. */
struct named {
	uint64_t bytes;
	size_t size;                   /* 0: there was none */
	const struct command *command; /* NULL: there is none of that name */
};

struct request {
	const struct kvrel_api *api;
	struct server *server;
	struct session *session;
	struct kvrel_conn *conn;
	const struct command *command;
	struct named named;
	const struct resp_request *parsed;
	const struct kvrel_slice *args; /* args[0] is the name */
	uint32_t count;
	unsigned sections; /* of INFO, a bit each */
};

static inline bool request_is_guest(const struct server *server, const struct session *session)
{
	return !session->known && atomic_load_explicit(&server->has_password, memory_order_relaxed);
}

/* What a reply has to know: shape, version of the protocol, whether it is wanted, command, sections of INFO. */
enum { TAG_RESP3 = 1 << 8, TAG_SILENT = 1 << 9, TAG_COMMAND = 16, TAG_SECTIONS = 24 };

static inline uint32_t request_tag(const struct request *request, enum shape shape)
{
	uint32_t index = request->command ? (uint32_t)(request->command - command_table) : 0;
	const struct session *session = request->session;
	bool resp3 = atomic_load_explicit(&session->resp3, memory_order_relaxed);
	bool silent = session->replies == REPLY_OFF || session->replies == REPLY_SKIP;
	return (uint32_t)shape | (resp3 ? TAG_RESP3 : 0) | (silent ? TAG_SILENT : 0) | index << TAG_COMMAND |
	       request->sections << TAG_SECTIONS;
}

/* These take the reply slot; false when there was no room. A text is freed. */
static inline bool request_ask(const struct request *request, const struct kvrel_op_ref *op,
			       const struct kvrel_slice *args, uint32_t count, enum shape shape)
{
	return request->api->request(request->conn, op, args, count, request_tag(request, shape));
}
bool request_answer(const struct request *request, struct text *text);
bool request_ok(const struct request *request);
bool request_error(const struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool request_unknown(const struct request *request);
bool request_wrong_arity(const struct request *request);
bool request_unauthenticated(struct request *request);
/* The last of its connection. */
void request_end(struct request *request, const char *error);
void request_end_mistaken(struct request *request, const char *mistake);

/* session.c */
bool run_ping(struct request *request);
bool run_echo(struct request *request);
bool run_hello(struct request *request);
bool run_auth(struct request *request);
bool run_select(struct request *request);
bool run_quit(struct request *request);
bool run_reset(struct request *request);

enum { CLIENT_TEXT_MAX = 1024 };
/* What a connection says of itself is in the lines of CLIENT LIST, which it must not break: NULL, or what it cannot be.
 */
const char *client_text_mistake(struct kvrel_slice text);

/* Of the one user there is. */
bool is_default_user(struct kvrel_slice name);

/* client.c, client_kill.c */
bool client_kill(struct request *request);
/* Whether it is one of the types of Redis' clients; *normal: of the one that clients have here. */
bool client_is_type(struct kvrel_slice word, bool *normal);

/* client_list.c */
/* Puts a connection on the list; takes it off and frees what it holds. */
void client_opened(struct server *server, struct session *session, struct kvrel_conn *conn, const char *peer);
void client_closed(struct server *server, struct session *session);
/* Replaces *place, a text of the session, by a copy; an empty one becomes NULL. False without memory. */
bool client_set_text(struct server *server, char **place, struct kvrel_slice text);

/* A line each. */
void client_write(struct text *text, const struct session *session);
void client_write_all(struct server *server, struct text *text);
void client_write_some(struct server *server, const int64_t *ids, size_t count, struct text *text);

struct client_filter {
	uint64_t id;                /* 0: any */
	struct kvrel_slice address; /* without data: any */
	bool spare_own;
};
/* Ends those that fit and were not found before, but `own`, whose end is its own business: they are added to
 * own->killed. */
void client_cut(const struct kvrel_api *api, struct server *server, const struct client_filter *filter,
		struct session *own);

struct client_figures {
	uint64_t open, connected, commands;
};
struct client_figures client_figures(struct server *server);
void client_reset_figures(struct server *server);

/* describe.c */
bool run_command(struct request *request);

/* info.c */
bool run_info(struct request *request);
void info_write(struct server *server, const char *node_name, int64_t buckets, unsigned sections, struct text *text);
int64_t clock_s(void);

/* transaction.c */
bool run_multi(struct request *request);
bool run_exec(struct request *request);
bool run_discard(struct request *request);
bool run_watch(struct request *request);
bool run_unwatch(struct request *request);
void transaction_end(struct session *session);
static inline bool transaction_is_open(const struct session *session)
{
	return session->transaction == TRANSACTION_OPEN || session->transaction == TRANSACTION_SPOILT;
}
/*
 * Queues requests of an open transaction, behind *used bytes of input, which moves on over what is consumed. False:
 * bytes or room are missing. True: it is over, and what follows in the input is to be run.
 */
bool transaction_receive(struct request *request, struct kvrel_slice input, struct resp_request *parsed, size_t *used);

/* hash.c */
bool run_hset(struct request *request);
bool run_hincrby(struct request *request);
bool run_scan(struct request *request);
bool run_hscan(struct request *request);

/* reply.c */
#define EMPTY_SCAN "*2\r\n$1\r\n0\r\n*0\r\n"
const char *scan_mistake(enum shape shape);
void reply_write(const struct kvrel_api *api, struct kvrel_conn *conn, uint32_t tag, const struct kvrel_result *result,
		 struct kvrel_out *out);

#endif
