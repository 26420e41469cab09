/* SPDX-License-Identifier: MIT */
/*
 * elf_symbols.c: walks an ELF file in memory, of 32 or 64 bits. Every offset
 * and count is a stranger's: what does not lie within the file is not there.
 */
#include "elf_symbols.h"

#include <elf.h>
#include <string.h>

struct image {
	const char *bytes;
	size_t size;
	bool is_wide; /* 64 bits */
	uint64_t sections_at;
	unsigned section_count;
	unsigned names_index; /* section of the sections' names */
};

struct section {
	uint32_t name, type, link;
	uint64_t offset, size;
};

struct symbol {
	uint32_t name;
	unsigned type, section;
	uint64_t address, size;
};

static bool
copy(const struct image *image, uint64_t offset, void *to, size_t size)
{
	if (offset > image->size || size > image->size - offset)
		return false;
	memcpy(to, image->bytes + offset, size);
	return true;
}

static bool
read_head(struct image *image)
{
	const unsigned char *ident = (const unsigned char *)image->bytes;
	const unsigned char own = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
				      ? ELFDATA2LSB
				      : ELFDATA2MSB;

	if (image->size < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0 ||
	    ident[EI_DATA] != own)
		return false;
	image->is_wide = ident[EI_CLASS] == ELFCLASS64;
	if (image->is_wide) {
		Elf64_Ehdr head;
		if (!copy(image, 0, &head, sizeof(head)))
			return false;
		image->sections_at = head.e_shoff;
		image->section_count = head.e_shnum;
		image->names_index = head.e_shstrndx;
		return head.e_shentsize == sizeof(Elf64_Shdr);
	}
	Elf32_Ehdr head;
	if (!copy(image, 0, &head, sizeof(head)))
		return false;
	image->sections_at = head.e_shoff;
	image->section_count = head.e_shnum;
	image->names_index = head.e_shstrndx;
	return head.e_shentsize == sizeof(Elf32_Shdr);
}

static bool
read_section(const struct image *image, unsigned index, struct section *section)
{
	if (index >= image->section_count || image->sections_at > image->size)
		return false;
	if (image->is_wide) {
		Elf64_Shdr head;
		if (!copy(image, image->sections_at + index * sizeof(head),
			&head, sizeof(head)))
			return false;
		*section = (struct section){ head.sh_name, head.sh_type,
			head.sh_link, head.sh_offset, head.sh_size };
		return true;
	}
	Elf32_Shdr head;
	if (!copy(image, image->sections_at + index * sizeof(head), &head,
		sizeof(head)))
		return false;
	*section = (struct section){ head.sh_name, head.sh_type, head.sh_link,
		head.sh_offset, head.sh_size };
	return true;
}

/* A string of a table that ends within it; else NULL. */
static const char *
string_at(const struct image *image, const struct section *table,
    uint32_t offset)
{
	if (table->offset > image->size ||
	    table->size > image->size - table->offset || offset >= table->size)
		return NULL;
	const char *text = image->bytes + table->offset + offset;
	size_t room = (size_t)(table->size - offset);
	return memchr(text, '\0', room) != NULL ? text : NULL;
}

static bool
read_symbol(const struct image *image, const struct section *table,
    uint64_t index, struct symbol *symbol)
{
	if (table->offset > image->size)
		return false;
	if (image->is_wide) {
		Elf64_Sym raw;
		if (!copy(image, table->offset + index * sizeof(raw), &raw,
			sizeof(raw)))
			return false;
		*symbol =
		    (struct symbol){ raw.st_name, ELF64_ST_TYPE(raw.st_info),
			    raw.st_shndx, raw.st_value, raw.st_size };
		return true;
	}
	Elf32_Sym raw;
	if (!copy(image, table->offset + index * sizeof(raw), &raw,
		sizeof(raw)))
		return false;
	*symbol = (struct symbol){ raw.st_name, ELF32_ST_TYPE(raw.st_info),
		raw.st_shndx, raw.st_value, raw.st_size };
	return true;
}

/* The symbol table, else the dynamic one. */
static bool
find_table(const struct image *image, struct section *table)
{
	struct section section;
	bool found = false;

	for (unsigned i = 0; i < image->section_count; i++) {
		if (!read_section(image, i, &section))
			return found;
		if (section.type == SHT_SYMTAB) {
			*table = section;
			return true;
		}
		if (section.type == SHT_DYNSYM) {
			*table = section;
			found = true;
		}
	}
	return found;
}

bool
elf_objects(const void *bytes, size_t size,
    void (*visit)(void *ctx, const struct elf_object *object), void *ctx)
{
	struct image image = { .bytes = bytes, .size = size };
	struct section table, names, section_names, section;
	struct symbol symbol;

	if (!read_head(&image) || !find_table(&image, &table) ||
	    !read_section(&image, table.link, &names))
		return false;
	bool has_names =
	    read_section(&image, image.names_index, &section_names);
	uint64_t each = image.is_wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	uint64_t most = table.size < size ? table.size : size;
	for (uint64_t i = 0; i < most / each; i++) {
		if (!read_symbol(&image, &table, i, &symbol))
			break;
		if ((symbol.type != STT_OBJECT && symbol.type != STT_TLS) ||
		    symbol.size == 0 || symbol.section == SHN_UNDEF)
			continue;
		const char *name = string_at(&image, &names, symbol.name);
		const char *of = NULL;
		if (has_names && read_section(&image, symbol.section, &section))
			of = string_at(&image, &section_names, section.name);
		if (name != NULL && name[0] != '\0')
			visit(ctx,
			    &(struct elf_object){ name, of != NULL ? of : "",
				symbol.address, symbol.size });
	}
	return true;
}
