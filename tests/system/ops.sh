#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A node in the hands of an operator: what fails is started again or said, what changes is taken over, what is asked is
# answered truthfully. The component `faulty` (tests/support) fails on demand.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# A bundle with the components kv, kv_server, metrics and faulty, the last in the mode $1.
faulty_bundle() {
	project
	mkdir -p core/faulty
	cp "$SRC/tests/support/faulty/component.yaml" "$BUILD/test-tools/faulty.so" core/faulty/
	cat >releases.yaml <<-END
		default_release: foo
		components: [core]
		config:
		  kv: {routing_table: [{range: a-z, node: self}]}
		releases:
		  foo:
		    version: "0.0.1"
		    components: {kv_server: permanent, kv: permanent, metrics: permanent, faulty: $1}
	END
	cat >rel/runtime.lua <<-'END'
		config("kv_server", {port = tonumber(env("PORT", 4040)), listen = "127.0.0.1"})
		config("metrics", {port = tonumber(env("METRICS_PORT"))})
		config("faulty", {
		  port = tonumber(env("FAULTY_PORT")),
		  refuse_file = env("REFUSE_FILE", "/dev/null/none"),
		  hang_in_stop = env("HANG", "") ~= "",
		  volume = tonumber(read_file(env("VOLUME_FILE"))),
		})
	END
	export METRICS_PORT=$RESP_PORT FAULTY_PORT=$other_port VOLUME_FILE=$D/volume
	echo 5 >"$VOLUME_FILE"
	must kvrel build --quiet
	launcher=$PWD/_build/rel/foo/bin/foo
	release=$PWD/_build/rel/foo/releases/0.0.1
	log=$PWD/_build/rel/foo/tmp/log/foo.log
}

rpc() {
	must "$launcher" rpc "$1"
}

logged() {
	grep -q -- "$1" "$log"
}

# get PATH: $status_line and $out
get() {
	connect "$METRICS_PORT"
	printf 'GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$1" >&9
	out=$(tr -d '\r' <&9)
	status_line=${out%%$'\n'*}
	hang_up
}

it_restarts_a_component_that_fails_and_its_listener() {
	faulty_bundle permanent
	start_daemon
	connect "$FAULTY_PORT"
	says hello OK
	hang_up
	rpc 'faulty.die()'
	wait_until logged 'faulty: restarted restarts=1'
	connect "$FAULTY_PORT"
	says hello OK
	hang_up
	must "$launcher" status --json
	like "$out" '*"name":"faulty"*"state":"started","restarts":1,"listeners":\["127.0.0.1:'"$FAULTY_PORT"'"\]*'
	one_request 'CREATE shopping' OK
	stop_node
}

it_ends_with_the_reason_when_a_permanent_component_fails_too_often() {
	faulty_bundle permanent
	export REFUSE_FILE=$D/refuse
	start_foreground
	touch "$D/refuse"
	rpc 'faulty.die()'
	wait "$pid"
	is $? 1
	like "$(cat "$D/log")" "*failed: told to die*not restarted: component 'faulty': refused by*"
	like "$(cat "$D/log")" "*kvnode: error: component 'faulty' failed: *refused by*"
}

it_goes_on_without_a_temporary_component() {
	faulty_bundle temporary
	export REFUSE_FILE=$D/refuse
	start_daemon
	touch "$D/refuse"
	rpc 'faulty.die()'
	wait_until logged 'faulty: failed too often'
	one_request 'CREATE shopping' OK
	must "$launcher" status
	like "$out" '*faulty 0.1.0, temporary, failed*refused by*'
	get /healthz
	is "$status_line" 'HTTP/1.1 200 OK'
	rm "$D/refuse"
	rpc 'app.start("faulty")'
	connect "$FAULTY_PORT"
	says hello OK
	hang_up
	stop_node
}

it_stops_and_starts_a_component_with_a_listener() {
	faulty_bundle permanent
	start_daemon
	rpc 'app.stop("faulty")'
	(exec 8<>"/dev/tcp/127.0.0.1/$FAULTY_PORT") 2>/dev/null && fail 'it still listens'
	get /healthz
	is "$status_line" 'HTTP/1.1 503 Service Unavailable'
	like "$out" "*component 'faulty' is stopped"
	rpc 'app.start("faulty")'
	connect "$FAULTY_PORT"
	says hello OK
	hang_up
	get /healthz
	is "$status_line" 'HTTP/1.1 200 OK'
	stop_node
}

