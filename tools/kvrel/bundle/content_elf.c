/* SPDX-License-Identifier: MIT */
/* What the ELF files of a bundle demand. A file of its own, as the checker that bundles carry has no use for it. */
#include "bundle/content.h"

#include "base/path.h"
#include "base/scope.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* glibc says its version in a sentence that its users know from bug reports. */
static const char *glibc_version(struct arena *arena, const char *file)
{
	static const char sentence[] = "release version ";
	SCOPE_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
		return NULL;
	void *image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		return NULL;
	const char *at = memmem(image, (size_t)st.st_size, sentence, sizeof(sentence) - 1), *out = NULL;
	if (at) {
		at += sizeof(sentence) - 1;
		size_t room = (size_t)((char *)image + st.st_size - at), length = 0;
		while (length < room && length < 16 && strchr("0123456789.", at[length]) && at[length])
			length++;
		while (length && at[length - 1] == '.')
			length--;
		out = arena_copy(arena, (struct slice){ at, length });
	}
	munmap(image, (size_t)st.st_size);
	return out;
}

void content_note_elf(struct content_builder *builder, struct content_item *item, const char *file)
{
	struct elf_info *elf;
	if (!elf_is(file) || elf_inspect(builder->arena, file, &elf, NULL) < 0)
		return;
	item->elf = elf;
	if (strcmp(path_base(item->path), "libc.so.6") == 0)
		item->glibc_version = glibc_version(builder->arena, file);
}
