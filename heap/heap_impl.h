/* SPDX-License-Identifier: MIT */
/*
 * heap/heap_impl.h: the types of the heap, from small to large. What its files
 * offer each other is in calls_impl.h, the essay in heap.c.
 *
 *   block    what malloc returns
 *   span     1 to 64 pages cut into blocks of one size class; its header, a
 *            struct qr_span, lies elsewhere
 *   run      consecutive pages: a span's, a large block's or a thread's
 *   region   one reservation of address space that runs are cut from
 *   thread   a thread's cache: lists of free blocks and the spans it owns
 *   heap     the regions, the threads, and the spans that nobody owns
 *
 * Keys of the fields: (c) constant after init, (o) the owner's alone, (a)
 * atomic, (r) QR_HEAP_LOCK_RUNS, (d) QR_HEAP_LOCK_DETACHED, (t)
 * QR_HEAP_LOCK_THREADS, (p) QR_HEAP_LOCK_PURGE, (l) the lock of the thread. Two letters: either to read,
 * both to write.
 */
#ifndef QR_HEAP_IMPL_H
#define QR_HEAP_IMPL_H

#include <stdatomic.h>
#include <stdint.h>

#include <qr/heap_profile.h>
#include <qr/page_source.h>

#include "../core/base/bits.h"
#include "../core/base/check.h"
#include "../core/base/size_class.h"
#include "../core/frame/buddy.h"
#include "heap.h"
#include "lock_impl.h"

/* --- the page map --- */

/*
 * What a page is, one word a page of a region:
 *
 *   31        30                12 11          4 3      0
 *   | sampled | owner's number    | size class  | kind  |    tag
 *   | unit of the span's header, or pages of the run    |    value
 *
 * All words of a span are the same. A large block's first page alone has a
 * word; so has a run for the heap's own use. 0: no block starts here. The
 * owner changes while others read the tag; see [heap.4].
 */
struct qr_heap_word {
	_Atomic(uint32_t) tag;
	uint32_t value; /* (r) to write; to read, who holds a block of it */
};

#define QR_HEAP_TAG_KIND   0xfu
#define QR_HEAP_KIND_SPAN  0u /* with an owner number that is not 0 */
#define QR_HEAP_KIND_LARGE 1u
#define QR_HEAP_KIND_OWN   2u /* the heap's: a thread's cache, a table */
#define QR_HEAP_KIND_KEPT  3u /* free, see kept.c: the class is its pages */
#define QR_HEAP_TAG_CLASS  4u
#define QR_HEAP_TAG_OWNER  12u

/* Beside the tag: a block that starts in this page is in the profile's sample,
 * so that no thread takes the page for its own without a closer look. */
#define QR_HEAP_TAG_SAMPLED ((uint32_t)1 << 31)

/* Owner numbers. Threads have those from QR_HEAP_ID_FIRST on. */
#define QR_HEAP_ID_NONE     0u
#define QR_HEAP_ID_DETACHED 1u
#define QR_HEAP_ID_FIRST    2u

/* --- span --- */

/* A span by number: region << 24 | unit. 0: none. */
typedef uint32_t qr_span_ref_t;

#define QR_SPAN_REF_UNIT_BITS 24u
#define QR_SPAN_UNIT_BYTES    64u

/* Most pages of a span, 256 KiB; most blocks, of 8 bytes in 16 KiB; and most
 * units of a header, with a free map of so many bits. */
#define QR_SPAN_PAGES_MAX  64u
#define QR_SPAN_BLOCKS_MAX 2048u
#define QR_SPAN_UNITS_MAX  5u

enum qr_span_list {
	QR_SPAN_PARTIAL, /* has a free block or an uncut one */
	QR_SPAN_FULL,    /* has none */
	QR_SPAN_LISTS,
};

/*
 * 32 bytes and one bit a block: 0.4 to 2 % of the pages. It takes whole
 * units, so that headers of equal length replace each other.
 *
 *   0      4      8      12     16    18   20   22 23 24 25 26 27 28    32
 *   | next | prev | page | owner|blocks| cut|free|cl|pg|rg|fl|fr|un|recipr|
 */