it_fails_the_boot_when_a_component_does_not_start() {
	faulty_bundle permanent
	touch "$D/refuse"
	REFUSE_FILE=$D/refuse run "$launcher" daemon
	is "$status" 1
	like "$err" "ERROR: component 'faulty': refused by $D/refuse"
	start_daemon
	stop_node
}

it_says_what_hung_in_a_stop() {
	faulty_bundle permanent
	echo '--shutdown-timeout 700' >>"$release/vm.args"
	export HANG=yes
	start_foreground
	run "$launcher" stop
	wait "$pid"
	is "$? $status" '1 1'
	like "$err" "ERROR: foo@* was ended: stop took longer than 700 ms: component 'faulty' hung"
	like "$(cat "$D/log")" "*stop took longer than 700 ms*faulty*"
	[ "$took_ms" -lt 20000 ] || fail "stop took $took_ms ms"
}

it_tells_where_it_crashed() {
	faulty_bundle permanent
	start_daemon
	run "$launcher" rpc 'faulty.crash()'
	[ "$status" != 0 ] || fail 'it survived'
	wait_until gone "$pid"
	like "$(cat "$log")" "*kvnode: crashed by SIGSEGV (address 0x0) in component 'faulty', thread '*', process $pid*"
	like "$(cat "$log")" "*#0  faulty.so+0x* (build id *"
	start_daemon
	must "$launcher" status --json
	like "$out" '*"boot":{"reason":"start, after process '*' ended without a stop"*'
	one_request 'CREATE shopping' OK
	must "$launcher" restart
	must "$launcher" status --json
	like "$out" '*"boot":{"reason":"restart"*'
	stop_node
	start_daemon
	must "$launcher" status --json
	like "$out" '*"boot":{"reason":"start"*'
	stop_node
}

it_tells_that_a_thread_of_a_component_ran_over_its_stack() {
	faulty_bundle permanent
	start_daemon
	run "$launcher" rpc 'faulty.overflow()'
	[ "$status" != 0 ] || fail 'it survived'
	wait_until gone "$pid"
	like "$(cat "$log")" "*kvnode: crashed by SIGSEGV (address 0x*) in component 'faulty', thread '*', process $pid*"
}

it_takes_over_live_settings_at_sighup() {
	faulty_bundle permanent
	start_daemon
	echo 7 >"$VOLUME_FILE"
	sed -i 's/-- end//; s/volume = /colour = "blue", volume = /' "$release/runtime.lua"
	echo '--log-level debug' >>"$release/vm.args"
	kill -HUP "$pid"
	wait_until logged 'the configuration was read again'
	logged "the new value of 'colour' needs a restart" || fail "colour is not named"
	rpc 'return faulty.volume(), app.env("faulty", "colour"), node.log_level()'
	is "$out" $'7\nred\ndebug'
	echo 99 >"$VOLUME_FILE"
	kill -HUP "$pid"
	wait_until logged 'nothing was changed'
	logged 'runtime.lua:.*volume' || fail 'the mistake is not named'
	rpc 'return faulty.volume()'
	is "$out" 7
	stop_node
}

it_refuses_a_restart_with_mistakes_and_runs_on() {
	faulty_bundle permanent
	start_daemon
	echo 99 >"$VOLUME_FILE"
	run "$launcher" restart
	is "$status" 1
	like "$err" 'ERROR: *volume*'
	is "$(grep -c volume <<<"$err")" 1
	one_request 'CREATE shopping' OK
	echo 3 >"$VOLUME_FILE"
	must "$launcher" restart
	must "$launcher" pid
	is "$out" "$pid"
	rpc 'return faulty.volume()'
	is "$out" 3
	stop_node
}

it_survives_who_goes_away_before_the_answer() {
	faulty_bundle permanent
	start_daemon
	# two mistakes: they are told in two parts
	printf '%s\n' 'os.execute("sleep 1")' 'config("faulty", {volume = 99, bogus = 1})' \
		>>_build/rel/foo/releases/0.0.1/runtime.lua || fail "no such file"
	timeout -s INT 0.4 "$launcher" restart >/dev/null 2>&1
	sleep 1
	must "$launcher" pid
	is "$out" "$pid"
	one_request 'CREATE shopping' OK
	stop_node
}

