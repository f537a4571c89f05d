/* SPDX-License-Identifier: MIT */
/* The two readers of content.h that a checker of its own folder does without. */
#include "bundle/content.h"

int content_read_archive(struct content_builder *builder, const char *path, struct error *err)
{
	(void)builder;
	return error_set(err, ERROR_UNSUPPORTED, "'%s' is no folder; 'kvrel verify' reads archives", path);
}

void content_note_elf(struct content_builder *builder, struct content_item *item, const char *file)
{
	(void)builder;
	(void)item;
	(void)file;
}
