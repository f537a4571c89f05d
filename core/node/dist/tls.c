/* SPDX-License-Identifier: MIT */
#include "node/dist/tls.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 32, WRITE_BYTES = 16 * 1024, UNTAKEN_MAX = 512 * 1024 };

static const char identity[] = "kvrel node";
static const char key_purpose[] = "kvrel distribution key 1";

struct tls_context {
	SSL_CTX *ctx;
	unsigned char key[KEY_BYTES];
};

struct tls_session {
	SSL *ssl;
	BIO *in, *out; /* the ssl's */
	int result;    /* of the operation that failed */
	unsigned long reason;
	bool failed;
};

/* ---- the key ---- */

/* A session that was never held, with the key of the cookie: what OpenSSL calls an external pre-shared key. */
static SSL_SESSION *key_session(SSL *ssl)
{
	static const unsigned char aes_128_gcm_sha256[] = { 0x13, 0x01 };
	const struct tls_context *context = SSL_get_app_data(ssl);
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes_128_gcm_sha256);
	SSL_SESSION *session = cipher != NULL ? SSL_SESSION_new() : NULL;
	if (session == NULL)
		return NULL;
	if (SSL_SESSION_set1_master_key(session, context->key, sizeof(context->key)) == 1 &&
	    SSL_SESSION_set_cipher(session, cipher) == 1 &&
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1)
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

static int use_key(SSL *ssl, const EVP_MD *digest, const unsigned char **id, size_t *id_size, SSL_SESSION **session)
{
	*session = NULL;
	*id = (const unsigned char *)identity;
	*id_size = sizeof(identity) - 1;
	/* after a HelloRetryRequest another hash may be asked for: then there is no key */
	if (digest != NULL && EVP_MD_get_type(digest) != NID_sha256)
		return 1;
	*session = key_session(ssl);
	return *session != NULL;
}

static int find_key(SSL *ssl, const unsigned char *id, size_t id_size, SSL_SESSION **session)
{
	*session = NULL;
	if (id_size != sizeof(identity) - 1 || memcmp(id, identity, id_size) != 0)
		return 1; /* unknown: the handshake then fails for want of a certificate */
	*session = key_session(ssl);
	return *session != NULL;
}

/* ---- contexts ---- */

static bool begin_library(void)
{
	/* neither the host's openssl.cnf nor its modules may reach into the bundle */
	const uint64_t options = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;
	return OPENSSL_init_crypto(options, NULL) == 1 && OPENSSL_init_ssl(options, NULL) == 1 &&
	       OSSL_PROVIDER_set_default_search_path(NULL, "/nonexistent") == 1;
}

static bool configure(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_clear_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_psk_use_session_callback(ctx, use_key);
	SSL_CTX_set_psk_find_session_callback(ctx, find_key);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
	       SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 && SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	       SSL_CTX_set_max_early_data(ctx, 0) == 1;
}

static void context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_CTX_free(context->ctx);
	OPENSSL_cleanse(context->key, sizeof(context->key));
	free(context);
}

static struct tls_context *context_new(const void *cookie, size_t size)
{
	struct tls_context *context = size > 0 && begin_library() ? calloc(1, sizeof(*context)) : NULL;
	unsigned key_size = 0;
	if (context == NULL)
		return NULL;
	context->ctx = SSL_CTX_new(TLS_method());
	if (context->ctx != NULL && configure(context->ctx) &&
	    HMAC(EVP_sha256(), cookie, (int)size, (const unsigned char *)key_purpose, sizeof(key_purpose) - 1,
		 context->key, &key_size) != NULL &&
	    key_size == KEY_BYTES)
		return context;
	context_free(context);
	return NULL;
}

/* ---- sessions ---- */

static void session_free(struct tls_session *session)
{
	if (session == NULL)
		return;
	SSL_free(session->ssl);
	free(session);
}

static struct tls_session *session_new(struct tls_context *context, bool server)
{
	struct tls_session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		return NULL;
	session->ssl = SSL_new(context->ctx);
	session->in = session->ssl != NULL ? BIO_new(BIO_s_mem()) : NULL;
	session->out = session->in != NULL ? BIO_new(BIO_s_mem()) : NULL;
	if (session->out == NULL) {
		BIO_free(session->in);
		session_free(session);
		return NULL;
	}
	BIO_set_mem_eof_return(session->in, -1);
	BIO_set_mem_eof_return(session->out, -1);
	SSL_set_bio(session->ssl, session->in, session->out);
	SSL_set_app_data(session->ssl, context);
	if (server)
		SSL_set_accept_state(session->ssl);
	else
		SSL_set_connect_state(session->ssl);
	return session;
}