# What the next boot would read, not what this process would.
it_restarts_with_what_env_sh_and_vm_args_say_by_now() {
	bundle foo
	start_daemon
	echo 'export NEW_PORT=1' >>foo/releases/0.0.1/env.sh
	echo '--env ANOTHER=2' >>foo/releases/0.0.1/vm.args
	echo 'env("NEW_PORT") env("ANOTHER")' >>foo/releases/0.0.1/runtime.lua
	must "$launcher" restart
	must "$launcher" rpc 'return os.getenv("NEW_PORT"), os.getenv("ANOTHER")'
	is "$out" $'1\n2'
	for mistake in 'exit 3' 'if' 'export RELEASE_MODE=odd'; do
		cp foo/releases/0.0.1/env.sh before
		echo "$mistake" >>foo/releases/0.0.1/env.sh
		XDG_RUNTIME_DIR=$D/run run env RELEASE_X=1 "$launcher" restart
		[ "$status" != 0 ] || fail "it restarts with '$mistake' in env.sh"
		mv before foo/releases/0.0.1/env.sh
		must "$launcher" pid
		is "$out" "$pid"
	done
	echo '--dist-listen 127.0.0.1:1' >>foo/releases/0.0.1/vm.args
	run "$launcher" restart
	is "$status $err" "1 ERROR: flag '--dist-listen' needs RELEASE_DISTRIBUTION=name, it is sname"
	stop_node
}

it_keeps_a_given_cookie_over_a_restart() {
	bundle foo
	# shellcheck disable=SC2016 # env.sh's shell expands it
	echo '[ "$RELEASE_COMMAND" != start ] || env | grep -c "^RELEASE_COOKIE=" >"$RELEASE_ROOT/seen"' >foo/releases/0.0.1/env.sh
	export RELEASE_DISTRIBUTION=sname
	RELEASE_COOKIE=0123456789abcdef0123456789abcdef start_daemon
	must "$launcher" restart
	must "$launcher" restart
	grep -qa 0123456789abcdef "/proc/$pid/environ" && fail 'the cookie is in the environment'
	is "$(find "/proc/$pid/fd" -lname '*memfd:cookie*')" ''
	rpc 'return os.getenv("KVREL_COOKIE_KEEP")'
	stop_node
}

it_runs_the_hooks_of_the_release() {
	bundle foo
	mkdir foo/releases/0.0.1/hooks
	for hook in pre_start post_start pre_stop post_stop; do
		# shellcheck disable=SC2016 # the hook's shell expands it
		printf '#!/bin/sh\necho "%s $RELEASE_HOOK $RELEASE_NAME" >>"$RELEASE_ROOT/hooks.log"\n' "$hook" >foo/releases/0.0.1/hooks/"$hook"
	done
	chmod +x foo/releases/0.0.1/hooks/*
	start_daemon
	wait_until grep -q post_start foo/hooks.log
	stop_node
	is "$(cat foo/hooks.log)" $'pre_start pre_start foo\npost_start post_start foo\npre_stop pre_stop foo\npost_stop post_stop foo'
	printf '#!/bin/sh\necho not today >&2; exit 3\n' >foo/releases/0.0.1/hooks/pre_start
	run "$launcher" daemon
	is "$status" 1
	like "$err" "*hook 'pre_start'*exit code 3*"
}

it_rotates_the_log_and_reopens_it() {
	bundle foo
	printf -- '--log-max-size 4KiB\n--log-files 3\n--log-level debug\n' >>foo/releases/0.0.1/vm.args
	start_daemon
	"$launcher" logs -f -n 1 >followed &
	follower=$!
	for round in {1..6}; do
		rpc "for i = 1, 60 do io.stderr:write('') end; for i = 1, 40 do node.log_level(i % 2 == 0 and 'debug' or 'info') end"
		echo "round $round: $(head -c 4100 /dev/zero | tr '\0' x)" >>"foo/tmp/log/foo.log"
		wait_until rotated "$round"
	done
	is "$(find foo/tmp/log -type f -printf '%f\n' | sort)" $'foo.log\nfoo.log.1\nfoo.log.2'
	wait_until grep -q 'round 6' followed
	is "$(grep -c '^round' followed)" 6
	kill "$follower"
	mv foo/tmp/log/foo.log foo/tmp/log/away
	kill -USR1 "$pid"
	wait_until test -e foo/tmp/log/foo.log
	stop_node
	grep -q 'has stopped' foo/tmp/log/foo.log || fail 'the new log is not written to'
}

it_makes_a_new_log_at_a_restart_when_the_old_one_was_removed() {
	bundle foo
	start_daemon
	rm foo/tmp/log/foo.log
	must "$launcher" restart
	must "$launcher" logs
	like "$out" '*foo@* is ready*'
	stop_node
}

it_does_not_wait_for_a_pipe_in_place_of_the_log() {
	bundle foo
	start_daemon
	rm foo/tmp/log/foo.log
	mkfifo foo/tmp/log/foo.log
	kill -USR1 "$pid"
	for _ in 1 2 3; do
		must timeout 20 "$launcher" rpc 'return 1'
	done
	run timeout 20 "$launcher" logs
	is "$status" 1
	like "$err" "*cannot open '*/foo.log': it is no file*"
	stop_node
	run timeout 20 "$launcher" daemon
	is "$status" 1
	like "$err" "*cannot write the log: cannot open '*/foo.log': it is no file*"
	rm foo/tmp/log/foo.log
	start_daemon
	stop_node
}