struct qr_span {
	qr_span_ref_t next;    /* (l,d) on a list of its owner or of nobody's */
	qr_span_ref_t prev;    /* (l,d) 0: the first */
	uint32_t page;         /* (c) its first, in the region */
	uint32_t owner;        /* (l,d) number of a thread, or DETACHED */
	uint16_t blocks;       /* (c) that it can be cut into */
	_Atomic(uint16_t) cut; /* (l,d) blocks cut so far, from the start */
	_Atomic(uint16_t) free; /* (l,d) bits set in free_map */
	uint8_t size_class;     /* (c) */
	uint8_t pages;          /* (c) */
	uint8_t region;         /* (c) */
	bool full;              /* (l,d) which list it is on */
	bool fresh;             /* (c) all its pages were zero at first */
	uint8_t units;          /* (c) of this header */
	uint32_t reciprocal;    /* (c) 2^34 / bytes of a block, rounded up */
	uint64_t free_map[];    /* (l,d) bit i: block i is free and cut */
};

_Static_assert(sizeof(struct qr_span) == 32, "half a cache line");
_Static_assert(sizeof(struct qr_span) + QR_SPAN_BLOCKS_MAX / 8 <=
		   QR_SPAN_UNITS_MAX * QR_SPAN_UNIT_BYTES,
    "the longest header");

/* --- region --- */

/* How an address finds its word in a region. */
struct qr_heap_window {
	_Atomic(uintptr_t) base;  /* (c) address of its first page */
	struct qr_heap_word *map; /* (c) one word a page */
	_Atomic(size_t) bytes; /* (a,r) from base on, whose words are there */
};

/* Commit step of the region itself; of its tables that grow. Bytes. */
#define QR_HEAP_CHUNK_SHIFT 21u
#define QR_HEAP_TABLE_STEP  ((size_t)64 * 1024)

/* One bit a chunk. */
struct qr_heap_chunks {
	uint64_t committed;      /* (r) it is usable */
	uint64_t opened;         /* (r) and was used since it was last empty */
	_Atomic(uint64_t) dense; /* (a,r) see hint.c */
};

struct qr_heap_region {
	struct qr_heap_window *window; /* (c) */
	uint8_t index;                 /* (c) in qr_heap.region */
	uint64_t pages;                /* (c) */
	struct qr_buddy buddy;         /* (r) which pages are free */

	/* Bit of a page: it is free and may hold something, so it is perhaps
	 * resident and surely not known to be zero. (a,r) */
	_Atomic(uint64_t) *dirty;
	uint64_t used_pages; /* (r) no page from here on was ever handed out */
	uint64_t boot_pages; /* (r) the buddy has got none of them or all */
	uint64_t boot_next;  /* (r) the next of them, in order of address */

	struct qr_heap_chunks *chunks; /* (c) one for 64 chunks */
	char *units;         /* (c) span headers; unit 0 is not used */
	uint32_t units_max;  /* (c) */
	uint32_t units_used; /* (r) those from here on never were */
	size_t units_bytes;  /* (r) committed */
	uint32_t units_free[QR_SPAN_UNITS_MAX + 1]; /* (r) by length; 0: none */
};

/* --- thread --- */

/*
 * Free blocks of one class, the one freed last first, linked through their
 * first word. Only who adds blocks counts: room is at most cap - length, less
 * by what was taken since the length was last looked at. So free sees the end
 * of it in one decrement, and malloc does not count. 16 bytes, and first in
 * struct qr_heap_thread: the list of class k is k * 16 bytes from the thread's
 * address. The list of class 0 stays empty: no block is of 8 bytes here, so
 * that malloc finds none for a size of 0.
 */
struct qr_heap_list {
	void *head;
	int32_t room; /* blocks that it may take before it is looked at */
	int32_t cap;  /* blocks that it may hold */
};

_Static_assert(sizeof(struct qr_heap_list) == 16, "see the tag's class");

/* Frees on their way to one owner: a chain of carriers, see remote.c. */
struct qr_heap_parcel {
	void *head;
	void *tail;
	void **slot;     /* for the next address, in the carrier at head */
	void **slot_end; /* where the carrier is full */
	uint32_t owner;  /* 0: empty */
	uint32_t room;   /* bytes that it may still take, see remote.c */
};

#define QR_HEAP_PARCELS 8u

