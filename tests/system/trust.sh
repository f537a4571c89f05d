#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who does not hold the cookie: a node's port for others takes nothing from him, says so once, and goes on serving.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# A node by name, its port for other nodes in $dist_port.
a_node() {
	{ read -r dist_port && read -r proxy_port; } < <(ports 2)
	export RELEASE_DISTRIBUTION=name RELEASE_COOKIE=biscuit RELEASE_NODE=foo@127.0.0.1:$dist_port
	bundle foo
	start_daemon
}

# The node serves its clients and those who hold the cookie.
serves() {
	is "$("$launcher" ping)" pong
	one_request 'CREATE apples' OK
}

refusals() {
	cat "$D"/foo/tmp/log/* | grep -c 'refused a connection'
}

it_refuses_tls_without_the_key_and_with_another_one() {
	local options
	a_node
	for options in '' -tls1_3 -tls1_2 '-psk_identity nobody -psk 00112233 -tls1_3' \
		'-psk 0011223344556677889900112233445566778899001122334455667788990011 -tls1_3'; do
		# shellcheck disable=SC2086 # words
		run openssl s_client -connect "127.0.0.1:$dist_port" $options
		[ "$status" != 0 ] || fail "openssl s_client $options was let in"
		[[ $out != *'Cipher is TLS_'* ]] || fail "openssl s_client $options agreed on a cipher"
	done
	# the name of the key is no secret, the key is
	run openssl s_client -connect "127.0.0.1:$dist_port" -tls1_3 -psk_identity 'kvrel node' -psk 00112233445566778899
	[ "$status" != 0 ] || fail 'another key was let in'
	is "$(refusals)" 1 # a minute
	serves
	stop_node
}

it_refuses_a_node_without_a_cookie_of_its_own() {
	a_node
	run env -u RELEASE_COOKIE HOME="$D/tmp" "$launcher" ping
	is "$status" 1
	like "$err" '*the cookie is not the one of foo@127.0.0.1*'
	is "$(refusals)" 1
	serves
	stop_node
}

it_hangs_up_on_plain_text() {
	local before=${EPOCHREALTIME/./} answer
	a_node
	exec 9<>"/dev/tcp/127.0.0.1/$dist_port"
	printf 'GET / HTTP/1.0\r\n\r\n' >&9
	answer=$(timeout 5 cat <&9 | wc -c) || fail 'it does not hang up'
	[ "$answer" -lt 20 ] || fail "it said $answer bytes" # an alert
	[ $((${EPOCHREALTIME/./} - before)) -lt 4000000 ] || fail 'it took its time to hang up'
	hang_up
	is "$(refusals)" 1
	like "$(cat "$D"/foo/tmp/log/*)" '*refused a connection: it does not speak TLS*peer=127.0.0.1:*'
	serves
	stop_node
}

# Its name says where the recorder listens, so that commands take the way over it.
it_takes_nothing_from_a_conversation_that_is_replayed() {
	local recorder
	{ read -r dist_port && read -r proxy_port; } < <(ports 2)
	export RELEASE_DISTRIBUTION=name RELEASE_COOKIE=biscuit RELEASE_NODE=foo@127.0.0.1:$proxy_port
	bundle foo
	echo "--dist-listen 127.0.0.1:$dist_port" >>"$D/foo/releases/0.0.1/vm.args"
	start_daemon
	must "$launcher" rpc 'kv.create("apples")'
	stranger record "$proxy_port" "$dist_port" "$D/said" >"$D/recorder" 2>&1 &
	recorder=$!
	wait_until grep -q listening "$D/recorder"
	must "$launcher" rpc 'kv.put("apples", "n", (kv.get("apples", "n") or 0) + 1)'
	wait "$recorder" || fail "$(cat "$D/recorder")"
	[ "$(stat -c %s "$D/said")" -gt 400 ] || fail 'nothing was recorded'
	one_request 'GET apples n' 1 OK
	is "$(refusals)" 0
	must stranger replay "$dist_port" "$D/said"
	like "$out" 'said *, heard *'
	wait_until [ "$(refusals)" = 1 ]
	one_request 'GET apples n' 1 OK
	stop_node
}

hardly_any_is_open() {
	[ "$(ss -Htn state established "( sport = :$dist_port )" | wc -l)" -lt 3 ]
}

it_serves_beside_a_thousand_handshakes_that_are_held_open() {
	local before after
	a_node
	serves
	before=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
	mkfifo "$D/hold"
	stranger halves "$dist_port" 1000 <"$D/hold" >"$D/halves" 2>&1 &
	exec 8>"$D/hold"
	wait_until grep -q open "$D/halves"
	for _ in 1 2 3; do
		serves
	done
	after=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
	[ $((after - before)) -lt 16000 ] || fail "the node grew from $before to $after KiB"
	[ "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" -lt 200 ] || fail 'it keeps them all open'
	wait_until hardly_any_is_open # what proves nothing within five seconds has to go
	exec 8>&-
	is "$(refusals)" 1
	serves
	stop_node
}

run_tests "$@"
