/* SPDX-License-Identifier: MIT */
/*
 * frame/gfp.h: what an allocation says of itself: from which kind of zone, how
 * hard it may try, and with what its frames should be kept.
 */
#ifndef QR_FRAME_GFP_H
#define QR_FRAME_GFP_H

#include <qr/types.h>

/* From where and how hard an allocation may try. QR_GFP_RECLAIM: reclaim may
 * happen within the call, so no lock above QR_RANK_SPACE is held. */
#define QR_GFP_ATOMIC  0x001u /* no reclaim; may use half of the reserve */
#define QR_GFP_RECLAIM 0x002u /* may reclaim, and wait for that */
#define QR_GFP_RESERVE 0x004u /* reclaim's own: may use all of the reserve */
#define QR_GFP_ZERO    0x008u /* direct-mapped contents zeroed */
#define QR_GFP_USER                                                            \
	0x010u                 /* a mapped page: anywhere; releases the home
				  bytes */
#define QR_GFP_NORETRY  0x020u /* one round of reclaim at most */
#define QR_GFP_DMA32    0x040u /* below 4 GiB, see QR_PORT_DMA_ZONES */
#define QR_GFP_DMA      0x080u /* below 16 MiB */
#define QR_GFP_HIGHMEM  0x100u /* need not be in the direct map */
#define QR_GFP_MOVABLE  0x200u /* its owner lets it be moved */
#define QR_GFP_THISNODE 0x400u /* from the node asked for or not at all */
#define QR_GFP_RECLAIMABLE                                                     \
	0x800u /* the core's own, but can be asked back:
				  kept with its like */

/* All of them, for who shows them by name. */
#define QR_GFP_FLAGS(X)                                                        \
	X(ATOMIC)                                                              \
	X(RECLAIM)                                                             \
	X(RESERVE)                                                             \
	X(ZERO)                                                                \
	X(USER)                                                                \
	X(NORETRY)                                                             \
	X(DMA32)                                                               \
	X(DMA)                                                                 \
	X(HIGHMEM)                                                             \
	X(MOVABLE)                                                             \
	X(THISNODE)                                                            \
	X(RECLAIMABLE)

#define QR_GFP_KERNEL QR_GFP_RECLAIM
#define QR_GFP_PAGE   (QR_GFP_RECLAIM | QR_GFP_USER)

/* What kind of frames a zone has, the widest last: who may have one kind may
 * have those before it too. */
enum qr_zone_class {
	QR_ZONE_DMA,     /* below 16 MiB */
	QR_ZONE_DMA32,   /* below 4 GiB */
	QR_ZONE_NORMAL,  /* in the direct map */
	QR_ZONE_HIGHMEM, /* not in it */
	QR_ZONE_MOVABLE, /* set aside for what can be moved */
	QR_ZONE_CLASSES,
};

/* The widest class that an allocation may use, where all exist. */
static inline enum qr_zone_class
qr_gfp_zone(qr_gfp_t gfp)
{
	if ((gfp & QR_GFP_DMA) != 0)
		return QR_ZONE_DMA;
	if ((gfp & QR_GFP_DMA32) != 0)
		return QR_ZONE_DMA32;
	if ((gfp & QR_GFP_USER) != 0)
		return QR_ZONE_MOVABLE;
	if ((gfp & QR_GFP_HIGHMEM) == 0)
		return QR_ZONE_NORMAL;
	return (gfp & QR_GFP_MOVABLE) != 0 ? QR_ZONE_MOVABLE : QR_ZONE_HIGHMEM;
}

/* "DMA", ... */
const char *qr_zone_name(enum qr_zone_class zone_class);

/*
 * What a pageblock, which is as long as the largest block, is used for, so
 * that what can be moved and what can't don't mix. The numbers are Linux's,
 * but for the reserve of high orders.
 */
enum qr_migrate_type {
	QR_MIGRATE_UNMOVABLE,   /* the core's own */
	QR_MIGRATE_MOVABLE,     /* mapped pages; all at first */
	QR_MIGRATE_RECLAIMABLE, /* the core's own that can be asked back */
	QR_MIGRATE_CONTIG,      /* set aside for large contiguous pieces, lent
				   to mapped pages meanwhile */
	QR_MIGRATE_ISOLATE,     /* nothing is allocated from it */
	QR_MIGRATE_TYPES,
};

static inline enum qr_migrate_type
qr_gfp_migrate_type(qr_gfp_t gfp)
{
	if ((gfp & (QR_GFP_USER | QR_GFP_MOVABLE)) != 0)
		return QR_MIGRATE_MOVABLE;
	return (gfp & QR_GFP_RECLAIMABLE) != 0 ? QR_MIGRATE_RECLAIMABLE
					       : QR_MIGRATE_UNMOVABLE;
}

/* "Unmovable", ... */
const char *qr_migrate_name(enum qr_migrate_type type);

/* Writes the flags' names, "RECLAIM|USER", "0" where there are none, as far
 * as they fit size_bytes with a final NUL; returns the bytes of the whole. */
size_t qr_gfp_describe(qr_gfp_t gfp, char *text, size_t size_bytes);

#endif
