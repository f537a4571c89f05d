/* SPDX-License-Identifier: MIT */
#include "node/console/console_keys.h"

#include "base/scope.h"

#include <string.h>

enum { PLAIN, ESCAPE, SEQUENCE, LETTER };

static const struct {
	const char *sequence;
	int key;
} table[] = {
	{ "[A", KEY_UP },
	{ "OA", KEY_UP },
	{ "[B", KEY_DOWN },
	{ "OB", KEY_DOWN },
	{ "[C", KEY_RIGHT },
	{ "OC", KEY_RIGHT },
	{ "[D", KEY_LEFT },
	{ "OD", KEY_LEFT },
	{ "[H", KEY_HOME },
	{ "OH", KEY_HOME },
	{ "[1~", KEY_HOME },
	{ "[7~", KEY_HOME },
	{ "[F", KEY_END },
	{ "OF", KEY_END },
	{ "[4~", KEY_END },
	{ "[8~", KEY_END },
	{ "[3~", KEY_DELETE },
	{ "[1;5D", KEY_WORD_LEFT },
	{ "[1;3D", KEY_WORD_LEFT },
	{ "Od", KEY_WORD_LEFT },
	{ "b", KEY_WORD_LEFT },
	{ "[1;5C", KEY_WORD_RIGHT },
	{ "[1;3C", KEY_WORD_RIGHT },
	{ "Oc", KEY_WORD_RIGHT },
	{ "f", KEY_WORD_RIGHT },
	{ "d", KEY_KILL_WORD_RIGHT },
	{ "[3;5~", KEY_KILL_WORD_RIGHT },
	{ "\x7f", KEY_KILL_WORD_LEFT },
	{ "\b", KEY_KILL_WORD_LEFT },
	{ "[200~", KEY_PASTE_BEGIN },
	{ "[201~", KEY_PASTE_END },
};

static int end_of_sequence(struct key_decoder *decoder)
{
	decoder->state = PLAIN;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strlen(table[i].sequence) == decoder->size &&
		    memcmp(table[i].sequence, decoder->sequence, decoder->size) == 0)
			return table[i].key;
	}
	return KEY_UNKNOWN;
}

static void keep(struct key_decoder *decoder, unsigned char byte)
{
	if (decoder->size < sizeof(decoder->sequence))
		decoder->sequence[decoder->size++] = (char)byte;
}

int key_decode(struct key_decoder *decoder, unsigned char byte)
{
	/* a control character counts at once, so that Ctrl-C and Enter behind a lone Escape do */
	if (byte < 0x20 && byte != 0x1b && !(decoder->state == ESCAPE && byte == '\b'))
		decoder->state = PLAIN;
	switch (decoder->state) {
	case ESCAPE:
		if (byte == 0x1b)
			return KEY_NONE;
		keep(decoder, byte);
		decoder->state = byte == '[' ? SEQUENCE : byte == 'O' ? LETTER : PLAIN;
		return decoder->state == PLAIN ? end_of_sequence(decoder) : KEY_NONE;
	case SEQUENCE: /* parameters, then one byte from '@' to '~' */
		keep(decoder, byte);
		return byte >= 0x40 && byte <= 0x7e ? end_of_sequence(decoder) : KEY_NONE;
	case LETTER:
		keep(decoder, byte);
		return end_of_sequence(decoder);
	default:
		break;
	}
	if (byte != 0x1b)
		return byte;
	decoder->state = ESCAPE;
	decoder->size = 0;
	return KEY_NONE;
}
