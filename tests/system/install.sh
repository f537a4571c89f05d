#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An installed kvrel: it finds its own files, and packages a component of a project that is not this one.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

it_builds_and_runs_a_component_of_another_project() {
	must cmake --install "$BUILD" --prefix "$D/usr"
	mkdir -p app/greeter && cd app || exit 1
	cat >CMakeLists.txt <<-'END'
		cmake_minimum_required(VERSION 3.25)
		project(app LANGUAGES C)
		find_package(kvrel REQUIRED)
		kvrel_add_component(greeter greeter/greeter.c)
	END
	cat >greeter/component.yaml <<-'END'
		name: greeter
		version: "1.2.3"
		description: says hello
		config:
		  greeting: {type: string, default: hello, doc: "how it greets"}
	END
	cat >greeter/greeter.c <<-'END'
		#include <kvrel/component.h>

		static int start(struct kvrel_node *node, const struct kvrel_api *api, void **state)
		{
			(void)node;
			(void)api;
			*state = 0;
			return 0;
		}

		static void stop(void *state)
		{
			(void)state;
		}

		static const struct kvrel_component component = {
			.abi = KVREL_ABI, .size = sizeof(component), .name = "greeter", .start = start, .stop = stop,
		};

		KVREL_EXPORT const struct kvrel_component *kvrel_component(void)
		{
			return &component;
		}
	END
	cat >releases.yaml <<-'END'
		components: [greeter]
		releases:
		  app:
		    version: "3.0.0"
		    components: {greeter: permanent}
		    config: {greeter: {greeting: hi}}
	END
	must cmake -S . -B _build/release -G Ninja -D CMAKE_PREFIX_PATH="$D/usr"
	must cmake --build _build/release
	PATH=$D/usr/bin:$PATH must kvrel init
	like "$out" '*\* creating rel/vm.args*'
	PATH=$D/usr/bin:$PATH must kvrel build
	must _build/rel/app/bin/app version
	is "$out" 'app 3.0.0'
	start_daemon "$PWD/_build/rel/app/bin/app"
	must _build/rel/app/bin/app rpc 'return app.env("greeter", "greeting")'
	is "$out" hi
	stop_node
}

# A library of the project itself: compilers would leave this folder's name in the component, which no bundle may hold.
it_packages_a_component_of_cxx_with_a_library_of_the_project() {
	must cmake --install "$BUILD" --prefix "$D/usr"
	mkdir -p app/core/adder app/sums && cd app || exit 1
	cat >CMakeLists.txt <<-'END'
		cmake_minimum_required(VERSION 3.25)
		project(app LANGUAGES CXX)
		find_package(kvrel REQUIRED)
		add_library(sums SHARED sums/sums.cc)
		set_target_properties(sums PROPERTIES VERSION 1.2.3 SOVERSION 1 LIBRARY_OUTPUT_DIRECTORY sums)
		kvrel_add_component(adder core/adder/adder.cc)
		target_link_libraries(adder PRIVATE sums)
	END
	printf 'name: adder\nversion: "1.0"\n' >core/adder/component.yaml
	printf 'int sum(int a, int b);\nint sum(int a, int b) { return a + b; }\n' >sums/sums.cc
	cat >core/adder/adder.cc <<-'END'
		#include <kvrel/component.h>
		#include <string>
		int sum(int a, int b);
		static int start(kvrel_node *node, const kvrel_api *api, void **)
		{
			api->log(node, KVREL_INFO, "the sum is %s", std::to_string(sum(2, 3)).c_str());
			return 0;
		}
		static void stop(void *) {}
		KVREL_EXPORT const kvrel_component *kvrel_component()
		{
			static struct kvrel_component component;
			component.abi = KVREL_ABI, component.size = sizeof(component), component.name = "adder";
			component.start = start, component.stop = stop;
			return &component;
		}
	END
	printf 'releases: {app: {version: "1", components: [adder]}}\n' >releases.yaml
	must cmake -S . -B _build/release -G Ninja -D CMAKE_PREFIX_PATH="$D/usr"
	must cmake --build _build/release
	must "$D/usr/bin/kvrel" build --quiet
	start_daemon "$PWD/_build/rel/app/bin/app"
	must "$launcher" logs
	like "$out" '*adder: the sum is 5*'
	stop_node
	printf 'int unknown() { return 1; }\n' >core/adder/adder.cc
	must cmake --build _build/release
	run "$D/usr/bin/kvrel" build --overwrite
	is "$status" 3
	like "$err" "*component 'adder' (*adder.so') exports no function 'kvrel_component'*KVREL_EXPORT*"
}

it_begins_a_project_that_builds_and_runs_as_it_is() {
	must cmake --install "$BUILD" --prefix "$D/usr"
	export PATH=$D/usr/bin:$PATH CMAKE_PREFIX_PATH=$D/usr
	must kvrel new hello
	cd hello || exit 1
	must cmake --preset release
	must kvrel build
	must ctest --test-dir _build/release
	start_daemon "$PWD/_build/rel/hello/bin/hello"
	must _build/rel/hello/bin/hello rpc 'return #app.list()'
	is "$out" 1
	stop_node
}

it_leaves_nothing_behind_but_what_it_lists() {
	must cmake --install "$BUILD" --prefix "$D/usr"
	sort "$BUILD/install_manifest.txt" >listed
	find usr ! -type d | sed "s|^|$D/|" | sort >installed
	must diff listed installed
}

run_tests "$@"
