#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kv_resp as the clients of Redis see it: redis-cli, redis-benchmark and a program over hiredis, beside the line protocol.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# A node with both front-ends on one store.
node() {
	command -v redis-cli >/dev/null || skip "redis-tools is not installed"
	bundle_of_both
	start_daemon
}

# cli WORDS… = EXPECTED: the reply in redis-cli's words, its lines separated by blanks
cli() {
	local words=()
	while [ "$1" != = ]; do
		words+=("$1")
		shift
	done
	must redis-cli -p "$RESP_PORT" "${words[@]}"
	is "$(tr -s '\n' ' ' <<<"$out" | sed 's/ $//')" "$2"
}

it_answers_redis_cli() {
	node
	cli PING = PONG
	cli HSET shopping milk 1 eggs 12 = 2
	cli HSET shopping milk 2 = 0
	cli HGET shopping milk = 2
	cli HMGET shopping eggs milk = '12 2'
	cli HGETALL shopping = 'eggs 12 milk 2'
	cli HKEYS shopping = 'eggs milk'
	cli HVALS shopping = '12 2'
	cli HLEN shopping = 2
	cli HEXISTS shopping milk = 1
	cli HSTRLEN shopping eggs = 2
	cli HSETNX shopping milk 3 = 0
	cli HINCRBY shopping milk 40 = 42
	cli TYPE shopping = hash
	cli KEYS 'sh*' = shopping
	cli SCAN 0 = '0 shopping'
	cli DBSIZE = 1
	cli HDEL shopping milk eggs = 2
	cli EXISTS shopping = 0
	cli DEL shopping = 0
	cli GET shopping = "ERR unknown command 'GET', with args beginning with: 'shopping'"
	cli HGET shopping = "ERR wrong number of arguments for 'hget' command"
	stop_node
}

it_answers_redis_cli_in_resp3() {
	node
	must redis-cli -3 -p "$RESP_PORT" HSET shopping milk 1
	must redis-cli -3 -p "$RESP_PORT" HGETALL shopping
	is "$out" 'milk 1'
	stop_node
}

it_shares_the_store_with_the_line_protocol() {
	node
	connect
	says 'CREATE shopping' OK
	says 'PUT shopping milk 1' OK
	cli HGET shopping milk = 1
	cli HSET shopping eggs 12 = 1
	says 'GET shopping eggs' 12 OK
	stop_node
}

it_takes_values_of_many_bytes() {
	node
	head -c 8000000 /dev/urandom >"$D/value"
	redis-cli -p "$RESP_PORT" -x HSET big value <"$D/value" >/dev/null || fail "HSET of 8 MB"
	cli HSTRLEN big value = 8000000
	redis-cli -p "$RESP_PORT" HGET big value | head -c 8000000 | cmp - "$D/value" || fail "another value came back"
	stop_node
}

# own_memory: what the node has for itself, in bytes, without what it sees of its files
own_memory() {
	echo $(($(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status") * 1024))
}

# owes_little [behind]: to a client that asks for far more than it reads
owes_little() {
	local before most=0 now limit=$((8 << 20)) value=$((8 << 20))
	node
	coproc GREEDY { greedy "$RESP_PORT" 100 "$value" "$@"; }
	# shellcheck disable=SC2153 # coproc sets it
	greedy_pid=$GREEDY_PID
	greedy_says stored
	before=$(own_memory)
	echo >&"${GREEDY[1]}"
	greedy_says asked
	for _ in {1..50}; do
		cli HSTRLEN greedy big = "$value"
		now=$(own_memory)
		most=$((now > most ? now : most))
		sleep 0.02
	done
	[ $((most - before)) -lt $((4 * (limit + value))) ] || fail "$((most - before)) bytes for what one client is owed"
	echo >&"${GREEDY[1]}"
	greedy_says 'all replies are right'
	wait "$greedy_pid" || fail "greedy ended with $?"
	stop_node
}

it_owes_a_client_that_reads_nothing_no_more_than_it_may() {
	owes_little
}

# What is read is durable only after the next sync: the answers are made before they may be told.
it_owes_no_more_where_answers_wait_for_a_sync() {
	owes_little behind
}

greedy_says() {
	IFS= read -r -t 60 -u "${GREEDY[0]}" line || fail "greedy ended before it said '$1'"
	is "$line" "$1"
}

it_serves_redis_benchmark() {
	node
	must redis-benchmark -p "$RESP_PORT" -q -n 20000 -c 20 -P 16 -r 1000 HSET bench key:__rand_int__ value
	like "$out" '*requests per second*'
	must redis-benchmark -p "$RESP_PORT" -q -n 20000 -c 20 -P 16 -r 1000 HGET bench key:__rand_int__
	like "$out" '*requests per second*'
	must redis-benchmark -p "$RESP_PORT" -q -n 1000 -t ping
	like "$out" '*PING*requests per second*'
	stop_node
}

it_serves_a_program_over_hiredis() {
	[ -x "$BUILD/test-tools/hiredis" ] || skip "built without hiredis"
	node
	must hiredis "$RESP_PORT"
	is "$out" 'pipelined 1000 replies'
	stop_node
}

it_keeps_what_was_answered_over_kill() {
	node
	cli HSET shopping milk 1 = 1
	is "$(printf 'MULTI\nHSET shopping bread 2\nHSET shopping tea 3\nEXEC\n' | redis-cli -p "$RESP_PORT" | tail -n 2)" $'1\n1'
	kill -KILL "$pid"
	wait_until gone "$pid"
	start_daemon
	cli HMGET shopping milk bread tea = '1 2 3'
	stop_node
}

run_tests
