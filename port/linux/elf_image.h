/* SPDX-License-Identifier: MIT */
/*
 * elf_image.h: what an ELF file says about its program: whether a preloaded
 * library can come in. Used by the command, for the program that it is to
 * run, and by the gate at every exec; so it calls nothing but memcpy and
 * memcmp, and keeps nothing.
 */
#ifndef QR_LINUX_ELF_IMAGE_H
#define QR_LINUX_ELF_IMAGE_H

#include <elf.h>

#include <qr/types.h>

#define ELF_LOADER_MAX 4096u /* bytes of a path with its NUL */

enum elf_kind {
	ELF_NOT,     /* no ELF file */
	ELF_BROKEN,  /* cut short, its numbers point outside of it, or it is
			no program */
	ELF_FOREIGN, /* for another machine than this */
	ELF_STATIC,  /* for this machine, without a dynamic loader */
	ELF_DYNAMIC, /* for this machine, with one */
};

struct elf_image {
	enum elf_kind kind;
	unsigned bits;               /* 32 or 64; 0: not told */
	unsigned machine;            /* EM_* */
	char loader[ELF_LOADER_MAX]; /* of a dynamic one */
	const char *sanitizer;       /* "AddressSanitizer" and such; NULL */
};

/* Where the file comes from. */
struct elf_source {
	/* Copies size bytes at offset; false: they are not all there. */
	bool (*copy)(void *ctx, uint64_t offset, void *to, size_t size);
	void *ctx;
};

/* Nothing in the file is trusted. */
void elf_image_read(const struct elf_source *source, struct elf_image *image);

/* The header of a 64-bit file, and its program headers, from 0 on. False: there
 * is none. */
bool elf_image_header(const struct elf_source *source, Elf64_Ehdr *header);
bool elf_image_segment(const struct elf_source *source,
    const Elf64_Ehdr *header, unsigned index, Elf64_Phdr *segment);

/* Whether its loader is glibc's. */
bool elf_image_is_glibc(const struct elf_image *image);

/* EM_* of this very program. */
unsigned elf_own_machine(void);

#endif
