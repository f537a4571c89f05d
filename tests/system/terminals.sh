#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The console as people have it: in tmux, which is a whole terminal that can be looked at, and through ssh.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

host=$(cat /proc/sys/kernel/hostname)
host=${host%%.*}
prompt="foo@$host>"

# ---- a terminal that can be looked at --------------------------------------------------------------------------------

mux() {
	tmux -S "$D/tmux" -f /dev/null "$@"
}

# screen COMMAND: a terminal of 80 columns and 12 rows that runs it; then `true` is left, so that the screen stays
screen() {
	command -v tmux >/dev/null || skip 'tmux is not installed'
	printf '%s\n' "$1" 'echo "ended with $?"' 'exec sleep 1000' >"$D/in.screen"
	trap 'mux kill-server; jobs -p | xargs -r kill' EXIT
	mux new-session -d -s main -x 80 -y 12 "bash '$D/in.screen'" >/dev/null || fail 'tmux does not start'
}

# keys KEY…: names of keys as tmux has them;   text TEXT: as it is
keys() {
	mux send-keys -t "${pane:-main}" "$@"
}

text() {
	mux send-keys -t "${pane:-main}" -l -- "$1"
}

# What is on the screen now, without empty rows at the end.
look() {
	mux capture-pane -p -t "${pane:-main}"
}

# Its last row that is not empty.
last_row() {
	look | grep -v '^ *$' | tail -n "${1:-1}"
}

last_row_is() {
	[ "$(last_row "${2:-1}")" = "$1" ]
}

# awaits TEXT [ROWS]: until the last rows of the screen are just this
awaits() {
	local end=$((SECONDS + 20))
	until last_row_is "$@"; do
		[ "$SECONDS" -lt "$end" ] || fail "expected at the end of the screen: $1"$'\n'"$(look)"
		sleep 0.02
	done
}

# ---- tmux --------------------------------------------------------------------------------------------------------------

it_edits_lines() {
	bundle foo
	start_daemon
	screen "$D/foo/bin/foo remote"
	awaits "$prompt"
	text '1 + 1x'
	keys BSpace
	keys Home
	text '10 * ('
	keys End
	text ')'
	awaits "$prompt 10 * (1 + 1)"
	keys Enter
	awaits $'20\n'"$prompt" 2
	text '"Grüße, 世界"'
	keys Left Left Left BSpace C-e Enter
	awaits $'Grüße,世界\n'"$prompt" 2
	keys Up Up
	awaits "$prompt 10 * (1 + 1)"
	keys C-a C-k
	awaits "$prompt"
	keys C-c
	awaits "$prompt ^C"$'\n'"$prompt" 2
	keys C-r
	text 'Gr'
	awaits "(search 'Gr') \"Grüße,世界\""
	keys C-c
	awaits "$prompt"
	text 'for i = 1, 2 do'
	keys Enter
	awaits '…>'
	text 'print("round", i)'
	keys Enter
	text 'end'
	keys Enter
	awaits $'round   1\nround   2\n'"$prompt" 3
	text 'io.write("name? ") return "hello " .. io.read()'
	keys Enter
	awaits 'name?'
	text 'worlds'
	keys Left BSpace C-e BSpace
	text 'd'
	awaits 'name? world'
	keys Enter
	awaits $'name? world\nhello world\n'"$prompt" 3
	text 'io.write("without an end")'
	keys Enter
	awaits $'without an end\n'"$prompt" 2
	keys Up C-a Delete C-e C-u
	awaits $'without an end\n'"$prompt" 2
	keys C-d
	awaits 'ended with 0'
	stop_node
}

