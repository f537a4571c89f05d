#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The promises made to users, held against what they bring: components that know nothing of this project's build, callers
# that close their streams or have no home, builds that are killed, and other people's names, clocks and masks.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# ---- foreign components --------------------------------------------------------------------------------------------

# foreign NAME CALL: component NAME in core/NAME, its source in NAME.c, which logs what the function CALL returns
foreign() {
	mkdir -p "core/$1"
	printf 'name: %s\nversion: "0.1"\nlicense: MIT\n' "$1" >"core/$1/component.yaml"
	cat >"$1.c" <<-END
		#include <kvrel/component.h>
		#include <stddef.h>
		int $2(void);
		KVREL_EXPORT const struct kvrel_component *kvrel_component(void);
		static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
		{
			api->log(node, KVREL_INFO, "the value is %d", $2());
			*state = NULL;
			return 0;
		}
		static void stop(void *state)
		{
			(void)state;
		}
		const struct kvrel_component *kvrel_component(void)
		{
			static const struct kvrel_component component = {
				.abi = KVREL_ABI, .size = sizeof(component), .name = "$1", .start = start, .stop = stop,
			};
			return &component;
		}
	END
}

# library FILE 'CODE' FLAGS…
library() {
	local file=$1 code=$2
	shift 2
	printf '%s\n' "$code" >library.c
	must cc -shared -fPIC -Wl,-soname,"$(basename -- "$file")" library.c -o "$file" "$@"
}

component() {
	local name=$1
	shift
	must cc -std=c11 -Wall -Wextra -Werror -shared -fPIC -I"$SRC/core/include" "$name.c" -o "core/$name/$name.so" "$@"
}

foreign_project() {
	command -v cc >/dev/null || skip "no C compiler"
	mkdir -p "$D/foreign" && cd "$D/foreign" || exit 1
	foreign chain first
	mkdir core/chain/own
	library core/chain/own/libsecond.so.1 'int second(void) { return 5; }'
	library core/chain/own/libfirst.so.2 'int second(void); int first(void) { return second() + 1; }' \
		core/chain/own/libsecond.so.1 "-Wl,-rpath,\$ORIGIN"
	component chain core/chain/own/libfirst.so.2 "-Wl,-rpath,\$ORIGIN/own" -Wl,-rpath-link,core/chain/own
	foreign plain near
	library core/plain/libnear.so 'int near(void) { return 9; }'
	component plain core/plain/libnear.so
	rm -f library.c
	cat >releases.yaml <<-END
		releases:
		  one:
		    version: "1.0"
		    components: {chain: permanent, plain: permanent}
		    steps: [assemble, tar]
	END
}

it_runs_components_with_libraries_of_their_own() {
	foreign_project
	must kvrel build --quiet
	rm -rf core # what is loaded must come from the bundle
	start_daemon "$PWD/_build/rel/one/bin/one"
	must "$launcher" logs
	like "$out" '*chain: the value is 6*'
	like "$out" '*plain: the value is 9*'
	stop_node
}

it_runs_components_in_another_language() {
	command -v c++ >/dev/null || skip "no C++ compiler"
	foreign_project
	foreign cpp work
	cat >work.cc <<-END
		#include <map>
		#include <stdexcept>
		#include <string>
		extern "C" int work()
		{
			std::map<std::string, int> numbers = {{"forty", 40}};
			try {
				throw std::runtime_error("xy");
			} catch (const std::exception &e) {
				return numbers["forty"] + (int)std::string(e.what()).size();
			}
		}
	END
	must cc -shared -fPIC -I"$SRC/core/include" -c cpp.c -o cpp.o
	must c++ -shared -fPIC work.cc cpp.o -o core/cpp/cpp.so
	sed -i 's/plain: permanent/plain: permanent, cpp: permanent/' releases.yaml
	must kvrel build --quiet
	start_daemon "$PWD/_build/rel/one/bin/one"
	must "$launcher" logs
	like "$out" '*cpp: the value is 42*'
	grep -E '/libstdc\+\+' "/proc/$pid/maps" | grep -qv "$PWD/_build/rel/one/" && fail "the host's libstdc++ is mapped"
	stop_node
}

