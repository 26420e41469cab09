/* SPDX-License-Identifier: MIT */
/*
 * toykernel/cpu.c: the processor's part: a walk of four levels, as x86-64's
 * hardware does it, over the entries that <qr/port.h> describes.
 */
#include <string.h>

#include "toy.h"

#define LEVELS     4u
#define INDEX_BITS 9u

/* Where the entry for address is in the node at frame. */
static unsigned char *
entry_at(const struct toy *toy, qr_pfn_t frame, qr_vaddr_t address,
    unsigned level)
{
	uint64_t index = address >> (QR_PAGE_SHIFT + level * INDEX_BITS);
	index &= ((uint64_t)1 << INDEX_BITS) - 1;
	return toy->ram + frame * QR_PAGE_SIZE + index * sizeof(uint64_t);
}

static uint64_t
entry_read(const unsigned char *at)
{
	uint64_t entry;
	memcpy(&entry, at, sizeof(entry));
	return entry;
}

static bool
entry_allows(uint64_t entry, unsigned access)
{
	if ((access & QR_ACCESS_WRITE) != 0 && (entry & QR_ENTRY_WRITE) == 0)
		return false;
	return (access & QR_ACCESS_EXEC) == 0 || (entry & QR_ENTRY_NX) == 0;
}

unsigned char *
toy_translate(struct toy *toy, const struct toy_process *process,
    qr_vaddr_t address, unsigned access)
{
	qr_pfn_t frame = process->root;
	for (unsigned level = LEVELS; level-- > 0;) {
		unsigned char *at = entry_at(toy, frame, address, level);
		uint64_t entry = entry_read(at);
		if ((entry & QR_ENTRY_PRESENT) == 0 ||
		    !entry_allows(entry, access))
			return NULL;
		entry |= QR_ENTRY_YOUNG;
		if (level == 0 && (access & QR_ACCESS_WRITE) != 0)
			entry |= QR_ENTRY_DIRTY;
		memcpy(at, &entry, sizeof(entry));
		frame = (entry & QR_ENTRY_FRAME) >> QR_PAGE_SHIFT;
	}
	return toy->ram + frame * QR_PAGE_SIZE + address % QR_PAGE_SIZE;
}

uint64_t
toy_entry(const struct toy *toy, const struct toy_process *process,
    qr_vaddr_t address, unsigned wanted)
{
	qr_pfn_t frame = process->root;
	for (unsigned level = LEVELS; level-- > wanted;) {
		uint64_t entry =
		    entry_read(entry_at(toy, frame, address, level));
		if (level == wanted)
			return entry;
		if ((entry & QR_ENTRY_PRESENT) == 0)
			break;
		frame = (entry & QR_ENTRY_FRAME) >> QR_PAGE_SHIFT;
	}
	return 0;
}
