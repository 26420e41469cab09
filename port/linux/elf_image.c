/* SPDX-License-Identifier: MIT */
/*
 * elf_image.c: reads ELF headers. Structs are copied out of the file, since
 * they need not be aligned there; every number is held against what can be
 * read, and every loop has an end that no number of the file moves.
 */
#include "elf_image.h"

#include <string.h>

/* Program headers and entries of the dynamic section that are looked at. */
#define SEGMENTS_MAX 128u
#define ENTRIES_MAX  512u

/* Strings are read in pieces of this size; only so many bytes of them are
 * looked at, which is more than all but giants have. */
#define PIECE_BYTES   1024u
#define STRINGS_BYTES ((uint64_t)1 << 20)

/* A part of the file. */
struct span {
	uint64_t offset;
	uint64_t length;
};

static bool
source_copy(const struct elf_source *source, uint64_t offset, void *to,
    size_t size)
{
	return source->copy(source->ctx, offset, to, size);
}

unsigned
elf_own_machine(void)
{
#if defined(__x86_64__)
	return EM_X86_64;
#elif defined(__aarch64__)
	return EM_AARCH64;
#elif defined(__riscv)
	return EM_RISCV;
#else
	return EM_NONE;
#endif
}

bool
elf_image_header(const struct elf_source *source, Elf64_Ehdr *header)
{
	return source_copy(source, 0, header, sizeof(*header));
}

bool
elf_image_segment(const struct elf_source *source, const Elf64_Ehdr *header,
    unsigned index, Elf64_Phdr *segment)
{
	uint64_t offset = (uint64_t)index * sizeof(*segment);
	return header->e_phentsize == sizeof(*segment) &&
	       index < SEGMENTS_MAX && index < header->e_phnum &&
	       !__builtin_add_overflow(offset, header->e_phoff, &offset) &&
	       source_copy(source, offset, segment, sizeof(*segment));
}

/* The first program header of a type. */
static bool
find_segment(const struct elf_source *source, const Elf64_Ehdr *header,
    uint32_t type, Elf64_Phdr *segment)
{
	for (unsigned i = 0; elf_image_segment(source, header, i, segment);
	     i++) {
		if (segment->p_type == type)
			return true;
	}
	return false;
}

/* Where in the file an address of the loaded image lies. */
static bool
file_offset(const struct elf_source *source, const Elf64_Ehdr *header,
    uint64_t address, uint64_t *offset)
{
	Elf64_Phdr segment;
	for (unsigned i = 0; elf_image_segment(source, header, i, &segment);
	     i++) {
		if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
		    address - segment.p_vaddr >= segment.p_filesz)
			continue;
		return !__builtin_add_overflow(address - segment.p_vaddr,
		    segment.p_offset, offset);
	}
	return false;
}

/* The strings of the dynamic section. */
static bool
find_strings(const struct elf_source *source, const Elf64_Ehdr *header,
    struct span *strings)
{
	Elf64_Phdr dynamic;
	Elf64_Dyn entry;
	uint64_t address = 0, at;

	if (!find_segment(source, header, PT_DYNAMIC, &dynamic))
		return false;
	strings->length = 0;
	for (unsigned i = 0; i < ENTRIES_MAX; i++) {
		if (__builtin_add_overflow(i * sizeof(entry), dynamic.p_offset,
			&at) ||
		    !source_copy(source, at, &entry, sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_STRTAB)
			address = entry.d_un.d_ptr;
		if (entry.d_tag == DT_STRSZ)
			strings->length = entry.d_un.d_val;
	}
	if (strings->length > STRINGS_BYTES)
		strings->length = STRINGS_BYTES;
	return strings->length != 0 &&
	       file_offset(source, header, address, &strings->offset);
}

static bool
piece_has(const char *piece, size_t length, const char *text)
{
	size_t size = strlen(text) + 1;
	for (size_t i = 0; i + size <= length; i++) {
		if (piece[i] == text[0] && memcmp(piece + i, text, size) == 0)
			return true;
	}
	return false;
}

/*
 * A program that is linked with a sanitizer names the runtime's first
 * function, be it imported from a library or carried along.
 */
static const struct {
	const char *symbol; /* without its NUL at both ends */
	const char *name;
} sanitizers[] = {
	{ "__asan_init", "AddressSanitizer" },
	{ "__hwasan_init", "HWAddressSanitizer" },
	{ "__tsan_init", "ThreadSanitizer" },
	{ "__msan_init", "MemorySanitizer" },
	{ "__lsan_init", "LeakSanitizer" },
	{ "liblsan.so.0", "LeakSanitizer" },
};

/* Pieces overlap by more than the longest symbol. */
#define PIECE_OVERLAP 32u

static const char *
find_sanitizer(const struct elf_source *source, const struct span *strings)
{
	char piece[PIECE_BYTES];
	for (uint64_t at = 0; at < strings->length;
	     at += PIECE_BYTES - PIECE_OVERLAP) {
		uint64_t left = strings->length - at;
		size_t length = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
		if (!source_copy(source, strings->offset + at, piece, length))
			break;
		for (size_t i = 0;
		     i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++) {
			if (piece_has(piece, length, sanitizers[i].symbol))
				return sanitizers[i].name;
		}
	}
	return NULL;
}

static enum elf_kind
read_64(const struct elf_source *source, struct elf_image *image)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	struct span strings;

	if (!elf_image_header(source, &header))
		return ELF_BROKEN;
	image->machine = header.e_machine;
	if (header.e_machine != elf_own_machine())
		return ELF_FOREIGN;
	if ((header.e_type != ET_EXEC && header.e_type != ET_DYN) ||
	    !find_segment(source, &header, PT_LOAD, &segment))
		return ELF_BROKEN;
	if (!find_segment(source, &header, PT_INTERP, &segment))
		return ELF_STATIC;
	if (segment.p_filesz == 0 || segment.p_filesz >= ELF_LOADER_MAX ||
	    !source_copy(source, segment.p_offset, image->loader,
		segment.p_filesz))
		return ELF_BROKEN;
	image->loader[segment.p_filesz] = '\0';
	if (find_strings(source, &header, &strings))
		image->sanitizer = find_sanitizer(source, &strings);
	return ELF_DYNAMIC;
}

void
elf_image_read(const struct elf_source *source, struct elf_image *image)
{
	unsigned char ident[EI_NIDENT];
	Elf32_Half machine;

	image->kind = ELF_NOT;
	image->bits = 0;
	image->machine = EM_NONE;
	image->loader[0] = '\0';
	image->sanitizer = NULL;
	if (!source_copy(source, 0, ident, sizeof(ident)) ||
	    memcmp(ident, ELFMAG, SELFMAG) != 0)
		return;
	image->kind = ELF_BROKEN;
	image->bits = ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	if (image->bits == 64 && ident[EI_DATA] == ELFDATA2LSB) {
		image->kind = read_64(source, image);
		return;
	}
	/* Both classes have the machine at the same place. */
	if (!source_copy(source, offsetof(Elf32_Ehdr, e_machine), &machine,
		sizeof(machine)))
		return;
	if (ident[EI_DATA] == ELFDATA2MSB)
		machine = (Elf32_Half)(machine << 8 | machine >> 8);
	image->machine = machine;
	image->kind = ELF_FOREIGN;
}

bool
elf_image_is_glibc(const struct elf_image *image)
{
	static const char name[] = "/ld-linux";
	for (const char *c = image->loader; *c != '\0'; c++) {
		size_t same = 0;
		while (name[same] != '\0' && c[same] == name[same])
			same++;
		if (name[same] == '\0')
			return true;
	}
	return false;
}
