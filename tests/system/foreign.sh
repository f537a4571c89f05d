#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A project that is not like this one: other languages, libraries of its own, odd names, odd places.
# shellcheck disable=SC2016 # $ORIGIN is the loader's
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# source NAME [CALLED]: a component that logs its name, and what the function CALLED of a library returns
source_of() {
	cat <<-SOURCE
		#include <kvrel/component.h>
		#include <stddef.h>
		#ifdef __cplusplus
		#include <stdexcept>
		#include <string>
		static int thrown() { try { throw std::runtime_error(std::string("x")); } catch (std::exception &e) { return 1; } }
		extern "C" {
		#else
		static int thrown(void) { return 0; }
		#endif
		${2:+int $2(void);}
		static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
		{
			*state = NULL;
			api->log(node, KVREL_INFO, "$1 says %d", thrown() ${2:++ $2()});
			return 0;
		}
		static void stop(void *state) { (void)state; }
		KVREL_EXPORT const struct kvrel_component *kvrel_component(void);
		const struct kvrel_component *kvrel_component(void)
		{
			static struct kvrel_component component;
			component.abi = KVREL_ABI; component.size = sizeof(component); component.name = "$1";
			component.start = start; component.stop = stop;
			return &component;
		}
		#ifdef __cplusplus
		}
		#endif
	SOURCE
}

function_of() { # NAME [CALLED]
	echo "${2:+int $2(void);} int $1(void); int $1(void) { return 20 ${2:++ $2()}; }"
}

shared() { # OUT FLAGS…: C or, with -x c++, C++ from stdin
	local out=$1
	shift
	cc -g -fPIC -shared -I"$SRC/core/include" -x c "$@" -o "$out" || fail "cannot compile $out"
}

# parts/ADA in C++ under a versioned name, with libraries of its own in a folder of its own, one of them with a blank in
# its name; BOB needs ADA; CYD lies behind a link and is linked to BOB's library; DEE, alone, has bounds.
foreign() {
	command -v c++ >/dev/null || skip 'no C++ compiler'
	mkdir -p "$1/parts/ada/vendor" "$1/parts/bob" "$1/parts/dee" "$1/elsewhere/cyd" && cd "$1" || exit 1
	ln -s ../elsewhere/cyd parts/cyd
	function_of wide | shared 'parts/ada/vendor/lib with blank.so.1' -Wl,-soname,'lib with blank.so.1' -
	function_of deep wide | shared parts/ada/vendor/libdeep.so.3.4 -Wl,-soname,libdeep.so.3 -Wl,-rpath,'$ORIGIN' - \
		-x none 'parts/ada/vendor/lib with blank.so.1'
	ln -s libdeep.so.3.4 parts/ada/vendor/libdeep.so.3
	source_of ada deep | shared parts/ada/libada.so.7.2 -x c++ -Wl,-soname,libada.so.7 -Wl,-rpath,'$ORIGIN/vendor' - \
		-x none parts/ada/vendor/libdeep.so.3.4 -Wl,--allow-shlib-undefined -lstdc++
	{ source_of bob && function_of bob_fn; } | shared parts/bob/bob.so -Wl,-soname,bob.so -
	source_of cyd bob_fn | shared elsewhere/cyd/cyd.so - -x none parts/bob/bob.so
	source_of dee | shared parts/dee/dee.so -
	printf 'name: ada\nversion: "7.2"\nlibrary: libada.so.7.2\n' >parts/ada/component.yaml
	printf 'name: bob\nversion: "1.0-rc.1"\ndependencies: [ada]\n' >parts/bob/component.yaml
	printf 'name: cyd\nversion: "2024.1"\ndependencies: [bob]\n' >elsewhere/cyd/component.yaml
	printf 'name: dee\nversion: "0.1"\nconfig: {size: {type: integer, min: 1, max: 9}}\n' >parts/dee/component.yaml
	cat >releases.yaml <<-'YAML'
		components: [parts]
		releases:
		  all: {version: {from_component: cyd}, components: {cyd: permanent, dee: load}}
	YAML
}

it_takes_what_components_need_and_those_libraries_need() {
	foreign "$D/p"
	must kvrel build --quiet
	must kvrel verify _build/rel/all
	must _build/rel/all/bin/all version
	is "$out" 'all 2024.1'
	is "$(cd _build/rel/all/runtime-1.0.0/lib && ls -d lib*with* libdeep* libstdc++*)" $'lib with blank.so.1\nlibdeep.so.3\nlibstdc++.so.6'
	# nothing of where it was built is needed
	mv parts parts.gone && mv _build/rel/all "$D/moved place"
	launcher=$D/moved\ place/bin/all
	start_foreground
	like "$(cat "$D/log")" '*ada says 41*bob says 0*cyd says 20*is ready*'
	stop_node
}

