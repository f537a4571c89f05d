/* SPDX-License-Identifier: MIT */
/* Commands about the connection itself. They take effect when they are read, so that what follows in a pipeline sees
 * them. */
#include "request.h"

#include <string.h>

bool run_ping(struct request *request)
{
	if (request->count > 2)
		return request_wrong_arity(request);
	if (request->count == 1)
		return request_ask(request, NULL, NULL, 0, SHAPE_PONG);
	return run_echo(request);
}

bool run_echo(struct request *request)
{
	return request_ask(request, NULL, request->args + 1, 1, SHAPE_BULK);
}

/* ---- authentication ---- */

/* Takes the same time wherever the difference is. */
static bool same_secret(struct kvrel_slice given, const char *secret, size_t size)
{
	volatile unsigned char difference = given.size != size;
	for (size_t i = 0; i < given.size; i++)
		difference |= (unsigned char)(given.data[i] ^ secret[size ? i % size : 0]);
	return difference == 0;
}

bool is_default_user(struct kvrel_slice name)
{
	static const char user[] = "default";
	return name.size == sizeof(user) - 1 && memcmp(name.data, user, name.size) == 0;
}

/* Where no password is set, the one user is let in with any, as Redis does. */
static bool password_is(struct server *server, struct kvrel_slice user, struct kvrel_slice password)
{
	pthread_rwlock_rdlock(&server->settings_lock);
	bool right = server->password_size == 0 || same_secret(password, server->password, server->password_size);
	pthread_rwlock_unlock(&server->settings_lock);
	return right && is_default_user(user);
}

static const char wrong_pass[] = "WRONGPASS invalid username-password pair or user is disabled.";

bool run_auth(struct request *request)
{
	static const char user[] = "default";
	if (request->count > 3)
		return request_error(request, "ERR syntax error");
	bool named = request->count == 3;
	if (!named && !atomic_load_explicit(&request->server->has_password, memory_order_relaxed))
		return request_error(request, "ERR AUTH <password> called without any password configured for the "
					      "default user. Are you sure your configuration is correct?");
	struct kvrel_slice name = named ? request->args[1] : (struct kvrel_slice){ user, sizeof(user) - 1 };
	if (!password_is(request->server, name, request->args[request->count - 1]))
		return request_error(request, "%s", wrong_pass);
	request->session->known = true;
	return request_ok(request);
}

/* ---- names ---- */

const char *client_text_mistake(struct kvrel_slice text)
{
	if (text.size > CLIENT_TEXT_MAX)
		return "cannot be longer than 1024 bytes.";
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '!' || text.data[i] > '~')
			return "cannot contain spaces, newlines or special characters.";
	}
	return NULL;
}

/* ---- HELLO ---- */

struct hello {
	int version; /* 0: as it is */
	bool auth, rename;
	struct kvrel_slice user, password, name;
};

static const char bad_name[] = "ERR Client names", bad_option[] = "ERR Syntax error in HELLO option";

/* NULL, or the error; `word` is the option that was not understood. */
static const char *read_hello(const struct request *request, struct hello *out, struct kvrel_slice *word)
{
	*out = (struct hello){ 0 };
	if (request->count > 1) {
		int64_t version;
		if (!word_is_integer(request->args[1], &version))
			return "ERR Protocol version is not an integer or out of range";
		if (version != 2 && version != 3)
			return "NOPROTO unsupported protocol version";
		out->version = (int)version;
	}
	for (uint32_t i = 2; i < request->count;) {
		*word = request->args[i];
		if (word_is(*word, "auth") && i + 2 < request->count) {
			out->auth = true;
			out->user = request->args[i + 1];
			out->password = request->args[i + 2];
			i += 3;
		} else if (word_is(*word, "setname") && i + 1 < request->count) {
			out->rename = true;
			out->name = request->args[i + 1];
			if (client_text_mistake(out->name))
				return bad_name;
			i += 2;
		} else {
			return bad_option;
		}
	}
	return NULL;
}

static bool answer_hello(const struct request *request)
{
	struct text text = { .resp3 = request->session->resp3 };
	text_map(&text, 7);
	text_string(&text, "server");
	text_string(&text, "kvrel");
	text_string(&text, "version");
	text_string(&text, "7.0.0"); /* of the Redis whose behaviour this follows */
	text_string(&text, "proto");
	text_integer(&text, request->session->resp3 ? 3 : 2);
	text_string(&text, "id");
	text_integer(&text, (int64_t)request->session->id);
	text_string(&text, "mode");
	text_string(&text, "standalone");
	text_string(&text, "role");
	text_string(&text, "master");
	text_string(&text, "modules");
	text_array(&text, 0);
	return request_answer(request, &text);
}

bool run_hello(struct request *request)
{
	struct session *session = request->session;
	struct hello hello;
	struct kvrel_slice word = { "", 0 };
	const char *mistake = read_hello(request, &hello, &word);
	if (hello.auth && !password_is(request->server, hello.user, hello.password))
		return request_error(request, "%s", wrong_pass);
	if (mistake == bad_option)
		return request_error(request, "%s '%.*s'", mistake, (int)(word.size > 64 ? 64 : word.size), word.data);
	if (mistake == bad_name)
		return request_error(request, "%s %s", mistake, client_text_mistake(hello.name));
	if (mistake)
		return request_error(request, "%s", mistake);
	if (hello.auth)
		session->known = true;
	if (request_is_guest(request->server, session))
		return request_error(request, "NOAUTH HELLO must be called with the client already authenticated, "
					      "otherwise the HELLO AUTH <user> <pass> option can be used to "
					      "authenticate the client and select the RESP protocol version at the "
					      "same time");
	if (hello.rename && !client_set_text(request->server, &session->name, hello.name))
		return request_error(request, "ERR out of memory");
	if (hello.version)
		session->resp3 = hello.version == 3;
	return answer_hello(request);
}

/* ---- the rest ---- */

bool run_select(struct request *request)
{
	int64_t database;
	if (!word_is_integer(request->args[1], &database))
		return request_error(request, "ERR value is not an integer or out of range");
	if (database < INT32_MIN || database > INT32_MAX)
		return request_error(request, "ERR value is out of range, value must between %d and %d", INT32_MIN,
				     INT32_MAX);
	if (database != 0)
		return request_error(request, "ERR DB index is out of range");
	return request_ok(request);
}

bool run_quit(struct request *request)
{
	bool taken = request_ok(request);
	if (taken)
		request->api->close_after(request->conn);
	return taken;
}

bool run_reset(struct request *request)
{
	struct session *session = request->session;
	struct text text = { 0 };
	if (session->replies != REPLY_SKIP) /* whose end comes by itself, behind this reply */
		session->replies = REPLY_ON;
	text_simple(&text, "RESET");
	if (!request_answer(request, &text))
		return false;
	session->resp3 = false;
	session->known = false;
	transaction_end(session);
	client_set_text(request->server, &session->name, (struct kvrel_slice){ 0 });
	return true;
}
