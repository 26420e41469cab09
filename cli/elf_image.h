/* SPDX-License-Identifier: MIT */
/* elf_image.h: what the head of an ELF file says about its program. */
#ifndef CLI_ELF_IMAGE_H
#define CLI_ELF_IMAGE_H

#include <limits.h>

#include <qr/types.h>

enum elf_kind {
	ELF_NOT,     /* no ELF file */
	ELF_BROKEN,  /* cut short, or its numbers point outside of it */
	ELF_FOREIGN, /* for another machine than this */
	ELF_STATIC,  /* for this machine, without a dynamic loader */
	ELF_DYNAMIC, /* for this machine, with one */
};

struct elf_image {
	enum elf_kind kind;
	unsigned bits;         /* 32 or 64; 0: not told */
	unsigned machine;      /* EM_* */
	char loader[PATH_MAX]; /* of a dynamic one */
	const char *sanitizer; /* "AddressSanitizer" and such; NULL */
};

/* Reads it. 0, or -errno when the file can't be opened or mapped. */
QR_MUST_CHECK int elf_image_read(const char *path, struct elf_image *image);

/* "x86-64", "AArch64"; a number where the name is not known. */
const char *elf_machine_name(unsigned machine, char *text, size_t capacity);

/* EM_* of this very program. */
unsigned elf_own_machine(void);

#endif
