#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients that do not behave: the node outlives them, and serves the others meanwhile.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

node() {
	bundle foo
	start_daemon
	one_request 'CREATE shopping' OK
	one_request 'PUT shopping milk 1' OK
}

still_serves() {
	one_request 'GET shopping milk' 1 OK
	stop_node
}

resident_kb() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"
}

it_hangs_up_on_ten_megabytes_without_a_newline() {
	local before
	node
	before=$(resident_kb)
	is "$(storm longline "$PORT" 10000000)" 'ERROR line too long'
	[ $(($(resident_kb) - before)) -lt 5000 ] || fail "it kept the line: $before kB before, $(resident_kb) kB after"
	still_serves
}

it_outlives_binary_rubbish() {
	node
	for seed in 1 2 3 4; do
		must storm rubbish "$PORT" 2000000 "$seed"
	done
	still_serves
}

it_serves_beside_a_thousand_half_open_connections() {
	node
	mkfifo hold
	storm halfopen "$PORT" 1000 <hold >opened &
	exec 8>hold
	wait_until grep -q open opened
	one_request 'PUT shopping eggs 3' OK
	one_request 'GET shopping eggs' 3 OK
	must "$launcher" ping
	exec 8>&-
	still_serves
}

it_stops_at_once_with_a_thousand_half_open_connections() {
	node
	mkfifo hold
	storm halfopen "$PORT" 1000 <hold >opened &
	exec 8>hold
	wait_until grep -q open opened
	stop_node
	[ "$took_ms" -lt 10000 ] || fail "stop took $took_ms ms"
}

it_outlives_clients_that_vanish_in_mid_request() {
	local files
	node
	files=$(find "/proc/$pid/fd" -mindepth 1 | wc -l)
	must storm vanish "$PORT" 2000
	no_more_files() { [ "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" -le "$files" ]; }
	wait_until no_more_files
	still_serves
}

run_tests "$@"