/* What a thread's queue is to those who send to it. */
enum qr_heap_thread_state {
	QR_HEAP_THREAD_ACTIVE, /* its owner will look */
	QR_HEAP_THREAD_PARKED, /* nobody will: the sender does */
};

struct qr_heap_thread {
	struct qr_heap_list list[QR_SIZE_CLASSES]; /* (o) */
	uint32_t
	    key; /* (c) number << QR_HEAP_TAG_OWNER: a tag less its class */
	uint32_t number;      /* (c) */
	struct qr_heap *heap; /* (c) */

	/* (o) what this thread has seen of the first window: plain, as nobody
	 * else writes it. Beyond window_bytes free takes the slow way. */
	uintptr_t window_base;
	const struct qr_heap_word *window_map;
	size_t window_bytes;

	qr_span_ref_t spans[QR_SIZE_CLASSES][QR_SPAN_LISTS]; /* (l) */
	uint8_t order[QR_SIZE_CLASSES];   /* (o) pages of the next span, log2 */
	uint8_t adopted[QR_SIZE_CLASSES]; /* (o) foreign blocks on the list */
	size_t cap_bytes;    /* (o) sum of all caps above their least */
	unsigned cap_victim; /* (o) class whose cap is taken next */
	void *inbox;         /* (l) taken from the queue, not yet looked at */

	/* The profile's; see sample_impl.h. (o) */
	int32_t sample[QR_SIZE_CLASSES]; /* base of the countdown; 0: none */
	uint32_t aside_class;  /* of the blocks that are kept aside; 0: none */
	int32_t aside_length;  /* how many */
	void *aside;           /* the blocks */
	void *sampled;         /* the block to be taken now, or NULL */
	uint64_t sample_large; /* bytes of pages before one is, + 1; 0: as
				  above */
	uint64_t sample_seed;
	struct qr_heap_parcel parcel[QR_HEAP_PARCELS]; /* (o) by owner */
	struct qr_heap_thread *parked_next;            /* (t) */

	/* Written by others: a line of its own. The lock is for spans, inbox
	 * and the taking of queue: the owner takes it on its slow ways, others
	 * to empty the queue of a thread that is not doing so. */
	_Alignas(64) _Atomic(void *) queue; /* (a) blocks that others freed */
	struct qr_heap_lock lock;           /* rank: see lock_impl.h */
	_Atomic(bool) flush_wanted;         /* (a) the owner is to flush */
	_Atomic(uint32_t) state;            /* (a) enum qr_heap_thread_state */
};

_Static_assert(offsetof(struct qr_heap_thread, list) == 0,
    "the fast path adds a class's offset to the thread's address");
_Static_assert(sizeof(struct qr_heap_thread) <= QR_PAGE_SIZE, "one page");

/* --- heap --- */

/* See limit.c. Pages; 0: there is none. */
struct qr_heap_limit {
	_Atomic(size_t) soft;    /* (a) */
	_Atomic(size_t) hard;    /* (a) */
	_Atomic(size_t) reserve; /* (a) the last of hard */
	_Atomic(bool) soft_told; /* (a) the program knows that it is above */
	_Atomic(bool) low;       /* (a) the reserve may be used */
	_Atomic(bool) calling;   /* (a) the call-back runs */
	_Atomic(qr_heap_pressure_call) call; /* (a) */
	void *ctx;                           /* (c) once call is set */
};

#define QR_HEAP_ATTEND_IDLE 1u /* start the helper: idle.c */
#define QR_HEAP_ATTEND_SOFT 2u /* tell the program: limit.c */

/* The sample of blocks; see profile.c. */
struct qr_heap_profile {
	_Atomic(size_t) interval; /* (a) bytes; 0: none is taken */
	_Atomic(size_t) begin_at; /* (a) pages held from which on; 0: never */
	uintptr_t stack_top;      /* (c) of the first thread's; 0: not known */
	struct qr_heap_profile_table *table; /* QR_HEAP_LOCK_PROFILE */
	void *rules;                         /* the same; unwind.c's cache */
	size_t stacks_committed;             /* the same, bytes */
	size_t samples_committed;            /* the same, bytes */
	bool failed;                         /* the same: no memory for it */
};

