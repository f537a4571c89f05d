/* SPDX-License-Identifier: MIT */
/*
 * OpenMetrics text. The figures come in any order; the format wants all samples of one family together, behind its
 * type and help. So they are collected first: at most a few hundred, each a line.
 */
#ifndef METRICS_EXPOSITION_H
#define METRICS_EXPOSITION_H

#include "kvrel/component.h"

struct sample;

struct exposition {
	struct sample *samples;
	size_t count, capacity;
	bool failed; /* no memory */
};

/* Copies what it needs. */
void exposition_add(struct exposition *exposition, const struct kvrel_metric *metric);
/* The whole text, from malloc, *size without the NUL behind it; NULL without memory. */
char *exposition_text(struct exposition *exposition, size_t *size);
void exposition_done(struct exposition *exposition);

#endif
