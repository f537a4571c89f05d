#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# eval, rpc and remote: what they take, what they print, and that nothing that is run in them harms the node.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

host=$(cat /proc/sys/kernel/hostname)
host=${host%%.*}

# ---- a terminal ------------------------------------------------------------------------------------------------------

# terminal COMMAND: runs it on a terminal of its own; what is typed goes to descriptor 8, what is shown to $D/screen
terminal() {
	script -qec true /dev/null >/dev/null 2>&1 </dev/null || skip 'no terminals here'
	mkfifo "$D/keys"
	TERM=xterm script -qefc "$1" /dev/null <"$D/keys" >"$D/screen" 2>&1 &
	console=$!
	exec 8>"$D/keys"
}

typed() {
	# shellcheck disable=SC2059 # keys are written as escapes
	printf "$1" >&8
}

# What was shown, without what asks the terminal to mark what is pasted.
screen() {
	tr -d '\r' <"$D/screen" | sed 's/\x1b\[?2004[hl]//g'
}

shown() {
	screen | grep -qF -- "$1"
}

shown_prompt_behind() {
	[[ $(screen) == *"$1"$'\n'"foo@$host> "* ]]
}

times_shown() {
	[ "$(screen | grep -oF -- "$1" | wc -l)" -ge "$2" ]
}

it_edits_lines_and_completes_names() {
	bundle foo
	start_daemon
	must foo/bin/foo rpc 'kv.create("shopping") kv.put("shopping", "milk", "3")'
	export XDG_STATE_HOME=$D/state
	terminal 'foo/bin/foo remote'
	wait_until shown "foo@$host> "
	typed 'kv.ge\t'
	wait_until shown 'kv.get('
	typed '"shop\t'
	wait_until shown 'kv.get("shopping"'
	typed ', "milk") + 1\r'
	wait_until shown $'\n4'
	typed 'app.env("kv_s\t, "po\t)\r'
	wait_until shown $'\n'"$PORT"
	typed '\033[A\033[A\001\013"Br\303\266tchen"\r'
	wait_until shown $'\nBrötchen'
	typed '_ .. "!"\r'
	wait_until shown $'\nBrötchen!'
	typed 'for i = 1, 2 do\rprint("round " .. i)\rend\r'
	wait_until shown $'\nround 2'
	typed 'while true do end\r'
	wait_until shown 'while true do end'
	sleep 0.2 # the expression must have begun: Ctrl-C before that is taken from the line
	typed '\003'
	wait_until shown_prompt_behind interrupted # a key before it would be the terminal's, not the editor's
	typed '\004'
	wait "$console"
	is $? 0
	is "$(stat -c %a state/kvrel/history)" 600
	like "$(cat state/kvrel/history)" "*kv.get(\"shopping\", \"milk\") + 1*"
	stop_node
}

it_shows_the_log_above_the_line_that_is_typed() {
	bundle foo
	launcher=$D/foo/bin/foo
	terminal 'foo/bin/foo start_console'
	wait_until shown "foo@$host> "
	typed '1 + '
	wait_until shown "foo@$host> 1 + "
	must foo/bin/foo rpc 'app.stop("kv_server") app.start("kv_server")'
	wait_until times_shown 'Accepting connections on port' 2
	typed '41\r'
	wait_until shown $'\n42'
	typed 'node.stop()\r'
	wait "$console"
	is $? 0
}

it_says_why_an_interrupt_takes_time() {
	bundle foo
	start_daemon
	mkfifo never
	terminal 'foo/bin/foo remote'
	wait_until shown "foo@$host> "
	typed "io.open('$D/never'):read()\r"
	wait_until shown 'never'
	sleep 0.2 # the expression must have begun
	typed '\003'
	wait_until shown 'ends after it; Ctrl-C again leaves the console'
	typed '\003'
	wait "$console"
	foo/bin/foo rpc "io.open('$D/never'):read()" >out 2>err &
	client=$!
	sleep 0.2
	kill -INT "$client"
	wait_until grep -q 'ends after it; Ctrl-C again: do not wait' err
	: >never
	wait "$client"
	is "$(cat out)$(tail -n 1 err)" interrupted
	stop_node
}

