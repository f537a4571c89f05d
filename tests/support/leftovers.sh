# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by the test runners: finds what a test left running. A node detaches from the shell that started it, so it is
# recognised by what it runs and where: its executable or its working folder lies inside the test's own folder.

# leftovers DIR: the process ids of programs that run from inside DIR, one per line.
leftovers() {
	local link pid
	for link in /proc/[0-9]*; do
		pid=${link#/proc/}
		[ "$pid" = "$BASHPID" ] && continue
		case "$(readlink "$link/exe" 2>/dev/null)" in
		"$1"/*) echo "$pid" ;;
		esac
	done
}

# end_leftovers DIR: kills them; 1 and their names on stderr when there were any.
end_leftovers() {
	local pid found=0
	for pid in $(leftovers "$1"); do
		echo "left running: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" >&2
		kill -KILL "$pid" 2>/dev/null
		found=1
	done
	return $found
}
