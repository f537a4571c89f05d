#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What happens to a node: it dies, it is halted, its disk is full, its host lacks what hosts have, its clients misbehave.
# Nothing that was acknowledged is lost, and somebody is told.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

log() {
	cat foo/tmp/log/foo.log
}

logged() {
	log | grep -q -- "$1"
}

flags() {
	printf '%s\n' "$@" >>foo/releases/0.0.1/vm.args
}

another_pid() {
	local now
	now=$("$launcher" pid 2>/dev/null) && [ "$now" != "$1" ] && "$launcher" ping
}

# ---- the heart -----------------------------------------------------------------------------------------------------

it_is_started_again_by_its_heart() {
	bundle foo
	flags --heart
	start_daemon
	one_request 'CREATE shopping' OK
	one_request 'PUT shopping milk 1' OK
	for _ in 1 2; do
		kill -KILL "$pid"
		wait_until another_pid "$pid"
		must "$launcher" pid
		pid=$out
	done
	one_request 'GET shopping milk' 1 OK
	must "$launcher" status --json
	like "$out" '*"boot":{"reason":"heart: process * died"*'
	must "$launcher" restart
	stop_node
	# a stop is no reason to start again
	sleep 1
	run "$launcher" ping
	is "$status" 1
}

it_is_started_again_by_its_heart_on_an_older_kernel() {
	bundle foo
	flags --heart
	deny foo/bin/foo daemon || fail 'it did not start'
	must "$launcher" pid
	pid=$out
	kill -KILL "$pid"
	wait_until another_pid "$pid"
	must "$launcher" pid
	pid=$out
	stop_node
}

it_is_ended_and_started_again_when_it_hangs() {
	bundle foo
	flags --heart
	export HEART_BEAT_TIMEOUT=2
	start_daemon
	halt "$pid"
	sleep 1
	(sleep 3 && kill -CONT "$pid") 2>/dev/null &
	wait_until another_pid "$pid"
	logged 'the node hangs' || fail "the log says nothing of it: $(log)"
	must "$launcher" pid
	pid=$out
	stop_node
}

it_runs_heart_command() {
	bundle foo
	flags --heart
	# shellcheck disable=SC2016 # the heart's shell expands it
	echo 'echo "again $RELEASE_NAME" >commanded; exec foo/bin/foo daemon' >again
	export HEART_COMMAND="cd $D && . ./again"
	start_daemon
	kill -KILL "$pid"
	wait_until another_pid "$pid"
	is "$(cat commanded)" 'again foo'
	must "$launcher" pid
	pid=$out
	stop_node
}

it_is_given_up_when_it_dies_again_and_again() {
	bundle foo
	flags --heart
	start_daemon
	# a configuration that does not boot: the heart tries for a while
	echo 'error("broken")' >foo/releases/0.0.1/runtime.lua
	kill -KILL "$pid"
	wait_until logged 'giving up'
	is "$(log | grep -c 'starting the node again')" 5
}

# ---- halted ----------------------------------------------------------------------------------------------------------

it_loses_nothing_when_it_is_halted_for_a_while() {
	bundle foo
	start_daemon
	load write "$PORT" writes 4 4 16 >written &
	writes=$!
	for _ in 1 2 3; do
		sleep 0.4
		halt "$pid"
		sleep 0.4
		kill -CONT "$pid"
	done
	wait "$writes" || fail 'nothing was acknowledged'
	must load check "$PORT" writes
	like "$out" '*, 0 lost'
	stop_node
}

# ---- the clock -------------------------------------------------------------------------------------------------------

# The loader of the bundle takes what it preloads from its command line alone.
it_does_not_mind_when_the_clock_is_set_back() {
	bundle foo
	folder=$D/foo/runtime-1.0.0
	cat >>foo/releases/0.0.1/runtime.lua <<-'END'
		config("kv", {durability = "everysec", checkpoint_interval = "1s"})
	END
	mkdir -p foo/data foo/tmp
	export RELEASE_ROOT=$D/foo RELEASE_NAME=foo CLOCK_BACK_FILE=$D/back
	"$folder/lib/ld/kvnode" --argv0 kvnode --inhibit-cache --preload "$BUILD/test-tools/clock_back.so" \
		--library-path "$folder/lib" "$folder/bin/kvnode" start --idle-timeout 2s >"$D/log" 2>&1 </dev/null &
	pid=$!
	wait_until serving
	load write "$PORT" writes 3 4 16 >written &
	writes=$!
	sleep 1
	touch back
	wait "$writes" || fail 'nothing was acknowledged'
	connect
	says 'CREATE shopping' OK
	IFS= read -r -t 10 -u 9 line
	is "$? $line" '1 ' # idle for two seconds, whatever the wall says
	must load check "$PORT" writes
	like "$out" '*, 0 lost'
	must "$launcher" rpc 'return os.date("!%Y")'
	[ "$out" -lt "$(($(date -u +%Y) - 8))" ] || fail "the clock was not set back: $out"
	must "$launcher" stop
	[ "$took_ms" -lt 20000 ] || fail "stop took $took_ms ms"
	wait "$pid"
	is $? 0
}

# ---- a host that lacks things ----------------------------------------------------------------------------------------

it_runs_without_proc() {
	needs_root
	bundle foo
	unshare --mount true 2>/dev/null || skip 'cannot make a mount namespace here'
	cat >inside <<-END
		mount -t tmpfs none /proc || exit 99
		'$launcher' daemon || exit 1
		'$launcher' status || exit 2
		'$launcher' rpc 'kv.create("shopping"); kv.put("shopping", "milk", "1"); return kv.get("shopping", "milk")' || exit 3
		'$launcher' restart || exit 4
		'$launcher' rpc 'return kv.get("shopping", "milk")' || exit 5
		'$launcher' stop || exit 6
	END
	must unshare --mount sh inside
	is "$(grep -cx 1 <<<"$out")" 2
}

