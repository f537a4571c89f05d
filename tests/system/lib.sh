# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is used by the tests
#
# Sourced by every file of this folder, which then defines tests, functions named it_does_something, and ends with
# `run_tests`. Each test runs in a subshell and a folder of its own, with a home, a runtime folder, a temporary folder and
# ports that are nobody else's; it may leave at any point. What it leaves running fails it.
#
#	run CMD…         runs it for at most a minute: $status, $out, $err, $took_ms
#	is A B           fails unless equal;   like A PATTERN   unless A matches the glob;   fail TEXT
#	wait_until CMD…  asks again and again, for at most a minute
#	project          a folder like this repository's: releases.yaml, rel/, the components. Becomes the working folder
#	bundle NAME      a bundle of the project's release NAME, fresh at $D/NAME (made once a file, then copied)
#	says REQ LINE…   sends one request over TCP to $PORT and compares the lines of the reply
#
# A test of the kind `needs_root` or one that calls `skip WHY` is skipped, and says so.

set -u
SRC=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(cd -P -- "${KVREL_BUILD:-$SRC/_build/release}" && pwd) || exit 1
. "$SRC/tests/support/leftovers.sh"

export LC_ALL=C TZ=UTC PATH=$BUILD/bin:$BUILD/test-tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export SOURCE_DATE_EPOCH=1700000000
unset NO_COLOR CLICOLOR_FORCE XDG_CONFIG_HOME PORT RESP_PORT NOTIFY_SOCKET LD_LIBRARY_PATH LD_PRELOAD "${!RELEASE_@}"
umask 022

T='' # the folder of this file; each test's $D is below
limit_s=${KVREL_TEST_LIMIT_S:-480}

