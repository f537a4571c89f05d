#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Nodes together: foo and bar of the guide, found by name, trusting each other by the cookie, each with its own buckets.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# All of 127/8 is this host: ports that follow from names meet those of nobody else on an address of our own.
loopback=127.$((RANDOM % 250 + 2)).$((RANDOM % 256)).$((RANDOM % 250 + 2))

# cluster HOST [MARK]: bundles foo and bar, a-m on foo and n-z on bar; MARK is added to the names of the nodes
cluster() {
	local host=$1 mark=${2:-} table release
	table="[{range: a-m, node: \"foo$mark@$host\"}, {range: n-z, node: \"bar$mark@$host\"}]"
	for release in foo bar; do
		(project "$D/project.$release" && must kvrel build "$release" --quiet --set "kv.routing_table=$table" --path "$D/$release") ||
			exit 1
		mkdir -p "$D/bin"
		printf '#!/bin/sh\nRELEASE_NODE=%s exec "%s" "$@"\n' "$release$mark@$host" "$D/$release/bin/$release" >"$D/bin/$release"
		chmod +x "$D/bin/$release"
	done
	PATH=$D/bin:$PATH
}

both_here() {
	cluster here
	must bar daemon
	must foo daemon
	connect
}

both_by_name() {
	export RELEASE_DISTRIBUTION=name RELEASE_COOKIE=biscuit
	cluster "$@"
	must bar daemon
	must foo daemon
	connect
}

stop_both() {
	must foo stop
	must bar stop
}

a_session() {
	says 'CREATE shopping' OK
	says 'PUT shopping milk 1' OK
	says 'GET shopping milk' 1 OK
	says 'DELETE shopping milk' OK
	says 'GET shopping milk' '' OK
	says 'GET zoo milk' 'NOT FOUND'
	says 'CREATE apples' OK
	must bar rpc 'return kv.buckets()'
	is "$out" '{"shopping"}'
	must foo rpc 'return kv.buckets()'
	is "$out" '{"apples"}'
}

it_serves_a_bucket_of_bar_through_foo() {
	both_here
	a_session
	stop_both
}

it_opens_no_port_for_nodes_of_one_host() {
	both_here
	a_session
	is "$(ss -Hltnp 2>/dev/null | grep -c "pid=$(foo pid),")" 1 # the line protocol's
	stop_both
}

it_does_the_same_by_name_over_tls() {
	both_by_name "$loopback"
	a_session
	stop_both
}

it_does_the_same_over_ipv6() {
	grep -qs ' lo$' /proc/net/if_inet6 || skip "no IPv6 here"
	both_by_name ::1 "$RANDOM"
	a_session
	stop_both
}

it_keeps_the_order_of_a_pipeline_over_both_nodes() {
	local i
	both_here
	says 'CREATE apples' OK
	says 'CREATE pears' OK
	for i in {1..500}; do
		printf 'PUT pears k %s\r\nGET apples k\r\nGET pears k\r\n' "$i"
	done >"$D/requests"
	cat "$D/requests" >&9 &
	for i in {1..500}; do
		for expected in OK '' OK "$i" OK; do
			answer_line "request $i"
			is "$line" "$expected"
		done
	done
	stop_both
}

it_answers_at_once_when_the_other_node_is_down_and_goes_on_when_it_is_back() {
	both_here
	says 'CREATE shopping' OK
	must bar stop
	local before=${EPOCHREALTIME/./}
	printf 'GET shopping milk\r\n' >&9
	answer_line 'GET shopping milk'
	like "$line" 'ERROR *bar@here*'
	[ $((${EPOCHREALTIME/./} - before)) -lt 5000000 ] || fail "the error took longer than five seconds"
	says 'CREATE apples' OK
	must bar daemon
	wait_until is_served
	stop_both
}

is_served() {
	printf 'GET shopping milk\r\n' >&9
	answer_line 'GET shopping milk'
	[ "$line" = '' ] && answer_line 'GET shopping milk' && [ "$line" = OK ]
}

it_says_that_no_node_keeps_a_bucket_and_goes_on() {
	both_here
	printf 'CREATE 1\r\n' >&9
	answer_line 'CREATE 1'
	like "$line" "ERROR no node for bucket '1'*"
	says 'CREATE apples' OK
	stop_both
}

