#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # the $ of the protocol
# kv_resp beside a real Redis: the same bytes go to both, and the same bytes must come back.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

both() {
	# the server itself, under the name that Debian's redis-tools has it
	command -v redis-check-rdb >/dev/null || skip "redis-tools is not installed"
	bundle resp
	start_daemon
	(exec -a redis-server redis-check-rdb --port "$other_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$D") \
		>"$D/redis.log" 2>&1 </dev/null &
	redis_pid=$!
	wait_until redis-cli -p "$other_port" ping
}

end_both() {
	kill "$redis_pid"
	wait "$redis_pid"
	stop_node
}

# ask PORT FILE: the reply to the file's bytes, to the end of the connection
ask() {
	{ exec 8<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || fail "nobody listens on port $1"
	cat "$2" >&8
	timeout 10 cat <&8 || fail "port $1 did not close the connection"
	exec 8>&-
}

# same NAME <REQUEST: the request of standard input must end the connection
same() {
	cat >"$D/request"
	ask "$other_port" "$D/request" >"$D/theirs"
	ask "$RESP_PORT" "$D/request" >"$D/ours"
	cmp -s "$D/theirs" "$D/ours" && return
	fail "$1: $(head -c 300 "$D/request" | cat -v)"$'\n'"$(diff <(cat -v "$D/theirs") <(cat -v "$D/ours") | cut -c 1-300 |
		head -n 20)"
}

# Each line is a request of its own, on a connection of its own.
same_each() {
	local line
	while IFS= read -r line; do
		printf '%s\r\nQUIT\r\n' "$line" | same "$line"
	done
}

# array WORDS…: as clients send it
array() {
	local word
	printf '*%d\r\n' $#
	for word; do
		printf '$%d\r\n%s\r\n' "$(printf %s "$word" | wc -c)" "$word"
	done
}

it_answers_hashes_as_redis_does() {
	both
	same_each <<-'END'
		HSET h a 1 b 2
		HSET h a 3
		HGET h a
		HGET h nope
		HGET nope a
		HMGET h a nope b
		HMGET nope a
		HLEN h
		HLEN nope
		HEXISTS h a
		HEXISTS h nope
		HSTRLEN h a
		HSTRLEN nope a
		HSETNX h a 9
		HSETNX h c 9
		HGETALL h
		HKEYS h
		HVALS h
		HGETALL nope
		HSCAN h 0
		HSCAN h 0 MATCH a* COUNT 100
		HSCAN h 00
		HSCAN h +0
		HSCAN h -0
		HSCAN h ""
		HSCAN h "0\x00x"
		HSCAN h 0 MATCH a* BOGUS x
		HSCAN h 0 COUNT x
		HSCAN h 0 NOVALUES
		HSCAN nope 0
		HSCAN nope 7
		HSCAN nope -1
		HSCAN nope 0 BOGUS
		HSCAN nope 0 COUNT x
		HSCAN nope 0 COUNT 0 MATCH
		HDEL h c c nope
		HDEL nope a
		TYPE h
		TYPE nope
		EXISTS h h nope
		DBSIZE
		KEYS *
		KEYS h?
		KEYS [^h]*
		KEYS [\a-z]
		KEYS [h-]
		SCAN 0
		SCAN 0 COUNT 100 TYPE hash
		HSET h a
		HSET h a 1 b
		HDEL h a b
		EXISTS h
		DEL h
		HSET twice a 1 a 2
		HGETALL twice
		HSET d1 a 1
		HSET d2 a 1
		DEL d1 d2 d1 nope
		HSET empty f ""
		HGET empty f
		HGETALL empty
		HSET empty "" v
		HGET empty ""
		UNLINK empty twice
	END
	end_both
}

it_adds_integers_as_redis_does() {
	local value by
	both
	for value in 5 abc '""' 9223372036854775807 -9223372036854775808 '" 1"' 01 +1 -0 1.5 1e3 9223372036854775808; do
		for by in 1 -1 0 abc 9223372036854775807 -9223372036854775808 +1 01 1.0; do
			printf 'HSET i f %s\r\nHINCRBY i f %s\r\nHGET i f\r\nHINCRBY i new 1\r\nHDEL i new\r\nQUIT\r\n' "$value" "$by" |
				same "$value + $by"
		done
	done
	end_both
}

