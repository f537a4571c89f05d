/* SPDX-License-Identifier: MIT */
#include "exposition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 128, LABEL_BYTES = 256, FIRST_CAPACITY = 64 };

struct sample {
	char name[NAME_BYTES];
	char label[LABEL_BYTES]; /* {key="value"}, or nothing */
	const char *help;
	enum kvrel_metric_type type;
	double value;
	bool written;
};

/* Backslash, quote and line feed are escaped; a value that does not fit is cut. */
static void write_label(char out[LABEL_BYTES], const struct kvrel_metric *metric)
{
	size_t at = (size_t)snprintf(out, LABEL_BYTES, "{%.32s=\"", metric->label);
	for (size_t i = 0; i < metric->label_value.size && at < LABEL_BYTES - 5; i++) {
		char c = metric->label_value.data[i];
		if (c == '\\' || c == '"' || c == '\n')
			out[at++] = '\\';
		out[at++] = c == '\n' ? 'n' : c;
	}
	memcpy(out + at, "\"}", 3);
}

static bool make_room(struct exposition *exposition)
{
	if (exposition->count < exposition->capacity)
		return true;
	size_t capacity = exposition->capacity ? exposition->capacity * 2 : FIRST_CAPACITY;
	struct sample *samples = realloc(exposition->samples, capacity * sizeof(*samples));
	if (!samples)
		return false;
	exposition->samples = samples;
	exposition->capacity = capacity;
	return true;
}

void exposition_add(struct exposition *exposition, const struct kvrel_metric *metric)
{
	if (exposition->failed || !make_room(exposition)) {
		exposition->failed = true;
		return;
	}
	struct sample *sample = &exposition->samples[exposition->count++];
	*sample = (struct sample){ .help = metric->help, .type = metric->type, .value = metric->value };
	snprintf(sample->name, sizeof(sample->name), "%s", metric->name);
	if (metric->label)
		write_label(sample->label, metric);
}

static void write_value(FILE *out, double value)
{
	if (value > -1e15 && value < 1e15 && value == (double)(long long)value)
		fprintf(out, " %lld\n", (long long)value);
	else
		fprintf(out, " %.15g\n", value);
}

static void write_family(FILE *out, struct exposition *exposition, size_t first)
{
	const struct sample *head = &exposition->samples[first];
	bool counter = head->type == KVREL_COUNTER;
	fprintf(out, "# TYPE %s %s\n# HELP %s %s\n", head->name, counter ? "counter" : "gauge", head->name, head->help);
	for (size_t i = first; i < exposition->count; i++) {
		struct sample *sample = &exposition->samples[i];
		if (strcmp(sample->name, head->name) != 0)
			continue;
		sample->written = true;
		fprintf(out, "%s%s%s", sample->name, counter ? "_total" : "", sample->label);
		write_value(out, sample->value);
	}
}

char *exposition_text(struct exposition *exposition, size_t *size)
{
	char *text = NULL;
	FILE *out = exposition->failed ? NULL : open_memstream(&text, size);
	if (!out)
		return NULL;
	for (size_t i = 0; i < exposition->count; i++) {
		if (!exposition->samples[i].written)
			write_family(out, exposition, i);
	}
	fputs("# EOF\n", out);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}

void exposition_done(struct exposition *exposition)
{
	free(exposition->samples);
	*exposition = (struct exposition){ 0 };
}
