#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kvrel build: the same twice, all or nothing, side by side, and clear about bad input.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# digest FOLDER: names, types, modes, link targets and contents of everything below.
digest() {
	(cd "$1" && find . -printf '%P %y %m %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum
}

# nothing half-made beside the bundles
no_remains() {
	is "$(find _build/ -mindepth 1 -maxdepth 2 ! -path '_build/rel' ! -path '_build/release*' ! -path '_build/rel/foo' \
		! -path '_build/rel/bar' ! -path '_build/.cache*')" ''
}

it_prints_what_it_does_and_what_to_type_next() {
	project
	must kvrel build foo
	like "$out" $'\* assembling foo-0.0.1\n\* using rel/runtime.lua to configure the release at runtime\n\nRelease created at _build/rel/foo\n*'
	like "$out" '*_build/rel/foo/bin/foo start*_build/rel/foo/bin/foo remote*_build/rel/foo/bin/foo stop*'
	must kvrel build bar --quiet
	is "$out$err" ''
	must kvrel list
	like "$out" '*foo*bar*'
}

it_builds_the_same_bytes_in_another_folder_as_another_user_at_another_time() {
	local one
	project "$D/here"
	must kvrel build foo
	one=$(digest _build/rel/foo)
	project "$D/a place/further away"
	(umask 077 && SOURCE_DATE_EPOCH=1700000000 TZ=Asia/Tokyo must kvrel build foo) || exit 1
	is "$(digest _build/rel/foo)" "$one"
	[ "$(id -u)" = 0 ] || return 0
	# the build tree may lie where others have no way in: a copy of what kvrel needs of it
	mkdir "$D/tree"
	cp -a "$BUILD"/{bin,lib,share,components} "$D/tree/"
	BUILD=$D/tree project "$D/third"
	chown -R 65534 "$D/third"
	must setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ "$D/tree/bin/kvrel" build foo
	is "$(digest _build/rel/foo)" "$one"
}

it_builds_all_releases_at_once_as_it_builds_each() {
	local each=''
	project
	for name in foo bar resp; do
		must kvrel build "$name"
		each+=$(digest "_build/rel/$name")
	done
	rm -rf _build/rel
	must kvrel build --all
	is "$(digest _build/rel/foo)$(digest _build/rel/bar)$(digest _build/rel/resp)" "$each"
	must kvrel build --all --json --overwrite
	is "$(grep -c '"unchanged": true' <<<"$out")" 3
}

it_does_not_overwrite_without_being_told() {
	local before
	project
	must kvrel build foo
	before=$(digest _build/rel/foo)
	run kvrel build foo
	is "$status" 1
	like "$err" '*foo-0.0.1*exists*--overwrite*'
	is "$(digest _build/rel/foo)" "$before"
	must kvrel build foo --overwrite
	is "$(digest _build/rel/foo)" "$before"
	no_remains
}

it_adds_another_version_beside_the_first() {
	project
	must kvrel build foo
	must kvrel build foo --version 0.0.2
	is "$(cat _build/rel/foo/releases/start.data)" '1.0.0 0.0.2'
	must _build/rel/foo/bin/foo version
	is "$out" 'foo 0.0.2'
	RELEASE_VSN=0.0.1 must _build/rel/foo/bin/foo version
	is "$out" 'foo 0.0.1'
	must _build/rel/foo/bin/foo eval 'return release.version'
	is "$out" 0.0.2
}

it_keeps_the_data_of_a_node_when_it_overwrites() {
	project
	must kvrel build foo
	start_daemon "$PWD/_build/rel/foo/bin/foo"
	one_request 'CREATE shopping' OK
	stop_node
	must kvrel build foo --overwrite
	start_daemon
	one_request 'GET shopping milk' '' OK
	stop_node
}

it_leaves_the_old_bundle_as_it_was_when_a_build_fails() {
	local before
	project
	must kvrel build foo
	before=$(digest _build/rel/foo)
	sed -i 's/^    components: {kv_server/    steps: [assemble, {run: "exit 9"}]\n&/' releases.yaml
	run kvrel build foo --overwrite
	[ "$status" != 0 ] || fail 'a failing step is a failing build'
	is "$(digest _build/rel/foo)" "$before"
	printf 'name: kv\nversion: "0.1.0"\nlibrary: [\n' >core/kv/component.yaml
	run kvrel build foo --overwrite
	is "$status" 3
	like "$err" '*core/kv/component.yaml:*'
	is "$(digest _build/rel/foo)" "$before"
	no_remains
}

it_leaves_the_old_bundle_as_it_was_when_a_build_is_killed() {
	local before build
	project
	must kvrel build foo
	before=$(digest _build/rel/foo)
	for signal in KILL TERM INT KILL TERM INT KILL TERM INT; do
		kvrel build foo --overwrite >/dev/null 2>&1 </dev/null &
		build=$!
		sleep "0.0$((RANDOM % 9))"
		kill -"$signal" "$build" 2>/dev/null
		wait "$build" 2>/dev/null
		is "$(digest _build/rel/foo)" "$before"
	done
	must kvrel build foo --overwrite
	is "$(digest _build/rel/foo)" "$before"
	no_remains
}

it_is_clear_about_bad_input_and_makes_nothing() {
	mkdir empty && cd empty || exit 1
	run kvrel build foo
	is "$status" 3
	like "$err" '*releases.yaml*'
	project
	run kvrel build nope
	is "$status" 3
	like "$err" "*'nope'*foo*"
	run kvrel build --nope
	is "$status" 2
	sed -i 's/version: "0.0.1"/verison: "0.0.1"/' releases.yaml
	run kvrel build foo
	is "$status" 3
	like "$err" "releases.yaml:*:*: error: unknown key 'verison' in release 'foo' (did you mean 'version'?)*"
	[ ! -e _build/rel ] || fail 'something was made'
}

it_names_a_component_that_is_not_built() {
	local file
	project
	rm _build/release
	mkdir -p _build/release
	for file in "$BUILD"/*; do
		[ "$file" = "$BUILD/components" ] || ln -s "$file" _build/release/
	done
	run kvrel build foo
	[ "$status" = 3 ] || [ "$status" = 1 ] || fail "exit $status"
	like "$err" '*kv_server.so*'
	like "$err" '*kv.so*'
	[ ! -e _build/rel/foo ] || fail 'something was made'
}

it_survives_a_full_disk() {
	local before
	project
	must kvrel build foo
	before=$(digest _build/rel/foo)
	small_disk 2m
	run kvrel build foo --path "$D/disk/foo"
	is "$status" 1
	like "$err" '*No space left on device*'
	is "$(find "$D/disk" -mindepth 1)" ''
	umount "$D/disk"
	small_disk 20m
	must kvrel build foo --path "$D/disk/foo"
	is "$(digest "$D/disk/foo")" "$before"
	head -c 100m /dev/zero >"$D/disk/fill" 2>/dev/null
	run kvrel build foo --path "$D/disk/foo" --overwrite
	if [ "$status" != 0 ]; then # where nothing changes nothing needs room
		like "$err" '*No space left on device*'
	fi
	is "$(digest "$D/disk/foo")" "$before"
	rm "$D/disk/fill"
	must "$D/disk/foo/bin/foo" eval 'return 1'
	umount "$D/disk"
}

run_tests "$@"
