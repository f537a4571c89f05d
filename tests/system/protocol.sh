#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The line protocol, row by row, as a client sees it.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

node() {
	bundle foo
	start_daemon
	connect
}

it_answers_the_tutorials_session() {
	node
	says 'CREATE shopping' OK
	says 'CREATE shopping' OK
	says 'PUT shopping milk 1' OK
	says 'GET shopping milk' 1 OK
	says 'PUT shopping milk 2' OK
	says 'GET shopping milk' 2 OK
	says 'DELETE shopping milk' OK
	says 'GET shopping milk' '' OK
	says 'DELETE shopping milk' OK
	says 'HELLO' 'UNKNOWN COMMAND'
	stop_node
}

it_says_not_found_for_a_missing_bucket() {
	node
	says 'PUT garden milk 1' 'NOT FOUND'
	says 'GET garden milk' 'NOT FOUND'
	says 'DELETE garden milk' 'NOT FOUND'
	says 'CREATE garden' OK
	says 'GET garden milk' '' OK
	stop_node
}

it_says_unknown_command_to_anything_else() {
	node
	says 'create shopping' 'UNKNOWN COMMAND'
	says 'CREATE' 'UNKNOWN COMMAND'
	says 'CREATE a b' 'UNKNOWN COMMAND'
	says 'PUT shopping milk' 'UNKNOWN COMMAND'
	says 'PUT shopping milk 1 2' 'UNKNOWN COMMAND'
	says 'GET shopping' 'UNKNOWN COMMAND'
	says 'DELETE shopping' 'UNKNOWN COMMAND'
	says '' 'UNKNOWN COMMAND'
	says '   ' 'UNKNOWN COMMAND'
	says 'CREATE shopping' OK
	stop_node
}

it_splits_words_at_white_space_and_takes_lf_and_crlf() {
	node
	printf 'CREATE  shopping\n\t PUT\tshopping   milk  1 \r\nGET shopping milk\n' >&9
	for expected in OK OK 1 OK; do
		answer_line 'several lines'
		is "$line" "$expected"
	done
	stop_node
}

it_ends_its_own_lines_with_crlf() {
	node
	printf 'CREATE shopping\r\nGET shopping milk\r\n' >&9
	is "$(head -c 10 <&9 | od -An -c | tr -d ' \n')" 'OK\r\n\r\nOK\r\n'
	stop_node
}

it_keeps_names_and_values_as_bytes() {
	node
	says $'CREATE b\xc3\xbccher' OK
	says $'PUT b\xc3\xbccher \xff\xfe\x01 \x80\x7f"\x27' OK
	says $'GET b\xc3\xbccher \xff\xfe\x01' $'\x80\x7f"\x27' OK
	stop_node
}

it_answers_a_pipeline_in_order() {
	local i
	node
	says 'CREATE list' OK
	for i in {1..1000}; do
		printf 'PUT list key %s\r\nGET list key\r\nNONSENSE\r\n' "$i"
	done >"$D/requests"
	cat "$D/requests" >&9 &
	for i in {1..1000}; do
		for expected in OK "$i" OK 'UNKNOWN COMMAND'; do
			answer_line "request $i"
			is "$line" "$expected"
		done
	done
	stop_node
}

it_does_not_execute_a_line_without_its_end() {
	node
	printf 'CREATE finished\r\nCREATE cut' >&9
	answer_line 'CREATE finished'
	is "$line" OK
	hang_up
	one_request 'GET cut key' 'NOT FOUND'
	one_request 'GET finished key' '' OK
	stop_node
}

it_answers_error_and_the_reason_where_no_node_is_responsible() {
	bundle foo
	printf 'config("kv", {routing_table = {{range = "a-z", node = "self"}}})\n' >>"$D/foo/releases/0.0.1/runtime.lua"
	start_daemon
	connect
	printf 'CREATE Shopping\r\n' >&9
	answer_line 'CREATE Shopping'
	like "$line" 'ERROR ?*'
	says 'CREATE shopping' OK
	stop_node
}

it_refuses_a_line_over_the_limit_and_closes() {
	local reply
	node
	says 'CREATE long' OK
	says "PUT long key $(head -c 60000 /dev/zero | tr '\0' v)" OK
	hang_up
	reply=$(storm longline "$PORT" 70000)
	is "$reply" 'ERROR line too long'
	one_request 'GET long other' '' OK
	stop_node
}

it_tells_every_subscriber_of_changes_from_either_side() {
	local fd line
	bundle_of_both
	start_daemon
	connect
	says 'CREATE shopping' OK
	exec 7<>"/dev/tcp/127.0.0.1/$PORT" 8<>"/dev/tcp/127.0.0.1/$PORT"
	for fd in 7 8; do
		printf 'SUBSCRIBE shopping\r\nSUBSCRIBE shopping\r\nSUBSCRIBE garden\r\n' >&"$fd"
		hears "$fd" OK OK 'NOT FOUND'
	done
	says 'PUT shopping milk 1' OK
	says 'DELETE shopping milk' OK
	says 'DELETE shopping milk' OK
	printf 'HSET shopping eggs 1 salt 2\r\nHINCRBY shopping eggs 5\r\nHDEL shopping salt nothing\r\n' |
		must_redis ':2' ':6' ':1'
	for fd in 7 8; do
		hears "$fd" 'milk SET TO 1' 'milk DELETED' 'eggs SET TO 1' 'salt SET TO 2' 'eggs SET TO 6' 'salt DELETED'
	done
	printf 'GET shopping eggs\r\n' >&7
	hears 7 6 OK
	printf 'DEL shopping\r\n' | must_redis ':1'
	for fd in 7 8; do
		hears "$fd" 'ERROR the bucket was removed'
		is "$(timeout 10 cat <&"$fd")" ''
	done
	stop_node
}

it_passes_nothing_of_several_lines_for_what_it_says() {
	bundle_of_both
	start_daemon
	connect
	says 'CREATE shopping' OK
	exec 7<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'SUBSCRIBE shopping\r\n' >&7
	hears 7 OK
	printf 'HSET shopping milk 1 tea "2\\r\\nsalt DELETED"\r\n' | must_redis ':2'
	hears 7 'milk SET TO 1' 'ERROR a change holds a line end, which this protocol cannot tell'
	is "$(timeout 10 cat <&7)" ''
	says 'GET shopping tea' 'ERROR the value holds a line end, which this protocol cannot tell'
	says 'GET shopping milk' 1 OK
	exec 7<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'SUBSCRIBE shopping\r\n' >&7
	hears 7 OK
	printf 'HDEL shopping "milk\\n"\r\nHSET shopping "salt SET TO 3\\nmilk" 1\r\n' | must_redis ':0' ':1'
	hears 7 'ERROR a change holds a line end, which this protocol cannot tell'
	stop_node
}

# hears FD LINE…
hears() {
	local fd=$1 expected line
	shift
	for expected; do
		IFS= read -r -t 10 -u "$fd" line || fail "nothing where '$expected' was expected"
		is "${line%$'\r'}" "$expected"
	done
}

# must_redis LINE… <REQUESTS
must_redis() {
	exec 6<>"/dev/tcp/127.0.0.1/$RESP_PORT"
	cat >&6
	hears 6 "$@"
	exec 6>&-
}

it_logs_the_port_it_accepts_connections_on() {
	bundle foo
	start_foreground
	like "$(cat "$D/log")" "*Accepting connections on port $PORT*"
	stop_node
}

run_tests "$@"
