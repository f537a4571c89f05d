# SPDX-License-Identifier: MIT
# Sourced by the pages of this folder.

# bundle [NAME]: a bundle of that name (foo) with the real launcher and fakenode for a runtime.
bundle() {
	local name=${1:-foo}
	mkdir -p "$name"/bin "$name"/runtime-1.0.0/bin "$name"/runtime-1.0.0/lib/ld "$name"/releases/0.0.1 || return
	cp "$BUILD/lib/kvrel/runtime/launcher" "$name/bin/$name" &&
		cp "$BUILD/tests/cli/launcher/fakenode" "$name/runtime-1.0.0/lib/ld/kvnode" &&
		touch "$name"/runtime-1.0.0/bin/kvnode "$name"/releases/0.0.1/{vm.args,remote.vm.args,sys.yaml} &&
		echo '1.0.0 0.0.1' >"$name/releases/start.data"
}

# Without this machine's files in the way: a fake host name is not possible, the runner writes @HOST.
unset FAKE FAKE_STOP FAKE_RESTART SHOW
