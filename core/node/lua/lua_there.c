/* SPDX-License-Identifier: MIT */
/*
 * A function of another node's Lua: asked for as a command is, over the control protocol, and run there in a session
 * like any expression, with its limits. Operations of components do not come this way: theirs is the link, which is
 * faster and carries any bytes.
 *
 * Nothing here raises an error of Lua's while it owns something.
 */
#include "node/lua/lua_there.h"

#include "base/control.h"
#include "base/json.h"
#include "base/scope.h"
#include "node/commands.h"
#include "node/dist/client.h"
#include "node/lua/evaluate.h"
#include "node/node.h"
#include "script/script.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

enum { RESULT_MAX = 64 << 20, REQUEST_MAX = CONTROL_FRAME_MAX - 1024, LOOK_MS = 100 };

/* ---- the request ---- */

static void put_string(struct buf *out, const char *data, size_t size)
{
	buf_append_char(out, '"');
	for (size_t i = 0; i < size; i++)
		buf_printf(out, "\\x%02x", (unsigned char)data[i]);
	buf_append_char(out, '"');
}

static void put_number(lua_State *lua, int index, struct buf *out)
{
	if (lua_isinteger(lua, index)) {
		buf_printf(out, "0x%llx", (unsigned long long)lua_tointeger(lua, index)); /* wraps round to the same */
		return;
	}
	double number = lua_tonumber(lua, index);
	if (number != number)
		buf_append_string(out, "0/0");
	else if (number > 1.7976931348623157e308 || number < -1.7976931348623157e308)
		buf_append_string(out, number > 0 ? "1e999" : "-1e999");
	else
		buf_printf(out, "%a", number);
}

static bool put_argument(lua_State *lua, int index, struct buf *out)
{
	size_t size = 0;
	const char *text;
	switch (lua_type(lua, index)) {
	case LUA_TNIL:
		buf_append_string(out, "nil");
		return true;
	case LUA_TBOOLEAN:
		buf_append_string(out, lua_toboolean(lua, index) ? "true" : "false");
		return true;
	case LUA_TNUMBER:
		put_number(lua, index, out);
		return true;
	case LUA_TSTRING:
		text = lua_tolstring(lua, index, &size);
		put_string(out, text, size);
		return true;
	default:
		return false;
	}
}

static int make_request(lua_State *lua, const char *function, int first, struct buf *out, struct error *err)
{
	buf_init(out, REQUEST_MAX);
	buf_append(out, "json\0rpc.call", sizeof("json\0rpc.call"));
	buf_append_string(out, "return (rpc.call(node.name(), ");
	put_string(out, function, strlen(function));
	for (int i = first; i <= lua_gettop(lua); i++) {
		buf_append_string(out, ", ");
		if (!put_argument(lua, i, out))
			return error_set(err, ERROR_INVALID, "a %s cannot be sent to another node",
					 luaL_typename(lua, i));
	}
	buf_append_string(out, "))");
	return out->failed ? error_set(err, ERROR_LIMIT, "the arguments are too large for a function of another node")
			   : 0;
}

/* ---- the conversation ---- */

static int open_there(struct node *node, const char *name, int *fd, struct error *err)
{
	struct dist_client *client = NULL;
	if (node->release.distribution == DISTRIBUTION_SNAME) {
		int rc = control_connect(node->control_dir, name, fd, err);
		return rc != -ERROR_NOT_FOUND ? rc : error_set(err, ERROR_NOT_FOUND, "it is not running on this host");
	}
	int rc = dist_client_open(name, buf_slice(&node->cookie), &client, err);
	return rc != 0 ? rc : channel_carry(client, fd, err);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_for(int fd, int64_t until_ms, const struct script *script, struct error *err)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int rc = poll(&poll_fd, 1, LOOK_MS);
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return error_system(err, errno, "poll");
		if (script_is_interrupted(script))
			return error_set(err, ERROR_FAILED, "interrupted");
		if (now_ms() >= until_ms)
			return error_set(err, ERROR_TRY_AGAIN,
					 "it did not answer before the deadline: the outcome is unknown");
	}
}

/* The rest of a frame has the same deadline: the other node may hang in the middle of it. */
static int receive(int fd, char *frame, int64_t until_ms, char *type, struct slice *payload, struct error *err)
{
	int64_t left_ms = until_ms - now_ms();
	if (left_ms < 1)
		left_ms = 1;
	struct timeval limit = { .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };
	(void)!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return control_receive(fd, frame, CONTROL_FRAME_MAX, type, payload, err);
}

/* The first line says what went wrong, a traceback follows; or there was no session at all, and DONE says why. */
static int failed_there(const struct buf *said, struct slice done, struct error *err)
{
	struct slice line = done.size > 0 ? slice_trim((struct slice){ done.data + 1, done.size - 1 }) : done;
	struct slice rest;
	if (said->size > 0)
		slice_split(buf_slice(said), '\n', &line, &rest);
	return error_set(err, ERROR_FAILED, "%.*s", SLICE_FMT(line));
}

struct answer {
	struct buf out, said; /* the result as JSON; what it printed, or what went wrong */
};

static void answer_done(struct answer *answer)
{
	buf_done(&answer->out);
	buf_done(&answer->said);
}

static int hear(int fd, int64_t until_ms, const struct script *script, struct answer *answer, struct error *err)
{
	SCOPE_FREE char *frame = malloc(CONTROL_FRAME_MAX);
	struct slice payload;
	char type;
	if (frame == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	for (;;) {
		int rc = wait_for(fd, until_ms, script, err);
		if (rc == 0)
			rc = receive(fd, frame, until_ms, &type, &payload, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return error_set(err, ERROR_FAILED, "the connection was lost: the outcome is unknown");
		if (type == CONTROL_OUT || type == CONTROL_ERR)
			buf_append_slice(type == CONTROL_OUT ? &answer->out : &answer->said, payload);
		if (type != CONTROL_DONE)
			continue;
		if (answer->out.failed || answer->said.failed)
			return error_set(err, ERROR_LIMIT, "its result is too large");
		if (payload.size == 0 || payload.data[0] != 0)
			return failed_there(&answer->said, payload, err);
		return 0;
	}
}

static int ask(struct evaluator *evaluator, const char *name, struct slice request, int64_t until_ms,
	       struct value **out, struct error *err)
{
	SCOPE(answer_done) struct answer answer = { 0 };
	SCOPE_FD int fd = -1;
	buf_init(&answer.out, RESULT_MAX);
	buf_init(&answer.said, RESULT_MAX);
	int rc = open_there(evaluator->node, name, &fd, err);
	if (rc == 0)
		rc = control_send(fd, CONTROL_RPC, request, err);
	if (rc != 0)
		return error_wrap(err, "node '%s' is unreachable", name);
	rc = hear(fd, until_ms, evaluator->script, &answer, err);
	if (rc != 0)
		return rc;
	if (answer.said.size > 0)
		evaluator_print(evaluator, buf_slice(&answer.said));
	return json_parse(evaluator->results, buf_slice(&answer.out), name, out, err);
}

int lua_there_call(lua_State *lua, struct evaluator *evaluator, const char *name, const char *function, int first,
		   int64_t timeout_ms, struct value **out, struct error *err)
{
	SCOPE(buf_done) struct buf request = { 0 };
	int rc = make_request(lua, function, first, &request, err);
	return rc != 0 ? rc : ask(evaluator, name, buf_slice(&request), now_ms() + timeout_ms, out, err);
}