# Empty lines, tabs where the terminal's buffer ends, a tab in a text: all of it is code and none of it a key.
it_takes_pasted_code_as_it_is() {
	local i
	bundle foo
	start_daemon
	{
		echo 'T = {}'
		for i in {1..300}; do
			printf 'function T.f%d(x)\n\tlocal\ty = x\n\n\tif\ty then\n\t\t\treturn\ty + %d\n\t\tend\n\n\nend\n' "$i" "$i"
		done
		echo 's = 0 for _, f in pairs(T) do s = s + f(0) end return "sum", s'
	} >code
	screen "$D/foo/bin/foo remote"
	awaits "$prompt"
	mux load-buffer code
	mux paste-buffer -p -t main
	awaits $'sum\n45150\n'"$prompt" 3
	# each line is shown once, although most of them came while another one ran
	is "$(mux capture-pane -p -S - -t main | grep -c 'return y + 2[0-9][0-9]$')" 100
	text 'kv.ge'
	keys Tab # a key again
	awaits "$prompt kv.get("
	keys C-u
	printf 's = "begun"\nprint(s) while true do end\ns = "went on"\n' >code
	mux load-buffer code
	mux paste-buffer -p -t main
	awaits begun
	keys C-c
	awaits $'interrupted\n'"$prompt" 2
	text 's'
	keys Enter
	awaits $'begun\n'"$prompt" 2
	{ echo -n 's = "cut" --' && head -c 300000 /dev/zero | tr '\0' x && echo; } >code
	mux load-buffer code
	mux paste-buffer -p -t main
	awaits $'the line is longer than 262144 bytes: nothing of it was run\n'"$prompt" 2
	text 's'
	keys Enter
	awaits $'begun\n'"$prompt" 2
	text 'kv.'
	keys C-c
	awaits "$prompt"
	keys C-d
	awaits 'ended with 0'
	stop_node
}

it_is_left_when_the_node_says_nothing() {
	bundle foo
	start_daemon
	screen "$D/foo/bin/foo remote; $D/foo/bin/foo remote; $D/foo/bin/foo remote"
	awaits "$prompt"
	text 'kv.'
	awaits "$prompt kv."
	halt "$pid"
	keys Tab
	keys C-c
	awaits "$prompt kv.^C"
	keys C-c
	awaits $'the expression waits for a call that cannot be interrupted and ends after it; Ct\nrl-C again leaves the console' 2
	kill -CONT "$pid"
	awaits "$prompt"
	text 'while true do print(("x"):rep(1 << 20)) end'
	keys Enter
	awaits "$(printf 'x%.0s' {1..80})"
	halt "$pid" # in the middle of a frame, mostly
	keys C-c
	awaits $'the expression waits for a call that cannot be interrupted and ends after it; Ct\nrl-C again leaves the console' 2
	kill -CONT "$pid"
	awaits "$prompt"
	text 'while io.read() do end local t = os.time() + 5 while os.time() < t do end print("to the end")'
	keys Enter
	text 'x'
	keys Enter
	awaits x
	keys C-d # of what is read: the expression goes on
	awaits "$prompt" # of the second console
	like "$(look)" $'*\nto the end\nfoo 0.0.1 *'
	halt "$pid"
	keys C-d
	awaits 'ended with 1' # of the third one
	like "$(look)" "*ERROR: foo@$host: its process $pid is halted by a signal; *"
	kill -CONT "$pid"
	stop_node
}

it_says_below_the_line_that_the_node_is_gone() {
	bundle foo
	start_daemon
	screen "$D/foo/bin/foo remote"
	awaits "$prompt"
	text '"a line that is longer than the screen is wide, so that it goes on in its second row"'
	keys Home
	text '#'
	wait_until rows_hold "$prompt #\"a line that is longer than the screen is wide, so that it goes on in its second row\"" 2
	kill -KILL "$pid"
	awaits $'the node closed the connection\nended with 1' 2
	like "$(last_row 3)" $'*row"\nthe node*' # all of the line is there
}