it_takes_what_components_bring_along_where_the_runtime_is_the_hosts() {
	foreign "$D/p"
	sed -i 's/dee: load}/dee: load}, include_runtime: false/' releases.yaml
	must kvrel build --quiet
	must kvrel verify _build/rel/all
	is "$(cd _build/rel/all && find . -name '*.so*' | sort | tr '\n' ' ')" './lib/ada-7.2/libada.so.7.2 ./lib/ada-7.2/vendor/lib with blank.so.1 ./lib/ada-7.2/vendor/libdeep.so.3 ./lib/bob-1.0-rc.1/bob.so ./lib/cyd-2024.1/cyd.so ./lib/dee-0.1/dee.so '
	mv parts parts.gone
	launcher=_build/rel/all/bin/all
	export KVREL_RUNTIME=$BUILD/lib/kvrel/runtime
	start_foreground
	like "$(cat "$D/log")" '*ada says 41*is ready*'
	stop_node
}

it_gives_the_same_bytes_wherever_the_project_lies() {
	local one place
	foreign "$D/p"
	sed -i 's/components: {cyd/steps: [assemble, tar], components: {cyd/' releases.yaml
	must kvrel build --quiet
	one=$(sha256sum <_build/all-2024.1.tar.zst)
	for place in 'b l a n k' $'new\nline' "quo'te" 'col:on;$HOME' ünï; do
		mkdir "$D/$place" && cp -a releases.yaml parts elsewhere "$D/$place/"
		(cd "$D/$place" && umask 077 && TZ=Asia/Tokyo LC_ALL=POSIX must kvrel build --quiet && must kvrel verify _build/rel/all) || exit 1
		is "$(sha256sum <"$D/$place/_build/all-2024.1.tar.zst")" "$one"
	done
}

it_says_where_to_find_the_launcher_as_a_shell_takes_it() {
	foreign "$D/it's here"
	must kvrel build --path 'o"ut;1'
	(cd "$D/it's here" && eval "$(sed -n 's/^    \(.*\) start$/\1 version/p' <<<"$out")") >said || fail 'no shell takes it'
	is "$(cat said)" 'all 2024.1'
}

it_refuses_libraries_that_the_loader_would_not_find() {
	foreign "$D/p"
	sed -i '/dependencies/d' elsewhere/cyd/component.yaml
	sed -i 's/{cyd: permanent, dee: load}/{cyd: permanent, bob: permanent}/' releases.yaml
	run kvrel build
	is "$status" 3
	like "$err" "*component 'cyd' needs 'bob.so', the library of component 'bob', which is opened later; add it to the dependencies of component 'cyd'"
	source_of dee | shared parts/dee/dee.so -Wl,-rpath,'$ORIGIN/../../../lib' -
	sed -i 's/{cyd: permanent, bob: permanent}/[dee]/' releases.yaml
	run kvrel build
	is "$status" 3
	like "$err" "*component 'dee'*RUNPATH entry '\$ORIGIN/../../../lib', which leads out of the bundle*"
	[ ! -e _build/rel ] || fail 'something was made'
}

it_builds_into_another_folder_from_a_project_it_may_not_write_to() {
	needs_root
	foreign "$D/p"
	if ! mount --bind "$D/p" "$D/p" || ! mount -o remount,ro,bind "$D/p"; then
		skip 'cannot mount here'
	fi
	cd "$D/p" || exit 1
	run kvrel build
	is "$status" 1
	like "$err" "*cannot make folder '$D/p/_build': Read-only file system"
	must kvrel build --quiet --path "$D/made"
	must kvrel build --quiet --path "$D/made" --overwrite --prove
	must kvrel verify "$D/made"
	is "$(compgen -G "$D/.[!.]*")" ''
}

it_is_verified_by_who_may_not_read_the_nodes_files() {
	needs_root
	foreign "$D/p"
	must kvrel build --quiet --path "$D/made"
	mkdir -m 700 "$D/made/data" "$D/made/tmp" "$D/made/lost+found"
	echo secret >"$D/made/releases/COOKIE" && chmod 600 "$D/made/releases/COOKIE"
	must setpriv --reuid 65534 --regid 65534 --clear-groups "$D/made/bin/all" verify
}

