/* SPDX-License-Identifier: MIT */
/*
 * boot/boot.h: which RAM exists, and the first allocations from it.
 *
 * Used by one thread, before there is any lock. Afterwards every frame that
 * was not given out goes to frame/, and the boot allocator is sealed.
 */
#ifndef QR_BOOT_H
#define QR_BOOT_H

#include <qr/port.h>

/* Regions that the boot allocator can describe; a longer map is refused. */
#define QR_BOOT_REGIONS_MAX 128u

/* Half-open. */
struct qr_boot_range {
	qr_paddr_t start; /* bytes */
	qr_paddr_t end;   /* bytes */
	uint32_t node;    /* of usable memory */
};

struct qr_boot {
	uint32_t signature;
	bool sealed;
	size_t usable_count;   /* of usable[] */
	size_t reserved_count; /* of reserved[] */
	qr_paddr_t tail_start; /* unused rest of the last sub-page request */
	qr_paddr_t tail_end;
	unsigned char *direct_map; /* NULL: addresses can't be touched */
	bool zeroed;               /* free memory reads as zeroes */
	/* Both sorted and disjoint. Neighbours never touch, unless they are
	 * usable memory of different nodes. */
	struct qr_boot_range usable[QR_BOOT_REGIONS_MAX]; /* page aligned */
	struct qr_boot_range reserved[QR_BOOT_REGIONS_MAX];
	struct qr_ram_region map[QR_BOOT_REGIONS_MAX]; /* as the port gave it */
};

/*
 * Reads the port's RAM map: any order, overlaps, holes; partial pages at the
 * edges of usable memory are dropped. -QR_E2BIG: more regions than can be
 * described. -QR_ENOMEM: no usable memory.
 */
QR_MUST_CHECK int qr_boot_init(struct qr_boot *boot,
    const struct qr_port *port);

/* Takes [start, start + size_bytes) out of use, whether or not it is RAM.
 * -QR_E2BIG as above. */
QR_MUST_CHECK int qr_boot_reserve(struct qr_boot *boot, qr_paddr_t start,
    uint64_t size_bytes);

/*
 * First fit at or above limit_low, below limit_high (0: no limit), aligned
 * to align (a power of two). Requests below a page are packed behind the
 * last one. Zeroed if there is a direct map.
 * -QR_ENOMEM: there is no such range; -QR_E2BIG as above.
 */
QR_MUST_CHECK int qr_boot_alloc(struct qr_boot *boot, uint64_t size_bytes,
    uint64_t align, qr_paddr_t limit_low, qr_paddr_t limit_high,
    qr_paddr_t *start);

/* Gives back the whole pages of [start, start + size_bytes), which
 * qr_boot_alloc or qr_boot_reserve took. -QR_EINVAL: part of it is not taken;
 * -QR_E2BIG as above. */
QR_MUST_CHECK int qr_boot_free(struct qr_boot *boot, qr_paddr_t start,
    uint64_t size_bytes);

/* Past the last usable byte, and usable bytes not reserved. */
qr_paddr_t qr_boot_end(const struct qr_boot *boot);
uint64_t qr_boot_free_bytes(const struct qr_boot *boot);

/*
 * Calls give(ctx, first, count) for each maximal run of wholly free frames of
 * one node, in rising order, and seals: no call but the checker is allowed
 * afterwards.
 */
void qr_boot_hand_over(struct qr_boot *boot,
    void (*give)(void *ctx, qr_pfn_t first, uint64_t count, uint32_t node),
    void *ctx);

void qr_check_boot(const struct qr_boot *boot);

#endif
