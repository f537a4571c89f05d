/* SPDX-License-Identifier: MIT */
/*
 * TLS 1.3 between nodes, as libkvdist.so offers it: a library of its own, because OpenSSL costs every start a
 * millisecond and most nodes never need it. libkvnode opens it when the first link by `name` is wanted.
 *
 * Both sides prove that they know the cookie: it is the external pre-shared key of the handshake (with ephemeral
 * Diffie-Hellman, so that a cookie that leaks later opens nothing recorded). There are no certificates, no tickets and
 * no early data; nothing of a link passes before the handshake is complete.
 *
 * A session knows no socket: bytes of the wire go in by feed() and come out by take(). One thread at a time a session;
 * sessions of one context may be used by several.
 */
#ifndef NODE_DIST_TLS_H
#define NODE_DIST_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_context;
struct tls_session;

enum tls_problem {
	TLS_PROBLEM_COOKIE, /* the other side has another one, or none */
	TLS_PROBLEM_NO_TLS, /* it speaks something else */
	TLS_PROBLEM_ENDED,  /* it went away */
	TLS_PROBLEM_OTHER,
};

struct tls_api {
	uint32_t size; /* sizeof(struct tls_api) */
	/* NULL: it could not be done. The cookie is not kept. */
	struct tls_context *(*context_new)(const void *cookie, size_t size);
	void (*context_free)(struct tls_context *context);
	struct tls_session *(*session_new)(struct tls_context *context, bool server);
	void (*session_free)(struct tls_session *session);

	/* Bytes that came from the wire. False: no memory. */
	bool (*feed)(struct tls_session *session, const void *data, size_t size);
	/* Bytes for the wire; 0 when there are none now. To be called after each of the following. */
	size_t (*take)(struct tls_session *session, void *out, size_t room);
	/* 1: complete, 0: goes on when more has come, -1: failed. */
	int (*handshake)(struct tls_session *session);
	/* Bytes of the other side; 0: none now, -1: the end or a failure. */
	ssize_t (*read)(struct tls_session *session, void *out, size_t room);
	/* All of it, or false. */
	bool (*write)(struct tls_session *session, const void *data, size_t size);
	/* Nothing passes for a while: buffers that hold nothing go back to the heap. */
	void (*rest)(struct tls_session *session);
	/* Why it failed; the text goes into out. */
	enum tls_problem (*problem)(struct tls_session *session, char *out, size_t out_size);
};

typedef const struct tls_api *tls_api_fn(void);
#define TLS_SYMBOL  "kvrel_dist_tls"
#define TLS_LIBRARY "libkvdist.so"

struct error;
struct slice;
/* `path` NULL: the one beside this library. */
int tls_open(const char *path, struct slice cookie, const struct tls_api **api, struct tls_context **context,
	     struct error *err);

#endif
