/* SPDX-License-Identifier: MIT */
/*
 * qr/heap.h: Quire's malloc under names of its own.
 *
 * libquire.so and libquire.a also define malloc, free and their family and
 * the C++ operators. Those and these work on one heap: a block of either may
 * be given to either. All functions may be called from any thread; none is
 * safe in a signal handler that interrupted one of them, as with any malloc.
 */
#ifndef QR_HEAP_H
#define QR_HEAP_H

#include <qr/page_source.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A block of at least size bytes, aligned to 16 (to 8 if size is 8 or less).
 * A size of 0 gives a block of its own. NULL and errno ENOMEM: no memory,
 * or size is above PTRDIFF_MAX.
 */
QR_PUBLIC QR_MUST_CHECK void *qr_heap_malloc(size_t size);

/* The same, filled with zeros. NULL also if count * size overflows. */
QR_PUBLIC QR_MUST_CHECK void *qr_heap_calloc(size_t count, size_t size);

/*
 * A block with the first bytes of block, which is freed unless it is also
 * the result. block may be NULL. A size of 0 frees block and returns NULL.
 * NULL otherwise: block is still there.
 */
QR_PUBLIC QR_MUST_CHECK void *qr_heap_realloc(void *block, size_t size);

/* As malloc, aligned to align. NULL and errno EINVAL: align is not a power
 * of two. */
QR_PUBLIC QR_MUST_CHECK void *qr_heap_aligned_alloc(size_t align, size_t size);

/* Any thread may free any block. NULL is ignored; errno stays. What is no
 * block of this heap ends the program with a report. */
QR_PUBLIC void qr_heap_free(void *block);

/* Bytes that may be used at block: what was asked for, rounded up. 0 for
 * NULL and for what is no block of this heap. */
QR_PUBLIC size_t qr_heap_usable_size(const void *block);

/*
 * Gives free memory back: what this thread has cached, and all free page
 * runs but keep_bytes of them. Returns the bytes given back.
 */
QR_PUBLIC size_t qr_heap_trim(size_t keep_bytes);

/*
 * What the heap holds, in bytes unless named otherwise. Taken while other
 * threads run, it is true of no single instant. Blocks that wait in a
 * thread's cache or on their way to their owner count as used.
 */
struct qr_heap_stats {
	size_t reserved_bytes; /* address space */
	size_t metadata_bytes; /* the heap's own tables, as far as committed */
	size_t held_bytes;     /* pages in spans, large blocks and threads */
	size_t held_bytes_max; /* the most that ever was */
	size_t small_bytes;    /* pages in spans of small blocks */
	size_t small_used_bytes; /* small blocks in use, rounded up */
	size_t large_bytes;      /* blocks that are page runs */
	size_t large_blocks;     /* how many */
	size_t dirty_bytes;      /* free pages that may still be resident */
	size_t purged_bytes;     /* given back to the source so far, in sum */
	size_t spans;            /* how many */
	size_t spans_detached;   /* of these, how many have no owner */
	size_t threads;          /* thread caches made so far */
	size_t threads_parked;   /* of these, how many wait for a thread */
};

QR_PUBLIC void qr_heap_stats(struct qr_heap_stats *stats);

/*
 * Limits, in bytes of pages that blocks lie in; 0: there is none. The variable
 * QUIRE_HEAP_LIMIT=HARD[,SOFT] sets them before main, as in 512M,400M.
 *
 * Above soft_bytes call is called once, and free memory is given back sooner.
 * A call that would go beyond hard_bytes - reserve_bytes first calls it, then
 * fails with NULL and ENOMEM; after that the reserve may be used as well, up
 * to hard_bytes, so that the program can clean up, until it is an eighth below
 * the mark again. A reserve of 0 becomes a sixteenth of the limit, at most
 * 1 MiB.
 */
enum qr_heap_pressure {
	QR_HEAP_PRESSURE_SOFT, /* the soft limit was passed */
	QR_HEAP_PRESSURE_HARD, /* an allocation is about to fail */
};

/* Called by the thread that allocates, which may allocate and free in it. It is
 * not called again before it returns. */
typedef void (*qr_heap_pressure_call)(void *ctx, enum qr_heap_pressure pressure,
    size_t held_bytes);

struct qr_heap_limits {
	size_t soft_bytes;
	size_t hard_bytes;
	size_t reserve_bytes;       /* of hard_bytes */
	qr_heap_pressure_call call; /* may be NULL */
	void *ctx;                  /* call's */
};

/* -QR_EINVAL: the reserve is not less than the hard limit. */
QR_PUBLIC QR_MUST_CHECK int qr_heap_set_limits(
    const struct qr_heap_limits *limits);

/* Those that hold now. */
QR_PUBLIC void qr_heap_get_limits(struct qr_heap_limits *limits);

/* Whether an allocation has failed for the hard limit and the reserve is in
 * use since. */
QR_PUBLIC bool qr_heap_is_low(void);

/*
 * Heaps of their own, beside malloc's. Blocks of one are given back to it, or
 * go with it when it is destroyed, which takes as long as it has regions, not
 * blocks. Any thread may use any heap; each call takes a lock. A child of fork
 * must not use one that another thread was using at that moment.
 */
struct qr_heap;

/* Pages from source, which outlives the heap; NULL: from the operating system.
 * NULL and errno ENOMEM: there are none. */
QR_PUBLIC QR_MUST_CHECK struct qr_heap *qr_heap_create(
    const struct qr_page_source *source);

/*
 * Inside memory of the caller's, with nothing outside of it: the heap uses the
 * largest powers of two that fit, aligned to 2 MiB, so a few more MiB than the
 * blocks need are to be there. What was in it is lost. NULL and errno ENOMEM:
 * it is too small.
 */
QR_PUBLIC QR_MUST_CHECK struct qr_heap *qr_heap_create_in(void *memory,
    size_t bytes);

/* Gives back all its memory; all its blocks are gone. Nobody may be using it.
 * The memory of qr_heap_create_in is the caller's again. */
QR_PUBLIC void qr_heap_destroy(struct qr_heap *heap);

/* As malloc and aligned_alloc. */
QR_PUBLIC QR_MUST_CHECK void *qr_heap_alloc(struct qr_heap *heap, size_t size);
QR_PUBLIC QR_MUST_CHECK void *qr_heap_alloc_aligned(struct qr_heap *heap,
    size_t align, size_t size);

/* A block of this heap, or NULL. Anything else ends the program with a
 * report. */
QR_PUBLIC void qr_heap_give_back(struct qr_heap *heap, void *block);

/*
 * Takes pages from source instead of from the operating system. Before the
 * first allocation only, else -QR_EBUSY.
 */
QR_PUBLIC QR_MUST_CHECK int qr_heap_set_page_source(
    const struct qr_page_source *source);

#ifdef __cplusplus
}
#endif

#endif