/* The longest run that is kept, 256 KiB. */
#define QR_HEAP_KEPT_PAGES 64u

#define QR_HEAP_REGIONS      256u
#define QR_HEAP_LEAF_THREADS 512u /* pointers in a page */
#define QR_HEAP_LEAVES       128u
#define QR_HEAP_THREADS_MAX  (QR_HEAP_LEAF_THREADS * QR_HEAP_LEAVES)

struct qr_heap {
	_Atomic(unsigned) regions;           /* (a,r) */
	const struct qr_page_source *source; /* (c) */

	/* (r) in pages, (a) for hints */
	_Atomic(size_t) held;  /* handed out by run.c */
	_Atomic(size_t) dirty; /* free, with the dirty bit */
	size_t held_max;       /* (r) */
	size_t reserved_bytes; /* (r) */
	size_t metadata_bytes; /* (r) */

	/* Free runs by length, see kept.c; (r). */
	uint32_t kept[QR_HEAP_KEPT_PAGES]; /* first page + 1; 0: none */
	uint64_t kept_lengths;             /* bit n: of n + 1 pages */
	size_t kept_pages;

	/* Purging; see purge.c. */
	_Atomic(size_t) purge_above;  /* (a) dirty pages that start a purge */
	_Atomic(uint64_t) purge_tick; /* (a) when it was last looked at, ns */
	size_t tick_peak;             /* (r) most held in this tick, pages */
	size_t tick_peak_before;      /* (r) and in the one before */
	size_t tick_again;            /* (r) purged pages taken again, so far */
	size_t tick_again_before;     /* (r) and in the tick before */
	_Atomic(size_t) purged;       /* (a) pages, in sum */
	_Atomic(uint32_t) attention;  /* (a) what is to be done where no lock is
					 held: QR_HEAP_ATTEND_* */
	struct qr_heap_limit limit;
	struct qr_heap_profile profile;

	qr_span_ref_t detached[QR_SIZE_CLASSES][QR_SPAN_LISTS]; /* (d) */
	_Atomic(uint32_t) detached_partial; /* (a,d) how many, of all classes */

	uint32_t threads;              /* (t) numbers given out, from 0 on */
	struct qr_heap_thread *parked; /* (t) */
	uint32_t parked_count;         /* (t) */
	struct qr_heap_thread *shared; /* QR_HEAP_LOCK_SHARED; NULL at first */
	uint32_t exit_key;             /* (c) of pthread; see thread.c */
	bool has_exit_key;             /* (c) */
	_Atomic(bool) started;         /* (a) regions and keys are there */

	struct qr_heap_lock lock[QR_HEAP_LOCKS];

	/* The rest is seldom used beyond its start. Of the windows, [0] is the
	 * one that the fast path knows. Threads are found by number; the
	 * leaves are pages of pointers, but for the first. */
	struct qr_heap_thread *_Atomic *leaf[QR_HEAP_LEAVES]; /* (t) */
	struct qr_heap_region *region[QR_HEAP_REGIONS];       /* (c) once set */
	struct qr_heap_window window[QR_HEAP_REGIONS];
	struct qr_heap_thread *_Atomic leaf_first[QR_HEAP_LEAF_THREADS];
};

/* The one heap behind malloc. */
extern struct qr_heap qr_heap_process;

/* This thread's cache; before its first allocation one that is empty, owns
 * nothing and takes nothing, so that the fast paths need no test for it. */
extern _Thread_local struct qr_heap_thread *qr_heap_self
    __attribute__((tls_model("initial-exec")));
extern struct qr_heap_thread qr_heap_thread_none;

static inline void
qr_heap_lock(struct qr_heap *heap, enum qr_heap_rank rank)
{
	qr_heap_lock_acquire(&heap->lock[rank]);
}

static inline void
qr_heap_unlock(struct qr_heap *heap, enum qr_heap_rank rank)
{
	qr_heap_lock_release(&heap->lock[rank]);
}

static inline void
qr_heap_assert_locked(const struct qr_heap *heap, enum qr_heap_rank rank)
{
	QR_ASSERT(qr_heap_lock_is_mine(&heap->lock[rank]),
	    "the heap's lock %u is not held here", (unsigned)rank);
}

#endif