it_goes_on_when_a_full_disk_has_room_again() {
	bundle foo
	data_on_small_disk foo
	start_daemon
	one_request 'CREATE load' OK
	value=$(printf '%030000d' 7)
	connect
	for number in {1..1500}; do
		printf 'PUT load key%s %s\r\n' "$number" "$value" >&9
		answer_line PUT
		[ "$line" = OK ] || break
	done
	hang_up
	like "$line" 'ERROR *make room on the disk*'
	acknowledged=$((number - 1))
	one_request 'GET load key1' "$value" OK
	one_request "GET load key$acknowledged" "$value" OK
	mount -o remount,size=200m disk
	wait_until accepts_writes
	gone "$pid" && fail 'it died'
	stop_node
	start_daemon
	for number in 1 $((acknowledged / 2)) "$acknowledged"; do
		one_request "GET load key$number" "$value" OK
	done
	one_request 'GET load late' 1 OK
	stop_node
	umount disk
}

accepts_writes() {
	(connect && says 'PUT load late 1' OK)
}

# ---- clients -------------------------------------------------------------------------------------------------------

it_refuses_more_connections_than_it_may_have() {
	bundle foo
	flags '--max-connections 3'
	start_daemon
	exec 5<>"/dev/tcp/127.0.0.1/$PORT" 6<>"/dev/tcp/127.0.0.1/$PORT" 7<>"/dev/tcp/127.0.0.1/$PORT"
	for fd in 5 6 7; do
		printf 'CREATE shopping\r\n' >&"$fd"
		read -r -t 5 line <&"$fd"
	done
	connect
	read -r -t 5 line <&9 || :
	like "$line" 'ERROR *'
	hang_up
	wait_until logged 'connections refused: there are 3 already'
	exec 5>&- 6>&- 7>&-
	wait_until is_let_in
	stop_node
}

is_let_in() {
	(one_request 'CREATE shopping' OK)
}

it_says_when_the_system_allows_fewer_files() {
	bundle foo
	[ "$(id -u)" != 0 ] || setpriv --help 2>&1 | grep -q bounding-set || skip 'no setpriv'
	drop=()
	[ "$(id -u)" != 0 ] || drop=(setpriv --bounding-set -sys_resource --inh-caps -sys_resource)
	(ulimit -n 600 && exec "${drop[@]}" "$launcher" start) >"$D/log" 2>&1 </dev/null &
	pid=$!
	wait_until serving
	like "$(cat log)" '*limit of open files is too low for --max-connections 16384*max_connections=344*'
	kill "$pid"
	wait "$pid"
}

it_closes_idle_connections() {
	bundle foo
	flags '--idle-timeout 1s'
	start_daemon
	connect
	says 'CREATE shopping' OK
	IFS= read -r -t 20 -u 9 line
	is "$? $line" '1 '
	stop_node
}

it_cuts_off_clients_that_do_not_read() {
	bundle foo
	flags '--write-timeout 1s' '--max-output 64KiB'
	start_daemon
	one_request 'CREATE shopping' OK
	one_request "PUT shopping big $(printf '%050000d' 7)" OK
	connect
	(for _ in {1..2000}; do printf 'GET shopping big\r\n'; done >&9) 2>/dev/null &
	wait_until logged 'a client is cut off'
	one_request 'CREATE shopping' OK
	kill $! 2>/dev/null
	hang_up
	stop_node
}

it_lets_clients_wait_that_send_more_than_it_can_put_away() {
	local i loads=() requests=1500 # 36 MB by all of them: a slow disk may take a minute for it
	command -v redis-cli >/dev/null || skip 'redis-tools is not installed'
	bundle resp
	echo 'config("kv", {log_segment_size = "1MiB", durability = "none"})' >>resp/releases/0.0.1/runtime.lua
	start_daemon
	value=$(printf '%04000d' 7)
	for ((i = 0; i < requests; i++)); do
		# shellcheck disable=SC2016 # the $ of the protocol
		printf '*4\r\n$4\r\nHSET\r\n$4\r\nload\r\n$6\r\n%06d\r\n$4000\r\n%s\r\n' "$i" "$value"
	done >ahead
	for i in 1 2 3 4 5 6; do
		timeout 300 redis-cli -p "$RESP_PORT" --pipe --pipe-timeout 0 <ahead >"said$i" 2>&1 &
		loads+=($!)
	done
	wait "${loads[@]}"
	is "$(grep -h errors: said* | sort -u)" "errors: 0, replies: $requests"
	must redis-cli -p "$RESP_PORT" HLEN load
	is "$out" "$requests"
	# little by each of many, all in one wake-up
	must loadgen -p "$RESP_PORT" -c 800 -P 64 -k 100000 -d 100 -n 60000 hset
	stop_node
}

it_needs_little_for_ten_thousand_idle_connections() {
	bundle foo
	[ "$(ulimit -Hn)" -ge 10400 ] || skip 'too few files allowed'
	flags '--max-connections 10100'
	start_daemon
	coproc HALF { storm halfopen "$PORT" 10000; }
	wait_until grep -q open <(head -n 1 <&"${HALF[0]}")
	must "$launcher" status --json
	memory=$(grep -o '"memory_bytes":[0-9]*' <<<"$out" | cut -d : -f 2)
	like "$out" '*"connections":10000,*'
	echo "10,000 connections: $memory bytes" >&2
	[ "$memory" -lt 100000000 ] || fail "$memory bytes"
	one_request 'CREATE shopping' OK
	kill "$HALF_PID"
	stop_node
}

run_tests "$@"