it_leaves_a_terminal_as_it_was() {
	bundle foo
	start_daemon
	cat >look <<-'END'
		before=$(stty -g)
		bash -c 'echo $$ >console.pid; exec foo/bin/foo remote'
		[ "$(stty -g)" = "$before" ] && echo the terminal is unchanged
	END
	terminal 'bash look'
	wait_until shown "foo@$host> "
	kill -TERM "$(cat console.pid)"
	wait_until shown 'the terminal is unchanged'
	wait "$console"
	stop_node
}

# ---- threads of sessions ---------------------------------------------------------------------------------------------

threads() {
	find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l
}

busy() {
	[ "$(threads)" -gt "$idle" ]
}

idle_again() {
	[ "$(threads)" -le "$idle" ]
}

# ---- scripts --------------------------------------------------------------------------------------------------------

it_runs_a_script_from_stdin() {
	bundle foo
	start_daemon
	printf 'local x = 6\nprint(x * 7)\n' >script
	foo/bin/foo remote <script >out 2>err
	is "$? $(cat out err)" '0 42'
	printf 'print(1)\nerror("oops")\nprint(2)\n for' >script # no text that compiles: taken line by line
	foo/bin/foo remote <script >out 2>err
	is "$?" 1
	is "$(cat out)" $'1\n2'
	like "$(cat err)" "*oops*near <eof>*"
	printf 'print(1)\nwhile true do end\nprint(2)\n for' >script
	foo/bin/foo remote <script >out 2>err &
	client=$!
	wait_until grep -q 1 out
	sleep 0.1
	kill -INT "$client" # the rest is not run either
	wait "$client"
	is "$? $(cat out err)" $'1 1\ninterrupted'
	is "$(printf '\357\273\277#!/usr/bin/lua\nlocal x = 5\nprint(x)\n' | foo/bin/foo remote)" 5
	printf 'os.exit(7)' | foo/bin/foo remote
	is $? 7
	mkfifo never
	exec 7<>never
	foo/bin/foo remote <never & # it reads the script before it says anything to the node
	client=$!
	wait_until grep -q kvnode "/proc/$client/comm"
	sleep 0.2
	kill "$client"
	wait "$client"
	is $? 143
	foo/bin/foo remote <. >out 2>err # what cannot be read to its end is not run
	is "$? $(cat out err)" '1 ERROR: cannot read stdin: Is a directory'
	stop_node
}

it_takes_files_stdin_and_arguments() {
	bundle foo
	start_daemon
	echo '#!/usr/bin/lua
return arg[0], arg[1], arg[2]' >script.lua
	for command in eval rpc; do
		must foo/bin/foo "$command" --file script.lua -- -x y
		is "$out" $'script.lua\n-x\ny'
		is "$(foo/bin/foo "$command" - z <script.lua)" $'stdin\nz'
		is "$(foo/bin/foo "$command" --file - -- -z <script.lua)" $'stdin\n-z'
		printf '\357\273\277#!/usr/bin/lua\r\nreturn 1 +\r\n\t1\r\n' >bom.lua
		must foo/bin/foo "$command" --file bom.lua
		is "$out" 2
		printf '\033Lua' >compiled.lua
		run foo/bin/foo "$command" --file compiled.lua
		is "$err" 'compiled.lua: compiled chunks are not supported: they can crash the interpreter'
		must foo/bin/foo "$command" 'return #arg, arg[1]' -- --json
		is "$out" $'1\n--json'
		must foo/bin/foo "$command" --json 'print("aside") return {1, {a = true}}, "x"'
		is "$out" '[[1,{"a":true}],"x"]'
		is "$err" aside
		must foo/bin/foo "$command" --json 'local x'
		is "$out" null
		run foo/bin/foo "$command" --json 'return print'
		is "$status" 1
		run foo/bin/foo "$command" 'os.exit(9)'
		is "$status" 9
		run foo/bin/foo "$command" --file nowhere.lua
		is "$status" 1
		like "$err" 'ERROR: *nowhere.lua*'
		{ echo 'return #[['; head -c 500000 /dev/zero | tr '\0' x; echo ']]'; } >long.lua
		must foo/bin/foo "$command" --file long.lua
		is "$out" 500000
	done
	stop_node
}

