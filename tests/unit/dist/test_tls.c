/* SPDX-License-Identifier: MIT */
/* TLS between two sessions of one process, with a look at what OpenSSL itself sees: so the source is a part of this. */
#include "node/dist/tls.c"

#include <criterion/criterion.h>

enum { PIECE_BYTES = 16 * 1024, ROUNDS = 20 };

static const struct tls_api *api;
static struct tls_context *one, *another;

static void set_up(void)
{
	api = kvrel_dist_tls();
	one = api->context_new("biscuit", 7);
	another = api->context_new("cracker", 7);
	cr_assert(one != NULL && another != NULL);
}

static void tear_down(void)
{
	api->context_free(one);
	api->context_free(another);
}

TestSuite(tls, .init = set_up, .fini = tear_down, .timeout = 60);

/* All that `from` has to say; how many bytes. */
static size_t carry(struct tls_session *from, struct tls_session *to)
{
	char piece[PIECE_BYTES];
	size_t all = 0;
	for (size_t size; (size = api->take(from, piece, sizeof(piece))) > 0; all += size)
		cr_assert(api->feed(to, piece, size));
	return all;
}

/* The last words of both. */
static void shake_hands(struct tls_session *client, struct tls_session *server, int *client_says, int *server_says)
{
	*client_says = *server_says = 0;
	for (int i = 0; i < ROUNDS; i++) {
		*client_says = *client_says == 0 ? api->handshake(client) : *client_says;
		carry(client, server);
		*server_says = *server_says == 0 ? api->handshake(server) : *server_says;
		carry(server, client);
	}
}

static void linked(struct tls_session **client, struct tls_session **server)
{
	int client_says, server_says;
	*client = api->session_new(one, false);
	*server = api->session_new(one, true);
	shake_hands(*client, *server, &client_says, &server_says);
	cr_assert(client_says == 1 && server_says == 1);
}

Test(tls, links_who_knows_the_cookie_and_gives_no_tickets)
{
	struct tls_session *client, *server;
	char said[16];
	linked(&client, &server);
	cr_expect_str_eq(SSL_get_version(server->ssl), "TLSv1.3");
	cr_expect_eq(SSL_session_reused(server->ssl), 1); /* by the key, not by a certificate */
	cr_expect_eq(SSL_get_max_early_data(server->ssl), 0);
	cr_expect_eq(carry(server, client), 0);
	cr_assert(api->write(client, "milk", 4));
	carry(client, server);
	cr_expect_eq(api->read(server, said, sizeof(said)), 4);
	api->session_free(client);
	api->session_free(server);
}

Test(tls, refuses_another_cookie_on_both_sides)
{
	struct tls_session *client = api->session_new(one, false);
	struct tls_session *server = api->session_new(another, true);
	int client_says, server_says;
	char why[128];
	shake_hands(client, server, &client_says, &server_says);
	cr_expect(client_says == -1 && server_says == -1, "%d %d", client_says, server_says);
	cr_expect_eq(api->problem(client, why, sizeof(why)), TLS_PROBLEM_COOKIE, "%s", why);
	cr_expect_eq(api->problem(server, why, sizeof(why)), TLS_PROBLEM_COOKIE, "%s", why);
	api->session_free(client);
	api->session_free(server);
}

/* Each asks for an answer that is never taken. */
Test(tls, hangs_up_on_who_asks_for_new_keys_for_ever)
{
	enum { TIMES = 100 * 1000 };
	struct tls_session *client, *server;
	char said[16];
	ssize_t got = 0;
	int times = 0;
	linked(&client, &server);
	for (; times < TIMES && got == 0; times++) {
		cr_assert_eq(SSL_key_update(client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		cr_assert_eq(SSL_do_handshake(client->ssl), 1);
		carry(client, server);
		got = api->read(server, said, sizeof(said));
	}
	cr_expect_eq(got, -1);
	cr_expect_lt(times, TIMES);
	cr_expect_leq(BIO_pending(server->out), UNTAKEN_MAX + 1024);
	api->session_free(client);
	api->session_free(server);
}
