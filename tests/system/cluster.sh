#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Five nodes on one host, n1 to n5: what becomes of requests while nodes, links and tables come and go. One bundle serves
# all of them, each with data, logs and ports of its own.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

table() {
	local range i=1 entries=''
	for range in a-e f-j k-o p-t u-z; do
		entries+="{range: $range, node: \"$(node "$i")\"}, "
		i=$((i + 1))
	done
	echo "[${entries%, }]"
}

node() {
	echo "n$1@$host${dist_ports[$1]:+:${dist_ports[$1]}}"
}

# nodes COUNT: the commands n1, n2 … are the launcher's for each; starts COUNT of them
nodes() {
	local i
	mapfile -t -O 1 ports < <(ports 5)
	[ "$host" = here ] || mapfile -t -O 1 dist_ports < <(ports 5)
	(project && must kvrel build foo --quiet --path "$D/bundle" --set "kv.routing_table=$(table)" \
		--set kv.durability=none) || exit 1
	printf '%s\n' "${vm_args:-}" >>"$D/bundle/releases/0.0.1/vm.args"
	mkdir -p "$D/bin"
	for i in 1 2 3 4 5; do
		printf '#!/bin/sh\nRELEASE_NODE=%s RELEASE_DATA=%s RELEASE_TMP=%s PORT=%s exec "%s" "$@"\n' "$(node "$i")" \
			"$D/data$i" "$D/tmp$i" "${ports[i]}" "$D/bundle/bin/foo" >"$D/bin/n$i"
		chmod +x "$D/bin/n$i"
	done
	PATH=$D/bin:$PATH
	for ((i = 1; i <= $1; i++)); do
		must "n$i" daemon
	done
	connect "${ports[1]}"
}

by_name() {
	host=127.0.0.1
	export RELEASE_DISTRIBUTION=name RELEASE_COOKIE=biscuit
}
host=here dist_ports=()

stop_nodes() {
	local i
	for i; do
		must "n$i" stop
	done
}

