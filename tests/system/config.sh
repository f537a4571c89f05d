#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Configuration computed at boot: the examples of a guide, every source of settings, and what is said of mistakes.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# configured TEXT: a bundle of foo at $D/foo whose releases.yaml says TEXT of the release, too
configured() {
	project
	sed -i "/^  foo:/,/components:/s|^\(    components:.*\)|\1\n$1|" releases.yaml
	must kvrel build foo --quiet --path "$D/foo"
	launcher=$D/foo/bin/foo
	cd "$D" || exit 1
}

runtime() {
	printf '%s\n' "$@" >"$D/foo/releases/0.0.1/runtime.lua"
}

value_of() {
	must "$launcher" config get "$1"
	printf '%s' "$out"
}

it_reads_a_routing_table_from_a_file_at_each_boot() {
	bundle foo
	printf '%s\n' '- {range: 0x00-m, node: self}' '- {range: n-0xff, node: self}' >"$D/routes.yaml"
	runtime 'config("kv_server", {port = tonumber(env("PORT"))})' \
		'config("kv", {routing_table = read_yaml(env("ROUTES", "/etc/routes.yaml"))})'
	export ROUTES=$D/routes.yaml
	start_daemon
	one_request 'CREATE shopping' OK
	must "$launcher" config get --json kv.routing_table
	is "$(jq -c '[.[].range]' <<<"$out")" '["0x00-m","n-0xff"]'
	printf '%s\n' '- {range: 0x00-m, node: self}' >"$D/routes.yaml"
	must "$launcher" config diff
	like "$out" 'kv.routing_table: *rel/runtime.lua:2, can change while it runs'
	must "$launcher" restart
	run "$launcher" rpc 'kv.create("shopping")'
	is "$status" 1
	like "$err" "*no node for bucket 'shopping'*"
	one_request 'CREATE apples' OK
	stop_node
}

it_fails_where_a_variable_is_missing_and_names_it_with_file_and_line() {
	bundle foo
	runtime '-- the port comes from the host' '' 'config("kv_server", {port = tonumber(env("PORT"))})'
	unset PORT
	for command in start daemon 'config check'; do
		# shellcheck disable=SC2086 # two words
		run "$launcher" $command
		[ "$status" != 0 ] || fail "$command works without PORT"
		like "$out$err" '*rel/runtime.lua:3: environment variable PORT is not set*'
	done
	run "$launcher" start
	is "$status" 3
	is "$(leftovers "$D")" ''
	[ ! -e "$D/foo/data" ] || fail 'a failed boot touched the data folder'
}

it_reports_every_mistake_of_every_source_before_anything_starts() {
	configured '    config_providers: [{yaml: etc/a.yaml}, {env: FOO_}]'
	mkdir "$D/foo/etc"
	printf 'kv_server:\n  prot: 1\n  max_line: soon\n' >"$D/foo/etc/a.yaml"
	runtime 'config("kv", {routing_table = {{range = "a-z", node = "nobody"}}})' 'config("kw", {})'
	FOO_KV__DURABILITY=allways run "$launcher" config check
	is "$status" 3
	is "$(sort <<<"$err")" "$(sort <<-'END'
		etc/a.yaml:2:9: error: unknown key 'prot' of component 'kv_server' (did you mean 'port'?)
		environment variable FOO_KV__DURABILITY: error: kv.durability: expected always, everysec or none, got string "allways" (did you mean 'always'?)
		etc/a.yaml:3:13: error: kv_server.max_line: expected size like 4096, "64KiB" or "1GiB", got string "soon"
		rel/runtime.lua:1: error: kv.routing_table[1].node: expected node like foo@host, or self, got string "nobody"
		rel/runtime.lua:2: error: unknown component 'kw' (did you mean 'kv'?)
	END
	)"
	FOO_KV__DURABILITY=allways run "$launcher" config check --json
	is "$(jq '[.valid, (.mistakes | length)]' -c <<<"$out")" '[false,5]'
}

