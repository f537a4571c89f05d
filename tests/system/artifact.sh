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

it_says_so_when_it_cannot_even_check_itself() {
	local size
	bundle foo
	rm foo/releases/start.data foo/runtime-1.0.0/lib/libuv.so.1
	run foo/bin/foo verify
	is "$status:$out" $'4:releases/start.data is missing\nruntime-1.0.0/lib/libuv.so.1 is missing'
	size=$(stat -c %s foo/runtime-1.0.0/lib/libc.so.6)
	head -c "$size" /dev/zero >foo/runtime-1.0.0/lib/libc.so.6
	run foo/bin/foo verify
	is "$status" 4
	like "$err" '*libc.so.6*ERROR: the runtime in this bundle is damaged: *'
	rm -r foo/runtime-1.0.0
	run foo/bin/foo verify
	is "$status" 1
	like "$err" 'ERROR: there is no runtime in this bundle*'
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
		killed_at "$at" || break
		"$1" after
		must kvrel build foo --quiet --overwrite
	done
	[ "$at" -gt 1 ] || fail "no build was killed: $(cat "$D/said")"
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

# ---- archives ---------------------------------------------------------------------------------------------------------

it_makes_an_image_that_skopeo_and_umoci_accept() {
	local config
	if [ -z "$(command -v skopeo)" ] || [ -z "$(command -v umoci)" ]; then
		skip 'skopeo or umoci is not installed'
	fi
	project
	sed -i '0,/^    components:/s//    steps: [assemble, oci]\n    components:/' releases.yaml
	must kvrel build foo --quiet
	must skopeo inspect --config "oci-archive:_build/foo-0.0.1.oci.tar"
	config=$out
	must python3 -c 'import json, sys
config = json.loads(sys.argv[1])["config"]
print(config["User"], config["Entrypoint"], config["StopSignal"], config["Labels"]["org.opencontainers.image.version"])' "$config"
	is "$out" "65532:65532 ['/opt/foo/bin/foo'] SIGTERM 0.0.1"
	must skopeo copy --quiet --insecure-policy "oci-archive:_build/foo-0.0.1.oci.tar" oci:image:latest
	must umoci unpack --rootless --image image:latest unpacked
	must kvrel verify unpacked/rootfs/opt/foo
	must unpacked/rootfs/opt/foo/bin/foo eval 'return release.name'
	is "$out" foo
}

it_unpacks_itself_where_there_is_nothing() {
	project
	sed -i '0,/^    components:/s//    steps: [assemble, self_extract]\n    components:/' releases.yaml
	must kvrel build foo --quiet
	mkdir other
	(cd other && env -i ../_build/foo-0.0.1.run) >said || fail "$(cat said)"
	like "$(cat said)" '*foo 0.0.1 was unpacked to foo*'
	must diff -r other/foo _build/rel/foo
	is "$(cd other/foo && find . -type f -printf '%p %m %T@\n' | sort)" "$(cd _build/rel/foo && find . -type f -printf '%p %m %T@\n' | sort)"
	run _build/foo-0.0.1.run other/foo
	is "$status" 1
	like "$err" 'ERROR: release foo-0.0.1 exists already at *'
	must _build/foo-0.0.1.run --overwrite --quiet other/foo
	must other/foo/bin/foo eval 'return release.name'
	is "$out" foo
	cp _build/foo-0.0.1.run bad.run
	printf x | dd of=bad.run bs=1 seek=2000000 conv=notrunc 2>/dev/null
	run ./bad.run elsewhere
	is "$status" 4
	[ ! -e elsewhere ] || fail 'a damaged archive was unpacked'
}

run_tests "$@"
