/* SPDX-License-Identifier: MIT */
#include "resp_front.h"

#include "front_end.h"

const struct kvrel_component *kvrel_component(void);

struct t_front *t_resp;

static const struct t_setting settings[SETTINGS + 1] = {
	{ "listen", "127.0.0.1", 0 }, { "port", NULL, 6379 },           { "password", "", 0 },
	{ "protected", NULL, 1 },     { "max_request", NULL, 1 << 20 }, { NULL, NULL, 0 },
};

/* ---- a store of paper ---- */

static bool arg_is(const struct kvrel_call *call, uint32_t index, const char *text)
{
	return index < call->arg_count && call->args[index].size == strlen(text) &&
	       memcmp(call->args[index].data, text, call->args[index].size) == 0;
}

static struct kvrel_result text_of(const char *text)
{
	return (struct kvrel_result){ .kind = KVREL_BYTES, .bytes = { text, strlen(text) } };
}

static struct kvrel_result number_of(int64_t number)
{
	return (struct kvrel_result){ .kind = KVREL_INT, .integer = number };
}

static struct kvrel_result of_items(enum kvrel_kind kind, const struct kvrel_result *items, size_t count)
{
	return (struct kvrel_result){ .kind = kind, .items = items, .count = count };
}

static void answer(const char *op, struct kvrel_call *call)
{
	struct kvrel_result pairs[] = { text_of("f1"), text_of("v1"), text_of("f2"), text_of("v2") };
	struct kvrel_result some[] = { text_of("v1"), { .kind = KVREL_NIL } };
	struct kvrel_result result = number_of(call->arg_count);
	if (arg_is(call, 0, "broken")) {
		result = text_of("the disk\r\nis full");
		result.status = KVREL_ERROR;
	} else if (strcmp(op, "kv.hget") == 0) {
		result = arg_is(call, 1, "nofield") ? (struct kvrel_result){ 0 } : text_of("value");
	} else if (strcmp(op, "kv.hgetall") == 0) {
		result = of_items(KVREL_PAIRS, pairs, 4);
	} else if (strcmp(op, "kv.hmget") == 0) {
		result = of_items(KVREL_LIST, some, 2);
	} else if (strcmp(op, "kv.hkeys") == 0 || strcmp(op, "kv.buckets") == 0) {
		result = of_items(KVREL_LIST, pairs, 1);
	} else if (strcmp(op, "kv.scan") == 0 || strcmp(op, "kv.hscan") == 0) {
		bool fields = strcmp(op, "kv.hscan") == 0;
		struct kvrel_result step[] = { text_of("17"), of_items(fields ? KVREL_PAIRS : KVREL_LIST, pairs, 2) };
		result = of_items(KVREL_LIST, step, 2);
		call->complete(call, &result);
		return;
	} else if (strcmp(op, "kv.exists") == 0 && arg_is(call, 0, "nothing")) {
		result = number_of(0);
	} else if (strcmp(op, "kv.hincrby") == 0) {
		result = number_of(INT64_MIN);
	}
	call->complete(call, &result);
}

/* ---- the component ---- */

struct t_front *t_resp_start(unsigned index, const char *string, int64_t number, const char **why)
{
	struct t_setting mine[SETTINGS + 1];
	memcpy(mine, settings, sizeof(mine));
	if (index < SETTINGS) {
		mine[index].string = string;
		mine[index].number = number;
	}
	return t_front_start(kvrel_component(), mine, answer, why);
}

void t_resp_init(void)
{
	t_resp = t_resp_start(SETTINGS, NULL, 0, NULL);
	cr_assert_not_null(t_resp);
}

void t_resp_done(void)
{
	t_front_stop(t_resp);
}

const char *t_output(void)
{
	return t_front_output(t_resp, NULL);
}

void t_feed(const char *text)
{
	t_front_feed(t_resp, text, strlen(text));
}

static const char *array_of(const char *line)
{
	static char out[5000];
	char words[1024], body[4096] = "", *save = NULL;
	int count = 0;
	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save), count++)
		snprintf(body + strlen(body), sizeof(body) - strlen(body), "$%zu\r\n%s\r\n", strlen(word), word);
	snprintf(out, sizeof(out), "*%d\r\n%s", count, body);
	return out;
}

void t_words(const char *line)
{
	t_front_connect(t_resp, "127.0.0.1:1");
	t_feed(array_of(line));
}
