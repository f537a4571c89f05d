#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Boots that must fail, and say why; boots that must not be bothered by what is left of an earlier one.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# refused LAUNCHER PATTERN [PIDS]: neither start nor daemon boots; both say PATTERN, and nothing but PIDS runs afterwards.
refused() {
	run "$1" daemon
	is "daemon $status" 'daemon 1'
	like "$err$out" "$2"
	run "$1" start
	[ "$status" = 1 ] || [ "$status" = 3 ] || fail "start: exit $status"
	like "$err$out" "$2"
	is "$(leftovers "$D")" "${3:-}"
}

it_names_the_port_that_is_in_use() {
	bundle foo
	start_daemon
	RELEASE_NODE=second RELEASE_DATA=$D/second refused "$launcher" "*kv_server*$PORT*in use*" "$pid"
	stop_node
	start_daemon
	stop_node
}

it_refuses_a_second_node_of_the_same_name() {
	bundle foo
	start_daemon
	PORT=$other_port RELEASE_DATA=$D/second refused "$launcher" '*foo@*running already*' "$pid"
	stop_node
}

it_boots_over_what_a_killed_node_left() {
	bundle foo
	start_daemon
	[ -n "$(find "$XDG_RUNTIME_DIR" -name '*.sock')" ] || fail 'no socket in XDG_RUNTIME_DIR'
	kill -KILL "$pid"
	wait_until gone "$pid"
	run "$launcher" ping
	is "$status" 1
	like "$err" 'ERROR: foo@* is not running'
	start_daemon
	one_request 'CREATE shopping' OK
	stop_node
	is "$(find "$XDG_RUNTIME_DIR" -name '*.sock')" ''
}

# slow HOOK: it takes a second
slow() {
	mkdir -p foo/releases/0.0.1/hooks
	printf '#!/bin/sh\ntouch %s\nsleep 1\n' "$D/$1" >"foo/releases/0.0.1/hooks/$1"
	chmod +x "foo/releases/0.0.1/hooks/$1"
}

it_is_stopped_while_it_boots() {
	bundle foo
	slow pre_start
	"$launcher" daemon &
	daemon=$!
	wait_until test -e pre_start
	run "$launcher" ping
	is "$status" 1
	like "$err" 'ERROR: foo@* is not running: its process * boots or stops'
	must "$launcher" stop
	wait "$daemon"
	is "$(leftovers "$D/foo")" ''
}

# long HOOK: it takes longer than anybody waits
long() {
	slow "$1"
	sed -i 's/^sleep 1$/sleep 300/' "foo/releases/0.0.1/hooks/$1"
}

it_is_stopped_within_a_long_hook() {
	bundle foo
	long pre_start
	"$launcher" daemon 2>"$D/said" &
	daemon=$!
	wait_until test -e pre_start
	must "$launcher" stop
	[ "$took_ms" -lt 20000 ] || fail "stop took $took_ms ms"
	wait "$daemon"
	is $? 1
	like "$(cat said)" "ERROR: *hook 'pre_start'*it was asked to end"
	is "$(leftovers "$D/foo")" ''
	run "$launcher" stop
	is "$status" 1
	# in the foreground, by the signal of Ctrl-C
	for signal in INT TERM; do
		rm pre_start
		"$launcher" start >"$D/said" 2>&1 </dev/null &
		pid=$!
		wait_until test -e pre_start
		kill -"$signal" "$pid"
		wait "$pid"
		is $? 0
		is "$(leftovers "$D/foo")" ''
	done
	rm foo/releases/0.0.1/hooks/pre_start
	long post_start
	"$launcher" start >"$D/said" 2>&1 </dev/null &
	pid=$!
	wait_until test -e post_start
	must "$launcher" stop
	wait "$pid"
	is $? 0
	is "$(leftovers "$D/foo")" ''
}

it_is_stopped_within_a_long_hook_of_a_restart() {
	bundle foo
	long pre_start
	mv foo/releases/0.0.1/hooks/pre_start later
	start_daemon
	mv later foo/releases/0.0.1/hooks/pre_start
	"$launcher" restart 2>"$D/said" &
	restart=$!
	wait_until test -e pre_start
	must "$launcher" stop
	[ "$took_ms" -lt 5000 ] || fail "stop took $took_ms ms"
	gone "$pid" || fail "the stop returned before process $pid had gone"
	wait "$restart"
	is $? 1
	like "$(cat said)" 'ERROR: *'
	is "$(leftovers "$D/foo")" ''
}

it_is_waited_for_while_it_stops() {
	bundle foo
	slow post_stop
	start_daemon
	"$launcher" stop &
	first=$!
	wait_until test -e post_stop
	must "$launcher" stop
	gone "$pid" || fail "the second stop returned before process $pid had gone"
	wait "$first"
	is $? 0
	run "$launcher" stop
	is "$status" 1
	like "$err" 'ERROR: foo@* is not running'
}

