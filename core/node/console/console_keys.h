/* SPDX-License-Identifier: MIT */
/*
 * What a terminal sends, byte by byte, as keys. The sequences are those that all terminals of today share (xterm's and
 * the VT220's), so that no database of terminals is needed.
 */
#ifndef NODE_CONSOLE_KEYS_H
#define NODE_CONSOLE_KEYS_H

#include <stddef.h>

/* Printable bytes and control bytes stand for themselves; what follows is above them. */
enum key {
	KEY_NONE = 0x100, /* the sequence is not complete */
	KEY_UNKNOWN,      /* a whole sequence that means nothing here */
	KEY_UP,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_HOME,
	KEY_END,
	KEY_DELETE,
	KEY_WORD_LEFT,
	KEY_WORD_RIGHT,
	KEY_KILL_WORD_LEFT,
	KEY_KILL_WORD_RIGHT,
	KEY_PASTE_BEGIN, /* what comes until the end was not typed */
	KEY_PASTE_END,
};
#define KEY_CONTROL(letter) ((letter)&0x1f)

struct key_decoder {
	char sequence[16]; /* behind the escape */
	size_t size;
	int state;
};

/* Takes the next byte. */
int key_decode(struct key_decoder *decoder, unsigned char byte);

#endif
