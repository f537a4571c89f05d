#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The walk through the guide 'Configuration and releases' that users of `mix release` know, step by step.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# the port that a node listens on when PORT says nothing is the project's own: nothing here may need it
set_default_port() {
	sed -i "s/4040/$PORT/" rel/runtime.lua
	unset PORT
}

it_wants_releases_to_be_defined_in_a_project_of_several_components() {
	project
	sed -i '/^releases:/,$d; /^default_release:/d' releases.yaml
	run kvrel build
	is "$status" 3
	like "$err" '*releases.yaml declares no releases*components*'
	like "$err" '*    releases:*      foo:*        components: {kv_server: permanent, kv: permanent}*'
	[ ! -e _build/rel ] || fail 'something was made'
}

it_asks_for_a_name_where_there_are_several_releases() {
	project
	sed -i '/^default_release:/d' releases.yaml
	run kvrel build
	is "$status" 2
	like "$err" '*no release is named*foo, bar*default_release*'
	must kvrel build foo
	like "$out" '*\* assembling foo-0.0.1*Release created at _build/rel/foo*'
}

it_assembles_starts_and_stops_foo() {
	project
	must kvrel build foo
	start_foreground "$PWD/_build/rel/foo/bin/foo"
	like "$(cat "$D/log")" "*Accepting connections on port $PORT*"
	one_request 'CREATE shopping' OK
	one_request 'PUT shopping milk 1' OK
	one_request 'GET shopping milk' 1 OK
	must "$launcher" rpc 'return kv.get("shopping", "milk")'
	is "$out" 1
	must "$launcher" version
	is "$out" 'foo 0.0.1'
	stop_node
	wait "$pid"
	is "$?" 0
}

it_says_so_when_the_port_is_in_use() {
	project
	must kvrel build foo
	start_daemon "$PWD/_build/rel/foo/bin/foo"
	RELEASE_NODE=second RELEASE_DATA=$D/second run "$launcher" start
	is "$status" 1
	like "$err" "*kv_server*cannot listen on *:$PORT: address already in use*"
	PORT=$other_port RELEASE_NODE=second RELEASE_DATA=$D/second must "$launcher" daemon
	PORT=$other_port one_request 'CREATE shopping' OK
	RELEASE_NODE=second must "$launcher" stop
	stop_node
}

it_makes_bar_a_node_of_storage_alone() {
	project
	must kvrel build bar
	is "$(ls _build/rel/bar/lib)" kv-0.1.0
	start_daemon "$PWD/_build/rel/bar/bin/bar"
	must "$launcher" rpc 'for _, c in ipairs(app.list()) do print(c.name or c) end'
	is "$out" kv
	must "$launcher" rpc 'kv.create("shopping"); kv.put("shopping", "milk", "1"); return kv.get("shopping", "milk")'
	is "$out" 1
	! { exec 8<>"/dev/tcp/127.0.0.1/$PORT"; } 2>/dev/null || fail 'somebody listens'
	stop_node
}

it_keeps_an_older_version_beside_the_new_one() {
	project
	must kvrel build foo
	sed -i '/^  foo:/,/version/s/0\.0\.1/0.0.2/' releases.yaml
	must kvrel build foo
	launcher=$PWD/_build/rel/foo/bin/foo
	must "$launcher" version
	is "$out" 'foo 0.0.2'
	start_daemon
	must "$launcher" rpc 'return release.version'
	is "$out" 0.0.2
	stop_node
	export RELEASE_VSN=0.0.1
	start_daemon
	must "$launcher" rpc 'return release.version'
	is "$out" 0.0.1
	stop_node
}

it_takes_the_port_from_the_environment_at_each_start() {
	project
	set_default_port
	must kvrel build foo
	PORT=$other_port must _build/rel/foo/bin/foo eval 'return app.env("kv_server", "port")'
	is "$out" "$other_port"
	printf 'config("kv_server", {port = tonumber(env("PORT"))})\n' >rel/runtime.lua
	must kvrel build foo --overwrite
	run _build/rel/foo/bin/foo start
	[ "$status" != 0 ] || fail 'it started'
	like "$err" '*runtime.lua:1: environment variable PORT is not set*'
	export PORT=$other_port
	start_daemon "$PWD/_build/rel/foo/bin/foo"
	one_request 'CREATE shopping' OK
	stop_node
}

it_reads_the_routing_table_from_a_file_at_boot() {
	project
	printf 'config("kv", {routing_table = read_yaml(env("TABLE"))})\n' >>rel/runtime.lua
	must kvrel build foo
	export TABLE=$D/table.yaml
	printf -- '- {range: a-m, node: self}\n- {range: n-z, node: nobody@%s}\n' "$(hostname)" >"$TABLE"
	start_daemon "$PWD/_build/rel/foo/bin/foo"
	one_request 'CREATE apples' OK
	connect
	printf 'CREATE pears\r\n' >&9
	answer_line 'CREATE pears'
	like "$line" 'ERROR ?*nobody*'
	says 'CREATE bread' OK
	hang_up
	printf -- '- {range: a-z, node: self}\n' >"$TABLE"
	must "$launcher" restart
	one_request 'CREATE pears' OK
	stop_node
}

# uncomment FILE PATTERN: takes the '#' off the lines of a commented template
uncomment() {
	grep -q "^#$2" "$1" || fail "$1 has no commented line '$2'"
	sed -i "s/^#\($2\)/\1/" "$1"
}

it_works_across_nodes_with_env_sh_uncommented() {
	local foo bar bar_pid
	project
	uncomment rel/env.sh 'export RELEASE_DISTRIBUTION=.*-name.*'
	uncomment rel/env.sh 'export RELEASE_NODE=.*'
	sed -i "s/@127.0.0.1/&:\${NODE_PORT:-4370}/" rel/env.sh
	printf 'local bar = env("BAR", "")\nif bar ~= "" then\n\tconfig("kv", {routing_table = {{range = "a-m", node = "self"}, {range = "0x00-0xff", node = bar}}})\nend\n' \
		>>rel/runtime.lua
	must kvrel build foo bar
	foo=$PWD/_build/rel/foo/bin/foo bar=$PWD/_build/rel/bar/bin/bar
	{ read -r foo_port && read -r bar_port; } < <(ports 2)
	NODE_PORT=$bar_port run "$bar" daemon
	is "$status" 0
	NODE_PORT=$bar_port must "$bar" pid
	bar_pid=$out
	export NODE_PORT=$foo_port BAR=bar@127.0.0.1:$bar_port
	start_daemon "$foo"
	connect
	says 'CREATE apples' OK
	says 'CREATE pears' OK
	says 'PUT pears green 3' OK
	says 'GET pears green' 3 OK
	hang_up
	NODE_PORT=$bar_port must "$bar" rpc 'return table.concat(kv.buckets(), " ")'
	is "$out" pears
	must "$foo" rpc "return rpc.call('$BAR', 'kv.get', 'pears', 'green')"
	is "$out" 3
	NODE_PORT=$bar_port must "$bar" stop
	gone "$bar_pid" || fail 'bar still runs'
	connect
	printf 'GET pears green\r\n' >&9
	answer_line 'GET pears green'
	like "$line" 'ERROR ?*'
	says 'CREATE bread' OK
	hang_up
	stop_node
}

run_tests "$@"