it_refuses_wrong_requests_as_redis_does() {
	local command count
	both
	for command in HSET HGET HMGET HGETALL HDEL HEXISTS HLEN HKEYS HVALS HSCAN HSETNX HINCRBY HSTRLEN DEL EXISTS TYPE KEYS \
		SCAN DBSIZE ECHO SELECT AUTH; do
		for count in 0 1 2 3 4 5; do
			# two and more are right for these, and what they answer is another test's
			case $command in HSET | HSETNX | HINCRBY | DEL | EXISTS | HDEL | HMGET) [ "$count" -gt 2 ] && continue ;; esac
			# shellcheck disable=SC2046
			{ array "$command" $(yes x | head -n "$count") && array QUIT; } | same "$command with $count arguments"
		done
	done
	same_each <<-'END'
		BOGUS
		bogus a b
		BOGUS xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy z
		SCAN abc
		SCAN 0 COUNT
		SCAN 0 COUNT 0
		SCAN 0 COUNT x
		SCAN 0 FOO x
		HSCAN h abc
		HSCAN nope abc BOGUS
		HSCAN nope -
		HSCAN nope " 0"
		SCAN 00
		SCAN -18446744073709551616
		HELLO 1
		HELLO 4
		HELLO -1
		HELLO abc
		HELLO 03
		HELLO 3 BOGUS
		HELLO 3 AUTH u
		HELLO 3 AUTH nobody x
		HELLO 3 SETNAME "a b"
		HELLO 3 SETNAME "a b" AUTH nobody x
		HELLO 3 AUTH nobody x SETNAME "a b"
		HELLO 3 AUTH nobody x BOGUS
		AUTH x
		AUTH default x
		AUTH nobody x
		AUTH a b c
		SELECT 0
		SELECT abc
		SELECT -1
		SELECT 00
		SELECT 99
		SELECT 99999999999999999999
		SELECT 9223372036854775807
		SELECT -9223372036854775808
		SCAN 18446744073709551616 TYPE string
		HELLO 3 SETNAME "a b" BOGUS
		bogus "a\x00b" "\x00" "\x01\t\x1b" c
		"bogus\x00x" a
		"bo\r\ngus\x07" a
		CLIENT BOGUS
		CLIENT SETNAME
		CLIENT SETNAME "a b"
		CLIENT GETNAME
		CLIENT REPLY ON
		CLIENT REPLY x
		CLIENT NO-EVICT x
		CLIENT LIST TYPE bogus
		CLIENT LIST TYPE pubsub
		CLIENT LIST ID 0 -1 99999999
		CLIENT LIST ID x
		CLIENT KILL
		CLIENT KILL 127.0.0.1:1
		CLIENT KILL ID
		CLIENT KILL ID 0
		CLIENT KILL ID x
		CLIENT KILL ID 99999999
		CLIENT KILL ID 99999999 SKIPME yes
		CLIENT KILL ADDR 127.0.0.1:1
		CLIENT KILL TYPE pubsub
		CLIENT KILL TYPE bogus
		CLIENT KILL USER bogus
		CLIENT KILL SKIPME bogus
		CLIENT KILL BOGUS x
		CLIENT KILL TYPE normal USER
		CLIENT LIST bogus
		CONFIG SET nosuch 1
		CONFIG SET maxmemory
		CONFIG SET maxmemory 0 maxmemory
		CONFIG SET maxmemory 0 MAXMEMORY 0
		CONFIG SET DATABASES 5
		CONFIG REWRITE
		COMMAND GETKEYS HSET h f v
		COMMAND GETKEYS DEL a b c
		COMMAND GETKEYS WATCH a b
		COMMAND GETKEYSANDFLAGS HSETNX h f v
		COMMAND GETKEYSANDFLAGS EXISTS a b
		COMMAND GETKEYSANDFLAGS ECHO a
		COMMAND GETKEYS nosuch a
		COMMAND GETKEYS ECHO a
		COMMAND LIST FILTERBY MODULE x
		COMMAND LIST FILTERBY x y
		INFO nosuch
		CONFIG BOGUS
		CONFIG GET
		CONFIG GET nosuch
		CONFIG GET [m]axmemory
		CONFIG GET MAXMEMOR[a-y]
		CONFIG GET maxmemor[^y]
		CONFIG GET \\maxmemory
		COMMAND BOGUS
		COMMAND INFO nosuch
		PING a b
	END
	end_both
}

