/* SPDX-License-Identifier: MIT */
/*
 * The control protocol: what bin/NAME and a running node say to each other over the node's Unix socket.
 * Shared by the launcher (static, libc only) and the node; no state, no I/O policy.
 *
 * Frames both ways: u32 length (big-endian, of what follows), u8 type, payload. At most CONTROL_FRAME_MAX bytes.
 *
 *	node → client on accept:  HELLO  u8 protocol version, u32 pid, then "NAME VERSION NODE" as text; or DONE: no
 *	                          more than so many at a time
 *	client → node:            one request, then the frames that the request allows
 *	node → client:            any number of OUT and ERR, then one DONE (u8 exit code, then one line of text or none)
 *
 * PING     → DONE 0                          the main loop answered
 * STATUS   → OUT (JSON), DONE
 * STOP     → DONE 0 when the stop has begun; the connection stays open until the process ends
 * RESTART  → DONE 0 when the new node is ready, DONE 1 with the reason when nothing was changed
 * CONFIG   payload: NUL-separated: "show", "get" or "diff", then "text" or "json", then the name of the setting or
 *          (diff) the next boot's settings as JSON → OUT, DONE
 * RPC      payload: NUL-separated: flags (words of "json" and "stdin"), chunk name, Lua text, then arguments for `arg`.
 *          → OUT/ERR while it runs, DONE. INTERRUPT or a closed connection ends the running expression. With "stdin"
 *          WANT may come: the expression reads its caller's stdin; the client answers with one INPUT, empty at the end.
 * CONSOLE  payload: "terminal" or nothing (a script without one). → PROMPT; then client sends LINE (one line of text
 *          without newline) for each PROMPT (payload: the prompt) … until an empty INPUT, or until it closes its
 *          sending end, which does not pass to another host; DONE then says whether an expression failed.
 *          INTERRUPT ends the running expression. COMPLETE (payload: the line up to the cursor) while a prompt
 *          waits → COMPLETIONS: NUL-separated: how many of its last bytes are to be replaced, in decimal, then what
 *          may stand for them.
 */
#ifndef BASE_CONTROL_H
#define BASE_CONTROL_H

#include "base/error.h"
#include "base/slice.h"

#include <sys/types.h>

enum { CONTROL_VERSION = 1, CONTROL_FRAME_MAX = 1 << 20, CONTROL_HEADER_BYTES = 5 };

enum control_type {
	CONTROL_HELLO = 'H',
	CONTROL_PING = 'p',
	CONTROL_STATUS = 's',
	CONTROL_STOP = 'x',
	CONTROL_RESTART = 'r',
	CONTROL_RPC = 'e',
	CONTROL_CONSOLE = 'c',
	CONTROL_CONFIG = 'g',
	CONTROL_LINE = 'l',
	CONTROL_COMPLETE = 't',
	CONTROL_INTERRUPT = 'i',
	CONTROL_INPUT = 'd',
	CONTROL_OUT = 'O',
	CONTROL_ERR = 'E',
	CONTROL_PROMPT = 'P',
	CONTROL_WANT = 'W',
	CONTROL_COMPLETIONS = 'T',
	CONTROL_DONE = 'D',
};

/* Writes the 5-byte header for a payload of `size` bytes. */
void control_header(char out[CONTROL_HEADER_BYTES], enum control_type type, size_t size);
/* One frame, blocking. INVALID when it is too long. Retries EINTR; EPIPE is an error, never a signal. */
int control_send(int fd, enum control_type type, struct slice payload, struct error *err);
/*
 * One frame, blocking, into `buffer`. Returns 1 and fills type and payload (a view into buffer), 0 at end of stream
 * between frames, negative otherwise.
 */
int control_receive(int fd, char *buffer, size_t buffer_size, char *type, struct slice *payload, struct error *err);

/* The first frame of bytes received so far: 1 and how many bytes it took, 0 when more are needed, negative when it is
 * too long or empty: the connection is then to be closed. For loops that read without blocking. */
int control_parse(struct slice input, char *type, struct slice *payload, size_t *consumed, struct error *err);

/*
 * The folder of sockets of this user: $XDG_RUNTIME_DIR/kvrel, else /tmp/kvrel-UID, else (no /tmp) fallback/kvrel. Made
 * with mode 0700 when `make`; refused when another user owns it or others can enter it. NOT_FOUND when absent and
 * !make. A node has NODE.sock and NODE.lock (locked by flock while it runs) there.
 */
int control_dir(char *out, size_t out_size, const char *fallback, bool make, struct error *err);
/* NODE.sock, NODE.lock …: the file of a node; a long name is shortened, the same way each time. */
enum { CONTROL_FILE_BYTES = 80 };
void control_file(char out[CONTROL_FILE_BYTES], const char *node, const char *suffix);
/* Connects to DIR/NODE.sock whatever the length of the path; checks the peer's user. NOT_FOUND: nobody answers there.
 * TRY_AGAIN: the node has not accepted for five seconds. */
int control_connect(const char *dir, const char *node, int *out_fd, struct error *err);
/* The same without waiting, for loops: the descriptor is non-blocking, TRY_AGAIN at once. */
int control_connect_now(const char *dir, const char *node, int *out_fd, struct error *err);
/* FAILED unless the other end belongs to this user: for both ends. */
int control_check_peer(int fd, struct error *err);
/* Binds and listens; the caller holds the lock, so a socket file in the way is stale and is removed. */
int control_listen(const char *dir, const char *node, int *out_fd, struct error *err);

/*
 * What NODE.lock says. A node that restarts gives its lock up with its image, and has no socket until the next image
 * listens: meanwhile the file tells that it will be back. Emptied by a node that has ended in good order.
 */
struct control_holder {
	pid_t pid;
	bool boots;    /* it has no socket yet; SIGTERM ends it */
	bool restarts; /* that very process lives, and becomes the next image of its node, or is it and boots */
};
enum control_note { CONTROL_SERVES, CONTROL_BOOTS, CONTROL_RESTARTS, CONTROL_RETURNS };
/* By who holds the lock, for itself. Nobody sees half of it. */
int control_lock_write(int fd, enum control_note note, struct error *err);
/* NOT_FOUND: it names no process. Whether the lock is held is another question. */
int control_lock_read(const char *path, struct control_holder *out, struct error *err);

#endif