log_of() {
	cat "$D/tmp$1"/log/*
}

says_like() {
	printf '%s\r\n' "$1" >&9
	answer_line "$1"
	like "$line" "$2"
}

# crowd_on NODE SECONDS BUCKET…: in the background, its words in $D/crowd.NODE
crowd_on() {
	local to=$1 seconds=$2
	shift 2
	crowd "${ports[$to]}" "$seconds" 10 "$@" >"$D/crowd.$to" 2>&1 &
	crowd_pids+=($!)
}

# how many requests of crowds ended so
ended() {
	grep -ho "$1 [0-9]*" "$D"/crowd.* | awk '{ sum += $2 } END { print sum + 0 }'
}

wait_for_crowds() {
	local pid
	for pid in "${crowd_pids[@]}"; do
		wait "$pid" || fail "$(cat "$D"/crowd.*)"
	done
	cat "$D"/crowd.*
}

restart_all_under_load() {
	local i crowd_pids=()
	nodes 5
	for bucket in apples figs kiwis pears vines bread grapes lemons plums wine; do
		says "CREATE $bucket" OK
	done
	hang_up
	crowd_on 1 14 apples figs kiwis pears vines
	crowd_on 3 14 bread grapes lemons plums wine
	sleep 1
	for i in 1 2; do
		must "n$i" restart
		sleep 0.3
	done
	for i in 3 4 5; do
		must "n$i" stop
		sleep 0.3
		must "n$i" daemon
	done
	wait_for_crowds
	[ "$(ended 'done')" -gt 1000 ] || fail 'hardly a request was done'
	[ "$(ended refused)" -gt 0 ] || fail 'no request met a node that was down'
	stop_nodes 1 2 3 4 5
}

it_explains_every_error_while_five_nodes_are_restarted_one_by_one() {
	restart_all_under_load
}

it_explains_every_error_while_five_nodes_by_name_are_restarted_one_by_one() {
	by_name
	restart_all_under_load
}

it_loses_no_request_when_the_table_is_replaced_under_load() {
	local i shape crowd_pids=()
	nodes 2
	says 'CREATE apples' OK
	says 'CREATE figs' OK
	crowd_on 1 5 apples figs
	for i in {1..20}; do
		for shape in 'f-j' 'f' 'f-z'; do
			must n1 rpc "app.put_env('kv', 'routing_table', {{range = '$shape', node = '$(node 2)'}, {range = 'a-z', node = 'self'}})"
		done
	done
	wait_for_crowds
	is "$(ended refused) $(ended unknown)" '0 0'
	[ "$(ended 'done')" -gt 1000 ] || fail 'hardly a request was done'
	stop_nodes 1 2
}

it_resolves_links_that_both_sides_open_at_once_to_one() {
	by_name
	nodes 2
	for _ in 1 2 3 4; do
		n1 rpc "return node.ping('$(node 2)')" >"$D/ping1" &
		n2 rpc "return node.ping('$(node 1)')" >"$D/ping2" &
		wait $! || fail 'a ping failed'
		wait
		is "$(cat "$D/ping1" "$D/ping2")" $'true\ntrue'
		wait_until one_connection
		must n1 rpc 'return node.list()'
		is "$out" "{\"$(node 2)\"}"
		# not a restart: the one that is back first would remember that the other one was away
		stop_nodes 1 2
		n1 daemon &
		must n2 daemon
		wait $! || fail 'n1 does not start'
	done
	stop_nodes 1 2
}

# both ends of one connection
one_connection() {
	local p1=${dist_ports[1]} p2=${dist_ports[2]}
	[ "$(ss -Htn state established "( sport = :$p1 or dport = :$p1 or sport = :$p2 or dport = :$p2 )" | wc -l)" = 2 ]
}

it_follows_one_request_in_the_logs_of_both_nodes() {
	local trace
	vm_args='--log-level debug'
	nodes 2
	says 'CREATE figs' OK
	says 'PUT figs k 1' OK
	trace=$(log_of 1 | grep 'forwarding.*op=kv.put' | grep -o 'trace [0-9a-f]*')
	like "$trace" 'trace ????????????????'
	is "$(log_of 2 | grep -c "$trace: received.*op=kv.put")" 1
	stop_nodes 1 2
}

it_says_that_the_outcome_is_unknown_when_a_node_dies_with_a_request() {
	local pid2
	nodes 2
	says 'CREATE figs' OK
	must n2 pid
	pid2=$out
	halt "$pid2"
	printf 'PUT figs k 1\r\nGET figs k\r\n' >&9
	sleep 0.3
	kill -KILL "$pid2"
	answer_line 'PUT figs k 1'
	is "$line" "ERROR the link to node '$(node 2)' was lost before it answered: the outcome is unknown"
	answer_line 'GET figs k'
	like "$line" "ERROR the link to node '$(node 2)' was lost before it answered*"
	says_like 'PUT figs k 2' "ERROR node '$(node 2)' is unreachable: *"
	stop_nodes 1
}

it_notices_a_silent_node_and_links_again() {
	local pid2
	vm_args='--dist-heartbeat 1000'
	by_name
	nodes 2
	says 'CREATE figs' OK
	must n2 pid
	pid2=$out
	halt "$pid2"
	printf 'PUT figs k 1\r\n' >&9
	answer_line 'PUT figs k 1'
	is "$line" "ERROR the link to node '$(node 2)' was lost before it answered: the outcome is unknown"
	like "$(log_of 1)" '*lost*silent for too long*'
	kill -CONT "$pid2"
	wait_until put_works
	stop_nodes 1 2
}

put_works() {
	printf 'PUT figs k 1\r\n' >&9
	answer_line 'PUT figs k 1'
	[ "$line" = OK ]
}

it_keeps_the_deadline_of_a_request() {
	local pid2
	nodes 2
	says 'CREATE figs' OK
	must n1 rpc 'app.put_env("kv", "forward_timeout", "700ms")'
	must n2 pid
	pid2=$out
	halt "$pid2"
	printf 'PUT figs k 1\r\n' >&9
	answer_line 'PUT figs k 1'
	kill -CONT "$pid2"
	is "$line" "ERROR node '$(node 2)' did not answer before the deadline: the outcome is unknown"
	like "$(log_of 1)" "*node $(node 2) does not answer requests before their deadline*"
	says 'PUT figs k 2' OK
	says 'GET figs k' 2 OK
	stop_nodes 1 2
}

it_splits_requests_for_buckets_of_several_nodes() {
	nodes 3
	for bucket in apples figs kiwis; do
		says "CREATE $bucket" OK
	done
	must n1 rpc 'return kv.exists("apples", "figs", "nothing", "kiwis", "figs")'
	is "$out" 4
	must n2 rpc 'return kv.drop("apples", "kiwis")'
	is "$out" 2
	must n3 stop
	run n1 rpc 'return kv.drop("figs", "kiwis")'
	is "$status" 1
	like "$err" "*node '$(node 3)' is unreachable*; other nodes did their part: 1*"
	must n1 rpc 'return kv.exists("figs")'
	is "$out" 0
	stop_nodes 1 2
}

it_lets_one_connection_follow_buckets_of_several_nodes() {
	nodes 2
	says 'CREATE apples' OK
	says 'CREATE figs' OK
	says 'SUBSCRIBE apples' OK
	says 'SUBSCRIBE figs' OK
	says 'SUBSCRIBE apples' OK
	must n2 rpc 'kv.put("figs", "k", 1)'
	answer_line figs
	is "$line" 'k SET TO 1'
	must n2 rpc 'kv.put("apples", "k", 2)'
	answer_line apples
	is "$line" 'k SET TO 2'
	says 'GET figs k' 1 OK
	must n2 stop
	answer_line figs
	like "$line" 'ERROR ?*'
	if read -r -t 5 -u 9 line; then fail "it goes on: $line"; fi
	hang_up
	stop_nodes 1
}

# a_slow_subscriber BUCKET: follows it on n1 and reads nothing while 60 MB of changes happen
a_slow_subscriber() {
	local before
	mkfifo "$D/hold.$1"
	storm slow "${ports[1]}" "$1" <"$D/hold.$1" >"$D/slow.$1" 2>&1 &
	slow_pid=$!
	exec 8>"$D/hold.$1"
	wait_until grep -q open "$D/slow.$1"
	before=$(rss 1)
	must n2 rpc "local v = string.rep('x', 30000) for i = 1, 2000 do kv.put('$1', 'k', v) end"
	# what a node stores is in its memory for a while, too
	[ "$1" = apples ] || [ $(($(rss 1) - before)) -lt 30000 ] || fail "n1 grew from $before to $(rss 1) KiB"
	exec 8>&-
	wait "$slow_pid" || fail "$(cat "$D/slow.$1")"
	like "$(cat "$D/slow.$1")" 'open*lines, the last one: ERROR the subscriber is too slow: changes were lost'
}

# KiB
rss() {
	awk '/^VmRSS/ { print $2 }' "/proc/$("n$1" pid)/status"
}

it_ends_a_subscriber_that_reads_too_slowly_on_either_node() {
	nodes 2
	says 'CREATE apples' OK
	says 'CREATE figs' OK
	a_slow_subscriber apples
	a_slow_subscriber figs
	says 'GET apples nothing' '' OK
	stop_nodes 1 2
}

run_tests "$@"