# A front-end and what it asks, written from component.h alone: lines in, the same lines in capitals out.
it_runs_a_front_end_in_another_language() {
	command -v c++ >/dev/null || skip "no C++ compiler"
	mkdir -p "$D/foreign/core/voice" "$D/foreign/core/shout" && cd "$D/foreign" || exit 1
	printf 'name: voice\nversion: "1.0"\nlicense: MIT\n' >core/voice/component.yaml
	cat >core/shout/component.yaml <<-END
		name: shout
		version: "1.0"
		license: MIT
		dependencies: [voice]
		config:
		  port: {type: port, default: $other_port}
	END
	cat >common.h <<-END
		#include <kvrel/component.h>
		extern "C" KVREL_EXPORT const struct kvrel_component *kvrel_component();
		static const struct kvrel_component *table(const char *name, const kvrel_op *ops, size_t count,
			int (*start)(struct kvrel_node *, const struct kvrel_api *, void **), void (*stop)(void *))
		{
			static struct kvrel_component component;
			component.abi = KVREL_ABI, component.size = sizeof(component), component.name = name;
			component.ops = ops, component.op_count = count, component.start = start, component.stop = stop;
			return &component;
		}
	END
	cat >voice.cc <<-END
		#include "common.h"
		#include <cctype>
		#include <string>
		static void loud(void *, struct kvrel_call *call)
		{
			std::string text(call->args[0].data, call->args[0].size);
			for (char &c : text)
				c = (char)std::toupper((unsigned char)c);
			kvrel_result result = kvrel_result();
			result.kind = KVREL_BYTES, result.bytes.data = text.data(), result.bytes.size = text.size();
			call->complete(call, &result);
		}
		static int start(struct kvrel_node *, const struct kvrel_api *, void **state) { *state = nullptr; return 0; }
		static void stop(void *) {}
		static const kvrel_op ops[] = {{"loud", "text", "in capitals", 1, 1, KVREL_OP_READ, nullptr, loud}};
		const struct kvrel_component *kvrel_component() { return table("voice", ops, 1, start, stop); }
	END
	cat >shout.cc <<-END
		#include "common.h"
		#include <cstring>
		static const kvrel_api *api;
		static const kvrel_op_ref *loud;
		static size_t receive(kvrel_conn *conn, void *, kvrel_slice input)
		{
			size_t used = 0;
			while (const void *end = std::memchr(input.data + used, '\n', input.size - used)) {
				kvrel_slice line = {input.data + used, (size_t)((const char *)end - input.data) + 1 - used};
				if (!api->request(conn, loud, &line, 1, 0))
					break;
				used += line.size;
			}
			return used;
		}
		static void encode(kvrel_conn *, void *, uint32_t, const kvrel_result *result, kvrel_out *out)
		{
			if (char *to = kvrel_out_room(api, out, result->bytes.size)) {
				std::memcpy(to, result->bytes.data, result->bytes.size);
				kvrel_out_add(out, result->bytes.size);
			}
		}
		static int start(struct kvrel_node *node, const struct kvrel_api *given, void **state)
		{
			static kvrel_protocol protocol;
			api = given;
			*state = nullptr;
			protocol.size = sizeof(protocol), protocol.name = "shout", protocol.input_max = 1000;
			protocol.receive = receive, protocol.encode = encode;
			loud = api->op(node, "voice.loud");
			uint16_t port = (uint16_t)api->value_int(api->config(node, "port"));
			return loud && api->listen(node, &protocol, nullptr, "127.0.0.1", port) >= 0 ? 0 : -1;
		}
		static void stop(void *) {}
		const struct kvrel_component *kvrel_component() { return table("shout", nullptr, 0, start, stop); }
	END
	for name in voice shout; do
		must c++ -std=c++11 -pedantic -Wall -Wextra -Werror -shared -fPIC -I"$SRC/core/include" "$name.cc" -o "core/$name/$name.so"
	done
	cat >releases.yaml <<-END
		releases:
		  loud:
		    version: "1.0"
		    components: {shout: permanent}
	END
	must kvrel build --quiet
	start_daemon "$PWD/_build/rel/loud/bin/loud"
	connect "$other_port"
	says 'hello' HELLO
	says 'Two words' 'TWO WORDS'
	hang_up
	must "$launcher" rpc 'return rpc.call(node.name(), "voice.loud", "xy")'
	is "$out" XY
	stop_node
}

# ---- builds --------------------------------------------------------------------------------------------------------

# The build tree may lie where other users have no way in: a copy of what kvrel needs of it.
kvrel_for_everybody() {
	mkdir "$D/tree" && cp -a "$BUILD"/{bin,lib,share} "$D/tree/"
	PATH=$D/tree/bin:$PATH
}

it_makes_the_same_bytes_for_everybody() {
	needs_root
	kvrel_for_everybody
	foreign_project
	cp -R "$D/foreign" "$D/other folder"
	(umask 022 && must kvrel build --quiet) || exit 1
	cd "$D/other folder" || exit 1
	find . -exec touch -h -d 2001-02-03 {} +
	chmod -R go-rwx . && chown -R 65534:65534 . && chmod 711 "$D"
	# a home that is somebody else's must not matter either
	(umask 077 && TZ=Asia/Tokyo HOME=/root must setpriv --reuid 65534 --regid 65534 --clear-groups kvrel build --quiet) ||
		exit 1
	must diff -r "$D/foreign/_build/rel" _build/rel
	must cmp "$D/foreign/_build/one-1.0.tar.zst" _build/one-1.0.tar.zst
}

it_keeps_the_old_bundle_when_a_build_is_killed() {
	local i
	foreign_project
	must kvrel build --quiet
	for i in 01 02 03 05 08 13 21; do
		timeout -s KILL "0.$i" kvrel build --overwrite --quiet 2>/dev/null
		must kvrel verify _build/rel/one
	done
	must kvrel build --overwrite --quiet
	must ls -A _build/rel
	is "$out" one
}

