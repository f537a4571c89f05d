/* SPDX-License-Identifier: MIT */
#include "node/console/console_terminal.h"

#include "base/fs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Terminals that know it put marks around what is pasted, so that its tabs are no questions and its bytes no keys. */
static const char tell_pastes[] = "\033[?2004h";
static const char hide_pastes[] = "\033[?2004l";

static struct termios usual;
static enum { USUAL, EDITING, HELD } mode;

bool terminal_can_edit(void)
{
	const char *name = getenv("TERM");
	struct termios now;
	return name != NULL && name[0] != '\0' && strcmp(name, "dumb") != 0 && tcgetattr(STDIN_FILENO, &now) == 0 &&
	       isatty(STDOUT_FILENO) == 1;
}

/* What was typed ahead stays. */
static bool apply(const struct termios *keys)
{
	return tcsetattr(STDIN_FILENO, TCSADRAIN, keys) == 0;
}

static struct termios keys_mode(void)
{
	struct termios keys = usual;
	keys.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
	keys.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
	keys.c_cc[VMIN] = 1;
	keys.c_cc[VTIME] = 0;
	return keys;
}

void terminal_edit(void)
{
	if (mode == EDITING || (mode == USUAL && tcgetattr(STDIN_FILENO, &usual) != 0))
		return;
	struct termios keys = keys_mode();
	if (!apply(&keys))
		return;
	if (mode == USUAL)
		(void)fs_write_all(STDOUT_FILENO, tell_pastes, sizeof(tell_pastes) - 1, NULL);
	mode = EDITING;
}

void terminal_hold(void)
{
	struct termios keys = keys_mode();
	keys.c_lflag |= ISIG;
	keys.c_cc[VSUSP] = keys.c_cc[VQUIT] = _POSIX_VDISABLE; /* a shell would find the terminal like this */
	if (mode == EDITING && apply(&keys))
		mode = HELD;
}

void terminal_restore(void)
{
	if (mode == USUAL)
		return;
	(void)fs_write_all(STDOUT_FILENO, hide_pastes, sizeof(hide_pastes) - 1, NULL);
	(void)apply(&usual);
	mode = USUAL;
}

unsigned terminal_columns(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}
