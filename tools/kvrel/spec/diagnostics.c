/* SPDX-License-Identifier: MIT */
#include "spec/spec.h"

#include <stdio.h>
#include <stdlib.h>

static bool same_place(const struct origin *a, const struct origin *b)
{
	return a->line == b->line && a->column == b->column && a->file && b->file && strcmp(a->file, b->file) == 0;
}

static bool is_unreadable(const struct diagnostics *diagnostics, const struct origin *origin)
{
	for (size_t i = 0; i < diagnostics->count; i++)
		if (diagnostics->items[i].unreadable && same_place(&diagnostics->items[i].origin, origin))
			return true;
	return false;
}

void diagnostics_unreadable(struct diagnostics *diagnostics, const struct origin *origin, const char *message)
{
	size_t count = diagnostics->count;
	diagnostics_add(diagnostics, origin, false, "%s", message);
	if (diagnostics->count > count)
		diagnostics->items[count].unreadable = true;
}

void diagnostics_add(struct diagnostics *diagnostics, const struct origin *origin, bool warning, const char *format,
		     ...)
{
	if (diagnostics->count < DIAGNOSTICS_MAX && is_unreadable(diagnostics, origin))
		return;
	if (!warning)
		diagnostics->errors++;
	if (diagnostics->count == DIAGNOSTICS_MAX)
		return;
	/* grown at powers of two, so that no capacity needs to be kept */
	if ((diagnostics->count & (diagnostics->count - 1)) == 0) {
		size_t capacity = diagnostics->count ? 2 * diagnostics->count : 1;
		struct diagnostic *grown = arena_array(diagnostics->arena, capacity, sizeof(*grown));
		if (diagnostics->count)
			memcpy(grown, diagnostics->items, diagnostics->count * sizeof(*grown));
		diagnostics->items = grown;
	}
	char message[ERROR_MESSAGE_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	diagnostics->items[diagnostics->count++] = (struct diagnostic){
		.origin = *origin,
		.warning = warning,
		.message = arena_string(diagnostics->arena, message),
	};
}

/* releases.yaml comes first, the command line last. */
static int file_rank(const char *file)
{
	if (!file)
		return 3;
	if (strcmp(file, SPEC_FILE) == 0)
		return 0;
	return strncmp(file, "--", 2) == 0 ? 2 : 1;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare(const void *left, const void *right)
{
	const struct diagnostic *a = left, *b = right;
	int order = file_rank(a->origin.file) - file_rank(b->origin.file);
	if (order == 0 && a->origin.file && b->origin.file)
		order = strcmp(a->origin.file, b->origin.file);
	if (order == 0)
		order = compare_numbers(a->origin.line, b->origin.line);
	if (order == 0)
		order = compare_numbers(a->origin.column, b->origin.column);
	return order ? order : strcmp(a->message, b->message);
}

void diagnostics_sort(struct diagnostics *diagnostics)
{
	if (diagnostics->count)
		qsort(diagnostics->items, diagnostics->count, sizeof(*diagnostics->items), compare);
}
