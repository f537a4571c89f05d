/* SPDX-License-Identifier: MIT */
/*
 * Sections say it in an order that can be read at once, the loader's hash tables do not. Who took the sections out has
 * a file that is not refused here: the node looks again when it opens it.
 */
#include "closure/elf_file.h"

#include "base/scope.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>

static void end_elf(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
}

static bool is_export(Elf *elf, size_t strings, const GElf_Sym *symbol, const char *name)
{
	unsigned binding = GELF_ST_BIND(symbol->st_info), visibility = GELF_ST_VISIBILITY(symbol->st_other);
	const char *called = elf_strptr(elf, strings, symbol->st_name);
	return called && strcmp(called, name) == 0 && symbol->st_shndx != SHN_UNDEF && binding != STB_LOCAL &&
	       (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

static bool has_export(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *name)
{
	Elf_Data *symbols = elf_getdata(section, NULL);
	GElf_Sym symbol;
	for (int i = 1; symbols && gelf_getsym(symbols, i, &symbol); i++)
		if (is_export(elf, header->sh_link, &symbol, name))
			return true;
	return false;
}

bool elf_lacks_export(const char *path, const char *name)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	elf_version(EV_CURRENT);
	SCOPE(end_elf) Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
	bool seen = false;
	for (Elf_Scn *section = NULL; elf && (section = elf_nextscn(elf, section));) {
		GElf_Shdr header;
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM)
			continue;
		if (has_export(elf, section, &header, name))
			return false;
		seen = true;
	}
	return seen;
}
