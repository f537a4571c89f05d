#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two nodes by name on this host, and a bad cable between them (tests/support/cable.c): slow, with stalls, out, deaf in one
# direction, broken under load. foo keeps a-m and asks bar, whose name leads to the cable, for n-z.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# cabled DELAY JITTER STALLS [FLAGS]: both nodes are up
cabled() {
	local ports table
	mapfile -t ports < <(ports 5)
	foo_port=${ports[0]} to_cable=${ports[1]} behind_it=${ports[2]} PORT=${ports[3]}
	export PORT RELEASE_DISTRIBUTION=name RELEASE_COOKIE=biscuit
	bar_name=bar@127.0.0.1:$to_cable
	table="[{range: a-m, node: \"foo@127.0.0.1:$foo_port\"}, {range: n-z, node: \"$bar_name\"}]"
	(project && must kvrel build foo --quiet --path "$D/bundle" --set "kv.routing_table=$table" \
		--set kv.durability=none) || exit 1
	mkdir -p "$D/bin"
	# nobody listens where foo's name says: bar cannot open a link past the cable
	command_of foo "$foo_port" "--dist-listen 127.0.0.1:${ports[4]}"$'\n'"${4:-}" "$PORT"
	command_of bar "$to_cable" "--dist-listen 127.0.0.1:$behind_it"$'\n'"${4:-}" 0
	PATH=$D/bin:$PATH
	must bar daemon
	coproc CABLE { exec cable "$to_cable" "$behind_it" "$1" "$2" "$3"; }
	wait_until bar ping
	must foo daemon
	must foo rpc 'kv.create("pears")'
}

# command_of NAME PORT FLAGS LINE_PORT: runs the launcher as that node
command_of() {
	printf '%s\n' "$3" >"$D/$1.args"
	printf '#!/bin/sh\nRELEASE_NODE=%s RELEASE_DATA=%s RELEASE_TMP=%s RELEASE_VM_ARGS=%s PORT=%s exec "%s" "$@"\n' \
		"$1@127.0.0.1:$2" "$D/data.$1" "$D/tmp.$1" "$D/$1.args" "$4" "$D/bundle/bin/foo" >"$D/bin/$1"
	chmod +x "$D/bin/$1"
}

# the_cable_is cut|deaf|mend|break
the_cable_is() {
	local said
	echo "$1" >&"${CABLE[1]}"
	read -r -t 10 said <&"${CABLE[0]}" && is "$said" "$1"
}

stop_both() {
	must foo stop
	must bar stop
	kill "$CABLE_PID"
}

put() {
	run foo rpc "kv.put('pears', 'k', $1)"
	[ "$status" = 0 ]
}

it_works_over_a_slow_cable_that_stalls() {
	local before took i
	cabled 20 5 5
	for i in {1..20}; do
		must foo rpc "kv.put('pears', 'k$i', $i)"
	done
	must bar rpc 'return #kv.keys("pears")'
	is "$out" 20
	# a round takes 40 ms: requests of one connection share it and do not wait for each other
	before=${EPOCHREALTIME/./}
	crowd "$PORT" 3 20 pears >"$D/crowd" 2>&1 || fail "$(cat "$D/crowd")"
	took=$(((${EPOCHREALTIME/./} - before) / 1000))
	[ "$took" -lt 20000 ] || fail "three seconds took $took ms"
	[ "$(ended 'done')" -gt 150 ] || fail "$(cat "$D/crowd")"
	is "$(ended refused)" 0
	stop_both
}

# how many requests of the crowd ended so
ended() {
	grep -ho "$1 [0-9]*" "$D/crowd" | awk '{ sum += $2 } END { print sum + 0 }'
}

it_notices_a_cable_that_is_cut_and_goes_on_when_it_is_mended() {
	cabled 0 0 0 '--dist-heartbeat 1000'
	must foo rpc 'app.put_env("kv", "forward_timeout", "5s")'
	put 1 || fail "$err"
	the_cable_is cut
	# before the deadline, whose words are others
	put 2 && fail 'it was put over a cable that is out'
	like "$err" "*the link to node '$bar_name' was lost before it answered: the outcome is unknown*"
	put 3 && fail 'it was put over a cable that is out'
	like "$err" "*node '$bar_name' is unreachable*"
	must foo rpc 'kv.create("apples") return kv.exists("apples")' # its own buckets are served
	is "$out" 1
	the_cable_is mend
	wait_until put 4
	must bar rpc 'return kv.get("pears", "k")'
	is "$out" 4
	stop_both
}

# The request arrives and is done; the answer comes when nobody waits for it any more.
it_takes_no_late_reply_for_another_one() {
	local before took
	cabled 0 0 0
	must foo rpc 'app.put_env("kv", "forward_timeout", "800ms") kv.put("pears", "late", "wrong")'
	the_cable_is deaf
	run foo rpc 'return kv.get("pears", "late")'
	is "$status" 1
	before=${EPOCHREALTIME/./}
	put 1 && fail 'there was an answer'
	took=$(((${EPOCHREALTIME/./} - before) / 1000))
	like "$err" "*node '$bar_name' did not answer before the deadline: the outcome is unknown*"
	[ "$took" -lt 8000 ] || fail "it took $took ms"
	the_cable_is mend
	must foo rpc 'return kv.get("pears", "k")'
	is "$out" 1 # done, and foo could not know
	put 2 || fail "$err"
	must foo rpc 'return kv.get("pears", "k")'
	is "$out" 2
	stop_both
}

# Both wait for a link, who names the node for longer: the other one has given up when it comes about.
it_does_not_do_what_was_given_up_before_it_was_sent() {
	local other
	cabled 0 0 0
	must foo rpc 'app.put_env("kv", "forward_timeout", "500ms") kv.put("pears", "k", "old")'
	the_cable_is cut
	the_cable_is break
	sleep 0.5 # foo tries again by then, in vain
	foo rpc "return rpc.call('$bar_name', 'kv.put', 'pears', 'other', 'done')" >"$D/other" 2>&1 &
	other=$!
	put '"given up"' && fail 'it was put over a cable that is out'
	like "$err" "*node '$bar_name' is unreachable: the connection broke*"
	the_cable_is mend
	wait "$other" || fail "$(cat "$D/other")"
	must bar rpc 'return kv.get("pears", "k"), kv.get("pears", "other")'
	is "$out" old$'\n'done
	stop_both
}

it_explains_every_error_of_a_cable_that_breaks_under_load() {
	local i crowd_pid
	cabled 2 1 0
	crowd "$PORT" 6 10 pears >"$D/crowd" 2>&1 &
	crowd_pid=$!
	for i in 1 2 3 4 5 6 7; do
		sleep 0.6
		the_cable_is break
	done
	wait "$crowd_pid" || fail "$(cat "$D/crowd")" # an answer without a reason, or a wrong one
	[ "$(ended 'done')" -gt 500 ] || fail "$(cat "$D/crowd")"
	[ $(($(ended refused) + $(ended unknown))) -gt 0 ] || fail 'no request met a broken cable'
	must foo rpc 'return node.list()'
	is "$out" "{\"$bar_name\"}"
	stop_both
}

run_tests "$@"
