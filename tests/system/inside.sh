#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is in a bundle and in a running node, and what is not.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

it_lays_a_bundle_out_as_promised() {
	local pattern
	bundle foo
	for pattern in bin/foo 'lib/kv-*/component.yaml' 'lib/kv-*/kv.so' 'lib/kv_server-*/component.yaml' \
		'lib/kv_server-*/kv_server.so' runtime-1.0.0/bin/kvnode runtime-1.0.0/lib/libc.so.6 releases/start.data \
		releases/0.0.1/{vm.args,remote.vm.args,env.sh,sys.yaml,manifest.json} share/licenses/libc6/copyright; do
		compgen -G "foo/$pattern" >/dev/null || fail "no $pattern"
	done
	is "$(cat foo/releases/start.data)" '1.0.0 0.0.1'
	[ ! -e foo/releases/COOKIE ] || fail 'there is a cookie'
}

it_leaves_kv_server_out_of_bar() {
	local found
	bundle bar
	found=$(cd bar && grep -rlaE 'kv_server|Accepting connections|UNKNOWN COMMAND' . | grep -v '^./releases/')
	is "$found" ''
	is "$(find bar -name '*kv_server*')" ''
	start_daemon "$D/bar/bin/bar"
	(: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && fail "bar listens on $PORT"
	must bar/bin/bar rpc 'kv.create("shopping") kv.put("shopping", "milk", "1") return kv.get("shopping", "milk")'
	is "$out" 1
	stop_node
}

it_holds_normal_modes_and_nothing_that_points_outside() {
	bundle foo
	is "$(find foo -type f -perm /6022)" ''
	is "$(find foo -type d ! -perm 755)" ''
	find foo -type l -printf '%p %l\n' | while read -r link target; do
		case $target in
		/*) fail "$link points to $target" ;;
		esac
		case $(readlink -f "$link") in
		"$D/foo"/*) ;;
		*) fail "$link leads out of the bundle" ;;
		esac
	done || exit 1
}

it_maps_nothing_of_the_host() {
	bundle foo
	start_daemon
	one_request 'CREATE shopping' OK
	must foo/bin/foo rpc 'return 1'
	is "$(sed -n 's|^[^/]*\(/.*\)|\1|p' "/proc/$pid/maps" | grep -v -e "^$D/foo/" -e '^/dev/zero' -e '^/memfd:' | sort -u)" ''
	stop_node
}

it_leaves_no_file_open_in_its_children() {
	bundle foo
	start_daemon
	one_request 'CREATE shopping' OK
	must foo/bin/foo rpc 'local p = io.popen("ls -l /proc/self/fd") print(p:read("a"))'
	like "$out" '*/proc/*'
	is "$(grep -e socket: -e "$D/foo/data" <<<"$out")" ''
	stop_node
}

it_gives_no_ld_variable_to_its_children() {
	bundle foo
	must foo/bin/foo eval 'local p = io.popen("env; /bin/ls /") print(p:read("a"))'
	like "$out" '*RELEASE_NAME=foo*'
	[[ $out != *LD_* ]] || fail "the child's environment: $out"
	[[ $out != *COOKIE=?* ]] || fail "the child's environment: $out"
	LD_PRELOAD=/nowhere.so run foo/bin/foo eval 'local p = io.popen("env") print(p:read("a"))'
	is "$status" 0
	like "$out" '*LD_PRELOAD=/nowhere.so*'
}

it_opens_no_port_but_its_own() {
	bundle foo
	start_daemon
	# local addresses in state 0A (listening) whose socket is one of the node's
	listening=$(for fd in /proc/"$pid"/fd/*; do
		readlink "$fd"
	done | sed -n 's/^socket:\[\(.*\)\]$/\1/p' | while read -r inode; do
		awk -v inode="$inode" '$4 == "0A" && $10 == inode { print $2 }' /proc/net/tcp /proc/net/tcp6
	done | sed 's/.*://' | sort -u)
	is "$(for port in $listening; do echo $((16#$port)); done)" "$PORT"
	stop_node
}

it_starts_no_component_that_is_only_loaded() {
	bundle foo
	must foo/bin/foo eval 'return app.env("kv_server", "port") ~= nil'
	is "$out" true
	(: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && fail 'eval listens'
	[ ! -e foo/data ] || fail 'eval made a data folder'
}

run_tests "$@"
