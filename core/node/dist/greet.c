/* SPDX-License-Identifier: MIT */
/*
 * How a link begins, once it is open: secured, and both sides have said who they are.
 *
 * Two nodes may open a link to each other at the same time; of the two links the one stays that the node with the
 * smaller name opened. A node that comes back in a new life replaces what was left of the old one.
 */
#include "node/dist/internal.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- proving ---- */

void link_say_hello(struct link *link, struct slice to)
{
	const struct dist *dist = link->dist;
	const struct frame_hello hello = {
		.version = FRAME_VERSION,
		.instance = dist->instance,
		.from = slice_of(dist->name),
		.to = to,
	};
	frame_put_hello(&link->out, &hello);
	link_touch(link);
}

static void tls_failed(struct link *link)
{
	struct dist *dist = link->dist;
	char text[128];
	char reason[REASON_BYTES];
	enum tls_problem problem = dist->tls_api->problem(link->tls, text, sizeof(text));
	if (problem == TLS_PROBLEM_COOKIE)
		snprintf(reason, sizeof(reason), "its cookie is not the one of %s", dist->name);
	else if (problem == TLS_PROBLEM_NO_TLS)
		snprintf(reason, sizeof(reason), "it does not speak TLS 1.3 (%s)", text);
	else
		snprintf(reason, sizeof(reason), "the handshake failed (%s)", text);
	if (!link->ours)
		refusal_log(dist, link, reason);
	link_flush(link); /* the alert tells the other side why */
	if (link->state != LINK_CLOSED)
		link_close(link, reason);
}

void link_secure(struct link *link)
{
	int rc = link->dist->tls_api->handshake(link->tls);
	link_touch(link);
	if (rc < 0) {
		tls_failed(link);
		return;
	}
	if (rc == 0)
		return;
	link->state = LINK_GREETING;
	if (link->ours)
		link_say_hello(link, slice_of(link->peer->name));
}

/* ---- names ---- */

void link_refuse(struct link *link, const char *text)
{
	refusal_log(link->dist, link, text);
	frame_put(&link->out, FRAME_REFUSE, slice_of(text));
	link_end(link);
}

/* True when the link that is there stays and the new one goes. */
static bool old_one_stays(const struct peer *peer, const struct link *new_one, uint64_t instance)
{
	const struct link *old = peer->link;
	if (old == NULL || old == new_one)
		return false;
	bool mine_counts = strcmp(peer->dist->name, peer->name) < 0;
	if (old->state != LINK_UP)
		return mine_counts;
	/* it opened this one before it knew of mine; else it has lost the old link, or its life, and we do not know yet
	 */
	return old->ours && mine_counts && old->instance == instance && dist_now_ms() - old->since_ms < CONNECT_MS;
}

static void replace_link(struct peer *peer, struct link *link)
{
	struct link *old = peer->link;
	if (old == NULL || old == link)
		return;
	bool was_up = old->state == LINK_UP;
	peer->link = NULL;
	old->peer = NULL;
	link_close(old, "replaced by a newer link");
	if (was_up)
		peer_lost(peer, true, "it opened a new one");
}

static void on_hello(struct link *link, struct slice payload)
{
	struct dist *dist = link->dist;
	struct frame_hello hello;
	struct slice part, host;
	uint16_t port;
	char name[FRAME_NAME_MAX + 1];
	if (!frame_get_hello(payload, &hello)) {
		link_refuse(link, "it does not speak the language of nodes");
		return;
	}
	if (hello.version != FRAME_VERSION) {
		char text[128];
		snprintf(text, sizeof(text), "it speaks version %u of the language of nodes, this node speaks %d",
			 hello.version, FRAME_VERSION);
		link_refuse(link, text);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", SLICE_FMT(hello.from));
	if (!slice_is(hello.to, dist->name)) {
		char text[2 * FRAME_NAME_MAX + 64];
		snprintf(text, sizeof(text), "this is node %s, not %.*s", dist->name, SLICE_FMT(hello.to));
		link_refuse(link, text);
		return;
	}
	bool is_name = strlen(name) == hello.from.size && text_split_node(slice_of(name), &part, &host, &port);
	struct peer *peer = is_name && strcmp(name, dist->name) != 0 ? peer_get(dist, name) : NULL;
	if (peer == NULL) {
		link_refuse(link, "no node may bear this name here");
		return;
	}
	if (old_one_stays(peer, link, hello.instance)) {
		frame_put(&link->out, FRAME_TWICE, (struct slice){ 0 });
		link_end(link);
		return;
	}
	replace_link(peer, link);
	link->peer = peer;
	link->state = LINK_UP;
	link->instance = hello.instance;
	link->since_ms = dist_now_ms();
	dist->greetings--;
	link_say_hello(link, hello.from);
	peer_up(peer, link);
}

static void on_hello_answer(struct link *link, struct slice payload)
{
	struct frame_hello hello;
	struct peer *peer = link->peer;
	if (!frame_get_hello(payload, &hello) || hello.version != FRAME_VERSION || !slice_is(hello.from, peer->name)) {
		link_close(link, "it answers as another node, or in another version");
		return;
	}
	link->state = LINK_UP;
	link->instance = hello.instance;
	link->since_ms = dist_now_ms();
	peer_up(peer, link);
}

static void on_control(struct link *link, struct slice payload)
{
	uint32_t version;
	struct slice to;
	if (!frame_get_control(payload, &version, &to) || version != CHANNEL_VERSION) {
		link_refuse(link, "it speaks another version of the language of commands");
		return;
	}
	if (!slice_is(to, link->dist->name)) {
		char text[2 * FRAME_NAME_MAX + 64];
		snprintf(text, sizeof(text), "this is node %s, not %.*s", link->dist->name, SLICE_FMT(to));
		link_refuse(link, text);
		return;
	}
	link->dist->greetings--;
	frame_put_control(&link->out, (struct slice){ 0 });
	relay_begin(link);
}

void link_greeted(struct link *link, char type, struct slice payload)
{
	char text[REASON_BYTES];
	if (link->ending)
		return;
	if (type == FRAME_HELLO && !link->ours)
		on_hello(link, payload);
	else if (type == FRAME_CONTROL && !link->ours)
		on_control(link, payload);
	else if (type == FRAME_HELLO)
		on_hello_answer(link, payload);
	else if (type == FRAME_TWICE && link->ours) {
		link_try_again_soon(link, "the other side opened one, too");
	} else if (type == FRAME_REFUSE && link->ours) {
		snprintf(text, sizeof(text), "%.*s", (int)(payload.size < 200 ? payload.size : 200), payload.data);
		link_close(link, text);
	} else {
		if (!link->ours)
			refusal_log(link->dist, link, "it does not speak the language of nodes");
		link_close(link, "it does not speak the language of nodes");
	}
}
