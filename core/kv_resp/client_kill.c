/* SPDX-License-Identifier: MIT */
/* CLIENT KILL: the connection from an address, or all that have some properties. */
#include "request.h"

#include <stdio.h>

enum { SHOWN = 128, MISTAKE_BYTES = SHOWN + 64 };

struct kill {
	struct client_filter filter;
	bool nobody; /* of a type or a user that no connection here is of */
	char mistake[MISTAKE_BYTES];
};

static bool refuse(struct kill *kill, const char *what, struct kvrel_slice value)
{
	snprintf(kill->mistake, sizeof(kill->mistake), "ERR %s '%.*s'", what,
		 (int)(value.size > SHOWN ? SHOWN : value.size), value.data);
	return false;
}

static bool refuse_plainly(struct kill *kill, const char *mistake)
{
	snprintf(kill->mistake, sizeof(kill->mistake), "ERR %s", mistake);
	return false;
}

static bool read_type(struct kill *kill, struct kvrel_slice value)
{
	bool normal = false;
	if (!client_is_type(value, &normal))
		return refuse(kill, "Unknown client type", value);
	kill->nobody |= !normal;
	return true;
}

static bool read_spare(struct kill *kill, struct kvrel_slice value)
{
	kill->filter.spare_own = word_is(value, "yes");
	return kill->filter.spare_own || word_is(value, "no") || refuse_plainly(kill, "syntax error");
}

static bool read_id(struct kill *kill, struct kvrel_slice value)
{
	int64_t id;
	if (!word_is_integer(value, &id) || id < 1)
		return refuse_plainly(kill, "client-id should be greater than 0");
	kill->filter.id = (uint64_t)id;
	return true;
}

static bool read_option(struct kill *kill, struct kvrel_slice name, struct kvrel_slice value)
{
	if (word_is(name, "id"))
		return read_id(kill, value);
	if (word_is(name, "type"))
		return read_type(kill, value);
	if (word_is(name, "skipme"))
		return read_spare(kill, value);
	if (word_is(name, "user"))
		return is_default_user(value) || refuse(kill, "No such user", value);
	if (word_is(name, "laddr"))
		return refuse_plainly(kill, "LADDR is not supported yet: use ADDR or ID");
	if (!word_is(name, "addr"))
		return refuse_plainly(kill, "syntax error");
	kill->filter.address = value;
	return true;
}

static bool read_options(const struct request *request, struct kill *kill)
{
	for (uint32_t i = 2; i < request->count; i += 2) {
		if (i + 1 == request->count)
			return refuse_plainly(kill, "syntax error");
		if (!read_option(kill, request->args[i], request->args[i + 1]))
			return false;
	}
	return true;
}

/*
 * The one who asks gets his reply first when he is among them. Where there is no room for the reply yet, the request is
 * made once more: how many were cut off by then is kept.
 */
bool client_kill(struct request *request)
{
	struct session *session = request->session;
	struct kill kill = { .filter.spare_own = true };
	bool by_address = request->count == 3;
	if (by_address)
		kill.filter = (struct client_filter){ .address = request->args[2] };
	else if (!read_options(request, &kill))
		return request_error(request, "%s", kill.mistake);
	if (!kill.nobody)
		client_cut(request->api, request->server, &kill.filter, session);
	struct text text = { 0 };
	if (!by_address)
		text_integer(&text, (int64_t)session->killed);
	else if (session->killed > 0)
		text_simple(&text, "OK");
	else
		text_error(&text, "ERR No such client");
	bool taken = request_answer(request, &text);
	if (!taken)
		return false;
	session->killed = 0;
	if (session->killed_itself)
		request->api->close_after(request->conn);
	return true;
}
