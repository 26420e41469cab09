/* SPDX-License-Identifier: MIT */
/*
 * vmap/arena.h: which parts of a range of numbers are taken: addresses, in
 * pages or bytes. What is taken is a segment, whose struct is the caller's, so
 * nothing here allocates, and only a lack of room can fail. No locks.
 */
#ifndef QR_VMAP_ARENA_H
#define QR_VMAP_ARENA_H

#include "../base/list.h"
#include "../base/tree.h"

#include <qr/types.h>

/* Which of the gaps that are large enough is used. */
enum qr_fit {
	QR_FIT_FIRST,   /* the lowest */
	QR_FIT_NEXT,    /* the first after the one used last, in a circle */
	QR_FIT_BEST,    /* the smallest; of these the lowest */
	QR_FIT_WORST,   /* the largest */
	QR_FIT_INSTANT, /* any of the next power of two and more, at once; if
			   there is none, one of its own */
	QR_FITS,
};

/* "first", ... */
const char *qr_fit_name(enum qr_fit fit);

#define QR_ARENA_CLASSES 64u

struct qr_segment {
	struct qr_tree_node node; /* by place */
	uint64_t start;
	uint64_t size; /* 0: the arena's end */
	uint64_t gap;  /* free between the segment before and this one */
	union {
		struct qr_tree_node by_size; /* by gap, with QR_FIT_BEST */
		struct qr_list link; /* gaps of a class, with QR_FIT_INSTANT */
		uint64_t gap_max;    /* largest in the subtree of node, with
					the others */
	};
};

struct qr_arena {
	uint32_t signature;
	enum qr_fit fit;
	uint64_t start;
	uint64_t end;
	uint64_t used; /* sum of sizes */
	uint64_t hand; /* for QR_FIT_NEXT */
	uint64_t segments;
	struct qr_tree tree;
	struct qr_tree sizes;                  /* with QR_FIT_BEST */
	struct qr_list gaps[QR_ARENA_CLASSES]; /* with QR_FIT_INSTANT */
	uint64_t nonempty;                     /* bit i: gaps[i] is not */
	struct qr_segment last;                /* at end, of size 0 */
};

/* [start, end), all free. */
void qr_arena_init(struct qr_arena *arena, uint64_t start, uint64_t end,
    enum qr_fit fit);

/* Segment becomes size (not 0) numbers, aligned to align, a power of two. A
 * step for each level of the tree; QR_FIT_INSTANT finds its gap in one.
 * -QR_ENOMEM: there is no gap for it. */
QR_MUST_CHECK int qr_arena_alloc(struct qr_arena *arena,
    struct qr_segment *segment, uint64_t size, uint64_t align);

/* Exactly [start, start + size). -QR_EBUSY: part of it is taken, or outside. */
QR_MUST_CHECK int qr_arena_take(struct qr_arena *arena,
    struct qr_segment *segment, uint64_t start, uint64_t size);

/* The segment's part is free again, and the struct the caller's. */
void qr_arena_free(struct qr_arena *arena, struct qr_segment *segment);

/* The segment that at lies in, or NULL. */
struct qr_segment *qr_arena_find(const struct qr_arena *arena, uint64_t at);

/* Segments in rising order: the first that begins at at or above; NULL. */
struct qr_segment *qr_arena_next(const struct qr_arena *arena, uint64_t at);

/* Another policy from now on; costs a walk over all. */
void qr_arena_set_fit(struct qr_arena *arena, enum qr_fit fit);

/* Size of the largest gap. */
uint64_t qr_arena_largest(const struct qr_arena *arena);

void qr_check_arena(const struct qr_arena *arena);

#endif