it_reads_the_stdin_of_its_caller() {
	bundle foo
	start_daemon
	for command in rpc 'eval'; do
		is "$(printf 'a\nb\nc' | foo/bin/foo "$command" 'for line in io.lines() do io.write("<", line, ">") end')" '<a><b><c>'
		is "$(echo 12 0x1F rest | foo/bin/foo "$command" 'return io.read("n", "n", "l")')" $'12\n31\n rest'
		head -c 3000000 /dev/urandom >bytes
		foo/bin/foo "$command" 'while true do local b = io.stdin:read(70000) if not b then break end io.write(b) end' <bytes >same
		cmp bytes same || fail "$command does not pass bytes on as they are"
		is "$(foo/bin/foo "$command" 'return io.read(), io.stdin:close()' </dev/null)" 'cannot close standard file'
		is "$(echo 'return io.read(), "end"' | foo/bin/foo "$command" -)" end
		is "$(foo/bin/foo "$command" 'return io.read(), "end"' <&-)" end
	done
	# nothing is taken that is not asked for
	is "$(printf '1\n2\n3\n' | while read -r word; do foo/bin/foo rpc "return $word"; done)" $'1\n2\n3'
	run foo/bin/foo rpc 'return 1'
	foo/bin/foo rpc 'return io.read()' </ >out 2>err
	is $? 1
	like "$(cat err)" 'ERROR: *cannot read stdin: Is a directory'
	stop_node
}

it_ends_a_text_that_waits_for_stdin() {
	bundle foo
	start_daemon
	idle=$(threads)
	mkfifo never
	exec 7<>never
	for signal in INT KILL; do
		foo/bin/foo rpc 'pcall(io.read) while true do io.read() end' <never >out 2>&1 &
		client=$!
		wait_until busy
		sleep 0.1
		kill "-$signal" "$client"
		wait "$client" 2>/dev/null
		wait_until idle_again
		[ "$signal" = KILL ] || is "$(cat out)" interrupted
	done
	foo/bin/foo rpc 'return io.read()' <never >out 2>&1 &
	client=$!
	wait_until busy
	must foo/bin/foo stop
	! grep -q 'does not end' foo/tmp/log/foo.log || fail "it was left behind after $took_ms ms"
	wait "$client"
	is "$? $(cat out)" $'1 interrupted\nERROR: the node is stopping'
}

it_streams_what_is_printed() {
	bundle foo
	start_daemon
	foo/bin/foo rpc 'print("now") local t = os.time() while os.time() < t + 30 do end' >out &
	client=$!
	wait_until grep -q now out
	kill -INT "$client"
	wait "$client"
	is $? 1
	stop_node
}

it_ends_when_nobody_reads_on() {
	bundle foo
	start_daemon
	idle=$(threads)
	for command in rpc 'eval'; do
		foo/bin/foo "$command" 'while true do print("line") end' 2>err | head -n 1 >out
		is "${PIPESTATUS[*]}" '141 0'
		is "$(cat out err)" line
		foo/bin/foo "$command" 'while true do print("line") end' >/dev/full 2>err
		is $? 1
		like "$(cat err)" '*: No space left on device'
	done
	wait_until idle_again
	stop_node
}

it_starts_components_in_eval_and_stops_them() {
	bundle foo
	must foo/bin/foo eval 'app.start("kv_server") kv.create("b") kv.put("b", "k", "v") return kv.get("b", "k")'
	is "$out" v
	must foo/bin/foo eval 'app.start("kv") return kv.get("b", "k")'
	is "$out" v
	run foo/bin/foo eval 'kv.get("b", "k")'
	is "$status" 1
	like "$err" '*component kv is not started*'
}