static bool feed(struct tls_session *session, const void *data, size_t size)
{
	size_t written = 0;
	return BIO_write_ex(session->in, data, size, &written) == 1 && written == size;
}

static size_t take(struct tls_session *session, void *out, size_t room)
{
	size_t taken = 0;
	return BIO_read_ex(session->out, out, room, &taken) == 1 ? taken : 0;
}

/* True when the operation only waits for more bytes. */
static bool waits(struct tls_session *session, int result)
{
	int code = SSL_get_error(session->ssl, result);
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return true;
	session->failed = true;
	session->result = code;
	session->reason = ERR_peek_error();
	return false;
}

static int handshake(struct tls_session *session)
{
	ERR_clear_error();
	int result = SSL_do_handshake(session->ssl);
	if (result == 1)
		return SSL_session_reused(session->ssl) == 1 ? 1 : -1;
	return waits(session, result) ? 0 : -1;
}

static ssize_t read_some(struct tls_session *session, void *out, size_t room)
{
	size_t got = 0;
	if (BIO_pending(session->in) == 0 && SSL_has_pending(session->ssl) == 0)
		return 0; /* asking would cost as much as a short record */
	/* a request for new keys has to be answered, also one of somebody who reads nothing */
	if (BIO_pending(session->out) > UNTAKEN_MAX) {
		session->failed = true;
		return -1;
	}
	ERR_clear_error();
	int result = SSL_read_ex(session->ssl, out, room, &got);
	if (result == 1)
		return (ssize_t)got;
	return waits(session, result) ? 0 : -1;
}

static bool write_all(struct tls_session *session, const void *data, size_t size)
{
	const char *at = data;
	while (size > 0) {
		size_t written = 0;
		size_t part = size < WRITE_BYTES ? size : WRITE_BYTES;
		ERR_clear_error();
		int result = SSL_write_ex(session->ssl, at, part, &written);
		if (result != 1) {
			waits(session, result);
			return false;
		}
		at += written;
		size -= written;
	}
	return true;
}

/* A buffer of OpenSSL's never gets smaller. */
static BIO *renewed(BIO *old)
{
	BIO *bio = BIO_pending(old) == 0 ? BIO_new(BIO_s_mem()) : NULL;
	if (bio != NULL)
		BIO_set_mem_eof_return(bio, -1);
	return bio;
}

static void rest(struct tls_session *session)
{
	BIO *in = renewed(session->in);
	BIO *out = renewed(session->out);
	if (in != NULL)
		SSL_set0_rbio(session->ssl, session->in = in);
	if (out != NULL)
		SSL_set0_wbio(session->ssl, session->out = out);
}

static enum tls_problem problem(struct tls_session *session, char *out, size_t out_size)
{
	const char *text = ERR_reason_error_string(session->reason);
	if (out_size > 0) {
		out[0] = '\0';
		strncat(out, text != NULL ? text : "the connection ended", out_size - 1);
	}
	if (!session->failed || session->result == SSL_ERROR_ZERO_RETURN || session->reason == 0)
		return TLS_PROBLEM_ENDED;
	switch (ERR_GET_REASON(session->reason)) {
	case SSL_R_BINDER_DOES_NOT_VERIFY: /* the server's sight of another key; the alerts are the client's */
	case SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER:
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_MISSING_SIGALGS_EXTENSION:
	case SSL_R_TLSV13_ALERT_MISSING_EXTENSION:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
		return TLS_PROBLEM_COOKIE;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_BAD_RECORD_TYPE:
		return TLS_PROBLEM_NO_TLS;
	default:
		return TLS_PROBLEM_OTHER;
	}
}

__attribute__((visibility("default"))) const struct tls_api *kvrel_dist_tls(void);

const struct tls_api *kvrel_dist_tls(void)
{
	static const struct tls_api api = {
		.size = sizeof(api),
		.context_new = context_new,
		.context_free = context_free,
		.session_new = session_new,
		.session_free = session_free,
		.feed = feed,
		.take = take,
		.handshake = handshake,
		.read = read_some,
		.write = write_all,
		.rest = rest,
		.problem = problem,
	};
	return &api;
}
