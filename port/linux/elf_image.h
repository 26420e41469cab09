/* SPDX-License-Identifier: MIT */
/*
 * elf_image.h: what an ELF file says about its program: whether a preloaded
 * library can come in. Used by the command, for the program that it is to
 * run, and by the gate at every exec; so it calls nothing but memcpy and
 * memcmp, and keeps nothing.
 */
#ifndef QR_LINUX_ELF_IMAGE_H
#define QR_LINUX_ELF_IMAGE_H

#include <qr/types.h>

#define ELF_LOADER_MAX 4096u /* bytes of a path with its NUL */

enum elf_kind {
	ELF_NOT,     /* no ELF file */
	ELF_BROKEN,  /* cut short, or its numbers point outside of it */
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

/* Whether its loader is glibc's. */
bool elf_image_is_glibc(const struct elf_image *image);

/* EM_* of this very program. */
unsigned elf_own_machine(void);

#endif