# ---- the functions ----------------------------------------------------------------------------------------------------

it_has_and_describes_every_function() {
	bundle foo
	start_daemon
	must foo/bin/foo rpc 'help()'
	for name in kv.create kv.put kv.get kv.delete kv.buckets kv.keys node.name node.list node.connect node.ping node.stop \
		rpc.call app.list app.start app.stop app.env app.put_env; do
		like "$out" "*$name(*"
	done
	must foo/bin/foo rpc 'help(kv.put)'
	like "$out" 'kv.put(bucket, key, value)  *'
	must foo/bin/foo rpc 'help(node)'
	like "$out" 'node.name()*node.list()*'
	must foo/bin/foo rpc 'kv.create("b") kv.put("b", "k", 1) kv.put("b", "l", "2") kv.delete("b", "l") return kv.keys("b"), kv.buckets()'
	is "$out" $'{"k"}\n{"b"}'
	must foo/bin/foo rpc 'return node.ping(node.name()), node.connect(node.name()), #node.list(), rpc.call(node.name(), "kv.get", "b", "k")'
	is "$out" $'true\ntrue\n0\n1'
	must foo/bin/foo rpc 'app.stop("kv_server") app.put_env("kv_server", "port", '"$other_port"') app.start("kv_server") return app.env("kv_server", "port"), app.list()[2].state'
	is "$out" "$other_port"$'\nstarted'
	must foo/bin/foo rpc 'return release.name, release.version'
	is "$out" $'foo\n0.0.1'
	run foo/bin/foo rpc 'kv.get("nob", "k")'
	is "$status" 1
	like "$err" "rpc:1: kv.get: bucket 'nob' not found"*
	run foo/bin/foo rpc 'kv.get("b")'
	like "$err" '*wrong number of arguments for kv.get (expected bucket, key)*'
	run foo/bin/foo rpc 'app.put_env("kv_server", "prt", 1)'
	is "$status" 1
	must foo/bin/foo rpc 'node.stop()'
	wait_until gone "$pid"
}

