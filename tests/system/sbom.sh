#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The bill of materials: valid by the schemas of its standards, true of the bundle, and complete down to static libraries.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

check_bom() {
	/usr/bin/python3 -c 'import jsonschema' 2>/dev/null || skip 'python3-jsonschema is not installed'
	run "$SRC/tests/support/check-bom" "$@"
}

# linked JQ-OBJECT: the packages inside it, sorted
linked() {
	jq -r --arg name "$1" '
		(.files[] | select(.fileName == $name) | .SPDXID), (.packages[] | select(.name == $name) | .SPDXID)' sbom >id
	jq -r --arg id "$(cat id)" '
		(.packages | map({(.SPDXID): .name}) | add) as $names | .relationships[] |
		select(.relationshipType == "STATIC_LINK" and .spdxElementId == $id) | $names[.relatedSpdxElement]' sbom | sort | tr '\n' ' '
}

it_is_valid_spdx_and_true() {
	bundle foo
	check_bom foo foo/releases/0.0.1/sbom.spdx.json
	is "$status:$out" 0:
}

it_is_valid_cyclonedx_and_true() {
	project
	must kvrel build foo --quiet --sbom cyclonedx
	check_bom _build/rel/foo _build/rel/foo/releases/0.0.1/sbom.cdx.json
	is "$status:$out" 0:
}

# The checks themselves bite.
it_would_be_found_out() {
	local change
	bundle foo
	for change in 'del(.documentNamespace)' '.files[0].checksums[1].checksumValue = "00"' '.packages[1].primaryPackagePurpose = "TOY"' \
		'.relationships[3].relatedSpdxElement = "SPDXRef-nothing"' 'del(.files[2])' '.packages[0].SPDXID = .packages[1].SPDXID' \
		'.packages[2].packageVerificationCode.packageVerificationCodeValue = "0000000000000000000000000000000000000000"' '.extra = 1'; do
		jq "$change" foo/releases/0.0.1/sbom.spdx.json >changed
		check_bom foo changed
		is "$status" 1
		[ -n "$out" ] || fail "nothing was said of: $change"
	done
}

it_names_what_is_linked_into_programs() {
	bundle foo
	cp foo/releases/0.0.1/sbom.spdx.json sbom
	is "$(linked ./bin/foo)" 'musl-dev '
	like "$(linked ./runtime-1.0.0/lib/libkvdist.so)" '*libssl-dev *'
	like "$(linked ./runtime-1.0.0/bin/kvbundle)" '*libssl-dev *'
	is "$(jq -r '.packages[] | select(.name == "libssl-dev") | .sourceInfo, .externalRefs[0].referenceLocator' sbom | cut -d ' ' -f 1-5 | cut -d @ -f 1)" \
		$'built from source package openssl\npkg:deb/debian/libssl-dev'
	# whatever of it is not in a file of its own: the code would be somewhere else
	is "$(find foo -name 'libssl*' -o -name 'libcrypto*')" foo/share/licenses/libssl-dev
}

it_names_what_is_in_the_head_of_a_run_file() {
	project
	sed -i '0,/^    components:/s//    steps: [assemble, self_extract]\n    components:/' releases.yaml
	must kvrel build foo --quiet
	cp _build/rel/foo/releases/0.0.1/sbom.spdx.json sbom
	is "$(linked kvrel-unpacker | sed 's/libgcc-[0-9]*-dev/libgcc-dev/')" 'libc6-dev libgcc-dev libjansson-dev libssl-dev libzstd-dev '
	check_bom _build/rel/foo sbom
	is "$status:$out" 0:
}

it_comes_with_the_terms_of_all_it_names() {
	local name
	bundle foo
	jq -r '.packages[] | select(.externalRefs) | .name' foo/releases/0.0.1/sbom.spdx.json | while read -r name; do
		[ -s "foo/share/licenses/$name/copyright" ] || fail "no terms of $name"
	done || exit 1
	# and of nothing else but kvrel and the components
	is "$(find foo/share/licenses -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' ')" \
		"$( (jq -r '.packages[] | select(.externalRefs) | .name' foo/releases/0.0.1/sbom.spdx.json && echo kvrel) | sort | tr '\n' ' ')"
}

run_tests "$@"
