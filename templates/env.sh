#!/bin/sh
# env.sh: read by a POSIX shell before every command of bin/<%= release.name %> (<%= release.name %> <%= release.version %>).
#
# It may change and export any variable, print, or exit: the command then ends with that code. RELEASE_ROOT,
# RELEASE_NAME, RELEASE_VSN, RELEASE_COMMAND and RELEASE_PROG are set already; "$@" holds the command and its arguments.
# While it holds nothing but comments no shell is started at all.
#
# ${X:-value} keeps what the caller has set; plain assignments win over it.

# -- A node that other hosts can reach ------------------------------------------------------------------------------
# By default (sname) nodes of one host and one user find each other and no port is opened. With `name` the node listens on
# the address of its host part, over TLS with the cookie as the key. Every node needs the same cookie.
#
#export RELEASE_DISTRIBUTION="${RELEASE_DISTRIBUTION:-name}"
#export RELEASE_NODE="${RELEASE_NODE:-<%= release.name %>@127.0.0.1}"
#
# None at all: no other node, no rpc from elsewhere.
#export RELEASE_DISTRIBUTION="${RELEASE_DISTRIBUTION:-none}"

# -- The cookie ----------------------------------------------------------------------------------------------------
# From a file that only the service's user can read, for instance one that systemd hands over (LoadCredential=cookie:...).
#
#export RELEASE_COOKIE_FILE="${RELEASE_COOKIE_FILE:-$CREDENTIALS_DIRECTORY/cookie}"

# -- Where it writes -----------------------------------------------------------------------------------------------
# Data that must survive an update, and files that need not. Both default into the bundle.
#
#export RELEASE_DATA="${RELEASE_DATA:-/var/lib/<%= release.name %>}"
#export RELEASE_TMP="${RELEASE_TMP:-/run/<%= release.name %>}"

# -- Started again by itself ---------------------------------------------------------------------------------------
# With --heart in vm.args: what the shell runs when the node has died or hangs. Without it: `daemon`.
#
#case "$RELEASE_COMMAND" in
#daemon*) export HEART_COMMAND="$RELEASE_ROOT/bin/$RELEASE_NAME $RELEASE_COMMAND" ;;
#esac

# -- When components are loaded ------------------------------------------------------------------------------------
# embedded (the default): every component before the first one starts, so that a broken one stops the boot.
# interactive: on first use.
#
#export RELEASE_MODE="${RELEASE_MODE:-interactive}"

# -- Anything that the host knows and the build does not -----------------------------------------------------------
# runtime.lua reads variables with env("NAME").
#
#export PORT="${PORT:-4040}"
