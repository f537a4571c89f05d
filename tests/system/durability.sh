#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Acknowledged means durable: what a client was told 'OK' for is found again.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

it_keeps_its_data_over_a_stop() {
	bundle foo
	start_daemon
	one_request 'CREATE shopping' OK
	one_request 'PUT shopping milk 1' OK
	stop_node
	start_daemon
	one_request 'GET shopping milk' 1 OK
	stop_node
}

it_finds_every_acknowledged_write_after_kill_9_under_load() {
	local round writes total=0
	bundle foo
	for round in 1 2 3; do
		start_daemon
		rm -f writes written
		load write "$PORT" writes 10 8 32 >written &
		writes=$!
		# long enough to be amidst segments and checkpoints; another moment in each round
		sleep "1.$((round * 3))"
		kill -KILL "$pid"
		wait "$writes" || fail "nothing was acknowledged in round $round"
		total=$((total + $(cat written)))
		start_daemon
		must load check "$PORT" writes
		like "$out" '*, 0 lost'
		stop_node
	done
	[ "$total" -gt 1000 ] || fail "only $total writes in three rounds: this shows nothing"
}

# What these two give up is the last second before a power loss; the kernel keeps what a killed process wrote.
it_loses_nothing_to_kill_9_with_weaker_durability() {
	local durability writes
	bundle foo
	for durability in everysec none; do
		cp "$SRC/rel/runtime.lua" "$D/foo/releases/0.0.1/runtime.lua"
		echo "config(\"kv\", {durability = \"$durability\"})" >>"$D/foo/releases/0.0.1/runtime.lua"
		start_daemon
		rm -f writes written
		load write "$PORT" writes 10 8 32 >written &
		writes=$!
		sleep 0.7
		kill -KILL "$pid"
		wait "$writes" || fail "nothing was acknowledged with $durability"
		start_daemon
		must load check "$PORT" writes
		like "$out" '*, 0 lost'
		stop_node
	done
}

it_finds_them_after_a_kill_during_recovery_too() {
	bundle foo
	start_daemon
	load write "$PORT" writes 1 4 16 >/dev/null &
	wait $!
	kill -KILL "$pid"
	wait_until gone "$pid"
	for _ in 1 2 3 4 5; do
		"$launcher" start >/dev/null 2>&1 </dev/null &
		pid=$!
		sleep 0.0$((RANDOM % 5))
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null
	done
	start_daemon
	must load check "$PORT" writes
	stop_node
}

it_keeps_data_where_release_data_says() {
	bundle foo
	export RELEASE_DATA=$D/elsewhere
	start_daemon
	one_request 'CREATE shopping' OK
	stop_node
	[ -n "$(ls -A "$D/elsewhere")" ] || fail "nothing in $D/elsewhere"
	[ ! -e "$D/foo/data" ] || fail "the bundle has a data folder"
}

it_says_error_when_its_disk_is_full_and_loses_nothing() {
	local replies
	bundle foo
	data_on_small_disk foo
	start_daemon
	one_request 'CREATE load' OK
	one_request 'PUT load early 1' OK
	connect
	(for _ in {1..1500}; do
		printf 'PUT load key%s %s\r\n' "$RANDOM$RANDOM" "$(printf '%030000d' 7)"
	done >&9) &
	replies=$(for _ in {1..1500}; do
		IFS= read -r -t 20 -u 9 line || break
		echo "${line%%[^A-Z]*}"
	done | sort | uniq -c | tr -s ' \n' ' ')
	hang_up
	like "$replies" '*ERROR*'
	gone "$pid" && fail "the node died of a full disk"
	one_request 'GET load early' 1 OK
	kill -KILL "$pid"
	wait_until gone "$pid"
	mount -o remount,size=200m disk
	start_daemon
	one_request 'GET load early' 1 OK
	one_request 'PUT load late 1' OK
	stop_node
	umount disk
}

run_tests "$@"