it_refuses_settings_of_the_store_that_make_no_sense() {
	configured '    config_providers: [{yaml: etc/a.yaml}, {env: FOO_}]'
	mkdir "$D/foo/etc"
	printf 'kv:\n  log_segment_size: 4GiB\n  checkpoint_interval: 0\n' >"$D/foo/etc/a.yaml"
	runtime 'config("kv", {map_size = 4096, forward_timeout = "0s"})'
	FOO_KV__MAX_LISTING=0 run "$launcher" config check
	is "$(sort <<<"$err")" "$(sort <<-'END'
		etc/a.yaml:2:21: error: kv.log_segment_size: expected size in bytes (1048576–1073741824), got string "4GiB"
		etc/a.yaml:3:24: error: kv.checkpoint_interval: expected milliseconds (at least 10), got integer 0
		environment variable FOO_KV__MAX_LISTING: error: kv.max_listing: expected size in bytes (at least 65536), got integer 0
		rel/runtime.lua:1: error: kv.forward_timeout: expected milliseconds (1–86400000), got string "0s"
		rel/runtime.lua:1: error: kv.map_size: expected size in bytes (at least 1048576), got integer 4096
	END
	)"
	project other
	run kvrel build foo --quiet --set kv.log_segment_size=4096
	is "$status" 3
	like "$err" '--set kv.log_segment_size: error: * from 1048576 to 1073741824 bytes, not *'
}

it_lays_the_sources_over_each_other_and_shows_where_values_come_from() {
	configured '    config_providers: [{yaml: etc/a.yaml, optional: true}, {dir: etc/conf.d, optional: true}, {env: true}, {credentials: true}, {exec: [bin/settings]}, {lua: etc/last.lua, optional: true}]'
	mkdir -p "$D/foo/etc/conf.d" "$D/cred"
	# shellcheck disable=SC2016 # the script expands it
	printf '#!/bin/sh\necho "asked for $RELEASE_NAME" >&2\necho "{\\"kv\\": {\\"max_listing\\": \\"2MiB\\"}}"\n' >"$D/foo/bin/settings"
	chmod +x "$D/foo/bin/settings"
	echo 'kv: {durability: none, checkpoint_interval: 1s, cache_size: 1MiB}' >"$D/foo/etc/a.yaml"
	echo 'kv: {durability: everysec}' >"$D/foo/etc/conf.d/10-durability.yaml"
	printf 1KiB >"$D/cred/kv_server.max_line"
	export KV__CACHE_SIZE=2MiB CREDENTIALS_DIRECTORY=$D/cred
	must "$launcher" config
	is "$err" 'asked for foo'
	like "$out" "# foo@*, as it would boot next"$'\n'*
	for line in 'kv.durability = "everysec" *# etc/conf.d/10-durability.yaml:1:18' \
		'kv.checkpoint_interval = 1000 *# etc/a.yaml:1:45' 'kv.cache_size = 2097152 *# environment variable KV__CACHE_SIZE' \
		'kv_server.max_line = 1024 *# credential kv_server.max_line' 'kv.max_listing = 2097152 *# output of bin/settings' \
		"kv_server.port = $PORT *# rel/runtime.lua:2" 'kv_server.listen = "0.0.0.0" *# lib/kv_server-0.1.0/component.yaml:* (default)'; do
		# shellcheck disable=SC2254 # a pattern
		grep -q "^${line//\*/.*}$" <<<"$out" || fail "no line: $line"$'\n'"$out"
	done
	start_daemon
	must "$launcher" config --json
	is "$(jq -c '.kv.durability' <<<"$out")" '{"value":"everysec","origin":"etc/conf.d/10-durability.yaml:1:18","default":false}'
	must "$launcher" config
	like "$out" "# foo@*, as it runs (process $pid)"$'\n'*
	stop_node
}

it_cuts_off_programs_that_hang_or_flood() {
	configured '    config_providers: [{exec: bin/settings, timeout: 300ms}]'
	printf '#!/bin/sh\nsleep 100\n' >"$D/foo/bin/settings"
	chmod +x "$D/foo/bin/settings"
	run "$launcher" config check
	is "$status" 3
	like "$err" "releases.yaml:*: error: config provider 'exec': */bin/settings did not end within 300 ms and was killed"
	[ "$took_ms" -lt 20000 ] || fail "it took $took_ms ms"
	printf '#!/bin/sh\nexec yes "kv: {}"\n' >"$D/foo/bin/settings"
	run "$launcher" config check
	is "$status" 3
	like "$err" '*/bin/settings printed more than 4194304 bytes and was killed'
	is "$(leftovers "$D")" ''
}