it_is_stopped_while_it_restarts() {
	bundle foo
	slow post_stop
	start_foreground
	run_restart() {
		"$launcher" restart 2>complaint
		echo $? >restarted
	}
	run_restart &
	wait_until test -e post_stop
	kill -TERM "$pid"
	wait "$pid"
	is $? 0
	wait_until test -s restarted
	is "$(cat restarted complaint)" $'1\nERROR: the node was stopped while it restarted'
	run "$launcher" ping
	like "$err" 'ERROR: foo@* is not running'
	start_daemon
	must "$launcher" status --json
	like "$out" '*"boot":{"reason":"start"*' # in good order
	stop_node
}

it_takes_many_stops_at_once() {
	local i
	bundle foo
	start_daemon
	for i in 1 2 3 4; do
		# who comes late finds nobody
		{ "$launcher" stop 2>&1 || true; } >"said.$i" &
	done
	wait
	gone "$pid" || fail 'it runs on'
	for i in 1 2 3 4; do
		[ ! -s "said.$i" ] || like "$(cat "said.$i")" 'ERROR: foo@* is not running'
	done
}

it_fails_where_the_data_folder_cannot_be_written() {
	bundle foo
	touch file
	RELEASE_DATA=$D/file/data refused "$launcher" "*$D/file*"
}

it_names_file_line_and_key_of_a_wrong_setting() {
	bundle foo
	cp foo/releases/0.0.1/runtime.lua good.lua
	printf 'config("kv_server", {\n  prot = 4041,\n})\n' >foo/releases/0.0.1/runtime.lua
	refused "$launcher" '*runtime.lua:*prot*port*'
	printf '\nconfig("kv_server", {port = "many"})\n' >foo/releases/0.0.1/runtime.lua
	refused "$launcher" '*runtime.lua:2*port*'
	printf '\n\nlocal x = env("NOT_THERE")\n' >foo/releases/0.0.1/runtime.lua
	refused "$launcher" '*runtime.lua:3: environment variable NOT_THERE is not set*'
	printf 'config(\n' >foo/releases/0.0.1/runtime.lua
	refused "$launcher" '*runtime.lua:*'
	cp good.lua foo/releases/0.0.1/runtime.lua
	PORT=99999 refused "$launcher" '*port*'
	PORT=many refused "$launcher" '*PORT*'
	start_daemon
	stop_node
}

it_names_the_component_that_does_not_open() {
	bundle foo
	echo rubbish >foo/lib/kv-0.1.0/kv.so
	refused "$launcher" '*kv*'
	rm foo/lib/kv-0.1.0/kv.so
	refused "$launcher" '*kv*kv.so*'
}

it_names_the_file_that_is_missing() {
	bundle foo
	rm foo/releases/0.0.1/sys.yaml
	refused "$launcher" '*sys.yaml*'
	RELEASE_VM_ARGS=$D/nowhere refused "$launcher" "*$D/nowhere*"
	RELEASE_VSN=9.9.9 run "$launcher" start
	[ "$status" != 0 ] || fail 'an absent version boots'
	like "$err" '*9.9.9*'
}

# Opening a pipe would wait for who writes to it.
it_refuses_pipes_in_place_of_files() {
	local file
	bundle foo
	for file in releases/start.data releases/0.0.1/env.sh releases/0.0.1/vm.args releases/0.0.1/runtime.lua lib/kv-0.1.0/kv.so; do
		mv "foo/$file" kept && mkfifo "foo/$file"
		refused "$launcher" "*'$D/foo/$file'*is no file*"
		mv kept "foo/$file"
	done
	start_daemon
	stop_node
}

# As what cleans /tmp up by age may do.
it_keeps_its_socket_when_its_lock_file_was_removed() {
	bundle foo
	start_daemon
	rm "$XDG_RUNTIME_DIR"/kvrel/foo@*.lock
	PORT=$other_port RELEASE_DATA=$D/second refused "$launcher" "*foo@*is running already with process id $pid*" "$pid"
	must "$launcher" pid
	is "$out" "$pid"
	must "$launcher" restart
	stop_node
}

it_refuses_the_sockets_of_a_socket_unit() {
	bundle foo
	# shellcheck disable=SC2016 # the inner shell expands it
	LISTEN_FDS=1 run sh -c 'LISTEN_PID=$$ exec "$0" start' "$launcher"
	is "$status" 1
	like "$err" 'kvnode: error: socket activation (LISTEN_FDS) is not supported yet: *'
	LISTEN_FDS=1 LISTEN_PID=1 start_daemon # another process's
	stop_node
}

it_refuses_a_cookie_that_others_can_read() {
	bundle foo
	echo 0123456789abcdef0123456789abcdef >cookie
	chmod 644 cookie
	RELEASE_COOKIE_FILE=$D/cookie refused "$launcher" "*$D/cookie*"
	chmod 600 cookie
	export RELEASE_COOKIE_FILE=$D/cookie
	start_daemon
	stop_node
}

it_refuses_a_runtime_folder_of_somebody_else() {
	needs_root
	bundle foo
	mkdir "$XDG_RUNTIME_DIR/kvrel"
	chown 65534 "$XDG_RUNTIME_DIR/kvrel"
	refused "$launcher" "*$XDG_RUNTIME_DIR/kvrel*"
}

run_tests "$@"
