/* SPDX-License-Identifier: MIT */
/* elf_symbols.h: the objects that a program or library has a name for. */
#ifndef CLI_PROC_ELF_SYMBOLS_H
#define CLI_PROC_ELF_SYMBOLS_H

#include <qr/types.h>

struct elf_object {
	const char *name;    /* NUL-ended, in the file */
	const char *section; /* ".data", ".bss" and so on; "" not told */
	uint64_t address;    /* as linked */
	uint64_t size;       /* bytes, not 0 */
};

/*
 * Calls visit for each data object of the symbol table, or of the dynamic
 * symbols where the table was stripped. Nothing in the bytes is trusted.
 * False: they are no ELF file of this byte order, or have no symbols at all.
 */
QR_MUST_CHECK bool elf_objects(const void *bytes, size_t size,
    void (*visit)(void *ctx, const struct elf_object *object), void *ctx);

#endif
