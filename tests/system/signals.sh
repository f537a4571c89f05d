#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Signals: what each does to a node, and to the first process of a container.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

ready() {
	gone "$pid" && fail "the node ended:"$'\n'"$(cat "$D/log")"
	grep -q 'is ready' "$D/log"
}

it_writes_its_status_into_the_log_at_sigusr2() {
	bundle foo
	export RELEASE_DISTRIBUTION=none # no command can ask this one
	"$launcher" start >log 2>&1 </dev/null &
	pid=$!
	wait_until ready
	kill -USR2 "$pid"
	wait_until grep -q 'status: requests ' log
	like "$(cat log)" "*notice status: state        running, process $pid*status: * kv_server 0.1.0, permanent, started*"
	one_request 'CREATE shopping' OK
	kill "$pid"
	wait "$pid"
	is $? 0
}

it_survives_signals_that_mean_nothing_to_it() {
	bundle foo
	start_foreground
	for signal in PIPE XFSZ WINCH USR1 USR2; do
		kill -"$signal" "$pid"
	done
	wait_until grep -q 'there is no log file to reopen' "$D/log"
	one_request 'CREATE shopping' OK
	stop_node
}

# What its caller did to signals is inherited.
it_minds_signals_that_its_caller_blocked_or_ignored() {
	bundle foo
	mkdir -p foo/releases/0.0.1/hooks
	printf '#!/bin/sh\n[ ! -e %s ]\n' "$D/refuse" >foo/releases/0.0.1/hooks/pre_start
	chmod +x foo/releases/0.0.1/hooks/pre_start
	launcher=$D/foo/bin/foo
	env --block-signal=TERM --ignore-signal=CHLD "$launcher" start >"$D/log" 2>&1 </dev/null &
	pid=$!
	wait_until serving
	must "$launcher" rpc 'return select(3, os.execute("exit 3"))'
	is "$out" 3
	kill -TERM "$pid"
	wait "$pid"
	is $? 0
	touch refuse
	run env --ignore-signal=CHLD "$launcher" daemon
	is "$status" 1
	like "$err" "ERROR: hook 'pre_start'*exit code 1*"
}

it_does_not_die_of_a_limit_on_the_size_of_files() {
	bundle foo
	(ulimit -f 512 && exec "$launcher" start) >log 2>&1 </dev/null & # the log of the store wants more
	pid=$!
	wait "$pid"
	is $? 1
	like "$(cat log)" '*File too large*'
}

# ---- the first process of a container --------------------------------------------------------------------------------

in_container() {
	needs_root
	unshare --pid --fork --kill-child --mount-proc true 2>/dev/null || skip 'cannot make a pid namespace here'
	unshare --pid --fork --kill-child --mount-proc "$launcher" "$@" >"$D/log" 2>&1 </dev/null &
	outer=$!
	wait_until first_process
}

first_process() {
	pid=$(cat "/proc/$outer/task/$outer/children")
	pid=${pid% }
	[[ -n $pid && $(readlink "/proc/$pid/exe") == *"$D/foo/bin/foo" ]]
}

it_stops_and_reloads_as_the_first_process_of_a_container() {
	bundle foo
	in_container start
	wait_until ready
	one_request 'CREATE shopping' OK
	kill -HUP "$pid"
	wait_until grep -q 'the configuration was read again' log
	kill -TERM "$pid"
	wait "$outer"
	is $? 0
	like "$(cat log)" '*stopping reason=SIGTERM*has stopped*'
}

it_ends_as_its_node_does() {
	bundle foo
	in_container start
	wait_until ready
	must "$launcher" stop
	wait "$outer"
	is $? 0
	run unshare --pid --fork --kill-child --mount-proc "$launcher" eval 'os.exit(7)'
	is "$status" 7
}

it_can_be_stopped_before_it_has_booted() {
	bundle foo
	echo 'sleep 20' >foo/releases/0.0.1/env.sh
	in_container start
	sleep 0.3
	kill -TERM "$pid"
	wait "$outer"
	is $? 143
	: >foo/releases/0.0.1/env.sh
	echo 'os.execute("sleep 20")' >>foo/releases/0.0.1/runtime.lua
	in_container start
	sleep 0.2
	kill -TERM "$pid"
	wait "$outer"
	is $? 143
}

it_leaves_no_zombies() {
	bundle foo
	in_container start
	wait_until ready
	must "$launcher" rpc 'os.execute("(sleep 0.1; true) & (sleep 0.2; true) &")'
	wait_until no_zombies
	# it is the node's process that stop waits for; the first one follows
	must "$launcher" stop
	wait "$outer"
}

no_zombies() {
	local child children
	children=$(cat "/proc/$pid/task/$pid/children")
	for child in $children; do
		gone "$child" && return 1
	done
	[ "$(wc -w <<<"$children")" = 1 ]
}

run_tests "$@"