it_compares_the_running_node_with_its_next_boot() {
	bundle foo
	start_daemon
	must "$launcher" config diff
	is "$out" 'no difference'
	PORT=$other_port must "$launcher" config diff
	is "$out" "kv_server.port: $PORT -> $other_port  # rel/runtime.lua:2, needs a restart"
	PORT=$other_port must "$launcher" config diff --json
	is "$(jq -c '.kv_server.port | [.running.value, .next.value, .needs_restart]' <<<"$out")" "[$PORT,$other_port,true]"
	is "$(value_of kv_server.port)" "$PORT"
	local was=$PORT
	unset PORT # the node's own stands behind it, as for a restart
	must "$launcher" config --next get kv_server.port
	is "$out" "$was"
	PORT=$was
	stop_node
	run "$launcher" config diff
	is "$status" 1
	like "$err" 'ERROR: foo@* is not running'
}

it_shows_secrets_nowhere() {
	bundle resp
	printf '%s\n' 'config("kv_resp", {port = tonumber(env("RESP_PORT")), password = env("SECRET")})' \
		>"$D/resp/releases/0.0.1/runtime.lua"
	export SECRET=hunter2-hunter2
	start_daemon
	for command in 'config' 'config --json' 'config get kv_resp.password' 'config --next' 'status --json'; do
		# shellcheck disable=SC2086 # words
		must "$launcher" $command
		[[ $out$err != *hunter2* ]] || fail "$command shows it"
	done
	is "$(value_of kv_resp.password)" '"********"'
	SECRET=another-secret must "$launcher" config diff
	is "$out" 'kv_resp.password: "********" -> "********"  # rel/runtime.lua:1, can change while it runs'
	stop_node
}

it_changes_live_settings_at_sighup_and_names_the_others() {
	bundle foo
	start_foreground
	runtime 'config("kv_server", {port = 1, max_line = "100"})'
	kill -HUP "$pid"
	wait_until grep -q 'the configuration was read again' "$D/log"
	grep -q "'max_line' has changed" "$D/log" || fail "$(cat "$D/log")"
	grep -q "the new value of 'port' needs a restart" "$D/log" || fail "$(cat "$D/log")"
	is "$(value_of kv_server.max_line)" 100
	is "$(value_of kv_server.port)" "$PORT"
	printf '%s\n' '--console-sessions 7' '--console-memory 9MiB' '--dist-heartbeat 700' >>"$D/foo/releases/0.0.1/vm.args"
	kill -HUP "$pid"
	wait_until grep -q 'changed=1 refused=0 need_restart=' "$D/log"
	for flag in console-memory dist-heartbeat; do
		grep -q "the new value of '--$flag' needs a restart" "$D/log" || fail "--$flag is not named: $(cat "$D/log")"
	done
	runtime 'config("kv_server", {max_line = "no"})'
	kill -HUP "$pid"
	wait_until grep -q 'nothing was changed' "$D/log"
	is "$(value_of kv_server.max_line)" 100
	stop_node
}

it_refuses_a_restart_into_a_configuration_with_mistakes() {
	bundle foo
	start_daemon
	runtime 'config("kv_server", {port = 70000})' 'config("kv", {durability = 1})'
	run "$launcher" restart
	is "$status" 1
	like "$err" '*rel/runtime.lua:1: error: kv_server.port: expected port (0–65535), got integer 70000*'
	like "$err" '*rel/runtime.lua:2: error: kv.durability: expected always, everysec or none, got integer 1*'
	one_request 'CREATE shopping' OK
	must "$launcher" pid
	is "$out" "$pid"
	stop_node
}

it_changes_settings_by_put_env_and_says_so() {
	bundle foo
	start_daemon
	must "$launcher" rpc 'app.put_env("kv", "durability", "none")'
	must "$launcher" config
	like "$out" '*kv.durability = "none" *# app.put_env'*
	run "$launcher" rpc 'app.put_env("kv_server", "port", 1)'
	is "$status" 1
	like "$err" '*kv_server.port cannot change while the component runs*'
	run "$launcher" rpc 'app.put_env("kv", "routing_table", {{range = "a-z", node = "x"}})'
	is "$status" 1
	like "$err" '*kv.routing_table: *node: expected node like foo@host, or self*'
	stop_node
}

it_describes_settings_even_where_the_configuration_has_mistakes() {
	bundle foo
	runtime 'env("NOWHERE_TO_BE_FOUND")'
	must "$launcher" config describe kv.durability
	like "$out" 'kv.durability (enum: always, everysec, none; default always; can change while it runs)'$'\n''    when a write *'
	must "$launcher" config --json describe
	is "$(jq -r '.kv_server.port.type' <<<"$out")" port
	run "$launcher" config describe kw
	is "$status" 1
	like "$err" "*there is no setting 'kw'*"
}

run_tests "$@"
