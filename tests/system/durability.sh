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

# ---- backups -------------------------------------------------------------------------------------------------------

fill() {
	must "$launcher" rpc "kv.create('load')
		for i = 1, $1 do kv.hset('load', 'key' .. i, string.rep('x', 1000)) end"
}

it_restores_a_backup() {
	bundle foo
	start_daemon
	fill 200
	must "$launcher" rpc "kv.backup('$D/copy')"
	one_request 'PUT load late 1' OK
	run "$launcher" rpc "kv.backup('$D/copy')"
	is "$status" 1
	like "$err" "*'$D/copy' exists already: choose another path*"
	must "$launcher" rpc 'kv.verify()'
	stop_node
	rm -r foo/data/kv
	mv copy foo/data/kv
	start_daemon
	one_request 'GET load late' '' OK
	must "$launcher" rpc 'return kv.hlen("load"), kv.verify()'
	is "$out" 200
	stop_node
}

it_leaves_nothing_of_a_backup_that_found_no_room() {
	bundle foo
	small_disk 1m
	start_daemon
	fill 3000
	run "$launcher" rpc "kv.backup('$D/disk/copy')"
	is "$status" 1
	like "$err" '*No space left on device*make room on the disk*'
	is "$(ls -A disk)" ''
	mount -o remount,size=20m disk
	must "$launcher" rpc "kv.backup('$D/disk/copy')"
	is "$(ls -A disk disk/copy)" $'disk:\ncopy\n\ndisk/copy:\ndata.mdb'
	stop_node
	umount disk
}

it_completes_a_backup_after_a_kill_in_the_middle_of_one() {
	bundle foo
	start_daemon
	fill 20000
	"$launcher" rpc "kv.backup('$D/copy')" >/dev/null 2>&1 &
	wait_until [ -e "$D/copy.partial" ]
	kill -KILL "$pid"
	wait_until gone "$pid"
	wait $!
	[ ! -e copy ] || fail 'half a backup has the name of one'
	start_daemon
	must "$launcher" rpc "kv.backup('$D/copy')"
	[ ! -e copy.partial ] || fail 'what the kill left is still there'
	stop_node
}

# ---- a folder that is not as it should be ----------------------------------------------------------------------------

it_says_what_it_may_not_read_or_write() {
	needs_root
	bundle foo
	start_daemon
	one_request 'CREATE shopping' OK
	stop_node
	chown -R 65534 foo
	chown 0 foo/data/kv/data.mdb
	run setpriv --reuid 65534 --clear-groups env XDG_RUNTIME_DIR= "$launcher" daemon
	is "$status" 1
	like "$err" "*cannot open '*/data.mdb': Permission denied*"
	chown 65534 foo/data/kv/data.mdb
	chown 0 foo/data/kv foo/data/kv/lock
	chmod 500 foo/data/kv
	run setpriv --reuid 65534 --clear-groups env XDG_RUNTIME_DIR= "$launcher" daemon
	is "$status" 1
	like "$err" '*Permission denied*'
}

it_says_that_its_data_are_on_a_read_only_disk() {
	bundle foo
	small_disk 50m
	export RELEASE_DATA=$D/disk
	echo 'config("kv", {log_segment_size = "1MiB"})' >>foo/releases/0.0.1/runtime.lua
	start_daemon
	one_request 'CREATE shopping' OK
	stop_node
	mount -o remount,ro disk
	run "$launcher" daemon
	is "$status" 1
	like "$err" '*Read-only file system*'
	umount disk
}

run_tests "$@"