# As on NFS, which takes no lock on a folder, and on file systems that cannot exchange two names.
it_builds_where_the_file_system_knows_less() {
	command -v strace >/dev/null || skip 'strace is not installed'
	foreign "$D/p"
	must kvrel build --quiet
	mkdir _build/rel/all/data
	sed -i 's/dee: load}/dee: load}, config: {dee: {size: 3}}/' releases.yaml
	must strace -qq -f -o "$D/trace" -e inject=flock:error=EBADF:when=1 -e inject=renameat2:error=EINVAL \
		-e inject=copy_file_range:error=EXDEV kvrel build --quiet --overwrite
	grep -q 'flock.*INJECTED' "$D/trace" || fail 'nothing was injected'
	must kvrel verify _build/rel/all
	like "$(cat _build/rel/all/releases/2024.1/sys.yaml)" '*size: 3*'
	is "$(ls -A _build/rel)" $'.kvrel-lock\nall'
}

# A list without the packages would be a wrong one, for this build and, remembered, for those after it.
it_does_not_build_without_knowing_whose_libraries_they_are() {
	command -v dpkg-query >/dev/null || skip 'no Debian system'
	foreign "$D/p"
	mkdir "$D/broken" && printf '#!/bin/sh\nexit 2\n' >"$D/broken/dpkg" && chmod 755 "$D/broken/dpkg"
	PATH=$D/broken:$PATH run kvrel build
	is "$status" 1
	like "$err" "*cannot ask which packages the libraries are from: 'dpkg -S --' ended with exit code 2"
	must kvrel build --quiet
	is "$(jq -r '.packages[].name' _build/rel/all/releases/*/manifest.json | grep -x libc6)" libc6
}

# As the root of a container is: /proc and /dev beside the bundle's own folders.
it_is_whole_as_the_root_of_a_file_system() {
	needs_root
	foreign "$D/p"
	must kvrel build --quiet --path "$D/root"
	mkdir "$D/root/proc"
	unshare -m mount -t proc none "$D/root/proc" 2>/dev/null || skip 'cannot mount here'
	local rooted='mount -t proc none "$0/proc" && exec chroot "$0" /bin/all verify'
	run unshare -m sh -c "$rooted" "$D/root"
	is "$status:$out" '0:/ is as it was built'
	: >"$D/root/lib/added"
	run unshare -m sh -c "$rooted" "$D/root"
	is "$status:$out" '4:lib/added was added'
}

# What comes with a component asks the host neither for a configuration nor for modules.
it_keeps_libraries_of_components_off_the_host() {
	foreign "$D/p"
	mkdir parts/sec
	{
		source_of sec loaded
		cat <<-'SOURCE'
			#include <openssl/conf.h>
			#include <openssl/provider.h>
			int loaded(void)
			{
				return 10 * (OSSL_PROVIDER_load(NULL, "legacy") != NULL) +
				       OSSL_PROVIDER_available(NULL, "evil") + 100 * (OSSL_PROVIDER_load(NULL, "default") != NULL);
			}
		SOURCE
	} | shared parts/sec/sec.so - -lcrypto
	printf 'name: sec\nversion: "1"\n' >parts/sec/component.yaml
	sed -i 's/cyd: permanent/sec: permanent, &/' releases.yaml
	must kvrel build --quiet
	printf '%s\n' 'openssl_conf = a' '[a]' 'providers = b' '[b]' 'evil = c' '[c]' 'identity = legacy' 'activate = 1' >openssl.cnf
	export OPENSSL_CONF=$PWD/openssl.cnf
	launcher=$PWD/_build/rel/all/bin/all
	start_foreground
	like "$(cat "$D/log")" '*sec says 100*is ready*'
	stop_node
}

it_shows_no_control_characters_of_foreign_names() {
	local name
	foreign "$D/p"
	name=$(printf 'a\033[31mred\n\302\233b')
	mkdir -p rel/overlays && : >"rel/overlays/$name"
	must kvrel build --quiet
	echo changed >"_build/rel/all/$name"
	run kvrel verify _build/rel/all
	is "$status:$out" '4:a?[31mred??b was changed: it has 8 bytes, not 0'
	run _build/rel/all/bin/all verify
	is "$status:$out" '4:a?[31mred??b was changed: it has 8 bytes, not 0'
	run kvrel verify _build/rel/all --json
	is "$(jq -r '.mismatches[0].path' <<<"$out")" "$name"
}

run_tests "$@"
