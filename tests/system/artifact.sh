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

# Where data lie, units are replaced one after the other. Whoever comes first, the launcher or the next build, takes back what
# was left half done: a component, an overlay that comes and one that goes, the settings, all of one build.

older() {
	rm -rf rel/overlays && mkdir -p rel/overlays/etc/gone && echo old >rel/overlays/etc/gone/old && echo old >rel/overlays/etc/both
	sed -i 's/^description:.*/description: old/' core/kv/component.yaml
	settings=()
}

newer() {
	rm -rf rel/overlays && mkdir -p rel/overlays/etc/new && echo new >rel/overlays/etc/new/new && echo new >rel/overlays/etc/both
	sed -i 's/^description:.*/description: new/' core/kv/component.yaml
	settings=(--set kv_server.max_line=70000)
}

state() {
	(cd "$1" && cat etc/*/* etc/both && ls -d etc/*)
	sed -n 's/^description: //p' "$1/lib/kv-0.1.0/component.yaml"
	"$1/bin/foo" eval 'return app.env("kv_server", "max_line")' 2>&1
}

it_is_old_or_new_beside_data_after_a_build_was_killed_anywhere() {
	local at old new now
	command -v strace >/dev/null || skip 'strace is not installed'
	project
	newer
	must kvrel build foo --quiet "${settings[@]}"
	new=$(state _build/rel/foo)
	older
	must kvrel build foo --quiet --overwrite
	old=$(state _build/rel/foo)
	[ "$old" != "$new" ] || fail 'there is nothing to tell'
	mkdir _build/rel/foo/data && echo mine | tee _build/rel/foo/data/mine >_build/rel/foo/etc/mine
	for ((at = 1; at < 60; at++)); do
		newer
		strace -qq -f -o "$D/trace" -e inject=rename,renameat2,unlink,mkdir,rmdir:signal=KILL:when="$((at * 2))" \
			kvrel build foo --quiet --overwrite "${settings[@]}" >"$D/said" 2>&1
		[ $? = 137 ] || break
		if [ $((at % 2)) = 0 ]; then
			_build/rel/foo/bin/foo version >/dev/null || fail 'it does not start'
		else
			older
			must kvrel build foo --quiet --overwrite
		fi
		now=$(state _build/rel/foo | grep -v mine)
		[ "$now" = "$old" ] || [ "$now" = "$new" ] || fail "half old, half new after $at:"$'\n'"$now"
		run kvrel verify _build/rel/foo
		is "$out" 'etc/mine was added'
		is "$(cat _build/rel/foo/data/mine _build/rel/foo/etc/mine)" $'mine\nmine'
		older
		must kvrel build foo --quiet --overwrite
	done
	[ "$at" -gt 5 ] || fail "no build was killed: $(cat "$D/said")"
	is "$(find _build/rel -maxdepth 1 -name '.foo.*')$(find _build/rel/foo -name '.kvrel*')" ''
}

it_takes_units_back_when_a_later_step_fails() {
	local before
	project
	older
	must kvrel build foo --quiet
	mkdir _build/rel/foo/data
	before=$(state _build/rel/foo)
	newer
	sed -i '0,/^    components:/s//    steps: [assemble, {run: "false"}]\n    components:/' releases.yaml
	run kvrel build foo --quiet --overwrite
	is "$status" 1
	is "$(state _build/rel/foo)" "$before"
	must kvrel verify _build/rel/foo
}

it_says_so_when_a_replacement_cannot_be_taken_back() {
	project
	must kvrel build foo --quiet
	printf '.foo.staging-1\0000.0.1\000x1 bin/foo\000' >_build/rel/foo/.kvrel-replacing
	run _build/rel/foo/bin/foo version
	is "$status" 1
	like "$err" "ERROR: *interrupted*.foo.staging-1', is gone*'kvrel build'*"
	must kvrel build foo --quiet --overwrite
	must _build/rel/foo/bin/foo version
	must kvrel verify _build/rel/foo
}

it_waits_for_no_build_that_waits_for_it() {
	project
	sed -i '0,/^    components:/s//    steps: [assemble, {run: "kvrel build bar"}]\n    components:/' releases.yaml
	run kvrel build foo --quiet
	is "$status" 1
	like "$err" "*_build/rel' is locked by the build of foo-0.0.1, which waits for this step*--path*"
	[ "$took_ms" -lt 10000 ] || fail "it waited for $took_ms ms"
	sed -i 's/kvrel build bar/kvrel build bar --path elsewhere/' releases.yaml
	must kvrel build foo --quiet
	must elsewhere/bin/bar version
}

# ---- plans ----

it_shows_the_plan_as_json_and_writes_nothing() {
	local path planned
	project
	sed -i '0,/^    components:/s//    steps: [assemble, tar, {run: "touch ran"}]\n    components:/' releases.yaml
	must kvrel build foo --dry-run --json
	planned=$out
	is "$(find . -name ran -o -name '*.zst' -o -name rel -path '*_build*')" ''
	is "$(jq -c '.releases[0] | .steps, [.artifacts[] | sub(".*/"; "")]' <<<"$planned")" \
		$'["assemble","tar",{"run":"touch ran"}]\n["foo-0.0.1.tar.zst"]'
	must kvrel build foo --quiet
	is "$(jq -r '.releases[0].plan[].path' <<<"$planned" | sort)" "$(cd _build/rel/foo && find . -mindepth 1 -printf '%P\n' | sort)"
	jq -r '.releases[0].plan[] | select(.kind == "file" and (.change | not) and .source_bytes) | "\(.source_bytes) \(.mode) \(.path)"' \
		<<<"$planned" | while read -r bytes mode path; do
		is "$bytes $mode" "$(stat -c '%s 0%a' "_build/rel/foo/$path")"
	done || exit 1
	must kvrel build foo --dry-run
	like "$out" '*would write foo-0.0.1.tar.zst*would run touch ran'
}

it_says_on_a_terminal_that_it_is_packing() {
	local said
	command -v script >/dev/null || skip 'script is not installed'
	project
	sed -i '0,/^    components:/s//    steps: [assemble, tar]\n    compression: 19\n    components:/' releases.yaml
	said=$(TERM=xterm script -qec 'kvrel build foo' /dev/null </dev/null)
	like "$said" '*packing foo-0.0.1.tar.zst ... *packed foo-0.0.1.tar.zst*'
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

with_run_file() {
	project
	sed -i '0,/^    components:/s//    steps: [assemble, self_extract]\n    components:/' releases.yaml
	must kvrel build foo --quiet
}

it_unpacks_itself_over_nobodys_files() {
	with_run_file
	mkdir -p mine/lib && echo mine >mine/lib/x
	run _build/foo-0.0.1.run mine
	is "$status:$(find mine -type f)" 1:mine/lib/x
	like "$err" "ERROR: 'mine' is no bundle and holds 'lib'; name an empty or new folder"
	must _build/foo-0.0.1.run --quiet new
	mkdir new/data
	sed -i 's/^version:.*/version: "0.2.0"/' core/kv/component.yaml
	must kvrel build foo --quiet --overwrite
	run _build/foo-0.0.1.run new
	is "$status" 1
	like "$err" '*exists already*--overwrite*'
	must _build/foo-0.0.1.run --overwrite --quiet new
	is "$(cd new/lib && echo kv-*)" kv-0.2.0
	must kvrel verify new
}

it_unpacks_itself_again_after_it_was_killed() {
	local began took i after
	with_run_file
	began=$(date +%s%N)
	must _build/foo-0.0.1.run --quiet new
	took=$((($(date +%s%N) - began) / 1000))
	# the last ones fall on what comes after the archive: start.data, the check
	for i in 1 4 8 11 13 14 15 16; do
		after=$(printf '%d.%06d' $((took * i / 16 / 1000000)) $((took * i / 16 % 1000000)))
		rm -rf new
		timeout -s KILL "$after" _build/foo-0.0.1.run --quiet new >"$D/said" 2>&1
		must _build/foo-0.0.1.run --overwrite --quiet new
		must kvrel verify new
	done
}

# Killed before any file, between files, and before the last two: start.data and the manifest.
it_leaves_nothing_of_an_unpacking_that_was_killed() {
	local n last
	command -v strace >/dev/null || skip 'strace is not installed'
	with_run_file
	mkdir -p rel/overlays/of_one && echo 1 >rel/overlays/of_one/file
	must kvrel build foo --quiet --version 1.0.0 --path one
	rm -r rel/overlays/of_one
	must strace -qq -o "$D/renames" -e trace=rename _build/foo-1.0.0.run --quiet whole
	last=$(wc -l <"$D/renames")
	for n in 1 $((last / 2)) $((last - 1)) "$last"; do
		rm -rf new again
		run strace -qq -o /dev/null -e trace=rename -e inject=rename:signal=KILL:when="$n" _build/foo-1.0.0.run --quiet new
		is "$status" 137
		cp -a new again
		must _build/foo-1.0.0.run --quiet again
		must diff -r one again
		must _build/foo-0.0.1.run --quiet new
		must kvrel verify new
		is "$(cd new && find . -name '*.unpacking' -o -path './releases/1.0.0*' -o -path './of_one*')" ''
	done
}

it_unpacks_itself_where_it_had_only_begun() {
	with_run_file
	mkdir -p new/releases
	must _build/foo-0.0.1.run --quiet new
	must kvrel verify new
	mkdir -p mine/releases && echo mine >mine/releases/notes
	run _build/foo-0.0.1.run mine
	is "$status" 1
	like "$err" "*'mine' is no bundle and holds 'releases'*"
}

it_removes_what_killed_packers_left() {
	local dead
	with_run_file
	dead=$(sh -c 'echo $$')
	(cd _build && touch foo-0.0.1.run.{"$dead.part","$dead.part.tar.$dead.part",$$.part,mine.part})
	must kvrel build foo --quiet --overwrite
	is "$(cd _build && echo *.part*)" "foo-0.0.1.run.$$.part foo-0.0.1.run.mine.part"
}

# "é" in its two ways, what terminals and shells would obey, the longest name and a deep folder; in no locale and in one
it_packs_files_of_any_name() {
	local bundle long
	project
	long=$(printf 'n%.0s' {1..255})
	mkdir -p rel/overlays/odd "rel/overlays/deep/$(printf 'd%.0s' {1..200})/$(printf 'e%.0s' {1..200})"
	for name in $'\xc3\xa9' $'e\xcc\x81' $'a\nb' $'\e[31m' ' blank ' -x '*' \\ \' '"' '%s' "$long"; do
		printf '%s' "$name" >"rel/overlays/odd/$name"
	done
	ln -s $'\xc3\xa9' rel/overlays/odd/link
	touch "$(echo rel/overlays/deep/*/*)/"$'\xc3\xa9'
	sed -i '0,/^    components:/s//    steps: [assemble, tar, oci, self_extract]\n    components:/' releases.yaml
	LC_ALL=C must kvrel build foo --quiet
	sha256sum _build/foo-0.0.1.* >sums
	LC_ALL=C.UTF-8 must kvrel build foo --quiet --overwrite --path again
	must sha256sum --quiet -c sums
	must kvrel verify _build/foo-0.0.1.tar.zst
	must _build/foo-0.0.1.run --quiet unpacked
	mkdir tarred
	must tar -C tarred -xf _build/foo-0.0.1.tar.zst
	for bundle in again unpacked tarred; do
		must diff -r _build/rel/foo "$bundle"
		must "$bundle/bin/foo" verify
		must kvrel verify "$bundle"
	done
	run kvrel verify _build/foo-0.0.1.run
	is "$status" 3
	like "$err" '*is a program*--check*'
	must _build/foo-0.0.1.run --check
}

it_unpacks_itself_where_there_is_nothing() {
	with_run_file
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
