#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The bundle as a thing: what checks it on a server, what a killed build leaves, what its archives are worth.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# ---- verify, where the bundle is ---------------------------------------------------------------------------------------

it_checks_itself_without_kvrel() {
	bundle foo
	must foo/bin/foo verify
	is "$out" "$D/foo is as it was built"
	must foo/bin/foo verify --json
	like "$out" '*"ok": true*'
	start_daemon
	one_request 'CREATE shopping' OK
	must foo/bin/foo verify # what a node writes is no part of it
	stop_node
}

# damaged WORDS: verify fails and says so, here and in kvrel
damaged() {
	run foo/bin/foo verify
	is "$status:$out" "4:$1"
	like "$err" 'ERROR: *is not as it was built: *'
	run kvrel verify foo
	is "$status:$out" "4:$1"
}

it_names_what_was_changed_removed_or_added() {
	bundle foo
	printf x >>foo/lib/kv-0.1.0/kv.so
	rm foo/releases/0.0.1/env.sh
	echo x >foo/lib/evil.so
	run foo/bin/foo verify
	is "$status" 4
	is "$(grep -c . <<<"$out")" 3
	like "$out" '*lib/kv-0.1.0/kv.so was changed: it has * bytes, not *'
	like "$out" '*releases/0.0.1/env.sh is missing*'
	like "$out" '*lib/evil.so was added*'
}

# Whatever is damaged, the check needs none of it.
it_checks_itself_when_nothing_else_works() {
	local size
	bundle foo
	size=$(stat -c %s foo/runtime-1.0.0/lib/libc.so.6)
	head -c "$size" /dev/zero >foo/runtime-1.0.0/lib/libc.so.6
	damaged 'runtime-1.0.0/lib/libc.so.6 was changed: its SHA-256 is another one'
	rm foo/runtime-1.0.0/lib/libc.so.6 foo/releases/start.data
	run foo/bin/foo verify
	is "$status:$out" $'4:releases/start.data is missing\nruntime-1.0.0/lib/libc.so.6 is missing'
	rm foo/runtime-1.0.0/bin/kvbundle
	run foo/bin/foo verify
	is "$status" 1
	like "$err" 'ERROR: there is no runtime-*/bin/kvbundle in this bundle*'
}

# ---- killed builds -----------------------------------------------------------------------------------------------------

# killed_at N: a build of the next configuration that is killed at its Nth rename; 1 when it has no Nth one
killed_at() {
	strace -qq -f -o "$D/trace" -e trace=rename,renameat2 -e inject=rename,renameat2:signal=KILL:when="$1" \
		kvrel build foo --quiet --overwrite --set kv_server.max_line=70000 --set kv.durability=none >"$D/said" 2>&1
	[ $? = 137 ]
}

tries_each_rename() { # CHECK: called after each
	local at
	command -v strace >/dev/null || skip 'strace is not installed'
	project
	must kvrel build foo --quiet
	must kvrel build foo --quiet --overwrite --set kv_server.max_line=70000 --set kv.durability=none # fill the cache
	must kvrel build foo --quiet --overwrite
	strace -qq -o "$D/trace" -e inject=rename:signal=KILL:when=1 true 2>"$D/said" || skip "strace cannot inject here"
	for ((at = 1; at < 20; at++)); do
		"$1" before
		killed_at $at || break
		"$1" after
		must kvrel build foo --quiet --overwrite
	done
	[ $at -gt 1 ] || fail "no build was killed: $(cat "$D/said")"
	is "$(find _build/rel -maxdepth 1 -name '.foo.*')" ''
}

is_old_or_new() {
	must kvrel verify _build/rel/foo
	must _build/rel/foo/bin/foo eval 'return app.env("kv_server", "max_line") == 70000, app.env("kv", "durability") == "none"'
	like "$out" '@(true*true|false*false)'
}

it_is_whole_after_a_build_was_killed_at_any_rename() {
	shopt -s extglob
	tries_each_rename is_old_or_new
}

# Where data lie, units are replaced one after the other: each state works, and the next build makes it whole.
works() {
	mkdir -p _build/rel/foo/data
	echo mine >_build/rel/foo/data/mine
	must _build/rel/foo/bin/foo eval 'return app.env("kv_server", "max_line") ~= nil'
	is "$out" true
	is "$(cat _build/rel/foo/data/mine)" mine
}

it_works_beside_data_after_a_build_was_killed_at_any_rename() {
	tries_each_rename works
	must kvrel verify _build/rel/foo
}

run_tests "$@"
