/* SPDX-License-Identifier: MIT */
/* table/table_impl.h: what the files of table/ share. */
#ifndef QR_TABLE_IMPL_H
#define QR_TABLE_IMPL_H

#include "table.h"

/* A node is one frame of 8-byte entries. */
#define INDEX_BITS_MAX (QR_PAGE_SHIFT - 3u)

/* Bytes of address space that one entry of the level covers; of the level
 * above the top: all. */
static inline qr_vaddr_t
geometry_span(const struct qr_geometry *geometry, unsigned level)
{
	unsigned shift =
	    level < geometry->levels
		? geometry->shift[level]
		: geometry->shift[level - 1] + geometry->index_bits[level - 1];
	return (qr_vaddr_t)1 << shift;
}

static inline size_t
geometry_entries(const struct qr_geometry *geometry, unsigned level)
{
	return (size_t)1 << geometry->index_bits[level];
}

static inline size_t
geometry_index(const struct qr_geometry *geometry, unsigned level,
    qr_vaddr_t address)
{
	return (size_t)(address >> geometry->shift[level]) &
	       (geometry_entries(geometry, level) - 1);
}

/* Panics if the layout breaks [table.1]. */
void qr_check_geometry(const struct qr_geometry *geometry);

#endif
