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

/* Ranges that each set of the boot allocator can hold; a RAM map of more
 * regions is refused. */
#define QR_BOOT_REGIONS_MAX 128u

/* Half-open. */
struct qr_boot_range {
	qr_paddr_t start; /* bytes */
	qr_paddr_t end;   /* bytes */
	uint32_t node;    /* of usable memory; else 0 */
};

/* Ranges in rising order that do not overlap; those of one node that touch
 * are one. */
struct qr_boot_set {
	size_t count;
	struct qr_boot_range range[QR_BOOT_REGIONS_MAX];
};

/* About 6 KiB, to be kept until all is handed over. */
struct qr_boot {
	uint32_t signature;
	bool sealed;
	bool zeroed;               /* free memory reads as zeroes */
	unsigned char *direct_map; /* NULL: addresses can't be touched */
	qr_paddr_t direct_end;     /* those from here on can't */
	qr_paddr_t tail_start;     /* unused rest of a page that sub-page
				      requests were cut from */
	qr_paddr_t tail_end;
	struct qr_boot_set usable;   /* whole pages */
	struct qr_boot_set reserved; /* usable or not */
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

/* What is asked of a place. */
struct qr_boot_request {
	uint64_t size_bytes;
	uint64_t align;        /* a power of two */
	qr_paddr_t limit_low;  /* it starts here or above */
	qr_paddr_t limit_high; /* it ends here or below; 0: no limit */
};

/*
 * First fit. Requests below a page are packed behind the last one. Where
 * there is a direct map it is from there, and zeroed.
 * -QR_ENOMEM: there is no such range; -QR_E2BIG as above.
 */
QR_MUST_CHECK int qr_boot_alloc(struct qr_boot *boot,
    const struct qr_boot_request *request, qr_paddr_t *start);

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