it_describes_commands_as_redis_does() {
	local command
	both
	must redis-cli -p "$RESP_PORT" COMMAND LIST
	for command in $out; do
		# the sub-commands of these are not described
		case $command in client | command | config) continue ;; esac
		printf 'COMMAND INFO %s\r\nQUIT\r\n' "$command" | same "$command"
	done
	# what redis-cli makes hints of
	for command in hset hdel hscan hello; do
		for port in "$other_port" "$RESP_PORT"; do
			must redis-cli -2 -p "$port" COMMAND DOCS "$command"
			sed -n '/^arguments$/,$p' <<<"$out" >"$D/$port"
		done
		cmp "$D/$other_port" "$D/$RESP_PORT" || fail "other arguments of $command: $(diff "$D/$other_port" "$D/$RESP_PORT")"
	done
	for port in "$other_port" "$RESP_PORT"; do
		printf 'HELLO 3\r\nCOMMAND INFO hset scan exists\r\nCOMMAND GETKEYSANDFLAGS del a b\r\nQUIT\r\n' >"$D/request"
		ask "$port" "$D/request" | sed '1,/modules/d' >"$D/$port"
	done
	cmp "$D/$other_port" "$D/$RESP_PORT" || fail "another answer in RESP3"
	end_both
}

# one of ITEMS…
any() {
	shift $((RANDOM % $#))
	word=$1
}

# Requests of all kinds, half of them nonsense; those whose replies have an order of their own are another test's.
random_requests() {
	local i j count word
	local commands=(HSET HSET HSET HGET HMGET HDEL HEXISTS HLEN HSETNX HINCRBY HINCRBY HSTRLEN DEL EXISTS TYPE DBSIZE HMSET
		UNLINK ECHO PING SELECT hset hEXISTS KEYS HSCAN SCAN NOSUCH 'HGET ' $'\r\n' MULTI MULTI EXEC EXEC DISCARD UNWATCH)
	local words=(a b '' f g 1 -1 0 5 abc 9223372036854775807 -9223372036854775808 4611686018427387904 99999999999999999999 01 +1
		'1 ' 1.5 '*' 'a b' $'\r\n' $'\001\377' MATCH COUNT TYPE "$(printf '%0200d' 7)")
	for ((i = 0; i < $1; i++)); do
		any "${commands[@]}"
		local request=("$word")
		case $word in
		HGET | HEXISTS | HSTRLEN) count=2 ;;
		HSETNX | HINCRBY) count=3 ;;
		HLEN | TYPE | ECHO) count=1 ;;
		*) count=$((RANDOM % 6)) ;;
		esac
		((RANDOM % 10 == 0)) && count=$((RANDOM % 6))
		for ((j = 0; j < count; j++)); do
			any "${words[@]}"
			request+=("$word")
		done
		case ${request[0]} in
		KEYS) ((count == 1)) && request[1]=nosuch ;;
		SCAN) ((count > 0)) && request[1]=abc ;;
		HSCAN) ((count > 1)) && request=(HSCAN nosuch 0 "${request[@]:3}") ;;
		SELECT) ((count == 1)) && request[1]=0 ;;
		MULTI | EXEC | DISCARD) request=("${request[0]}") ;;
		esac
		array "${request[@]}"
	done
	array QUIT
}

it_answers_anything_as_redis_does() {
	local seed
	both
	for seed in 1 2 3 4 5; do
		RANDOM=$seed # the same ones each time
		random_requests 300 | same "the requests of seed $seed"
	done
	end_both
}

