/* SPDX-License-Identifier: MIT */
/*
 * MULTI … EXEC: requests that are answered by +QUEUED until EXEC has them run in one go, or DISCARD forgets them.
 *
 * Nothing is copied. What follows MULTI is looked at and answered, but stays in the connection's input, as a request
 * does that is not whole yet, and so within the same bounds. At EXEC the head of the array is answered and the input is
 * read again from MULTI on, this time as any other: the replies become the array's items one after another, and where
 * there is no room for all of them the rest waits as usual. A transaction that was refused holds nothing.
 *
 * That is a pipeline which begins only when its end is known. Requests of others may be run between those of it, which
 * is why there is no WATCH.
 */
#include "plain.h"
#include "request.h"

static void begin(struct session *session, size_t size)
{
	session->transaction = TRANSACTION_OPEN;
	session->held = size;
	atomic_store_explicit(&session->queued, 1, memory_order_relaxed);
}

void transaction_end(struct session *session)
{
	session->transaction = TRANSACTION_NONE;
	atomic_store_explicit(&session->queued, 0, memory_order_relaxed);
}

/* ---- commands ---- */

/* False also when it has begun: the requests behind it are not to be run. */
bool run_multi(struct request *request)
{
	struct session *session = request->session;
	if (session->transaction == TRANSACTION_RUNS)
		return true;
	if (transaction_is_open(session))
		return request_error(request, "ERR MULTI calls can not be nested");
	if (!request_ok(request))
		return false;
	if (session->replies == REPLY_SKIP)
		session->replies = REPLY_ON;
	begin(session, request->parsed->size);
	return false;
}

static bool answer_head(const struct request *request)
{
	struct text text = { 0 };
	text_array(&text, atomic_load_explicit(&request->session->queued, memory_order_relaxed) - 1);
	return request_answer(request, &text);
}

bool run_exec(struct request *request)
{
	struct session *session = request->session;
	switch (session->transaction) {
	case TRANSACTION_NONE:
		return request_error(request, "ERR EXEC without MULTI");
	case TRANSACTION_OPEN:
		if (!answer_head(request))
			return false;
		session->transaction = TRANSACTION_RUNS;
		return true;
	case TRANSACTION_SPOILT:
		if (!request_error(request, "EXECABORT Transaction discarded because of previous errors."))
			return false;
		break;
	case TRANSACTION_RUNS:
		break;
	}
	transaction_end(session);
	return true;
}

bool run_discard(struct request *request)
{
	if (!transaction_is_open(request->session))
		return request_error(request, "ERR DISCARD without MULTI");
	if (!request_ok(request))
		return false;
	transaction_end(request->session);
	return true;
}

bool run_watch(struct request *request)
{
	if (request->session->transaction == TRANSACTION_RUNS)
		return true;
	if (transaction_is_open(request->session))
		return request_error(request, "ERR WATCH inside MULTI is not allowed");
	return request_error(request, "ERR WATCH is not supported yet: a transaction can't be made to depend on what "
				      "others change");
}

bool run_unwatch(struct request *request)
{
	return request_ok(request);
}

/* ---- the queue ---- */

/* EXEC ends it, also where it was refused itself. */
static bool spoil(struct request *request, bool answered)
{
	const struct command *command = request->command;
	if (answered && command && command->run == run_exec)
		transaction_end(request->session);
	else if (answered)
		request->session->transaction = TRANSACTION_SPOILT;
	return answered;
}

static bool answer_queued(const struct request *request)
{
	struct text text = { 0 };
	text_simple(&text, "QUEUED");
	return request_answer(request, &text);
}

/* False when there was no room for the answer. */
static bool queue(struct request *request)
{
	struct session *session = request->session;
	const struct command *command = command_find(request->args[0]);
	request->command = command;
	atomic_store_explicit(&session->last, command, memory_order_relaxed);
	if (!command)
		return spoil(request, request_unknown(request));
	if (!arity_takes(command->arity, request->count))
		return spoil(request, request_wrong_arity(request));
	if (!(command->flags & COMMAND_GUEST) && request_is_guest(request->server, session))
		return spoil(request, request_unauthenticated(request));
	bool answered;
	if (subcommand_refused(request, &answered))
		return spoil(request, answered);
	if (command->flags & COMMAND_NOW)
		return command->run(request);
	if (!answer_queued(request))
		return false;
	atomic_fetch_add_explicit(&session->queued, 1, memory_order_relaxed);
	return true;
}

/* A transaction is as long as one request may be. */
static enum resp_status parse(struct request *request, struct kvrel_slice rest, struct resp_request *parsed)
{
	struct session *session = request->session;
	size_t most = atomic_load_explicit(&request->server->max_request, memory_order_relaxed);
	struct resp_limits limits = {
		.request_max = most > session->held ? most - session->held : 0,
		.guest = request_is_guest(request->server, session),
	};
	enum resp_status status = resp_parse(parsed, rest, &limits, &session->words);
	if (status != RESP_REQUEST || parsed->size <= limits.request_max)
		return status;
	parsed->mistake = "too big transaction";
	return RESP_MISTAKE;
}

bool transaction_receive(struct request *request, struct kvrel_slice input, struct resp_request *parsed, size_t *used)
{
	struct session *session = request->session;
	while (transaction_is_open(session)) {
		size_t at = *used + session->held;
		switch (parse(request, (struct kvrel_slice){ input.data + at, input.size - at }, parsed)) {
		case RESP_INCOMPLETE:
			session->need = session->held + parsed->need;
			return false;
		case RESP_MISTAKE:
			request_end_mistaken(request, parsed->mistake);
			return false;
		case RESP_REQUEST:
			break;
		}
		request->args = parsed->args;
		request->count = parsed->count;
		if (parsed->count > 0 && !queue(request))
			return false;
		session->held += parsed->size;
		if (session->transaction == TRANSACTION_OPEN)
			continue;
		if (session->transaction != TRANSACTION_RUNS)
			*used += session->held;
		session->held = 0;
	}
	return true;
}
