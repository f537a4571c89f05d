#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bin/foo, command by command: what it prints, where, and its exit code.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

host=$(cat /proc/sys/kernel/hostname)
host=${host%%.*}

it_prints_its_usage_without_a_command() {
	bundle foo
	run foo/bin/foo
	is "$status" 0
	is "$out" ''
	like "$err" 'Usage: foo COMMAND*start*daemon*eval*rpc*remote*stop*restart*pid*ping*version*env*'
}

it_refuses_an_unknown_command() {
	bundle foo
	run foo/bin/foo bogus
	is "$status" 1
	is "$out" ''
	like "$err" '*Usage: foo COMMAND*'
	like "$err" '*ERROR: Unknown command bogus*'
}

it_prints_its_version_without_a_node() {
	bundle foo
	must foo/bin/foo version
	is "$out" 'foo 0.0.1'
}

# Within 100 ms; the best of five, as other tests may run beside this one.
it_says_at_once_that_no_node_is_running() {
	local command best
	bundle foo
	for command in stop restart pid ping status 'rpc 1' remote; do
		best=1000
		for _ in 1 2 3 4 5; do
			# shellcheck disable=SC2086 # a command and its argument
			run foo/bin/foo $command
			is "$status" 1
			is "$out" ''
			is "$err" "ERROR: foo@$host is not running"
			[ "$took_ms" -ge "$best" ] || best=$took_ms
		done
		[ "$best" -lt 100 ] || fail "$command took $best ms"
	done
}

it_asks_for_an_expression() {
	bundle foo
	for command in eval rpc; do
		run foo/bin/foo "$command"
		is "$status" 1
		like "$err" 'ERROR: * expects an expression as argument*'
		run foo/bin/foo "$command" ''
		is "$status" 1
	done
	run foo/bin/foo eval
	is "$err" 'ERROR: EVAL expects an expression as argument'
}

it_evaluates_in_a_fresh_node() {
	bundle foo
	must foo/bin/foo eval 'return 1'
	is "$out" 1
	must foo/bin/foo eval 'return 1, "two", nil'
	is "$out" $'1\ntwo'
	must foo/bin/foo eval 'print(release.name, release.version)'
	is "$out" $'foo\t0.0.1'
	must foo/bin/foo eval 'return app.env("kv_server", "port")'
	is "$out" "$PORT"
	must foo/bin/foo eval 'local x = 1'
	is "$out" ''
}

it_reports_an_error_of_the_expression_with_a_traceback() {
	bundle foo
	start_daemon
	for command in eval rpc; do
		run foo/bin/foo "$command" 'local function f() error("broken") end f()'
		is "$status" 1
		is "$out" ''
		like "$err" '*broken*traceback*'
		run foo/bin/foo "$command" 'return +'
		is "$status" 1
		is "$out" ''
		[ -n "$err" ] || fail "$command is silent about a syntax error"
	done
	stop_node
}

it_runs_as_a_daemon_until_it_is_stopped() {
	bundle foo
	run foo/bin/foo daemon
	is "$status" 0
	must foo/bin/foo pid
	pid=$out
	one_request 'CREATE shopping' OK # ready means ready
	must foo/bin/foo ping
	[ -n "$out" ] || fail 'ping answers nothing'
	must foo/bin/foo stop
	gone "$pid" || fail "stop returned before process $pid had gone"
	run foo/bin/foo ping
	is "$status" 1
}

it_runs_lua_inside_the_node() {
	bundle foo
	start_daemon
	must foo/bin/foo rpc 'kv.create("shopping") kv.put("shopping", "milk", "1")'
	is "$out" ''
	must foo/bin/foo rpc 'return kv.get("shopping", "milk"), kv.get("shopping", "eggs")'
	is "$out" 1
	must foo/bin/foo rpc 'print("printed") return node.name()'
	is "$out" "printed"$'\n'"foo@$host"
	one_request 'GET shopping milk' 1 OK
	must foo/bin/foo rpc 'kv.delete("shopping", "milk")'
	one_request 'GET shopping milk' '' OK
	like "$(foo/bin/foo rpc 'return kv.buckets()')" '*shopping*'
	stop_node
}

it_has_a_console() {
	bundle foo
	start_daemon
	printf '%s\n' 'x = 20' 'return x + 1' 'kv.create("shopping")' 'error("oops")' 'return "still here"' >typed
	timeout 20 foo/bin/foo remote <typed >"$D/out" 2>"$D/err"
	is $? 1 # one of them failed
	like "$(cat "$D/out")" '*21*still here*'
	like "$(cat "$D/out" "$D/err")" '*oops*'
	one_request 'GET shopping milk' '' OK
	stop_node
}

it_restarts_with_a_fresh_configuration() {
	local before
	bundle foo
	start_daemon
	one_request 'CREATE shopping' OK
	before=$pid
	echo "config('kv_server', {port = $other_port})" >>foo/releases/0.0.1/runtime.lua
	must foo/bin/foo restart
	PORT=$other_port
	one_request 'GET shopping milk' '' OK
	must foo/bin/foo pid
	pid=$out
	[ "$pid" = "$before" ] || wait_until gone "$before"
	stop_node
}