# Also where it is called in a pipeline or another subshell, whose end alone would not be noticed.
fail() {
	local i
	: >"$D/failed"
	echo "    $*" >&2
	for ((i = 1; i < ${#FUNCNAME[@]}; i++)); do
		case ${FUNCNAME[i]} in
		it_*) echo "    at $(basename -- "$0"):${BASH_LINENO[i - 1]}" >&2 ;;
		esac
	done
	exit 1
}

skip() {
	echo "SKIPPED: $*" >&2
	exit 77
}

needs_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# small_disk SIZE: an empty file system of that size at $D/disk
small_disk() {
	needs_root
	mkdir -p "$D/disk"
	mount -t tmpfs -o "size=$1" none "$D/disk" 2>/dev/null || skip 'cannot mount a tmpfs here'
}

# data_on_small_disk NAME: the data of the bundle NAME go where they soon find no room
data_on_small_disk() {
	small_disk 24m
	export RELEASE_DATA=$D/disk
	# the log takes its room beforehand: let a small disk be enough
	echo 'config("kv", {log_segment_size = "1MiB"})' >>"$1/releases/0.0.1/runtime.lua"
}

is() {
	[ "$1" = "$2" ] || fail "expected: $2"$'\n'"    came:     $1${err:+$'\n'    stderr:   $err}"
}

like() {
	# shellcheck disable=SC2053 # the right side is a pattern
	[[ $1 == $2 ]] || fail "expected: $2"$'\n'"    came:     $1${err:+$'\n'    stderr:   $err}"
}

run() {
	local before=${EPOCHREALTIME/./}
	timeout 60 "$@" >"$D/out" 2>"$D/err" </dev/null
	status=$?
	took_ms=$(((${EPOCHREALTIME/./} - before) / 1000))
	out=$(tr -d '\0' <"$D/out")
	err=$(tr -d '\0' <"$D/err")
	[ $status != 124 ] || fail "still running after a minute: $*"
}

# run that must end well
must() {
	run "$@"
	[ $status = 0 ] || fail "exit $status: $*"$'\n'"$out"$'\n'"$err"
}

wait_until() {
	local end=$((SECONDS + 60))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "waited a minute for: $*"
		sleep 0.02
	done
}

# halt PID: returns when all of it stands still; its threads go on for a moment after the signal was sent
halt() {
	kill -STOP "$1" && wait_until halted "$1"
}

halted() {
	[ "$(sed 's/.*) //' "/proc/$1/task"/*/stat | cut -c1 | sort -u)" = T ]
}

# A process that has ended but that nobody has waited for yet (the first process of a container may be slow) is gone too;
# not one whose first thread has ended while another is in the kernel, with all files and locks open.
gone() {
	local stat threads
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	[[ $stat == *') Z '* ]] || return 1
	threads=("/proc/$1/task"/*)
	[ "${#threads[@]}" -le 1 ]
}

# ---- releases and bundles ------------------------------------------------------------------------------------------

project() {
	local file folder=${1:-$D/project}
	mkdir -p "$folder/_build"
	ln -s "$BUILD" "$folder/_build/release"
	# the build tree is there already
	grep -v '^build:' "$SRC/releases.yaml" >"$folder/releases.yaml"
	cp -R "$SRC/rel" "$folder/"
	for file in "$SRC"/core/*/component.yaml; do
		mkdir -p "$folder/core/$(basename -- "${file%/*}")"
		cp "$file" "$folder/core/$(basename -- "${file%/*}")/"
	done
	cd "$folder" || exit 1
}

bundle() {
	if ! [ -d "$T/made/$1" ]; then
		(D=$T project "$T/made/project.$1" && must kvrel build "$1" --quiet && mv "_build/rel/$1" "$T/made/$1") || exit 1
	fi
	cp -a "$T/made/$1" "$D/$1"
	launcher=$D/$1/bin/$1
}

# A bundle with both front-ends over one store.
bundle_of_both() {
	project
	cat >>releases.yaml <<-END
		  both:
		    version: "0.0.1"
		    components: {kv_server: permanent, kv_resp: permanent, kv: permanent}
	END
	must kvrel build both --quiet
	launcher=$PWD/_build/rel/both/bin/both
}

# ---- nodes ---------------------------------------------------------------------------------------------------------

# start_daemon [LAUNCHER]: starts the node; $pid is its process.
start_daemon() {
	launcher=${1:-$launcher}
	must "$launcher" daemon
	must "$launcher" pid
	pid=$out
}

# start_foreground [LAUNCHER]: starts the node as a child of this shell, its output in $D/log; $pid is its process.
start_foreground() {
	launcher=${1:-$launcher}
	"$launcher" start >"$D/log" 2>&1 </dev/null &
	pid=$!
	wait_until serving
}

serving() {
	gone "$pid" && fail "the node ended:"$'\n'"$(cat "$D/log")"
	"$launcher" ping
}

stop_node() {
	must "$launcher" stop
	gone "$pid" || fail "stop returned before process $pid had gone"
}

# ---- the line protocol -----------------------------------------------------------------------------------------------

connect() {
	{ exec 9<>"/dev/tcp/127.0.0.1/${1:-$PORT}"; } 2>/dev/null || fail "nobody listens on port ${1:-$PORT}"
}

hang_up() {
	exec 9>&-
}

answer_line() {
	IFS= read -r -t 10 -u 9 line || fail "no answer to '$1'"
	line=${line%$'\r'}
}

# says REQUEST LINE…
says() {
	local expected request=$1 line
	shift
	printf '%s\r\n' "$request" >&9
	for expected; do
		answer_line "$request"
		is "$line" "$expected"
	done
}

# one_request REQUEST LINE…: on a connection of its own
one_request() {
	connect
	says "$@"
	hang_up
}

# ---- running the tests -------------------------------------------------------------------------------------------------

run_one() {
	local name=$1
	D=$T/$name
	mkdir -p "$D/home" "$D/tmp" && mkdir -m 700 "$D/run" && cd "$D" || exit 1
	export HOME=$D/home TMPDIR=$D/tmp XDG_RUNTIME_DIR=$D/run
	{ read -r PORT && read -r RESP_PORT && read -r other_port; } < <(ports 3) || fail "no free ports"
	export PORT RESP_PORT
	err=''
	trap 'jobs -p | xargs -r kill -KILL 2>/dev/null' EXIT
	"$name" && [ ! -e "$D/failed" ]
}

run_tests() {
	local name status failed=0 skipped=0 count=0 names
	mapfile -t names < <(grep -o '^it_[a-z0-9_]*' "$0")
	T=$(mktemp -d) && T=$(cd -P -- "$T" && pwd) && chmod 755 "$T" || exit 1
	mkdir "$T/made"
	# of trees with sanitizers: a daemon's report would go to its log
	export ASAN_OPTIONS=log_path=$T/sanitizer UBSAN_OPTIONS=log_path=$T/sanitizer
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	watchdog $$ &
	watchdog_pid=$!
	for name in "${names[@]}"; do
		[ $# = 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
		(run_one "$name") 2>"$T/said"
		status=$?
		if ! end_leftovers "$T" 2>>"$T/said" && [ $status = 0 ]; then
			status=1
		fi
		if compgen -G "$T/sanitizer.*" >/dev/null; then
			cat "$T"/sanitizer.* >>"$T/said"
			rm -f "$T"/sanitizer.*
			status=1
		fi
		count=$((count + 1))
		case $status in
		0) echo "ok       ${name//_/ }" ;;
		77) echo "SKIPPED  ${name//_/ }"; skipped=$((skipped + 1)) ;;
		*) echo "FAILED   ${name//_/ }"; failed=$((failed + 1)) ;;
		esac
		[ $status = 0 ] || cat "$T/said"
		unmount_below "$T/$name"
		remove_folder "$T/$name"
	done
	[ $failed = 0 ] || exit 1
	[ $skipped -lt $count ] || exit 77
	exit 0
}

# A file that hangs ends by itself, so that its nodes are ended too.
watchdog() {
	trap - EXIT
	sleep "$limit_s" &
	trap 'kill $! 2>/dev/null; exit' TERM
	wait
	echo "took longer than $limit_s s" >&2
	kill -TERM "$1"
}

unmount_below() {
	local point
	tac /proc/self/mounts | cut -d ' ' -f 2 | grep "^$1/" | while read -r point; do
		umount -l "$(printf %b "$point")"
	done
}

remove_folder() {
	chmod -R u+rwX "$1" 2>/dev/null
	rm -rf -- "$1"
}

clean_up() {
	kill "$watchdog_pid" 2>/dev/null
	end_leftovers "$T" 2>/dev/null
	unmount_below "$T"
	remove_folder "$T"
}
