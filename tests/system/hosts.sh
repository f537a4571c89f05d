#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two hosts: network namespaces with a cable between them that is slow, loses packets, or is pulled out. foo is on the
# first one and keeps a-m, bar on the second.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

net=''

remove_hosts() {
	ip netns del "$net-1" 2>/dev/null
	ip netns del "$net-2" 2>/dev/null
}

# two_hosts [FLAGS]: with the flags in vm.args
two_hosts() {
	local i table
	needs_root
	command -v tc >/dev/null || skip 'no ip and tc here (Debian: iproute2)'
	net=kvrel-$BASHPID
	trap 'remove_hosts; jobs -p | xargs -r kill -KILL 2>/dev/null' EXIT
	ip netns add "$net-1" 2>"$D/err" || skip "network namespaces are not permitted here: $(cat "$D/err")"
	ip netns add "$net-2" || fail 'a second namespace'
	ip -n "$net-1" link add eth0 type veth peer name eth0 netns "$net-2" || skip 'no veth devices here'
	for i in 1 2; do
		ip -n "$net-$i" address add "10.77.0.$i/24" dev eth0
		ip -n "$net-$i" link set lo up
		ip -n "$net-$i" link set eth0 up
	done
	export RELEASE_DISTRIBUTION=name RELEASE_COOKIE=biscuit
	table='[{range: a-m, node: "foo@10.77.0.1"}, {range: n-z, node: "bar@10.77.0.2"}]'
	(project && must kvrel build foo --quiet --path "$D/bundle" --set "kv.routing_table=$table") || exit 1
	printf '%s\n' "${1:-}" >>"$D/bundle/releases/0.0.1/vm.args"
	mkdir -p "$D/bin"
	command_of foo 1
	command_of bar 2
	PATH=$D/bin:$PATH
	must bar daemon
	must foo daemon
}

# command_of NAME HOST: runs the launcher there, as that node
command_of() {
	printf '#!/bin/sh\nexec ip netns exec %s env RELEASE_NODE=%s RELEASE_DATA=%s RELEASE_TMP=%s XDG_RUNTIME_DIR=%s "%s" "$@"\n' \
		"$net-$2" "$1@10.77.0.$2" "$D/data$2" "$D/tmp$2" "$D/run$2" "$D/bundle/bin/foo" >"$D/bin/$1"
	chmod +x "$D/bin/$1"
	mkdir -m 700 "$D/run$2"
}

stop_both() {
	must foo stop
	must bar stop
}

cable() {
	ip -n "$net-1" link set eth0 "$1"
}

# cable_is RULES…: of tc's netem, both ways
cable_is() {
	local i
	for i in 1 2; do
		tc -n "$net-$i" qdisc replace dev eth0 root netem "$@" 2>"$D/netem" || {
			stop_both
			skip "this kernel has no netem: $(cat "$D/netem")"
		}
	done
}

put() {
	run foo rpc "kv.put('pears', 'k', $1)"
	[ "$status" = 0 ]
}

it_works_over_a_slow_cable_that_loses_packets() {
	local i
	two_hosts
	cable_is delay 20ms 5ms loss 5%
	must foo rpc 'kv.create("pears")'
	for i in {1..20}; do
		must foo rpc "kv.put('pears', 'k$i', $i)"
	done
	must bar rpc 'return #kv.keys("pears")'
	is "$out" 20
	# many at once take the time of a few: they share the link and do not wait for each other
	must foo rpc 'for i = 1, 100 do kv.put("pears", "k", i) end return kv.get("pears", "k")'
	is "$out" 100
	stop_both
}

it_notices_a_cable_that_is_out_and_goes_on_when_it_is_in_again() {
	two_hosts '--dist-heartbeat 1000'
	must foo rpc 'kv.create("pears")'
	put 1 || fail "$err"
	cable down
	# before the deadline, whose words are others
	put 2 && fail 'it was put over a cable that is out'
	like "$err" "*the link to node 'bar@10.77.0.2' was lost before it answered: the outcome is unknown*"
	# from now on there is no link: said at once, or when no connection comes about
	put 3 && fail 'it was put over a cable that is out'
	like "$err" "*node 'bar@10.77.0.2' is unreachable*"
	must foo rpc 'kv.create("apples") return kv.exists("apples")' # its own buckets are served
	is "$out" 1
	cable up
	wait_until put 4
	must bar rpc 'return kv.get("pears", "k")'
	is "$out" 4
	must foo rpc 'return node.list()'
	is "$out" '{"bar@10.77.0.2"}'
	like "$(cat "$D"/tmp1/log/*)" '*the link to bar@10.77.0.2 is lost*'
	stop_both
}

it_links_again_by_itself() {
	two_hosts '--dist-heartbeat 1000'
	must foo rpc 'return node.ping("bar@10.77.0.2")'
	is "$out" true
	cable down
	wait_until list_is '{}'
	cable up
	wait_until list_is '{"bar@10.77.0.2"}' # nobody asked for anything
	stop_both
}

list_is() {
	[ "$(foo rpc 'return node.list()')" = "$1" ]
}

# Requests arrive and are done; what bar says is lost.
it_keeps_deadlines_over_a_cable_that_swallows_every_reply() {
	local before took
	two_hosts
	must foo rpc 'app.put_env("kv", "forward_timeout", "800ms") kv.create("pears")'
	ip -n "$net-2" route add blackhole 10.77.0.1/32
	before=${EPOCHREALTIME/./}
	put 1 && fail 'there was an answer'
	took=$(((${EPOCHREALTIME/./} - before) / 1000))
	like "$err" "*node 'bar@10.77.0.2' did not answer before the deadline: the outcome is unknown*"
	[ "$took" -lt 8000 ] || fail "it took $took ms"
	must bar rpc 'return kv.get("pears", "k")'
	is "$out" 1 # done, and foo could not know
	ip -n "$net-2" route del blackhole 10.77.0.1/32
	wait_until put 2
	stop_both
}

it_commands_a_node_of_the_other_host() {
	two_hosts
	must bar pid
	pid=$out
	for command in ping 'rpc return(node.name())' status 'config get kv.durability' restart ping; do
		# shellcheck disable=SC2086 # words
		run ip netns exec "$net-1" env RELEASE_NODE=bar@10.77.0.2 XDG_RUNTIME_DIR="$D/run1" "$D/bundle/bin/foo" $command
		is "$status" 0
	done
	run ip netns exec "$net-1" env RELEASE_NODE=bar@10.77.0.2 XDG_RUNTIME_DIR="$D/run1" "$D/bundle/bin/foo" stop
	is "$status" 0
	wait_until gone "$pid"
	must foo stop
}

run_tests "$@"