it_reads_bytes_as_redis_does() {
	both
	printf 'PING\nECHO "hello \\x41\\n\\"world\\""\r\nECHO '"'it\\\\'s'"'\r\n\r\n   \r\nECHO\ta\r\nquit\r\n' | same inline
	{ array ECHO '' && array PING '' && array QUIT; } | same "empty words"
	printf '*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n' | same "empty requests"
	printf 'ECHO a\fb\r\nECHO "a\fb"\r\r\n\vECHO \f\va\r\nECHO "a"\v\r\nquit\r\n' | same "other blanks"
	printf 'ECHO "abc\r\n' | same "an open quote"
	printf 'ECHO "a"b\r\n' | same "text behind a quote"
	printf '*x\r\n' | same "no count"
	printf '*99999999999\r\n' | same "a huge count"
	printf '*2147483648\r\n' | same "a count that is one too many"
	printf '*1\r\n$-1\r\n' | same "a negative length"
	printf '*1\r\n$536870913\r\n' | same "a length that is too much"
	printf '*1\r\n$x\r\n' | same "no length"
	printf '*1\r\n$99999999999999999999\r\n' | same "a huge length"
	printf '*1\r\n:4\r\nPING\r\n' | same "another type"
	printf '*1\r\n\r\nPING\r\n' | same "an empty line for a type"
	printf '*1\r\n\001\r\nPING\r\n' | same "no text for a type"
	printf '*01\r\n$4\r\nPING\r\n' | same "a zero before a count"
	printf '*-0\r\n' | same "a negative zero"
	printf '*1\r\n$04\r\nPING\r\n' | same "a zero before a length"
	printf '*1\r\n$0100\r\nPING\r\n' | same "a zero before a longer length"
	printf 'PING\r\n*1\r\n$x\r\nPING\r\n' | same "a good request before a bad one"
	printf '*3\r\n$4\r\nHSET\r\n$3\r\na\r\n\r\n$1\r\n\0\r\n*4\r\n$4\r\nHSET\r\n$3\r\na\r\n\r\n$1\r\n\0\r\n$4\r\n\377\r\n\0\r\nHKEYS "a\\r\\n"\r\nHVALS "a\\r\\n"\r\nDEL "a\\r\\n"\r\nQUIT\r\n' |
		same "bytes of all kinds"
	{
		array HSET big f "$(head -c 3000000 /dev/zero | tr '\0' z)"
		array HSTRLEN big f
		array HGET big f
		array DEL big
		array QUIT
	} | same "a large value"
	end_both
}

it_speaks_resp3_as_redis_does() {
	both
	# the greeting names the server; what follows must be the same
	for port in "$other_port" "$RESP_PORT"; do
		printf 'HELLO 3\r\nHSET h a 1 b 2\r\nHGETALL h\r\nHGET h x\r\nHMGET h a x\r\nHGETALL nope\r\nHSCAN h 0\r\nTYPE h\r\nCLIENT LIST ID 99999999\r\nINFO nosuch\r\nCONFIG GET nosuch\r\nCLIENT GETNAME\r\nCOMMAND INFO nosuch\r\nDEL h\r\nQUIT\r\n' \
			>"$D/request"
		ask "$port" "$D/request" | sed '1,/modules/d' >"$D/$port"
	done
	cmp -s "$D/$other_port" "$D/$RESP_PORT" || fail "$(diff "$D/$other_port" "$D/$RESP_PORT")"
	[ -s "$D/$RESP_PORT" ] || fail "no reply"
	end_both
}

it_asks_for_a_password_as_redis_does() {
	both
	must redis-cli -p "$other_port" CONFIG SET requirepass 'se cret'
	echo 'config("kv_resp", {password = "se cret"})' >>"$D/resp/releases/0.0.1/runtime.lua"
	must "$launcher" restart
	same_each <<-'END'
		PING
		BOGUS a
		HGET h
		HGET h f
		HELLO
		HELLO 3
		HELLO 9
		HELLO 3 AUTH default x
		HELLO 9 AUTH default "se cret"
		AUTH
		AUTH x
		AUTH "se cre"
		AUTH "se crets"
		AUTH nobody "se cret"
		AUTH a b c
		MULTI
		EXEC
		EXEC x
		CLIENT BOGUS
		CLIENT LIST
		CONFIG GET
		COMMAND
		QUIT
		RESET
	END
	printf 'AUTH "se cret"\r\nHSET h f v\r\nAUTH x\r\nDEL h\r\nRESET\r\nPING\r\nAUTH default "se cret"\r\nPING\r\nQUIT\r\n' |
		same "a right password"
	printf '*11\r\n' | same "many words of a guest"
	printf '*2\r\n$4\r\nAUTH\r\n$16385\r\n' | same "a long word of a guest"
	end_both
}

