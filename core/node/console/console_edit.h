/* SPDX-License-Identifier: MIT */
/*
 * Editing a line on a terminal: keys go in, what is to be written to the terminal comes out, and now and then an event.
 * It touches no descriptor, so it can be tested as it is; the owner reads, writes and knows the terminal's width.
 *
 * Why not libedit: it measures and writes characters by the process's locale, and a bundle carries none (in the "C"
 * locale it neither takes nor shows anything but ASCII); it finds its way by terminfo, which an empty root does not
 * have; it cannot put its line aside while something else is written. With libtinfo, libbsd and libmd it would be half
 *a megabyte for what is here.
 *
 *	edit_begin        a prompt: an empty line
 *	edit_feed         … until it returns an event
 *	edit_hide/_show   around anything else that is written to the terminal while a line is open
 */
#ifndef NODE_CONSOLE_EDIT_H
#define NODE_CONSOLE_EDIT_H

#include "node/console/console_history.h"
#include "node/console/console_keys.h"
#include "node/console/console_line.h"

enum { EDIT_LINE_MAX = 256 << 10 };

enum edit_event {
	EDIT_NOTHING,  /* all bytes are used; more are needed */
	EDIT_LINE,     /* entered: edit->line.text; it stays on the screen */
	EDIT_END,      /* Ctrl-D on an empty line */
	EDIT_CANCEL,   /* Ctrl-C */
	EDIT_COMPLETE, /* Tab: edit_candidates() is to follow */
	EDIT_SUSPEND,  /* Ctrl-Z */
};

struct edit {
	struct buf out; /* to be written to the terminal; the owner clears it */
	struct line line;
	unsigned columns;
	struct history *history; /* borrowed */
	/* from here on its own */
	struct buf prompt;
	size_t place;        /* in the history; its count: the new line */
	struct buf new_line; /* as it was when the history was entered */
	struct buf needle;   /* of the search */
	bool cut;            /* more was typed than a line may have: what is here is not what was meant */
	bool searching;
	bool pasting; /* what comes is pasted: lines and characters, no keys; over several lines */
	bool open;    /* between edit_begin() and the event that ends the line */
	bool visible; /* on the screen now */
	unsigned cursor_row;
	struct buf drawn; /* what is on the screen when the cursor is at its end, else empty */
	unsigned end_column;
	struct key_decoder decoder;
};

void edit_init(struct edit *edit, struct history *history, unsigned columns);
void edit_done(struct edit *edit);

void edit_begin(struct edit *edit, struct slice prompt);
/* The same where the prompt stands on the screen already, as what was printed last; false when it is no plain text that
 * leaves room in its row. */
bool edit_begin_behind(struct edit *edit, struct slice shown);
/* Leaves the line on the screen, as an event that ends it does, and goes to the row below it. */
void edit_end(struct edit *edit);
/* Uses bytes up to the first event; *used says how many. */
enum edit_event edit_feed(struct edit *edit, struct slice bytes, size_t *used);
/* What may stand for the last `replace` bytes before the cursor: the one, or as much as they have in common, or a list
 * of them. */
void edit_candidates(struct edit *edit, size_t replace, const struct slice *words, size_t count);
void edit_hide(struct edit *edit);
void edit_show(struct edit *edit);
void edit_resize(struct edit *edit, unsigned columns);

#endif