it_keeps_the_old_bundle_when_a_later_step_fails() {
	project
	mkdir -p rel/overlays && echo old >rel/overlays/word
	sed -i '/^  bar:/i\    steps: [assemble, {run: "test ! -e broken"}]' releases.yaml
	touch broken
	run kvrel build --quiet
	is "$status" 1
	[ -e _build/rel/foo ] && fail "a bundle whose build failed is there"
	rm broken
	must kvrel build --quiet
	touch broken && echo new >rel/overlays/word
	run kvrel build --quiet --overwrite
	is "$status" 1
	is "$(cat _build/rel/foo/word)" old
	must kvrel verify _build/rel/foo
	must ls -A _build/rel
	is "$out" foo
}

it_builds_for_a_user_without_a_home() {
	needs_root
	kvrel_for_everybody
	foreign_project
	sed -i '/steps:/d' releases.yaml # the archive would go into the project
	chmod 711 "$D" && chmod -R a+rX . && mkdir -m 777 "$D/room"
	run env -i PATH="$PATH" HOME=/root TMPDIR="$D/room" setpriv --reuid 65534 --regid 65534 --clear-groups \
		kvrel build --quiet --path "$D/room/one"
	is "$status" 0
	must kvrel verify "$D/room/one"
}

# ---- callers -------------------------------------------------------------------------------------------------------

it_starts_with_all_streams_closed() {
	bundle foo
	"$launcher" daemon <&- >&- 2>&-
	is $? 0
	must "$launcher" pid
	pid=$out
	must "$launcher" ping
	must "$launcher" logs
	like "$out" '*is ready*'
	stop_node
	"$launcher" start <&- >&- 2>&- &
	pid=$!
	wait_until "$launcher" ping
	must "$launcher" rpc 'kv.create("b") kv.put("b", "k", "v") return kv.get("b", "k")'
	is "$out" v
	stop_node
	wait "$pid" || fail "exit $? after a clean stop"
}

it_prints_what_is_printed_and_returned_and_nothing_else() {
	local command
	bundle foo
	start_daemon
	for command in eval rpc; do
		must "$launcher" "$command" 'return 1, nil, "two", false, 3.0'
		is "$out" $'1\ntwo\nfalse\n3.0'
		must "$launcher" "$command" 'io.write("text\n")'
		is "$out" text
		must "$launcher" "$command" 'io.stderr:write("text\n")'
		is "$out" ''
		is "$err" text
		must "$launcher" "$command" 'x = 5'
		is "$out" ''
		run "$launcher" "$command" 'os.exit(3)'
		is "$status" 3
	done
	must "$launcher" ping
	stop_node
}

it_fails_where_the_result_cannot_be_written() {
	local command
	bundle foo
	start_daemon
	for command in version ping pid status config; do
		timeout 10 "$launcher" "$command" >/dev/full 2>/dev/null && fail "$command to a full disk is no success"
		timeout 10 "$launcher" "$command" >&- 2>/dev/null && fail "$command without stdout is no success"
	done
	timeout 10 "$launcher" rpc 'return 1' >/dev/full 2>/dev/null && fail "rpc to a full disk is no success"
	timeout 10 "$launcher" eval 'return 1' >/dev/full 2>/dev/null && fail "eval to a full disk is no success"
	stop_node
}

it_says_at_once_that_a_killed_node_is_not_running() {
	local i
	bundle foo
	for i in 1 2 3; do
		start_daemon
		kill -KILL "$pid"
		run "$launcher" ping
		is "$status" 1
		like "$err" 'ERROR: foo@* is not running'
	done
	start_daemon
	stop_node
}

it_refuses_a_folder_of_sockets_of_another_user() {
	needs_root
	bundle foo
	mkdir -m 700 "$XDG_RUNTIME_DIR/kvrel" && chown 65534 "$XDG_RUNTIME_DIR/kvrel"
	run "$launcher" daemon
	is "$status" 1
	like "$err" "*$XDG_RUNTIME_DIR/kvrel*"
}

# ---- secrets -------------------------------------------------------------------------------------------------------

it_shows_the_cookie_nowhere() {
	local cookie=a-very-secret-cookie
	bundle foo
	export RELEASE_DISTRIBUTION=name RELEASE_NODE=foo@127.0.0.1:$other_port RELEASE_COOKIE=$cookie
	start_daemon
	grep -q "$cookie" "/proc/$pid/cmdline" "/proc/$pid/environ" && fail "the cookie is in /proc"
	must "$launcher" rpc 'return os.getenv("RELEASE_COOKIE"), io.popen("env"):read("a")'
	like "$out" '*RELEASE_NODE=*'
	[[ $out == *$cookie* ]] && fail "a child of the node has the cookie"
	for command in config env status logs; do
		must "$launcher" "$command"
		[[ $out$err == *$cookie* ]] && fail "$command shows the cookie"
	done
	RELEASE_COOKIE=another run "$launcher" stop
	is "$status" 1
	like "$err" '*cookie*'
	must "$launcher" logs
	like "$out" '*refused*cookie*peer=127.0.0.1:*'
	grep -rq "$cookie" "$D/foo" && fail "the cookie is in the bundle's folder"
	stop_node
}

run_tests "$@"
