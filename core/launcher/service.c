/* SPDX-License-Identifier: MIT */
/*
 * The systemd unit of a bundle, as text. Hardened as far as a network service with a data folder allows: a user of its
 * own, no capabilities, nothing writable but its state, no devices, no kernel settings, the usual system calls. A unit
 * of a user's own manager keeps what works without privileges.
 *
 * NotifyAccess=main suffices: launcher, shell and runtime are one process id.
 */
#include "service.h"

#include "launcher.h"

#include <string.h>

/* What every service gets; seccomp and no_new_privs need no privileges. */
static const char common[] = "UMask=0077\n"
			     "LimitNOFILE=65536\n"
			     "NoNewPrivileges=yes\n"
			     "LockPersonality=yes\n"
			     "MemoryDenyWriteExecute=yes\n"
			     "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n"
			     "RestrictNamespaces=yes\n"
			     "RestrictRealtime=yes\n"
			     "RestrictSUIDSGID=yes\n"
			     "SystemCallArchitectures=native\n"
			     "SystemCallFilter=@system-service\n"
			     "SystemCallFilter=~@privileged\n"
			     "SystemCallErrorNumber=EPERM\n";

static const char system_only[] = "CapabilityBoundingSet=\n"
				  "# for ports below 1024: remove the line above and PrivateUsers, and add\n"
				  "#AmbientCapabilities=CAP_NET_BIND_SERVICE\n"
				  "DevicePolicy=closed\n"
				  "KeyringMode=private\n"
				  "PrivateDevices=yes\n"
				  "PrivateTmp=yes\n"
				  "PrivateUsers=yes\n"
				  "ProcSubset=pid\n"
				  "ProtectClock=yes\n"
				  "ProtectControlGroups=yes\n"
				  "ProtectHostname=yes\n"
				  "ProtectKernelLogs=yes\n"
				  "ProtectKernelModules=yes\n"
				  "ProtectKernelTunables=yes\n"
				  "ProtectProc=invisible\n"
				  "ProtectSystem=strict\n"
				  "RemoveIPC=yes\n";

/* A word of a unit file: quoted, specifiers and variables not expanded. */
static void append_word(struct buf *out, const char *word)
{
	buf_append_char(out, '"');
	for (; *word; word++) {
		if (strchr("\"\\", *word))
			buf_append_char(out, '\\');
		else if (*word == '%' || *word == '$')
			buf_append_char(out, *word);
		buf_append_char(out, *word);
	}
	buf_append_char(out, '"');
}

/* The same for a setting that is one path: specifiers alone count there. */
static void append_path(struct buf *out, const char *path)
{
	for (; *path; path++) {
		if (*path == '%')
			buf_append_char(out, '%');
		buf_append_char(out, *path);
	}
}

static bool is_below(const char *path, const char *folder)
{
	size_t size = strlen(folder);

	return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static void append_places(struct buf *out, const struct service *service)
{
	const char *name = service->name;

	buf_printf(out, "StateDirectory=%s\nStateDirectoryMode=0700\nRuntimeDirectory=%s\nRuntimeDirectoryMode=0700\n",
		   name, name);
	/* the control socket lies in the runtime folder: with a private /tmp nobody else would find it */
	buf_printf(out, "Environment=RELEASE_DATA=%%S/%s RELEASE_TMP=%%t/%s XDG_RUNTIME_DIR=%%t/%s\n", name, name,
		   name);
	/* a bundle in a place that the sandbox hides must be seen nevertheless */
	buf_printf(out, "ProtectHome=%s\n",
		   is_below(service->root, "/home") || is_below(service->root, "/root") ? "read-only" : "yes");
}

static void append_cookie(struct buf *out, const struct service *service)
{
	const char *mark = service->cookie_file ? "" : "#";

	if (!service->cookie_file)
		buf_append_string(
			out, "# for RELEASE_DISTRIBUTION=name: the cookie, from a file that root alone can read\n");
	buf_printf(out, "%sLoadCredential=cookie:", mark);
	if (service->cookie_file)
		append_path(out, service->cookie_file);
	else
		buf_printf(out, "/etc/%s/cookie", service->name);
	buf_printf(out, "\n%sEnvironment=RELEASE_COOKIE_FILE=%%d/cookie\n", mark);
}

static void append_service(struct buf *out, const struct service *service)
{
	buf_append_string(out, "[Service]\nType=notify\nNotifyAccess=main\nExecStart=");
	append_word(out, service->launcher);
	buf_append_string(out, " start\nExecReload=kill -HUP $MAINPID\nRestart=on-failure\nRestartSec=1s\n");
	/* a node whose main thread hangs is aborted, which leaves a backtrace in the journal */
	buf_append_string(out, "WatchdogSec=60s\n");
	/* a node that replays its log may take a while; its own limit for a stop is 30 s */
	buf_append_string(out, "TimeoutStartSec=5min\nTimeoutStopSec=45s\nKillMode=mixed\n");
	if (!service->user_manager) {
		if (service->run_as)
			buf_printf(out, "User=%s\n", service->run_as);
		else
			buf_printf(out, "DynamicUser=yes\nUser=%s\n", service->name);
		append_places(out, service);
		append_cookie(out, service);
		buf_append_string(out, system_only);
	}
	if (service->node) { /* an address may hold a '%' */
		buf_append_string(out, "Environment=RELEASE_DISTRIBUTION=name RELEASE_NODE=");
		append_path(out, service->node);
		buf_append_char(out, '\n');
	}
	buf_append_string(out, common);
}

void service_unit(struct buf *out, const struct service *service)
{
	buf_printf(out, SERVICE_MARK "; '%s uninstall' removes it.\n", service->name);
	if (!service->user_manager)
		buf_printf(out, "# rpc and remote: sudo -u %s XDG_RUNTIME_DIR=/run/%s %s remote\n",
			   service->run_as ? service->run_as : service->name, service->name, service->launcher);
	buf_printf(out, "[Unit]\nDescription=%s %s\n", service->name, service->version);
	if (!service->user_manager)
		buf_append_string(out, "Wants=network-online.target\nAfter=network-online.target\n");
	buf_append_char(out, '\n');
	append_service(out, service);
	buf_printf(out, "\n[Install]\nWantedBy=%s\n", service->user_manager ? "default.target" : "multi-user.target");
}
