/* SPDX-License-Identifier: MIT */
/* The operations that kv offers: what consoles, front-ends and other nodes call, and what help() prints. */
#include "ops.h"

#define ANY UINT16_MAX
#define READ(name, params, doc, min, max, prefetch, run) \
	{ \
		name, params, doc, min, max, KVREL_OP_READ, prefetch, run \
	}
#define WRITE(name, params, doc, min, max, prefetch, run) \
	{ \
		name, params, doc, min, max, KVREL_OP_WRITE, prefetch, run \
	}

/* clang-format off */
const struct kvrel_op kv_ops[] = {
	/* buckets */
	WRITE("create", "bucket", "makes a bucket, which stays until it is dropped; fine when it is there", 1, 1, NULL, op_create),
	WRITE("put", "bucket, key, value", "sets a key of a bucket that exists", 3, 3, op_prefetch, op_put),
	READ("get", "bucket, key", "the value of a key, nil when the bucket does not hold it", 2, 2, op_prefetch, op_get),
	WRITE("delete", "bucket, key", "removes a key; fine when it is not there", 2, 2, op_prefetch, op_delete),
	READ("keys", "bucket", "the keys of a bucket, in order", 1, 1, NULL, op_keys),
	READ("buckets", "[pattern]", "the names of this node's buckets, in order; pattern: * ? [a-z]", 0, 1, NULL, op_buckets),
	WRITE("drop", "bucket, ...", "removes buckets with all they hold; how many there were", 1, ANY, NULL, op_drop),
	READ("exists", "bucket, ...", "how many of these buckets there are", 1, ANY, NULL, op_exists),
	READ("scan", "cursor, [pattern], [count]", "names of buckets, some at a time: the cursor to go on with, good until the node stops, and the names; begin and end are 0", 1, 3, NULL, op_scan),

	{ "watch", "bucket, [number]", "the number of the bucket's last change; with a number: that of the last change, and what was changed since, when there is something", 1, 2, KVREL_OP_READ | KVREL_OP_WAITS, NULL, op_watch },

	/* buckets as Redis' hashes: made by the first write, gone with the last key */
	WRITE("hset", "bucket, key, value, ...", "sets keys, making the bucket if need be; how many were new", 3, ANY, op_prefetch, op_hset),
	WRITE("hsetnx", "bucket, key, value", "sets a key that is not there yet; 1 when it was set", 3, 3, op_prefetch, op_hsetnx),
	WRITE("hincrby", "bucket, key, delta", "adds to the integer at a key, 0 when missing; the new value", 3, 3, op_prefetch, op_hincrby),
	READ("hget", "bucket, key", "the value of a key, nil when it or the bucket is missing", 2, 2, op_prefetch, op_hget),
	READ("hmget", "bucket, key, ...", "the values of keys, nil for missing ones", 2, ANY, op_prefetch, op_hmget),
	READ("hgetall", "bucket", "all keys and values, in order of keys", 1, 1, NULL, op_hgetall),
	WRITE("hdel", "bucket, key, ...", "removes keys; how many there were", 2, ANY, op_prefetch, op_hdel),
	READ("hexists", "bucket, key", "1 when the key is there, else 0", 2, 2, op_prefetch, op_hexists),
	READ("hlen", "bucket", "how many keys a bucket holds", 1, 1, NULL, op_hlen),
	READ("hkeys", "bucket", "the keys, in order", 1, 1, NULL, op_hkeys),
	READ("hvals", "bucket", "the values, in order of keys", 1, 1, NULL, op_hvals),
	READ("hstrlen", "bucket, key", "bytes of a key's value, 0 when it is missing", 2, 2, op_prefetch, op_hstrlen),
	READ("hscan", "bucket, cursor, [pattern], [count]", "keys and values, some at a time: the cursor to go on with and the pairs; begin and end are 0", 2, 4, NULL, op_hscan),

	/* the store */
	READ("count", "", "how many buckets there are", 0, 0, NULL, op_count),
	READ("stats", "", "figures of the store", 0, 0, NULL, op_stats),
	WRITE("sync", "", "returns when everything written so far would survive a power loss", 0, 0, NULL, op_sync),
	READ("verify", "", "looks at every page and entry of the store on disk; an error says what is damaged", 0, 0, NULL, op_verify),
	READ("backup", "path", "writes a consistent copy of the store to a new folder on this host, which takes the place of kv.data_dir to restore it", 1, 1, NULL, op_backup),
};
/* clang-format on */
const size_t kv_op_count = sizeof(kv_ops) / sizeof(kv_ops[0]);
