/* SPDX-License-Identifier: MIT */
/*
 * table/geometry.c: how an address is cut into indices, for the layouts that
 * are built in, and what makes a layout sound [table.1].
 */
#include "table.h"

#include "table_impl.h"

const struct qr_geometry qr_geometry_3level = {
	.levels = 3,
	.index_bits = { 9, 9, 2 },
	.shift = { 12, 21, 30 },
};

const struct qr_geometry qr_geometry_4level = {
	.levels = 4,
	.index_bits = { 9, 9, 9, 9 },
	.shift = { 12, 21, 30, 39 },
};

const struct qr_geometry qr_geometry_5level = {
	.levels = 5,
	.index_bits = { 9, 9, 9, 9, 9 },
	.shift = { 12, 21, 30, 39, 48 },
};

qr_vaddr_t
qr_geometry_end(const struct qr_geometry *geometry)
{
	return geometry_span(geometry, geometry->levels);
}

void
qr_check_geometry(const struct qr_geometry *geometry)
{
	unsigned shift = QR_PAGE_SHIFT;
	QR_ASSERT(geometry->levels >= 2, "table.1: %u levels",
	    geometry->levels);
	QR_ASSERT(geometry->levels <= QR_TABLE_LEVELS_MAX, "table.1: %u levels",
	    geometry->levels);
	for (unsigned level = 0; level < geometry->levels; level++) {
		unsigned bits = geometry->index_bits[level];
		QR_ASSERT(bits >= 1, "table.1: level %u has no index", level);
		QR_ASSERT(bits <= INDEX_BITS_MAX,
		    "table.1: index of %u bits at level %u", bits, level);
		QR_ASSERT(geometry->shift[level] == shift,
		    "table.1: level %u shifts by %u, not %u", level,
		    geometry->shift[level], shift);
		shift += bits;
	}
}
