#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Where a bundle runs: anywhere, as anyone, on anything with a kernel.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# session LAUNCHER: starts, serves, answers commands, stops.
session() {
	start_daemon "$1"
	one_request 'CREATE shopping' OK
	one_request 'PUT shopping milk 1' OK
	must "$1" rpc 'return kv.get("shopping", "milk")'
	is "$out" 1
	must "$1" eval 'return release.name'
	is "$out" foo
	stop_node
}

it_runs_again_after_it_was_moved() {
	bundle foo
	session "$D/foo/bin/foo"
	mv foo moved
	start_daemon "$D/moved/bin/foo"
	one_request 'GET shopping milk' 1 OK
	stop_node
}

it_runs_in_folders_with_strange_names() {
	local name
	bundle foo
	for name in 'with space' 'with:colon;semicolon' $'b\xc3\xbccher' '-dash' "it's \"quoted\"" "$(printf '%0200d' 0)"; do
		mv -- foo "$name"
		session "$D/$name/bin/foo"
		mv -- "./$name" foo
	done
}

it_refuses_a_folder_with_a_dollar() {
	bundle foo
	# shellcheck disable=SC2016 # a name, not a variable
	mv foo 'do$LIB'
	# shellcheck disable=SC2016
	run 'do$LIB/bin/foo' version
	[ "$status" != 0 ] || must "$D/do\$LIB/bin/foo" eval 'return 1'
	[ -n "$err$out" ] || fail 'no message'
}

it_runs_through_symlinks() {
	bundle foo
	ln -s "$D/foo/bin/foo" "$D/absolute"
	ln -s foo/bin/foo relative
	ln -s relative second
	mkdir bin
	ln -s ../second bin/foo-link
	session "$D/absolute"
	session ./second
	PATH=$D/bin:$PATH session foo-link
}

it_runs_read_only_with_its_data_elsewhere() {
	bundle foo
	export RELEASE_DATA=$D/data RELEASE_TMP=$D/scratch
	chmod -R a-w foo
	find foo -type f -printf '%p %s %T@\n' | sort >before
	if [ "$(id -u)" = 0 ]; then
		# root writes where modes forbid it: only a read-only mount stops root
		mount --bind foo foo 2>/dev/null && mount -o remount,bind,ro foo
	fi
	session "$D/foo/bin/foo"
	find foo -type f -printf '%p %s %T@\n' | sort >after
	cmp before after || fail 'the bundle changed'
	umount foo 2>/dev/null
	return 0
}

it_is_not_called_damaged_where_no_program_may_run() {
	needs_root
	unshare --mount true 2>/dev/null || skip "cannot make mount namespaces here"
	bundle foo
	cat >inside <<-'END'
		mount --bind "$1/runtime-1.0.0" "$1/runtime-1.0.0" && mount -o remount,bind,noexec "$1/runtime-1.0.0" || exit 77
		"$1/bin/foo" verify
	END
	run unshare --mount sh inside "$D/foo"
	[ "$status" != 77 ] || skip 'cannot mount here'
	is "$status" 1
	like "$err" 'ERROR: cannot execute *is the file system mounted noexec*'
	must foo/bin/foo verify
}

it_runs_as_another_user() {
	needs_root
	bundle foo
	mkdir -m 700 other && chown 65534:65534 other foo
	local as='setpriv --reuid 65534 --regid 65534 --clear-groups env HOME='$D/other' XDG_RUNTIME_DIR= RELEASE_DATA='$D/other/data
	as+=" RELEASE_TMP=$D/other/tmp TMPDIR="
	# shellcheck disable=SC2086 # a command and its arguments
	must $as "$D/foo/bin/foo" daemon
	one_request 'CREATE shopping' OK
	run "$D/foo/bin/foo" ping
	is "$status" 1 # root's own folder holds no such node
	# shellcheck disable=SC2086
	must $as "$D/foo/bin/foo" pid
	is "$(stat -c %u "/proc/$out")" 65534
	# shellcheck disable=SC2086
	must $as "$D/foo/bin/foo" stop
}

it_runs_in_an_empty_root() {
	local root=$D/root foo
	needs_root
	unshare --mount true 2>/dev/null || skip "cannot make mount namespaces here"
	bundle foo
	mkdir -p "$root/foo" "$root/proc" "$root/dev"
	cp -a foo/. "$root/foo/"
	# /proc and a /dev with what every kernel has; everything is gone with the namespace
	cat >enter <<-'END'
		mount -t proc proc "$1/proc" || mount --bind /proc "$1/proc" || exit 77
		mount -t tmpfs none "$1/dev" || exit 77
		for device in null zero random urandom; do
			touch "$1/dev/$device" && mount --bind "/dev/$device" "$1/dev/$device" || exit 77
		done
		root=$1 && shift && exec chroot "$root" "$@"
	END
	# with an empty environment but for the ports
	cat >in_root <<-END
		#!/bin/sh
		exec env -i PATH="$PATH" PORT=$PORT RESP_PORT=$RESP_PORT \
			unshare --mount --propagation private sh "$D/enter" "$root" "\$@"
	END
	chmod +x in_root
	foo=/foo/bin/foo
	run ./in_root "$foo" version
	[ "$status" != 77 ] || skip "cannot mount here"
	is "$out" 'foo 0.0.1'
	run ./in_root "$foo" eval 'return release.name, 1 + 1'
	is "$status$out" $'0foo\n2'
	./in_root "$foo" start >"$D/log" 2>&1 </dev/null &
	pid=$!
	answers() {
		gone "$pid" && fail "the node ended:"$'\n'"$(cat "$D/log")"
		(: <>"/dev/tcp/127.0.0.1/$PORT")
	}
	wait_until answers
	one_request 'CREATE shopping' OK
	one_request 'PUT shopping milk 1' OK
	run ./in_root "$foo" rpc 'return kv.get("shopping", "milk")'
	is "$status$out$err" 01
	# nothing but the bundle and the kernel is mapped into it
	is "$(sed -n 's|^[^/]*\(/.*\)|\1|p' "/proc/$pid/maps" | grep -v -e '^/foo/' -e "$root/foo/" -e '^/dev/zero' -e '^/memfd:')" ''
	run ./in_root "$foo" stop
	is "$status$err" 0
	wait_until gone "$pid"
}

run_tests "$@"