it_completes_names_buckets_and_keys() {
	bundle foo
	start_daemon
	must foo/bin/foo rpc 'kv.create("shopping") kv.put("shopping", "milk", 3) kv.put("shopping", "mint tea", 1) kv.put("shopping", "eggs", 12)'
	screen "$D/foo/bin/foo remote"
	awaits "$prompt"
	text 'kv.ge'
	keys Tab
	text '"sh'
	keys Tab
	awaits "$prompt kv.get(\"shopping\""
	text ', "e'
	keys Tab
	awaits "$prompt kv.get(\"shopping\", \"eggs\""
	text ')'
	keys Enter
	awaits $'12\n'"$prompt" 2
	text 'kv.get("shopping", "m'
	keys Tab
	awaits "$prompt kv.get(\"shopping\", \"mi"
	keys Tab
	awaits 'milk"      mint tea"'$'\n'"$prompt kv.get(\"shopping\", \"mi" 2
	keys C-c
	awaits "$prompt"
	keys C-d
	awaits 'ended with 0'
	stop_node
}

it_ends_an_endless_loop_and_not_the_console() {
	bundle foo
	start_daemon
	screen "$D/foo/bin/foo remote"
	awaits "$prompt"
	text 'x = 5 print("spinning") while true do pcall(function() while true do end end) end'
	keys Enter
	awaits spinning
	keys C-c
	awaits $'^C\ninterrupted\n'"$prompt" 3
	text 'x'
	keys Enter
	awaits $'5\n'"$prompt" 2
	keys C-d
	awaits 'ended with 0'
	stop_node
}

it_keeps_the_line_whole_while_the_node_logs() {
	bundle foo
	launcher=$D/foo/bin/foo
	screen "PORT=$PORT XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR $launcher start_console"
	awaits "$prompt"
	text '"a line that is longer than the screen is wide, so that it goes on in its second row" .. "'
	wait_until whole_line
	keys Left Left Left
	for _ in 1 2 3; do
		must "$launcher" rpc 'app.stop("kv_server") app.start("kv_server")'
		wait_until whole_line
	done
	[ "$(look | grep -c 'Accepting connections on port')" -ge 2 ] || fail "the log is not shown: $(look)"
	keys C-e
	text '!"'
	keys Enter
	awaits 'a line that is longer than the screen is wide, so that it goes on in its second'$'\n'"row!"$'\n'"$prompt" 3
	text 'node.stop()'
	keys Enter
	awaits 'ended with 0'
}

whole_line() {
	[[ $(last_row 2 | tr -d '\n') == "$prompt \"a line that is longer than the screen is wide, so that it goes on in its second row\" .. \""* ]]
}

it_follows_the_size_of_its_window() {
	bundle foo
	start_daemon
	screen "$D/foo/bin/foo remote"
	awaits "$prompt"
	text '"0123456789 0123456789 0123456789 0123456789 0123456789"'
	awaits "$prompt \"0123456789 0123456789 0123456789 0123456789 0123456789\""
	mux resize-window -t main -x 40 -y 12
	wait_until rows_hold "$prompt \"0123456789 0123456789 0123456789 0123456789 0123456789\"" 2
	keys Home
	text '#'
	keys End
	text ' + 1'
	wait_until rows_hold "$prompt #\"0123456789 0123456789 0123456789 0123456789 0123456789\" + 1" 2
	mux resize-window -t main -x 100 -y 12
	wait_until rows_hold "$prompt #\"0123456789 0123456789 0123456789 0123456789 0123456789\" + 1" 1
	sleep 0.4 # tmux tells of a new size a quarter of a second later
	keys Enter
	awaits $'55\n'"$prompt" 2
	keys C-d
	awaits 'ended with 0'
	stop_node
}

# rows_hold TEXT ROWS: the last rows, joined, are the text
rows_hold() {
	[ "$(mux capture-pane -p -J -t main | grep -v '^ *$' | tail -n "$2" | tr -d '\n')" = "$1" ] || [ "$(last_row "$2" | tr -d '\n')" = "$1" ]
}