it_ends_connections_as_redis_does() {
	local id port
	both
	for port in "$other_port" "$RESP_PORT"; do
		exec 7<>"/dev/tcp/127.0.0.1/$port"
		printf 'CLIENT ID\r\n' >&7
		IFS=: read -r -t 10 -u 7 _ id && id=${id%$'\r'}
		must redis-cli -p "$port" CLIENT KILL ID "$id"
		is "$out" 1
		is "$(timeout 10 cat <&7)" ''
		must redis-cli -p "$port" CLIENT LIST ID "$id"
		is "$out" ''
		exec 7>&-
	done
	# himself: the reply comes first
	printf 'ECHO a\r\nCLIENT KILL TYPE normal SKIPME no\r\nPING\r\n' | same himself
	end_both
}

it_runs_transactions_as_redis_does() {
	both
	same_each <<-'END'
		EXEC
		EXEC x
		DISCARD
		UNWATCH
		MULTI x
		DISCARD x
	END
	same "all of it" <<-'END'
		MULTI
		HSET t a 1 b 2
		HINCRBY t a 5
		HGET t a
		HGETALL t
		HSET t x
		EXEC
		MULTI
		EXEC
		MULTI
		MULTI
		WATCH t
		HSET t c 3 d
		HINCRBY t b x
		PING
		UNWATCH
		DEL t nope
		EXEC
		EXISTS t
		MULTI
		HSET t e 1
		BOGUS
		HSET t f 1
		EXEC
		MULTI
		HSET t e 1
		DISCARD x
		EXEC
		MULTI
		HSET t e 1
		CONFIG BOGUS
		COMMAND HELP x
		EXEC
		MULTI
		HSET t e 1
		CLIENT GETNAME x
		EXEC
		MULTI
		HSET t e 1
		EXEC x
		EXEC
		MULTI
		HSET t e 1
		DISCARD
		DISCARD
		MULTI
		HSET t e 1
		RESET
		EXEC
		EXISTS t
		CLIENT REPLY SKIP
		MULTI
		ECHO a
		EXEC
		MULTI
		CLIENT REPLY SKIP
		ECHO a
		EXEC
		ECHO b
		ECHO c
		CLIENT REPLY SKIP
		RESET
		CLIENT REPLY OFF
		MULTI
		HSET t e 1
		EXEC
		CLIENT REPLY ON
		MULTI
		CLIENT SETNAME me
		CLIENT GETNAME
		ECHO "a b"
		EXEC
		HGETALL t
		DEL t
		MULTI
		HSET t e 1
		QUIT
	END
	printf 'MULTI\r\nPING\r\n*1\r\n$x\r\nEXEC\r\n' | same "a mistake in a transaction"
	{
		echo MULTI
		seq -f 'HINCRBY t "f\\x3%.0f" 1' 20000
		printf 'EXEC\nDEL t\nQUIT\n'
	} | same "a long transaction"
	end_both
}

it_keeps_silent_as_redis_does() {
	local request
	both
	printf 'CLIENT REPLY OFF\r\nPING\r\nHSET s a 1\r\nBOGUS\r\nHGET s\r\nCLIENT REPLY ON\r\nHGET s a\r\nDEL s\r\nQUIT\r\n' | same off
	printf 'CLIENT REPLY SKIP\r\nPING\r\nECHO a\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nECHO b\r\nQUIT\r\n' | same skip
	printf 'CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nECHO a\r\nCLIENT REPLY ON\r\nQUIT\r\n' | same "off and skip"
	# Redis 7.0 forgets to close a connection that ends in silence
	for request in 'CLIENT REPLY OFF\r\nPING\r\nQUIT\r\n' 'CLIENT REPLY SKIP\r\nQUIT\r\n' 'CLIENT REPLY OFF\r\n*x\r\n'; do
		# shellcheck disable=SC2059 # these are formats
		printf "$request" >"$D/request"
		is "$(ask "$RESP_PORT" "$D/request")" ''
	done
	end_both
}

it_hangs_up_on_browsers() {
	both
	printf 'POST / HTTP/1.1\r\nHost: localhost\r\n\r\nHSET h a 1\r\n' >"$D/request"
	ask "$RESP_PORT" "$D/request" >/dev/null
	must redis-cli -p "$RESP_PORT" EXISTS h
	is "$out" 0
	end_both
}

run_tests "$@"
