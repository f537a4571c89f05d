/* SPDX-License-Identifier: MIT */
/*
 * libelf does the byte order and the bounds of the tables; what it hands out are raw chunks of the file. Addresses in
 * the dynamic section are turned into file offsets through PT_LOAD, as the loader would have mapped them.
 */
#include "closure/elf_file.h"

#include "base/json.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>

enum { DYNAMIC_MAX = 4096, NEEDED_MAX = 1024, NOTE_BYTES_MAX = 1 << 20 };
enum { NOTE_DLOPEN = 0x407c0c0a, PROPERTY_X86_ISA_NEEDED = 0xc0008002 };

static void end_elf(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
}

struct reader {
	struct arena *arena;
	Elf *elf;
	struct elf_info *info;
	size_t header_count;
};

static int damaged(const struct reader *reader, const char *what, struct error *err)
{
	return error_set(err, ERROR_INVALID, "'%s' is damaged: %s", reader->info->path, what);
}

/* File offset of a virtual address; false when no segment holds it. */
static bool to_offset(const struct reader *reader, uint64_t address, uint64_t *offset, uint64_t *available)
{
	for (size_t i = 0; i < reader->header_count; i++) {
		GElf_Phdr header;
		if (!gelf_getphdr(reader->elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		if (address < header.p_vaddr || address - header.p_vaddr >= header.p_filesz)
			continue;
		*offset = header.p_offset + (address - header.p_vaddr);
		*available = header.p_filesz - (address - header.p_vaddr);
		return true;
	}
	return false;
}

static Elf_Data *chunk(const struct reader *reader, uint64_t offset, uint64_t size, Elf_Type type)
{
	if (offset > reader->info->size_bytes || size > reader->info->size_bytes - offset)
		return NULL;
	return elf_getdata_rawchunk(reader->elf, (int64_t)offset, size, type);
}

static const char *string_at(const struct reader *reader, const Elf_Data *strings, uint64_t at)
{
	if (!strings || at >= strings->d_size)
		return NULL;
	const char *text = (const char *)strings->d_buf + at;
	size_t room = strings->d_size - at;
	size_t length = strnlen(text, room);
	return length == room ? NULL : arena_copy(reader->arena, (struct slice){ text, length });
}

/* The string table comes first: the entries that name strings may stand before it. */
static int find_strings(const struct reader *reader, Elf_Data *dynamic, size_t count, Elf_Data **out, struct error *err)
{
	uint64_t address = 0, size = 0;
	for (size_t i = 0; i < count; i++) {
		GElf_Dyn entry;
		if (!gelf_getdyn(dynamic, (int)i, &entry) || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_STRTAB)
			address = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRSZ)
			size = entry.d_un.d_val;
	}
	uint64_t offset, available;
	if (!address || !size || !to_offset(reader, address, &offset, &available) || size > available)
		return damaged(reader, "the dynamic section has no valid string table", err);
	*out = chunk(reader, offset, size, ELF_T_BYTE);
	return *out ? 0 : damaged(reader, "the dynamic string table lies outside the file", err);
}

static int read_dynamic(const struct reader *reader, const GElf_Phdr *header, struct error *err)
{
	struct elf_info *info = reader->info;
	if (info->needed)
		return damaged(reader, "it has two dynamic sections", err);
	Elf_Data *dynamic = chunk(reader, header->p_offset, header->p_filesz, ELF_T_DYN);
	if (!dynamic)
		return damaged(reader, "the dynamic section lies outside the file", err);
	size_t count = dynamic->d_size / gelf_fsize(reader->elf, ELF_T_DYN, 1, EV_CURRENT);
	if (count > DYNAMIC_MAX)
		count = DYNAMIC_MAX;
	Elf_Data *strings;
	int status = find_strings(reader, dynamic, count, &strings, err);
	if (status < 0)
		return status;
	info->needed = arena_array(reader->arena, count + 1, sizeof(*info->needed));
	for (size_t i = 0; i < count; i++) {
		GElf_Dyn entry;
		if (!gelf_getdyn(dynamic, (int)i, &entry) || entry.d_tag == DT_NULL)
			break;
		const char **slot = NULL;
		switch (entry.d_tag) {
		case DT_NEEDED:
			if (info->needed_count == NEEDED_MAX)
				return damaged(reader, "it needs over a thousand libraries", err);
			slot = &info->needed[info->needed_count++];
			break;
		case DT_SONAME:
			slot = &info->soname;
			break;
		case DT_RPATH:
			slot = &info->rpath;
			break;
		case DT_RUNPATH:
			slot = &info->runpath;
			break;
		case DT_FLAGS_1:
			info->program = entry.d_un.d_val & DF_1_PIE;
			break;
		case DT_AUDIT:
		case DT_DEPAUDIT:
			info->audits = true;
			break;
		default:
			break;
		}
		if (slot && !(*slot = string_at(reader, strings, entry.d_un.d_val)))
			return damaged(reader, "a name in the dynamic section is not in the string table", err);
	}
	return 0;
}

static void read_dlopen_entry(const struct reader *reader, const struct value *entry)
{
	const struct value *sonames = value_get(entry, "soname");
	if (!sonames || sonames->type != VALUE_LIST)
		return;
	struct elf_dlopen *out = &reader->info->dlopens[reader->info->dlopen_count];
	out->feature = value_text(value_get(entry, "feature"), "");
	const char *priority = value_text(value_get(entry, "priority"), "recommended");
	out->priority = strcmp(priority, "required") == 0    ? DLOPEN_REQUIRED
			: strcmp(priority, "suggested") == 0 ? DLOPEN_SUGGESTED
							     : DLOPEN_RECOMMENDED;
	out->sonames = arena_array(reader->arena, sonames->list.count + 1, sizeof(*out->sonames));
	for (size_t i = 0; i < sonames->list.count; i++) {
		const char *soname = value_text(sonames->list.items[i], NULL);
		if (soname && *soname && !strchr(soname, '/'))
			out->sonames[out->soname_count++] = soname;
	}
	if (out->soname_count)
		reader->info->dlopen_count++;
}

static int read_dlopen(const struct reader *reader, struct slice json, struct error *err)
{
	while (json.size && json.data[json.size - 1] == '\0')
		json.size--;
	struct value *list;
	int status = json_parse(reader->arena, json, "its dlopen note", &list, err);
	if (status < 0)
		return error_wrap(err, "'%s'", reader->info->path);
	if (list->type != VALUE_LIST)
		return damaged(reader, "its dlopen note is no list", err);
	struct elf_dlopen *all =
		arena_array(reader->arena, reader->info->dlopen_count + list->list.count + 1, sizeof(*all));
	if (reader->info->dlopen_count)
		memcpy(all, reader->info->dlopens, reader->info->dlopen_count * sizeof(*all));
	reader->info->dlopens = all;
	for (size_t i = 0; i < list->list.count; i++)
		read_dlopen_entry(reader, list->list.items[i]);
	return 0;
}

static uint32_t word_at(const struct reader *reader, const unsigned char *at)
{
	uint32_t big = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	return reader->info->big_endian ? big : __builtin_bswap32(big);
}

static void read_properties(const struct reader *reader, const unsigned char *data, size_t size)
{
	size_t align = reader->info->class_bits == 64 ? 8 : 4;
	while (size >= 8) {
		uint32_t type = word_at(reader, data), length = word_at(reader, data + 4);
		if (length > size - 8)
			return;
		if (type == PROPERTY_X86_ISA_NEEDED && length >= 4)
			reader->info->isa_needed |= word_at(reader, data + 8);
		size_t step = 8 + (((size_t)length + align - 1) & ~(align - 1));
		if (step > size)
			return;
		data += step;
		size -= step;
	}
}

static int read_note(const struct reader *reader, const GElf_Nhdr *note, const char *name, const unsigned char *data,
		     struct error *err)
{
	struct elf_info *info = reader->info;
	bool gnu = note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0;
	bool fdo = note->n_namesz == 4 && memcmp(name, "FDO", 4) == 0;
	if (fdo && note->n_type == NOTE_DLOPEN)
		return read_dlopen(reader, (struct slice){ (const char *)data, note->n_descsz }, err);
	if (gnu && note->n_type == NT_GNU_ABI_TAG && note->n_descsz >= 16 && word_at(reader, data) == ELF_NOTE_OS_LINUX)
		for (size_t i = 0; i < 3; i++)
			info->kernel[i] = word_at(reader, data + 4 + 4 * i);
	if (gnu && note->n_type == NT_GNU_PROPERTY_TYPE_0)
		read_properties(reader, data, note->n_descsz);
	if (gnu && note->n_type == NT_GNU_BUILD_ID && note->n_descsz <= 64) {
		char *hex = arena_alloc(reader->arena, 2 * note->n_descsz + 1);
		for (size_t i = 0; i < note->n_descsz; i++) {
			hex[2 * i] = "0123456789abcdef"[data[i] >> 4];
			hex[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
		}
		info->build_id = hex;
	}
	return 0;
}

static int read_notes(const struct reader *reader, const GElf_Phdr *header, struct error *err)
{
	if (header->p_filesz > NOTE_BYTES_MAX)
		return damaged(reader, "its notes are over 1 MiB", err);
	Elf_Type type = header->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
	Elf_Data *notes = chunk(reader, header->p_offset, header->p_filesz, type);
	if (!notes)
		return damaged(reader, "its notes lie outside the file", err);
	GElf_Nhdr note;
	size_t name_at, data_at, at = 0;
	while (at < notes->d_size && (at = gelf_getnote(notes, at, &note, &name_at, &data_at)) > 0) {
		int status = read_note(reader, &note, (const char *)notes->d_buf + name_at,
				       (const unsigned char *)notes->d_buf + data_at, err);
		if (status < 0)
			return status;
	}
	return 0;
}

static int read_headers(struct reader *reader, struct error *err)
{
	for (size_t i = 0; i < reader->header_count; i++) {
		GElf_Phdr header;
		if (!gelf_getphdr(reader->elf, (int)i, &header))
			return damaged(reader, elf_errmsg(-1), err);
		int status = 0;
		if (header.p_type == PT_DYNAMIC) {
			status = read_dynamic(reader, &header, err);
		} else if (header.p_type == PT_NOTE && header.p_filesz) {
			status = read_notes(reader, &header, err);
		} else if (header.p_type == PT_INTERP) {
			Elf_Data *path = chunk(reader, header.p_offset, header.p_filesz, ELF_T_BYTE);
			reader->info->interpreter = string_at(reader, path, 0);
			if (!reader->info->interpreter)
				status = damaged(reader, "the name of its interpreter lies outside the file", err);
		}
		if (status < 0)
			return status;
	}
	return 0;
}

static int open_file(const char *path, int *out, struct elf_info *info, struct error *err)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_system(err, errno, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_INVALID, "'%s' is no regular file", path);
	info->device = st.st_dev;
	info->inode = st.st_ino;
	info->size_bytes = (uint64_t)st.st_size;
	*out = TAKE_FD(fd);
	return 0;
}

int elf_inspect(struct arena *arena, const char *path, struct elf_info **out, struct error *err)
{
	struct elf_info *info = ARENA_NEW(arena, struct elf_info);
	info->path = arena_string(arena, path);
	SCOPE_FD int fd = -1;
	int status = open_file(path, &fd, info, err);
	if (status < 0)
		return status;
	elf_version(EV_CURRENT);
	SCOPE(end_elf) Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	GElf_Ehdr header;
	struct reader reader = { .arena = arena, .elf = elf, .info = info };
	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) ||
	    elf_getphdrnum(elf, &reader.header_count) < 0)
		return error_set(err, ERROR_INVALID, "'%s' is no ELF file", path);
	info->class_bits = header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	info->big_endian = header.e_ident[EI_DATA] == ELFDATA2MSB;
	info->machine = header.e_machine;
	info->type = header.e_type;
	status = read_headers(&reader, err);
	if (status < 0)
		return status;
	*out = info;
	return 0;
}

bool elf_is(const char *path)
{
	SCOPE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char magic[SELFMAG];
	return fd >= 0 && read(fd, magic, SELFMAG) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

bool elf_same_machine(const struct elf_info *a, const struct elf_info *b)
{
	return a->class_bits == b->class_bits && a->big_endian == b->big_endian && a->machine == b->machine;
}

const char *elf_machine_name(struct arena *arena, const struct elf_info *elf)
{
	switch (elf->machine) {
	case EM_X86_64:
		return elf->class_bits == 64 ? "x86-64" : "x32";
	case EM_386:
		return "i386";
	case EM_AARCH64:
		return "aarch64";
	case EM_ARM:
		return "arm";
	case EM_RISCV:
		return elf->class_bits == 64 ? "riscv64" : "riscv32";
	case EM_PPC64:
		return elf->big_endian ? "ppc64" : "ppc64le";
	case EM_S390:
		return "s390x";
	default:
		return arena_printf(arena, "machine %u", elf->machine);
	}
}
