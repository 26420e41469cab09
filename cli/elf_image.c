/* SPDX-License-Identifier: MIT */
/*
 * elf_image.c: reads ELF headers out of a mapped file. Nothing in the file
 * is trusted: every offset is held against its length first, and structs are
 * copied out, since they need not be aligned.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_image.h"

/* A mapped file. */
struct bytes {
	const unsigned char *start;
	uint64_t length;
};

static bool
bytes_copy(const struct bytes *bytes, uint64_t offset, void *to, size_t size)
{
	if (offset > bytes->length || size > bytes->length - offset)
		return false;
	memcpy(to, bytes->start + offset, size);
	return true;
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

const char *
elf_machine_name(unsigned machine, char *text, size_t capacity)
{
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_386:
		return "i386";
	case EM_AARCH64:
		return "AArch64";
	case EM_ARM:
		return "ARM";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "PowerPC 64";
	case EM_S390:
		return "S/390";
	default:
		snprintf(text, capacity, "ELF machine %u", machine);
		return text;
	}
}

static bool
read_program_header(const struct bytes *bytes, const Elf64_Ehdr *header,
    unsigned index, Elf64_Phdr *segment)
{
	uint64_t offset = header->e_phoff;
	if (header->e_phentsize != sizeof(*segment) || offset > bytes->length)
		return false;
	return bytes_copy(bytes, offset + (uint64_t)index * sizeof(*segment),
	    segment, sizeof(*segment));
}

/* The first program header of a type. */
static bool
find_segment(const struct bytes *bytes, const Elf64_Ehdr *header, uint32_t type,
    Elf64_Phdr *segment)
{
	for (unsigned i = 0; i < header->e_phnum; i++)
		if (read_program_header(bytes, header, i, segment) &&
		    segment->p_type == type)
			return true;
	return false;
}

/* Where in the file an address of the loaded image lies. */
static bool
file_offset(const struct bytes *bytes, const Elf64_Ehdr *header,
    uint64_t address, uint64_t *offset)
{
	Elf64_Phdr segment;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (!read_program_header(bytes, header, i, &segment) ||
		    segment.p_type != PT_LOAD || address < segment.p_vaddr ||
		    address - segment.p_vaddr >= segment.p_filesz)
			continue;
		*offset = address - segment.p_vaddr + segment.p_offset;
		return true;
	}
	return false;
}

/* The strings of the dynamic section. */
static bool
dynamic_strings(const struct bytes *bytes, const Elf64_Ehdr *header,
    struct bytes *strings)
{
	Elf64_Phdr dynamic;
	Elf64_Dyn entry = { .d_tag = DT_NULL };
	uint64_t address = 0, length = 0, offset = 0;

	if (!find_segment(bytes, header, PT_DYNAMIC, &dynamic))
		return false;
	for (uint64_t at = 0; at + sizeof(entry) <= dynamic.p_filesz;
	     at += sizeof(entry)) {
		if (!bytes_copy(bytes, dynamic.p_offset + at, &entry,
			sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_STRTAB)
			address = entry.d_un.d_ptr;
		if (entry.d_tag == DT_STRSZ)
			length = entry.d_un.d_val;
	}
	if (length == 0 || !file_offset(bytes, header, address, &offset) ||
	    offset > bytes->length || length > bytes->length - offset)
		return false;
	*strings = (struct bytes){ bytes->start + offset, length };
	return true;
}

/*
 * A program that is linked with a sanitizer names the runtime's first
 * function, be it imported from a library or carried along.
 */
static const char *
find_sanitizer(const struct bytes *bytes, const Elf64_Ehdr *header)
{
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
	struct bytes strings;

	if (!dynamic_strings(bytes, header, &strings))
		return NULL;
	for (size_t i = 0; i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++)
		if (memmem(strings.start, strings.length, sanitizers[i].symbol,
			strlen(sanitizers[i].symbol) + 1) != NULL)
			return sanitizers[i].name;
	return NULL;
}

static enum elf_kind
read_64(const struct bytes *bytes, struct elf_image *image)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (!bytes_copy(bytes, 0, &header, sizeof(header)))
		return ELF_BROKEN;
	image->machine = header.e_machine;
	if (header.e_machine != elf_own_machine())
		return ELF_FOREIGN;
	if (!find_segment(bytes, &header, PT_INTERP, &segment))
		return ELF_STATIC;
	if (segment.p_filesz == 0 || segment.p_filesz >= PATH_MAX ||
	    !bytes_copy(bytes, segment.p_offset, image->loader,
		segment.p_filesz))
		return ELF_BROKEN;
	image->loader[segment.p_filesz] = '\0';
	image->sanitizer = find_sanitizer(bytes, &header);
	return ELF_DYNAMIC;
}

static void
read_mapped(const struct bytes *bytes, struct elf_image *image)
{
	unsigned char ident[EI_NIDENT];
	Elf32_Half machine;

	if (!bytes_copy(bytes, 0, ident, sizeof(ident)) ||
	    memcmp(ident, ELFMAG, SELFMAG) != 0)
		return;
	image->kind = ELF_BROKEN;
	image->bits = ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	if (image->bits == 64 && ident[EI_DATA] == ELFDATA2LSB) {
		image->kind = read_64(bytes, image);
		return;
	}
	/* Both classes have the machine at the same place. */
	if (!bytes_copy(bytes, offsetof(Elf32_Ehdr, e_machine), &machine,
		sizeof(machine)))
		return;
	if (ident[EI_DATA] == ELFDATA2MSB)
		machine = (Elf32_Half)(machine << 8 | machine >> 8);
	image->machine = machine;
	image->kind = ELF_FOREIGN;
}

int
elf_image_read(const char *path, struct elf_image *image)
{
	struct stat status;
	int error = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*image = (struct elf_image){ .kind = ELF_NOT };
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0) {
		error = -errno;
	} else if (status.st_size > 0) {
		size_t length = (size_t)status.st_size;
		void *map = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map != MAP_FAILED) {
			struct bytes bytes = { map, length };
			read_mapped(&bytes, image);
			(void)munmap(map, length);
		} else {
			error = -errno;
		}
	}
	(void)close(fd);
	return error;
}