it_finds_routing_cycles() {
	both_here
	must bar rpc 'app.put_env("kv", "routing_table", {{range = "a-z", node = "foo@here"}})'
	printf 'CREATE shopping\r\n' >&9
	answer_line 'CREATE shopping'
	like "$line" 'ERROR *cycle*foo@here*'
	for _ in {1..300}; do
		printf 'GET shopping milk\r\n'
	done >&9
	for _ in {1..300}; do
		answer_line 'GET shopping milk'
		like "$line" 'ERROR *cycle*'
	done
	says 'CREATE apples' OK
	local told
	told=$(cat "$D"/bar/tmp/log/* | grep -c 'goes in a circle') # once a second
	((told > 0 && told < 100)) || fail "told $told times"
	stop_both
}

it_takes_a_new_table_while_it_runs() {
	both_here
	says 'CREATE shopping' OK
	must foo rpc 'app.put_env("kv", "routing_table", {{range = "a-z", node = "self"}})'
	says 'GET shopping milk' 'NOT FOUND'
	stop_both
}

it_tells_subscribers_of_changes_on_either_node() {
	local bucket
	both_here
	for bucket in apples shopping; do
		says "CREATE $bucket" OK
		says "SUBSCRIBE $bucket" OK
		must foo rpc "kv.delete('$bucket', 'milk') kv.hdel('$bucket', 'milk', 'eggs')" # nothing to tell
		must foo rpc "kv.put('$bucket', 'milk', 1) kv.put('$bucket', 'milk', 'a b') kv.delete('$bucket', 'milk')"
		for expected in 'milk SET TO 1' 'milk SET TO a b' 'milk DELETED'; do
			answer_line "SUBSCRIBE $bucket"
			is "$line" "$expected"
		done
		hang_up
		connect
	done
	says 'SUBSCRIBE nothing' 'NOT FOUND'
	stop_both
}

it_refuses_another_cookie_and_tells_both_sides() {
	both_by_name "$loopback"
	for command in ping stop 'rpc 1'; do
		# shellcheck disable=SC2086 # words
		RELEASE_COOKIE=other RELEASE_NODE="foo@$loopback" run "$D/foo/bin/foo" $command
		is "$status" 1
		like "$err" "*the cookie is not the one of foo@$loopback*"
	done
	like "$(cat "$D"/foo/tmp/log/*)" '*refused a connection*cookie*peer=127.0.0.1:*'
	is "$(grep -c 'refused a connection' "$D"/foo/tmp/log/* | head -1)" 1 # once a minute
	a_session
	stop_both
}

it_refuses_what_is_no_node() {
	local port i
	both_by_name "$loopback"
	port=$(grep -o 'Accepting nodes on port [0-9]*' "$D"/foo/tmp/log/* | head -1 | grep -o '[0-9]*$')
	for i in {1..200}; do
		# shellcheck disable=SC2034 # stays open, and says nothing
		exec {fd}<>"/dev/tcp/$loopback/$port"
	done
	{ printf 'GET / HTTP/1.0\r\n\r\n' && cat; } <>"/dev/tcp/$loopback/$port" >&0 2>/dev/null &
	is "$(foo ping)" pong
	a_session
	stop_both
}

it_commands_a_node_by_name() {
	both_by_name "$loopback"
	RELEASE_NODE="bar@$loopback" must "$D/foo/bin/foo" rpc 'return node.name()'
	is "$out" "bar@$loopback"
	RELEASE_NODE="bar@$loopback" must "$D/foo/bin/foo" status --json
	like "$out" "*bar@$loopback*"
	is "$(echo 'return 6 * 7' | RELEASE_NODE="bar@$loopback" "$D/foo/bin/foo" remote)" 42
	must foo rpc "return node.ping('bar@$loopback'), node.list(), rpc.call('bar@$loopback', 'kv.buckets')"
	is "$out" true$'\n'"{\"bar@$loopback\"}"$'\n''{}'
	# much more than sockets and buffers on the way hold
	is "$(RELEASE_NODE="bar@$loopback" timeout 60 "$D/foo/bin/foo" rpc 'for i = 1, 40 do io.write(("x"):rep(1 << 20)) end return "end"' | md5sum)" \
		"$({ head -c $((40 << 20)) /dev/zero | tr '\0' x && echo end; } | md5sum)"
	must foo rpc "return #rpc.call('bar@$loopback', 'string.rep', 'x', 10000000)"
	is "$out" 10000000
	must bar pid
	pid=$out
	RELEASE_NODE="bar@$loopback" must "$D/foo/bin/foo" stop
	gone "$pid" || fail "stop returned before process $pid had gone"
	RELEASE_NODE="bar@$loopback" run "$D/foo/bin/foo" ping
	is "$err" "ERROR: bar@$loopback is not running"
	must foo stop
}

threads() {
	find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l
}

busy() {
	[ "$(threads)" -gt "$idle" ]
}

idle_again() {
	[ "$(threads)" -le "$idle" ]
}

# Who has no more to say is heard to the end; who is gone is not: over TLS, too.
it_tells_the_end_of_a_script_from_the_end_of_its_client() {
	both_by_name "$loopback"
	must bar pid
	pid=$out
	must bar rpc 'return 1'
	idle=$(threads)
	export RELEASE_NODE=bar@$loopback
	# no whole text: taken line by line
	printf 'print(1)\nerror("oops")\nprint(2)\n for' | timeout 60 "$D/foo/bin/foo" remote >out 2>err
	is "$? $(cat out)" $'1 1\n2'
	wait_until idle_again
	for command in rpc remote; do
		if [ "$command" = rpc ]; then
			"$D/foo/bin/foo" rpc 'while true do end' >/dev/null 2>&1 &
		else
			echo 'while true do end' | "$D/foo/bin/foo" remote >/dev/null 2>&1 &
		fi
		wait_until busy
		kill -KILL $!
		wait_until idle_again
	done
	unset RELEASE_NODE
	stop_both
}

# there NAME, FUNCTION…: rpc.call of it at bar
there() {
	run foo rpc "return rpc.call('bar@$host', $1)"
}

functions_of_the_other_node() {
	there '"node.name"'
	is "$out" "bar@$host"
	must bar rpc 'return app.list()'
	local list=$out
	there '"app.list"'
	is "$out" "$list"
	there '"app.env", "kv", "durability"'
	is "$out" always
	there '"string.rep", "a\0\255", 2, "\n"'
	is "$status" 0
	there '"math.max", 1, -2.5, math.mininteger'
	is "$out" 1
	there '"select", "#", nil, true, 1/0'
	is "$out" 3
	there '"print", "said there"'
	is "$out" 'said there'
	must foo rpc "rpc.call('bar@$host', 'app.put_env', 'kv', 'forward_timeout', '3s')"
	must bar rpc 'return app.env("kv", "forward_timeout")'
	is "$out" 3000
	there '"node.bogus"'
	is "$status" 1
	like "$err" "*node.bogus: *there is no function 'node.bogus'*"
	there '"error", "no milk"'
	is "$status" 1
	like "$err" '*error: *no milk*'
	there '"print", {}'
	like "$err" '*a table cannot be sent to another node*'
	there '"kv.bogus"'
	like "$err" "*node 'bar@$host' has no operation 'kv.bogus'*"
	run foo rpc "return rpc.call('nobody@$host', 'node.name')"
	like "$err" "*node.name: node 'nobody@$host' is unreachable*"
}

it_calls_any_function_of_a_node_on_this_host() {
	host=here
	both_here
	functions_of_the_other_node
	stop_both
}

it_calls_any_function_of_a_node_by_name() {
	host=$loopback
	both_by_name "$loopback"
	functions_of_the_other_node
	stop_both
}

# Without the folder of bar's socket: as from another host.
elsewhere() {
	[ -d "$D/elsewhere" ] || mkdir -m 700 "$D/elsewhere"
	XDG_RUNTIME_DIR=$D/elsewhere RELEASE_NODE="bar@$loopback" run "$D/foo/bin/foo" "$@"
}

it_commands_a_node_of_another_host() {
	local before
	both_by_name "$loopback"
	must bar pid
	pid=$out
	says 'CREATE shopping' OK
	elsewhere pid
	is "$out" "$pid"
	elsewhere config get kv.durability
	is "$status" 0
	like "$out" '*always*'
	elsewhere config --json
	like "$out" '*"routing_table"*'
	elsewhere config diff
	is "$status" 1
	like "$err" "ERROR: bar@$loopback is not running on this host*"
	elsewhere logs
	is "$status" 1
	like "$err" "ERROR: there is no log '*bar.log' on this host: 'daemon' writes it where bar@$loopback runs"
	must bar rpc 'started = 1'
	elsewhere restart
	is "$status" 0
	is "$err" ''
	elsewhere rpc 'return started, kv.buckets()'
	is "$out" '{"shopping"}'
	is "$(grep -c "bar@$loopback is ready" "$D"/bar/tmp/log/*)" 2
	elsewhere pid
	is "$out" "$pid" # a restart keeps the process
	printf 'nonsense(\n' >"$D/bar/releases/0.0.1/runtime.lua"
	elsewhere restart
	is "$status" 1
	like "$err" '*runtime.lua:2*'
	elsewhere ping
	is "$out" pong
	before=$SECONDS
	elsewhere stop
	is "$status" 0
	[ $((SECONDS - before)) -lt 20 ] || fail 'it took long'
	gone "$pid" || wait_until gone "$pid"
	for command in restart stop ping pid 'rpc 1'; do
		# shellcheck disable=SC2086 # words
		elsewhere $command
		is "$status" 1
		is "$err" "ERROR: bar@$loopback is not running"
	done
	must foo stop
}

run_tests "$@"