rotated() {
	! grep -q "round $1" foo/tmp/log/foo.log && grep -q "round $1" foo/tmp/log/foo.log.1
}

it_serves_metrics_and_health() {
	faulty_bundle permanent
	start_daemon
	one_request 'CREATE shopping' OK
	get /healthz
	is "$status_line" 'HTTP/1.1 200 OK'
	get /metrics
	is "$status_line" 'HTTP/1.1 200 OK'
	like "$out" '*Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8*'
	for line in 'kvrel_requests_total 1' 'kvrel_component_up{component="kv"} 1' '# TYPE kvrel_requests counter' '# EOF'; do
		grep -qxF "$line" <<<"$out" || fail "no line '$line'"
	done
	grep -q '^kv_[a-z_]* [0-9]' <<<"$out" || fail 'no figures of kv'
	get /nothing
	is "$status_line" 'HTTP/1.1 404 Not Found'
	stop_node
}

# Folders above the bundle need not be listed by others, only passed.
it_installs_where_others_may_only_pass() {
	needs_root
	unshare --mount true 2>/dev/null || skip 'cannot make a mount namespace here'
	folder=$(mktemp -d /opt/kvrel-test.XXXXXX)
	trap 'rm -rf "$folder"' EXIT
	bundle foo
	mkdir "$folder/apps"
	cp -a foo "$folder/apps/"
	cat >inside <<-'END'
		mount -t tmpfs none /etc && mkdir -p /etc/systemd/system || exit 99
		exec "$@"
	END
	chmod 711 "$folder" "$folder/apps"
	must unshare --mount sh inside "$folder/apps/foo/bin/foo" install
	like "$out" '*\* creating /etc/systemd/system/foo.service*'
	chmod 710 "$folder/apps"
	run unshare --mount sh inside "$folder/apps/foo/bin/foo" install
	is "$status" 1
	is "$err" "ERROR: the service's user cannot enter '$folder/apps' (mode 0710): move the bundle, for instance to /opt"
	chmod 755 "$folder/apps"
	chmod 711 "$folder/apps/foo"
	run unshare --mount sh inside "$folder/apps/foo/bin/foo" install
	is "$status" 1
}

it_writes_a_unit_that_systemd_finds_safe() {
	command -v systemd-analyze >/dev/null || skip 'no systemd-analyze'
	needs_root
	folder=$(mktemp -d /opt/kvrel-test.XXXXXX)
	trap 'rm -rf "$folder"' EXIT
	chmod 755 "$folder"
	bundle foo
	cp -a foo "$folder/"
	mkdir units
	must "$folder/foo/bin/foo" install --print
	echo "$out" >units/foo.service
	must systemd-analyze verify "$D/units/foo.service"
	is "$err" ''
	must systemd-analyze security --offline=true --threshold=25 "$D/units/foo.service"
}

run_tests "$@"
