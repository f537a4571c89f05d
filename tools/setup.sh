# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by tools/quickstart and tools/check: what is missing on this machine, installing it, and configuring and compiling
# a build tree. Everything here may be repeated at any time and says nothing when there is nothing to do.

export LC_ALL=C
root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
program=$(basename -- "$0")

installed=no # whether this run has installed anything

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$'\e[1m' plain=$'\e[0m'
fi

step() {
	printf '%s\n' "$bold* $*$plain"
}

die() {
	printf '%s\n' "$program: $*" >&2
	exit 1
}

# wanted GROUP…: "package reason" lines of tools/packages.
wanted() {
	local group package reason
	while read -r group package reason; do
		case " $* " in
		*" $group "*) printf '%s %s\n' "$package" "$reason" ;;
		esac
	done < <(grep -v '^#' "$root/tools/packages")
}

# missing GROUP…: those of them that are not installed.
missing() {
	local list installed package reason
	list=$(wanted "$@")
	# shellcheck disable=SC2046 # package names are words
	installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $(cut -d ' ' -f 1 <<<"$list") 2>/dev/null)
	while read -r package reason; do
		grep -qx "$package installed" <<<"$installed" || printf '%s %s\n' "$package" "$reason"
	done <<<"$list"
}

# install GROUP…: installs what is missing, saying what and why. Nothing is removed or upgraded on the way.
install() {
	local list package reason packages=() as_root=() log
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		not_debian "$@"
	fi
	list=$(missing "$@")
	[ -n "$list" ] || return 0

	step "missing on this machine:"
	while read -r package reason; do
		printf '    %-18s %s\n' "$package" "$reason"
		packages+=("$package")
	done <<<"$list"

	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null || { ! [ -t 0 ] && ! sudo -n true 2>/dev/null; }; then
			die "installing them needs root, and sudo is not to be had here. As root, type:

    apt-get update
    apt-get install --no-install-recommends ${packages[*]}

then start $0 again."
		fi
		as_root=(sudo)
	fi

	step "installing ${#packages[@]} of them with apt-get"
	log=$(mktemp)
	if ! install_quietly "${packages[@]}" >"$log" 2>&1; then
		tail -n 25 "$log" >&2
		rm -f -- "$log"
		die "apt-get could not install: ${packages[*]}"
	fi
	rm -f -- "$log"
	installed=yes
}

install_quietly() {
	# an apt-get that was interrupted earlier refuses to work until this has been done
	if compgen -G '/var/lib/dpkg/updates/[0-9]*' >/dev/null; then
		"${as_root[@]}" dpkg --configure -a || return
	fi
	if ! all_known "$@"; then
		apt_get update || return
	fi
	# a package list that has grown old names files that are gone: fetch it anew and try once more
	apt_get install "$@" || { apt_get update && apt_get install "$@"; }
}

apt_get() {
	local command=$1 options=()
	shift
	[ "$command" = update ] || options=(--yes --no-install-recommends --no-remove)
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
		apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$command" "${options[@]}" "$@" </dev/null
}

# Does apt know where to get each of these?
all_known() {
	local package
	for package; do
		apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]' || return
	done
}

not_debian() {
	local package reason name
	name=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}")
	printf '%s\n' "$program: this is not Debian or a relative of it${name:+ but $name}: packages are installed by apt-get only." \
		"Install these, or what they are called here, then start $0 --no-install:" >&2
	while read -r package reason; do
		printf '    %-18s %s\n' "$package" "$reason" >&2
	done < <(wanted "$@")
	exit 1
}

# configure PRESET: makes _build/PRESET, unless it is there and knows all that is installed.
configure() {
	local preset=$1 tree=$root/_build/$1 log
	# a checkout that was copied or moved brings a build tree that belongs elsewhere
	if [ -f "$tree/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$tree/CMakeCache.txt"; then
		rm -rf -- "$tree"
	fi
	if [ -f "$tree/build.ninja" ] && [ $installed = no ]; then
		return 0
	fi
	step "configuring _build/$preset"
	log=$(mktemp)
	if ! (cd "$root" && cmake --preset "$preset") >"$log" 2>&1; then
		cat "$log" >&2
		rm -f -- "$log"
		die "cmake --preset $preset failed"
	fi
	rm -f -- "$log"
}

# compile PRESET: compiles _build/PRESET where that is needed. Quiet, but for a terminal's progress line.
compile() {
	local preset=$1 quiet=(--quiet)
	configure "$preset"
	if (cd "$root" && cmake --build --preset "$preset" -- -n 2>/dev/null | grep -q 'no work to do'); then
		return 0
	fi
	step "compiling _build/$preset"
	if [ -t 1 ]; then
		quiet=()
	fi
	(cd "$root" && cmake --build --preset "$preset" -- "${quiet[@]}") || die "cmake --build --preset $preset failed"
}