# Commands that come while it has no socket wait for it.
it_is_never_said_not_to_run_while_it_restarts() {
	local command i asked=() failed=0
	bundle foo
	start_daemon
	echo 'sleep 0.05' >foo/releases/0.0.1/env.sh
	mkdir -p foo/releases/0.0.1/hooks
	printf '#!/bin/sh\nsleep 0.1\n' | tee foo/releases/0.0.1/hooks/pre_start >foo/releases/0.0.1/hooks/post_stop
	chmod +x foo/releases/0.0.1/hooks/*
	for command in ping pid status 'config get kv.durability'; do
		# shellcheck disable=SC2086 # a command and its arguments
		until [ -e restarted ]; do foo/bin/foo $command </dev/null >>answers 2>>complaints || exit 1; done &
		asked+=($!)
	done
	for i in 1 2 3 4 5; do
		must foo/bin/foo restart
	done
	touch restarted
	for i in "${asked[@]}"; do
		wait "$i" || failed=1
	done
	[ "$failed" = 0 ] || fail "$(cat complaints)"
	stop_node
}

it_refuses_a_restart_with_a_broken_configuration_and_serves_on() {
	bundle foo
	start_daemon
	echo 'config("kv_server", {prot = 1})' >>foo/releases/0.0.1/runtime.lua
	run foo/bin/foo restart
	is "$status" 1
	like "$err" '*runtime.lua:*prot*'
	one_request 'CREATE shopping' OK
	stop_node
}

it_restarts_under_another_name_than_its_file() {
	bundle foo
	export RELEASE_NAME=other
	start_daemon
	must foo/bin/foo restart
	must foo/bin/foo pid
	is "$out" "$pid"
	stop_node
}

it_shows_its_environment_and_command_line() {
	bundle foo
	must foo/bin/foo env
	for name in ROOT NAME VSN COMMAND PROG MODE NODE DISTRIBUTION TMP DATA VM_ARGS REMOTE_VM_ARGS SYS_CONFIG; do
		like "$out" "*RELEASE_$name=*"
	done
	like "$out" "*RELEASE_ROOT=*$D/foo*"
	like "$out" '*kvnode*start*'
	[[ $out != *COOKIE=?* ]] || fail 'env shows the cookie'
}

it_stops_gracefully_on_sigterm_and_sigint() {
	bundle foo
	for signal in TERM INT; do
		start_foreground
		one_request 'CREATE shopping' OK
		# a child of a non-interactive shell starts with SIGINT ignored; a node listens to it nevertheless
		kill -"$signal" "$pid"
		wait "$pid"
		is "$signal $?" "$signal 0"
	done
}

it_ends_with_0_when_stopped_in_the_foreground() {
	bundle foo
	start_foreground
	must foo/bin/foo stop
	wait "$pid"
	is $? 0
}

it_keeps_its_process_id_from_the_launcher_to_the_node() {
	bundle foo
	start_foreground
	must foo/bin/foo pid
	is "$out" "$pid"
	is "$(cat "/proc/$pid/comm")" kvnode
	stop_node
}

it_refuses_an_unknown_distribution() {
	bundle foo
	RELEASE_DISTRIBUTION=bad run foo/bin/foo start
	is "$status" 1
	like "$err" '*sname*name*none*'
}

it_takes_flags_from_vm_args_and_names_the_line_of_a_mistake() {
	bundle foo
	printf '# comment\n--workers 1\n--bogus\n' >foo/releases/0.0.1/vm.args
	run foo/bin/foo start
	[ "$status" != 0 ] || fail 'it boots nevertheless'
	like "$err$out" '*vm.args:3*--bogus*'
}

it_sources_env_sh_before_every_command() {
	bundle foo
	echo 'export RELEASE_NODE=other' >>foo/releases/0.0.1/env.sh
	run foo/bin/foo ping
	is "$err" "ERROR: other@$host is not running"
	echo 'exit 7' >>foo/releases/0.0.1/env.sh
	run foo/bin/foo version
	is "$status" 7
}

it_keeps_the_cookie_secret() {
	local cookie=ThisIsTheSecretOfTheCluster0123456789
	bundle foo
	export RELEASE_COOKIE=$cookie
	start_daemon
	for file in cmdline environ; do
		! grep -qaF "$cookie" "/proc/$pid/$file" || fail "the cookie is in the node's $file"
	done
	must foo/bin/foo env
	[[ $out != *"$cookie"* ]] || fail 'env shows the cookie'
	must foo/bin/foo rpc 'local p = io.popen("env") print(p:read("a"))'
	[[ $out != *"$cookie"* ]] || fail 'a child gets the cookie'
	stop_node
	! grep -rqaF "$cookie" foo || fail 'the cookie was written into the bundle'
}

run_tests "$@"
