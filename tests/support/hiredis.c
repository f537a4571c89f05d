/* SPDX-License-Identifier: MIT */
/* hiredis PORT: writes a hash with bytes in its field and value, and reads it back in one long pipeline. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIPELINE = 1000 };

static const char field[] = "k\0\r\ny", value[] = "v\r\n\0";
enum { FIELD_SIZE = sizeof(field) - 1, VALUE_SIZE = sizeof(value) - 1 };

static _Noreturn void fail(redisContext *context, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, context ? context->errstr : "out of memory");
	exit(1);
}

int main(int argc, char **argv)
{
	redisContext *context = argc == 2 ? redisConnect("127.0.0.1", atoi(argv[1])) : NULL;
	if (!context || context->err)
		fail(context, "connect");
	redisReply *reply =
		redisCommand(context, "HSET hash %b %b", field, (size_t)FIELD_SIZE, value, (size_t)VALUE_SIZE);
	if (!reply || reply->type != REDIS_REPLY_INTEGER)
		fail(context, "HSET");
	freeReplyObject(reply);
	for (int i = 0; i < PIPELINE; i++)
		redisAppendCommand(context, "HGET hash %b", field, (size_t)FIELD_SIZE);
	int right = 0;
	for (int i = 0; i < PIPELINE; i++) {
		void *next = NULL;
		if (redisGetReply(context, &next) != REDIS_OK)
			fail(context, "HGET");
		reply = next;
		right += reply->type == REDIS_REPLY_STRING && reply->len == VALUE_SIZE &&
			 memcmp(reply->str, value, VALUE_SIZE) == 0;
		freeReplyObject(reply);
	}
	redisFree(context);
	printf("pipelined %d replies\n", right);
	return right == PIPELINE ? 0 : 1;
}
