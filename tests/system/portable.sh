#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A bundle on hosts that are not like this one, and on hostile ones. The hosts are folders: empty, with busybox and musl
# alone, and Debian releases with an older and a newer C library, which make-roots fetches (KVREL_TEST_ROOTS).
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

ROOTS=${KVREL_TEST_ROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/kvrel-test-roots}

elf_files() { # FOLDER: its ELF files
	local file
	find "$1" -type f | while read -r file; do
		[ "$(head -c 4 "$file" | tail -c 3)" != ELF ] || echo "$file"
	done
}

it_names_no_library_that_is_not_inside() {
	local file needed
	bundle foo
	for file in $(elf_files foo); do
		for needed in $(readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
			[ -e "foo/runtime-1.0.0/lib/$needed" ] || [ -e "$(dirname "$file")/$needed" ] ||
				fail "$file needs $needed"
		done
		is "$(readelf -dW "$file" | sed -n 's/.*(R\(UN\)\?PATH).*\[\(.*\)\]/\2/p' | tr : '\n' | grep -v '^[$]ORIGIN')" ''
	done
}

it_is_of_one_machine_and_asks_for_no_newer_libc_than_its_own() {
	local file newest wanted
	bundle foo
	is "$(for file in $(elf_files foo); do readelf -hW "$file" | sed -n 's/ *Machine: *//p'; done | sort -u | wc -l)" 1
	newest=$(readelf -VW foo/runtime-1.0.0/lib/libc.so.6 | grep -o 'GLIBC_2[0-9.]*' | sort -uV | tail -n 1)
	for file in $(elf_files foo); do
		wanted=$(readelf -VW "$file" | grep -o 'GLIBC_2[0-9.]*' | sort -uV | tail -n 1)
		is "$(printf '%s\n' "$newest" "$wanted" | sort -V | tail -n 1)" "$newest"
	done
}

it_carries_no_privilege() {
	bundle foo
	is "$(find foo -perm /7022 ! -type l)" ''
	command -v getcap >/dev/null || return 0
	is "$(getcap -r foo)" ''
}

it_looks_at_no_library_of_the_host() {
	local looked
	command -v strace >/dev/null || skip 'strace is not installed'
	bundle foo
	strace -f -qq -e trace=file -o "$D/trace" foo/bin/foo eval 'return os.date("%Y") > "2000"' >"$D/said" 2>&1 ||
		skip "strace does not work here: $(tail -n 1 "$D/said")"
	is "$(tail -n 1 "$D/said")" true
	looked=$(grep -o '"/[^"]*"' "$D/trace" | tr -d '"' | grep -v -e "^$D/" | sort -u)
	is "$(grep -E '^/(usr/)?lib|^/etc/ld|\.so' <<<"$looked")" ''
	# of the host: the shell that reads env.sh, if it does, the kernel's folders, and these
	is "$(grep -v -E -e '^/(proc|sys|dev)(/|$)' -e '^/(usr/)?bin/sh$' -e '^/etc/(localtime|hosts|resolv.conf|nsswitch.conf|passwd)$' -e '^/usr/share/zoneinfo/UTC$' \
		-e '^/(tmp)?$' <<<"$looked" | grep -v -F -e "${D%/*}")" ''
}

# ---- in other roots -------------------------------------------------------------------------------------------------

# host KIND: $root is a host, with the bundle at /b once it is entered.
host() {
	local busybox
	needs_root
	unshare --mount true 2>/dev/null || skip 'cannot make mount namespaces here'
	bundle foo
	root=$D/root
	mkdir -p "$root"
	case $1 in
	empty) ;;
	musl)
		if ! busybox=$(command -v busybox) || ldd "$busybox" >/dev/null 2>&1; then
			skip 'busybox-static is not installed'
		fi
		mkdir -p "$root/bin" "$root/lib"
		cp "$busybox" "$root/bin/" && ln -s busybox "$root/bin/sh"
		cp /lib/ld-musl-*.so.1 "$root/lib/" 2>/dev/null
		;;
	*)
		[ -d "$ROOTS/$1" ] || skip "no root of $1 in $ROOTS (tests/system/make-roots fetches it)"
		cp -a "$ROOTS/$1/." "$root/"
		;;
	esac
	mkdir -p "$root/b" "$root/proc" "$root/dev" "$root/tmp" "$root/state" && chmod 1777 "$root/tmp" "$root/state"
	# the bundle read-only, and a /dev with what every kernel has; everything is gone with the namespace
	cat >"$D/enter" <<-'END'
		root=$1 bundle=$2 user=$3
		shift 3
		mount --bind "$bundle" "$root/b" && mount -o remount,bind,ro "$root/b" || exit 77
		mount -t proc proc "$root/proc" || mount --bind /proc "$root/proc" || exit 77
		mount -t tmpfs none "$root/dev" || exit 77
		for device in null zero random urandom; do
			touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device" || exit 77
		done
		exec chroot --userspec="$user:$user" --groups= "$root" "$@"
	END
	# inside USER [NAME=VALUE…] -- CMD…: in the host, in an environment of nothing else. LD_ variables meet chroot and the
	# like of this host too, which must not mind them.
	cat >"$D/inside" <<-END
		#!/bin/bash
		user=\$1
		shift
		while [ "\$1" != -- ]; do vars+=("\$1") && shift; done
		shift
		exec env -i PORT=$PORT RESP_PORT=$RESP_PORT HOME="/state/home.\$user" RELEASE_DATA="/state/home.\$user/data" \
			RELEASE_TMP="/state/home.\$user/tmp" PATH=/usr/sbin:/usr/bin:/sbin:/bin "\${vars[@]}" \
			unshare --mount --propagation private sh "$D/enter" "$root" "$D/foo" "\$user" "\$@"
	END
	chmod +x "$D/inside"
	mkdir -m 700 "$root/state/home.0" "$root/state/home.65534" && chown 65534:65534 "$root/state/home.65534"
	run "$D/inside" 0 -- /b/bin/foo version
	[ "$status" != 77 ] || skip 'cannot mount here'
}


answers() {
	gone "$pid" && fail "the node ended:"$'\n'"$(cat "$D/log")"
	(: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null
}

# session USER [NAME=VALUE…]: the node serves, answers commands, maps nothing of the host, stops.
session() {
	local user=$1
	shift
	run "$D/inside" "$user" "$@" -- /b/bin/foo eval 'return release.name, 1 + 1'
	is "$status:$out" $'0:foo\n2'
	"$D/inside" "$user" "$@" -- /b/bin/foo start >"$D/log" 2>&1 </dev/null &
	pid=$!
	wait_until answers
	one_request 'CREATE shopping' OK
	one_request 'PUT shopping milk 1' OK
	run "$D/inside" "$user" "$@" -- /b/bin/foo rpc 'return kv.get("shopping", "milk")'
	is "$status:$out" 0:1
	is "$(stat -c %u "/proc/$pid")" "$user"
	is "$(sed -n 's|^[^/]*\(/.*\)|\1|p' "/proc/$pid/maps" |
		grep -v -e '^/b/' -e "$D/foo/" -e "$root/b/" -e "$root/state/" -e '^/state/' -e '^/dev/zero' -e '^/memfd:')" ''
	run "$D/inside" "$user" "$@" -- /b/bin/foo stop
	is "$status" 0
	wait_until gone "$pid"
}

# As root and as nobody, and with LD_LIBRARY_PATH on the host's own libraries.
everywhere() {
	session 0
	session 65534
	session 65534 LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib:/usr/lib
	run "$D/inside" 65534 -- /b/bin/foo verify
	is "$status:$out" '0:/b is as it was built'
}

it_runs_on_a_host_that_is_empty() {
	host empty
	everywhere
}

it_runs_on_a_host_with_musl_alone() {
	host musl
	everywhere
	run "$D/inside" 65534 -- /b/bin/foo eval 'local p = io.popen("/bin/busybox echo from the host") return p:read("l")'
	is "$out" 'from the host'
}

it_runs_on_a_host_with_an_older_libc() {
	host bullseye
	everywhere
	run "$D/inside" 65534 -- /b/bin/foo eval 'local p = io.popen("ls -d /etc && env") return p:read("l"), p:read("a"):match("LD_")'
	is "$status:$out" 0:/etc
}

it_runs_on_a_host_with_a_newer_libc() {
	host trixie
	everywhere
	run "$D/inside" 65534 -- /b/bin/foo eval 'local p = io.popen("ls -d /etc && env") return p:read("l"), p:read("a"):match("LD_")'
	is "$status:$out" 0:/etc
}

# ---- hostile hosts --------------------------------------------------------------------------------------------------

# evil FILE: a library that ends every process it is loaded into with 66
evil() {
	command -v cc >/dev/null || skip 'no C compiler'
	echo '#include <unistd.h>
__attribute__((constructor)) static void f(void) { _exit(66); }' | cc -shared -fPIC -x c - -o "$1" || fail "cannot compile"
}

it_minds_no_preloaded_library() {
	bundle foo
	evil "$D/evil.so"
	for variable in LD_PRELOAD LD_AUDIT; do
		env "$variable=$D/evil.so" foo/bin/foo eval 'return 1' >"$D/said" 2>&1
		is "$?:$(cat "$D/said")" 0:1
	done
	# the children of the node get what the user wanted for them
	env LD_PRELOAD="$D/evil.so" foo/bin/foo eval 'return select(3, os.execute("/bin/true"))' >"$D/said" 2>&1
	is "$(cat "$D/said")" 66
}

it_minds_no_preload_file_no_cache_and_no_library_folder() {
	local folder name
	host empty
	mkdir -p "$root/etc"
	evil "$root/evil.so"
	echo /evil.so >"$root/etc/ld.so.preload"
	for folder in lib lib64 usr/lib usr/lib64 lib/x86_64-linux-gnu usr/lib/x86_64-linux-gnu; do
		mkdir -p "$root/$folder"
		for name in foo/runtime-1.0.0/lib/*.so*; do
			ln "$root/evil.so" "$root/$folder/$(basename "$name")"
		done
		for name in libnss_evil.so.2 libnss_sss.so.2 libnss_resolve.so.2; do
			ln "$root/evil.so" "$root/$folder/$name"
		done
		mkdir "$root/$folder/gconv" "$root/$folder/ossl-modules"
		ln "$root/evil.so" "$root/$folder/gconv/UTF-16.so"
		ln "$root/evil.so" "$root/$folder/ossl-modules/legacy.so"
	done
	printf '%s: evil sss resolve [!UNAVAIL=return] files\n' hosts passwd group services >"$root/etc/nsswitch.conf"
	session 0
	session 65534
	# with name look-ups and TLS
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	printf '%s\n' 'openssl_conf = a' '[a]' 'providers = b' '[b]' 'evil = c' '[c]' 'module = /evil.so' 'activate = 1' >"$root/openssl.cnf"
	session 65534 RELEASE_DISTRIBUTION=name "RELEASE_NODE=foo@localhost:$other_port" RELEASE_COOKIE=0123456789abcdef \
		OPENSSL_CONF=/openssl.cnf OPENSSL_MODULES=/
}

# Not only because its loader looks nowhere else: with the distribution's loader the host's modules would be found.
it_loads_no_name_service_of_the_host() {
	host empty
	(project "$D/own" && sed -i '0,/^    components:/s//    runtime: {edit_loader: false}\n    components:/' releases.yaml &&
		must kvrel build foo --quiet) || exit 1
	rm -r foo && mv own/_build/rel/foo foo
	mkdir -p "$root/etc" "$root/lib/x86_64-linux-gnu"
	evil "$root/lib/x86_64-linux-gnu/libnss_evil.so.2"
	mkdir "$root/lib/aarch64-linux-gnu" && ln "$root/lib/x86_64-linux-gnu/libnss_evil.so.2" "$root/lib/aarch64-linux-gnu/"
	printf '%s: evil files\n' hosts passwd group services >"$root/etc/nsswitch.conf"
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	session 65534 RELEASE_DISTRIBUTION=name "RELEASE_NODE=foo@localhost:$other_port" RELEASE_COOKIE=0123456789abcdef
}

it_minds_no_host_configuration_of_its_libraries() {
	bundle foo
	evil "$D/evil.so"
	printf '%s\n' 'openssl_conf = a' '[a]' 'providers = b' '[b]' 'evil = c' '[c]' "module = $D/evil.so" 'activate = 1' >openssl.cnf
	mkdir -p gconv lua/evil
	ln evil.so gconv/EVIL.so
	printf '%s\n' 'module EVIL// INTERNAL EVIL 1' >gconv/gconv-modules
	ln evil.so lua/evil.so
	export OPENSSL_CONF=$D/openssl.cnf OPENSSL_MODULES=$D GCONV_PATH=$D/gconv LUA_CPATH="$D/lua/?.so" LUA_PATH="$D/lua/?.lua" \
		LUA_INIT='os.exit(67)' LOCPATH=$D LC_ALL=xx_XX.EVIL TERMINFO=$D TZDIR=$D
	must foo/bin/foo eval 'return pcall(require, "evil") or 1'
	is "$out" 1
	start_daemon
	one_request 'CREATE shopping' OK
	stop_node
	RELEASE_DISTRIBUTION=name RELEASE_NODE="foo@127.0.0.1:$other_port" RELEASE_COOKIE=0123456789abcdef must foo/bin/foo eval 'return 1'
}

it_runs_threads_where_clone3_is_forbidden() {
	bundle foo
	deny foo/bin/foo start >"$D/log" 2>&1 </dev/null &
	pid=$!
	wait_until serving
	one_request 'CREATE shopping' OK
	stop_node
}

it_refuses_to_run_with_more_rights_than_its_user() {
	needs_root
	bundle foo
	chmod 755 "$D" && chmod 4755 foo/bin/foo
	run setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ foo/bin/foo version
	[ "$status" != 0 ] || fail "it ran: $out"
	like "$err" 'ERROR: *'
}

it_may_be_replaced_while_it_runs() {
	bundle foo
	start_daemon
	one_request 'CREATE shopping' OK
	cp -a foo new && mv foo old && mv new foo && cp -a old/data foo/ 2>/dev/null
	one_request 'CREATE food' OK
	must foo/bin/foo rpc 'return #kv.buckets()'
	is "$out" 2
	stop_node
}

# ---- what people see of the process -----------------------------------------------------------------------------------

it_is_called_by_its_name() {
	bundle foo
	start_daemon
	is "$(cat "/proc/$pid/comm")" kvnode
	must foo/bin/foo rpc 'return node.name()'
	is "$(ps -ww -o args= -p "$pid")" "$D/foo/bin/foo daemon [$out]"
	like "$(readlink "/proc/$pid/exe")" "$D/foo/runtime-1.0.0/lib/ld-linux-*"
	stop_node
}

# As the README has it, with a core that the kernel wrote.
it_leaves_a_core_that_gdb_reads() {
	local pattern core
	if [ -z "$(command -v gdb)" ] || [ -z "$(command -v zstd)" ]; then
		skip 'gdb or zstd is not installed'
	fi
	read -r pattern </proc/sys/kernel/core_pattern
	[[ $pattern != '|'* && $pattern != */* ]] || skip "cores go elsewhere here: $pattern"
	project
	sed -i '0,/^    components:/s//    steps: [assemble, tar]\n    components:/' releases.yaml
	must kvrel build foo --quiet
	mkdir symbols && zstd -dcq _build/foo-0.0.1-debug.tar.zst | tar -xf - -C symbols
	launcher=$D/project/_build/rel/foo/bin/foo
	mkdir cores
	(cd cores && ulimit -c unlimited && exec "$launcher" start) >"$D/log" 2>&1 </dev/null &
	pid=$!
	wait_until serving
	kill -SEGV "$pid"
	wait "$pid" 2>/dev/null
	core=$(find cores -type f)
	[ -s "$core" ] || fail "no core: $(cat "$D/log")"
	gdb -batch -iex 'set debug-file-directory symbols' _build/rel/foo/runtime-1.0.0/lib/ld-linux-*.so.2 "$core" \
		-ex 'thread apply all bt' >"$D/said" 2>&1
	like "$(cat "$D/said")" '*Program terminated with signal SIGSEGV*'
	like "$(cat "$D/said")" '* node_main (argc=*) at ./core/node/main.c:*'
}

it_tells_gdb_where_it_is_with_the_debug_archive() {
	if [ -z "$(command -v gdb)" ] || [ -z "$(command -v zstd)" ]; then
		skip 'gdb or zstd is not installed'
	fi
	project
	sed -i '0,/^    components:/s//    steps: [assemble, tar]\n    components:/' releases.yaml
	must kvrel build foo --quiet
	launcher=$D/project/_build/rel/foo/bin/foo
	start_daemon "$launcher"
	mkdir symbols && zstd -dcq _build/foo-0.0.1-debug.tar.zst | tar -xf - -C symbols
	gdb -batch -p "$pid" -ex "generate-core-file $D/core" >"$D/said" 2>&1
	[ -s "$D/core" ] || skip "gdb cannot attach here: $(tail -n 1 "$D/said")"
	stop_node
	gdb -batch -iex "set debug-file-directory $D/project/symbols" -iex 'set auto-load safe-path /' \
		"$(echo _build/rel/foo/runtime-1.0.0/lib/ld-linux-*)" "$D/core" -ex 'thread apply all bt' >"$D/said" 2>&1
	like "$(cat "$D/said")" '* node_main (argc=*) at ./core/node/main.c:*'
}

run_tests "$@"