it_serves_several_consoles_at_once() {
	bundle foo
	start_daemon
	screen "$D/foo/bin/foo remote"
	mux new-window -d -n second "$D/foo/bin/foo remote"
	awaits "$prompt"
	text 'name = "first" while true do end'
	keys Enter
	pane=main:second awaits "$prompt"
	pane=main:second text 'kv.create("b") return name'
	pane=main:second keys Enter
	pane=main:second awaits "$prompt"
	pane=main:second text 'kv.buckets()'
	pane=main:second keys Enter
	pane=main:second awaits $'{"b"}\n'"$prompt" 2
	must foo/bin/foo rpc 'return 1'
	keys C-c
	awaits $'^C\ninterrupted\n'"$prompt" 3
	text 'name'
	keys Enter
	awaits $'first\n'"$prompt" 2
	must foo/bin/foo stop
	awaits $'the node is stopping\nended with 1' 2 # an expression was interrupted
}

it_comes_back_after_a_suspension() {
	bundle foo
	start_daemon
	screen "bash --norc -i"
	text "PS1='ready: '; $D/foo/bin/foo remote"
	keys Enter
	awaits "$prompt"
	text '40 +'
	keys C-z
	wait_until shell_is_back
	text 'fg'
	keys Enter
	awaits "$prompt 40 +"
	text ' 2'
	keys Enter
	awaits $'42\n'"$prompt" 2
	keys C-d
	stop_node
}

shell_is_back() {
	[ "$(last_row)" = 'ready:' ]
}

# ---- ssh ---------------------------------------------------------------------------------------------------------------

# A daemon of its own on the loopback interface, for the user of this test and this test's key alone.
start_sshd() {
	local sshd
	command -v ssh >/dev/null || skip 'openssh-client is not installed'
	sshd=$(command -v sshd) || skip 'openssh-server is not installed'
	ssh-keygen -q -t ed25519 -N '' -f "$D/host_key" || fail 'no keys'
	ssh-keygen -q -t ed25519 -N '' -f "$D/user_key" || fail 'no keys'
	cat >"$D/sshd_config" <<-END
		ListenAddress 127.0.0.1
		Port $other_port
		HostKey $D/host_key
		AuthorizedKeysFile $D/user_key.pub
		PidFile none
		UsePAM no
		StrictModes no
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		PermitUserEnvironment no
	END
	if [ "$(id -u)" = 0 ]; then # it insists on an empty folder below /run
		unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"' - "$sshd" -D -e -f "$D/sshd_config" 2>"$D/sshd.log" &
	else
		"$sshd" -D -e -f "$D/sshd_config" 2>"$D/sshd.log" &
	fi
	for _ in $(seq 100); do
		! grep -q 'Server listening' "$D/sshd.log" || break
		! gone $! || skip "sshd does not run here: $(tail -n 1 "$D/sshd.log")"
		sleep 0.05
	done
	over_ssh="ssh -q -p $other_port -i $D/user_key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=$D/known"
	over_ssh+=" $(id -un)@127.0.0.1 env XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR XDG_STATE_HOME=$D/state $D/foo/bin/foo"
	$over_ssh version >/dev/null 2>&1 </dev/null || skip "no one may log in here: $(tail -n 1 "$D/sshd.log")"
}

it_works_through_ssh() {
	bundle foo
	start_daemon
	start_sshd
	is "$(echo 'hello' | $over_ssh "rpc 'return io.read(), kv.buckets()'")" $'hello\n{}'
	screen "${over_ssh/ssh /ssh -tt } remote"
	awaits "$prompt"
	text 'kv.cre'
	keys Tab
	text '"b")'
	keys Enter
	text 'kv.buckets()'
	keys Enter
	awaits $'{"b"}\n'"$prompt" 2
	text 'print("spinning") while true do end'
	keys Enter
	awaits spinning
	keys C-c
	awaits $'^C\ninterrupted\n'"$prompt" 3
	mux resize-window -t main -x 60 -y 12
	text '"0123456789 0123456789 0123456789 0123456789 0123456789"'
	wait_until rows_hold "$prompt \"0123456789 0123456789 0123456789 0123456789 0123456789\"" 2
	keys C-c
	awaits "$prompt"
	keys C-d
	awaits 'ended with 0'
	# a connection that breaks ends what it runs
	must foo/bin/foo rpc 'return 1'
	stop_node
	kill %1
}

run_tests "$@"