# What help() says of the functions that are listed for users: signature, tab, text.
listed() {
	local line signature text
	while IFS= read -r line; do
		signature=${line%%  *}
		text=${line#"$signature"}
		case $signature in
		kv.create\(* | kv.put\(* | kv.get\(* | kv.delete\(* | kv.keys\(* | kv.buckets\(* | node.* | rpc.* | app.*)
			printf '%s\t%s\n' "$signature" "${text#"${text%%[! ]*}"}"
			;;
		esac
	done
}

it_says_in_the_readme_and_the_man_page_what_help_says() {
	bundle foo
	must foo/bin/foo eval 'help()'
	listed <<<"$out" >functions
	# shellcheck disable=SC2016 # backquotes of the table
	sed 's/\(.*\)\t\(.*\)/| `\1` | \2 |/' functions | sort >rows
	sed -n '/^| `\(kv\|node\|rpc\|app\)\.[a-z_]*(/p' "$SRC/README.md" | sort >rows.readme
	diff rows.readme rows >difference || fail "put these rows (>) into README.md:"$'\n'"$(cat difference)"
	sed 's/\(.*\)\t\(.*\)/.It Li "\1"\n\2/; s/…/\\[u2026]/g' functions >items
	sed -n '/^\.It Li "[a-z]*\./,/^[^.]/p' "$SRC/tools/kvrel/kvrel.1" >items.man
	diff items.man items >difference || fail "put these lines (>) into kvrel.1:"$'\n'"$(cat difference)"
}

# ---- isolation --------------------------------------------------------------------------------------------------------

it_survives_whatever_is_run_in_it() {
	bundle foo
	start_daemon
	one_request 'CREATE b' OK
	idle=$(threads)
	for text in 'string.rep("x", 1 << 32)' 'local t = {} while true do t[#t + 1] = ("x"):rep(1 << 20) .. #t end' \
		'local function f() return 1 + f() end f()' 'local function f(s) return (s:gsub(".", f)) end f("x")' \
		'local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 1] end return t.x' \
		'table.sort({3, 2, 1}, function() coroutine.yield() end)' 'coroutine.wrap(function() error({}) end)()' \
		'assert(load(("("):rep(1000000)))' 'return load(string.dump(function() end))()' 'return ("x"):rep(1000, ("y"):rep(1000000))' \
		'local t = {} t[1] = t error(t)' 'return setmetatable({}, {__tostring = function() error("no") end}) .. ""'; do
		run foo/bin/foo rpc "$text"
		is "$text: $status" "$text: 1"
		[ -n "$err" ] || fail "nothing is said of: $text"
	done
	run foo/bin/foo rpc 'error({code = 7, {"a"}})'
	like "$err" 'error object: {{"a"}, code = 7}*stack traceback:*'
	must foo/bin/foo rpc 'setmetatable({}, {__gc = function() error("in a finalizer") end}) collectgarbage() return "on"'
	is "$out" on
	must foo/bin/foo rpc 'io.stderr:write("to the caller") return io.read(), io.read("n"), io.stdin:read(), "end"'
	is "$out" end
	is "$err" 'to the caller'
	must foo/bin/foo rpc 'return os.setlocale("de_DE.UTF-8"), 1.5'
	is "$out" 1.5
	one_request 'PUT b k v' OK
	wait_until idle_again
	stop_node
}

it_goes_on_after_what_is_done_at_a_session_s_end() {
	bundle foo
	start_daemon
	one_request 'CREATE b' OK
	must foo/bin/foo rpc 'x = setmetatable({}, {__gc = function() print("bye", #kv.buckets()) end}) return 1'
	is "$out" $'1\nbye\t1'
	printf '%s\n' 'setmetatable(_G, {__newindex = function() error("no new globals") end}) return 1' '1 + 1' '_ + 1' |
		timeout 20 foo/bin/foo remote >said 2>&1 || fail "exit $?: $(cat said)"
	is "$(cat said)" $'1\n2\n3'
	# forty tables, 2^40 values
	run foo/bin/foo rpc --json 'local t = {} for i = 1, 40 do t = {t, t} end return t'
	is "$status $out" '1 '
	like "$err" 'the value is too large as data: it takes more than 256 MiB'
	run foo/bin/foo rpc 'local t = {} for i = 1, 40 do t = {t, t} end app.put_env("kv", "routing_table", t)'
	like "$err" 'rpc:1: the value is too large as data*'
	must foo/bin/foo rpc --json 'help(kv.put)'
	is "$out" null
	like "$err" 'kv.put(bucket, key, value)*'
	[ "$(resident_kb)" -lt 1000000 ] || fail "the node has $(resident_kb) KiB"
	must foo/bin/foo pid
	is "$out" "$pid"
	stop_node
}

# One console waits for a line, one expression for a program: nobody else waits for them.
it_lets_others_run_while_one_waits() {
	bundle foo
	start_daemon
	mkfifo typed fifo
	foo/bin/foo rpc 'print("waits") return io.read()' <typed >said &
	client=$!
	exec 8>typed
	wait_until grep -q waits said
	foo/bin/foo rpc "return io.popen('timeout 30 cat $D/fifo'):read()" >other 2>&1 &
	other=$!
	exec 7>fifo # when it is read
	must foo/bin/foo rpc 'return (io.popen("echo ok"):read())'
	is "$out" ok
	[ "$took_ms" -lt 5000 ] || fail "it took $took_ms ms"
	echo here >&8
	echo there >&7
	exec 7>&- 8>&-
	wait "$client" "$other"
	is "$(cat said other)" $'waits\nhere\nthere'
	# nor does the caller wait for a program that was not closed
	must foo/bin/foo rpc "program = io.popen('timeout 60 cat $D/fifo') return 1"
	is "$out" 1
	: >fifo
	stop_node
}

it_ends_the_expression_of_a_client_that_goes() {
	bundle foo
	start_daemon
	idle=$(threads)
	for text in 'while true do end' 'while true do pcall(function() while true do end end) end' \
		'setmetatable({}, {__gc = function() while true do end end}) collectgarbage()' \
		'while true do xpcall(error, function() while true do end end) end' 'while true do print(("x"):rep(1 << 20)) end' \
		'return (("a"):rep(60)):find(("a-"):rep(60) .. "b")' 'table.move({}, 1, 1 << 60, 2)' \
		'coroutine.wrap(function() while true do pcall(coroutine.wrap(function() while true do end end)) end end)()' \
		'coroutine.wrap(function() local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end end)()'; do
		for signal in KILL INT; do
			foo/bin/foo rpc "$text" >/dev/null 2>&1 &
			client=$!
			wait_until busy
			sleep 0.1
			kill "-$signal" "$client"
			wait "$client" 2>/dev/null
			wait_until idle_again
		done
	done
	stop_node
}

it_stops_at_once_after_an_endless_finalizer() {
	bundle foo
	start_daemon
	must foo/bin/foo rpc 'x = setmetatable({}, {__gc = function() while true do end end}) return 1'
	must foo/bin/foo stop
	! grep -q 'does not end' foo/tmp/log/foo.log || fail "it was left behind after $took_ms ms"
}

it_does_not_wait_for_a_long_call_of_c() {
	bundle foo
	start_daemon
	idle=$(threads)
	mkfifo never
	for signal in KILL INT; do
		foo/bin/foo rpc "io.open('$D/never'):read()" >/dev/null 2>&1 &
		client=$!
		wait_until busy
		sleep 0.1
		kill "-$signal" "$client"
		[ "$signal" = KILL ] || { sleep 0.1 && kill "-$signal" "$client"; } # the second one ends the command
		wait "$client" 2>/dev/null
		must foo/bin/foo rpc 'return 1'
		: >never # the call returns, and the session with it
		wait_until idle_again
	done
	foo/bin/foo rpc 'while true do print(("x"):rep(1 << 20)) end' > >(sleep 0.5 && exec cat >/dev/null) 2>&1 &
	client=$!
	wait_until busy
	sleep 0.2
	halt "$pid" # in the middle of a frame, as nobody reads on
	sleep 0.8
	kill -INT "$client"
	sleep 0.1
	kill -INT "$client"
	wait_until gone "$client"
	wait "$client"
	is $? 130
	kill -CONT "$pid"
	wait_until idle_again
	foo/bin/foo rpc "io.open('$D/never'):read()" >/dev/null 2>&1 &
	wait_until busy
	must foo/bin/foo stop
	[ "$took_ms" -lt 20000 ] || fail "the stop took $took_ms ms"
	wait
	# each of these keeps a stream of the C library locked
	for text in 'io.popen("exec sleep 40"):read("a")' "io.open('$D/never', 'r+'):read('a')" \
		'io.popen("exec sleep 40", "w"):write(("x"):rep(1 << 20))'; do
		start_daemon
		idle=$(threads)
		foo/bin/foo rpc "$text" >/dev/null 2>&1 &
		client=$!
		wait_until busy
		sleep 0.1
		program=$(cat "/proc/$pid/task"/*/children)
		must foo/bin/foo stop
		[ "$took_ms" -lt 20000 ] || fail "the stop took $took_ms ms while this ran: $text"
		wait "$client"
		[ -z "$program" ] || kill "${program% }"
	done
}

has_child() {
	[ -n "$(cat "/proc/$1/task/$1/children")" ]
}

it_interrupts_an_eval_that_waits() {
	bundle foo
	# a process group of its own, as of a terminal, would end the program with it
	foo/bin/foo eval 'io.popen("exec sleep 40"):read("a")' >out 2>&1 &
	client=$!
	wait_until has_child "$client"
	program=$(cat "/proc/$client/task/$client/children")
	kill -INT "$client"
	wait_until gone "$client"
	wait "$client"
	is "$? $(cat out)" '1 interrupted'
	kill "${program% }"
	foo/bin/foo eval 'os.execute("exec sleep 40")' >out 2>&1 &
	client=$!
	wait_until has_child "$client"
	program=$(cat "/proc/$client/task/$client/children")
	kill -TERM "$client"
	wait_until grep -q 'ends after it; Ctrl-C again: do not wait' out
	kill -TERM "$client"
	wait "$client"
	is $? 130
	kill "${program% }"
}

it_limits_memory_and_number_of_consoles() {
	bundle foo
	printf '%s\n' '--console-memory 8MiB' '--console-sessions 2' >foo/releases/0.0.1/vm.args
	start_daemon
	run foo/bin/foo rpc 'return #("x"):rep(16 << 20)'
	is "$status" 1
	like "$err" '*out of memory: the limit is 8 MiB*'
	idle=$(threads)
	for i in 1 2; do
		foo/bin/foo rpc 'while true do end' >/dev/null 2>&1 &
	done
	idle=$((idle + 1)) wait_until busy
	run foo/bin/foo rpc 'return 1'
	is "$status" 1
	is "$err" 'ERROR: 2 consoles and expressions run already (--console-sessions)'
	echo 'return 1' | foo/bin/foo remote >out 2>err
	is "$? $(cat out err)" '1 ERROR: 2 consoles and expressions run already (--console-sessions)'
	must foo/bin/foo ping
	kill %1 %2
	wait
	wait_until idle_again
	must foo/bin/foo rpc 'return 1'
	stop_node
}

resident_kb() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"
}

it_serves_many_at_a_time_and_gives_the_memory_back() {
	local before i failed=0 round clients
	bundle foo
	start_daemon
	must foo/bin/foo rpc 'return 1'
	idle=$(threads)
	for round in 1 2 3; do
		clients=()
		for ((i = 0; i < 200; i++)); do
			if [ $((i % 2)) = 0 ]; then
				echo "local t = {} for i = 1, 1000 do t[i] = {i} end print(#t)" | foo/bin/foo remote >"out.$i" 2>&1 &
			else
				foo/bin/foo rpc 'local t = {} for i = 1, 1000 do t[i] = {i} end return #t' >"out.$i" 2>&1 &
			fi
			clients+=($!)
		done
		for i in "${clients[@]}"; do
			wait "$i" || failed=1
		done
		is "$failed" 0
		is "$(cat out.* | sort | uniq -c | tr -s ' ')" ' 200 1000'
		wait_until idle_again
		[ "$round" != 1 ] || before=$(resident_kb)
	done
	# a state takes some 50 KB: of 400 states that stayed there would be more
	[ "$(resident_kb)" -lt $((before + 12288)) ] || fail "from $before KB to $(resident_kb) KB"
	stop_node
}

it_leaves_lua_whole_where_a_component_has_a_name_of_it() {
	local name
	project
	for name in string print; do
		mkdir -p "core/$name"
		sed "s/^name: .*/name: $name/" "$SRC/tests/support/faulty/component.yaml" >"core/$name/component.yaml"
		cp "$BUILD/test-tools/$name.so" "core/$name/"
	done
	cat >>releases.yaml <<-END
		  named:
		    version: "0.0.1"
		    components: {string: permanent, print: permanent}
	END
	must kvrel build named --quiet
	start_daemon "$PWD/_build/rel/named/bin/named"
	must "$launcher" rpc 'print(string.rep("a", 3)) return string.volume(), ("b"):upper(), rpc.call(node.name(), "string.volume")'
	is "$out" $'aaa\n5\nB\n5'
	run "$launcher" rpc 'rpc.call(node.name(), "print.volume")'
	is "$status" 1
	like "$err" "*there is no function 'print.volume'*"
	stop_node
}

run_tests "$@"
