/* SPDX-License-Identifier: MIT */
/*
 * heap/heap_impl.h: the types of the heap, from small to large, and what its
 * files offer each other. The essay is in heap.c.
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
 * QR_HEAP_LOCK_THREADS, (p) QR_HEAP_LOCK_PURGE. Two letters: either to read,
 * both to write.
 */
#ifndef QR_HEAP_IMPL_H
#define QR_HEAP_IMPL_H

#include <stdatomic.h>
#include <stdint.h>

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
 *   31                          12 11          4 3      0
 *   | number of the owner thread  | size class  | kind  |    tag
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
#define QR_HEAP_TAG_CLASS  4u
#define QR_HEAP_TAG_OWNER  12u

/* Owner numbers. Threads have those from QR_HEAP_ID_FIRST on. */
#define QR_HEAP_ID_NONE     0u
#define QR_HEAP_ID_DETACHED 1u
#define QR_HEAP_ID_FIRST    2u

/* --- span --- */

/* A span by number: region << 24 | unit. 0: none. */
typedef uint32_t qr_span_ref_t;

#define QR_SPAN_REF_UNIT_BITS 24u
#define QR_SPAN_UNIT_BYTES    64u

/* Most pages and most blocks of a span: 8-byte blocks in QR_SPAN_TINY_PAGES.
 * A free map of so many bits and the header are so many units. */
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
	qr_span_ref_t next;    /* (o,d) on a list of its owner or of nobody's */
	qr_span_ref_t prev;    /* (o,d) 0: the first */
	uint32_t page;         /* (c) its first, in the region */
	uint32_t owner;        /* (o,d) number of a thread, or DETACHED */
	uint16_t blocks;       /* (c) that it can be cut into */
	_Atomic(uint16_t) cut; /* (o,d) blocks cut so far, from the start */
	_Atomic(uint16_t) free; /* (o,d) bits set in free_map */
	uint8_t size_class;     /* (c) */
	uint8_t pages;          /* (c) */
	uint8_t region;         /* (c) */
	bool full;              /* (o,d) which list it is on */
	bool fresh;             /* (c) all its pages were zero at first */
	uint8_t units;          /* (c) of this header */
	uint32_t reciprocal;    /* (c) 2^34 / bytes of a block, rounded up */
	uint64_t free_map[];    /* (o,d) bit i: block i is free and cut */
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

struct qr_heap_region {
	struct qr_heap_window *window; /* (c) */
	uint8_t index;                 /* (c) in qr_heap.region */
	uint64_t pages;                /* (c) */
	struct qr_buddy buddy;         /* (r) which pages are free */

	/* Bit of a page: it is free and may hold something, so it is perhaps
	 * resident and surely not known to be zero. (a,r) */
	_Atomic(uint64_t) *dirty;
	uint64_t used_pages; /* (r) no page from here on was ever handed out */

	uint64_t *committed; /* (r) bit of a chunk: it is usable */
	char *units;         /* (c) span headers; unit 0 is not used */
	uint32_t units_max;  /* (c) */
	uint32_t units_used; /* (r) those from here on never were */
	size_t units_bytes;  /* (r) committed */
	uint32_t units_free[QR_SPAN_UNITS_MAX + 1]; /* (r) by length; 0: none */
};

/* --- thread --- */

/*
 * Free blocks of one class, the one freed last first, linked through their
 * first word. room = cap - length: so free sees the end of it in one
 * decrement. 16 bytes, and first in struct qr_heap_thread: the list of class
 * k is k * 16 bytes from the thread's address.
 */
struct qr_heap_list {
	void *head;
	int32_t room; /* blocks that it may still take */
	int32_t cap;  /* blocks that it may hold */
};

_Static_assert(sizeof(struct qr_heap_list) == 16, "see the tag's class");

/* Frees on their way to one owner, linked as above. */
struct qr_heap_parcel {
	void *head;
	void *tail;
	uint32_t owner; /* 0: empty */
	uint32_t blocks;
	size_t bytes;
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

	qr_span_ref_t spans[QR_SIZE_CLASSES][QR_SPAN_LISTS]; /* (o) */
	uint8_t order[QR_SIZE_CLASSES]; /* (o) pages of the next span, log2 */
	size_t cap_bytes;    /* (o) sum of all caps above their least */
	unsigned cap_victim; /* (o) class whose cap is taken next */
	void *inbox;         /* (o) taken from the queue, not yet looked at */
	struct qr_heap_parcel parcel[QR_HEAP_PARCELS]; /* (o) by owner */
	struct qr_heap_thread *parked_next;            /* (t) */

	/* Written by others: a line of its own. */
	_Alignas(64) _Atomic(void *) queue; /* (a) blocks that others freed */
	_Atomic(uint32_t) state;            /* (a) enum qr_heap_thread_state */
};

_Static_assert(offsetof(struct qr_heap_thread, list) == 0,
    "the fast path adds a class's offset to the thread's address");
_Static_assert(sizeof(struct qr_heap_thread) <= QR_PAGE_SIZE, "one page");

/* --- heap --- */

#define QR_HEAP_REGIONS      256u
#define QR_HEAP_LEAF_THREADS 512u /* pointers in a page */
#define QR_HEAP_LEAVES       128u
#define QR_HEAP_THREADS_MAX  (QR_HEAP_LEAF_THREADS * QR_HEAP_LEAVES)

struct qr_heap {
	/* [0] is the one that the fast path knows. */
	struct qr_heap_window window[QR_HEAP_REGIONS];
	struct qr_heap_region *region[QR_HEAP_REGIONS]; /* (c) once set */
	_Atomic(unsigned) regions;                      /* (a,r) */
	const struct qr_page_source *source;            /* (c) */

	/* (r) in pages, (a) for hints */
	_Atomic(size_t) held;  /* handed out by run.c */
	_Atomic(size_t) dirty; /* free, with the dirty bit */
	size_t held_max;       /* (r) */
	size_t reserved_bytes; /* (r) */
	size_t metadata_bytes; /* (r) */

	/* Purging; see purge.c. */
	_Atomic(size_t) purge_above;  /* (a) dirty pages that start a purge */
	_Atomic(uint64_t) purge_tick; /* (a) when it was last looked at, ns */
	size_t tick_peak;             /* (r) most held in this tick, pages */
	size_t tick_peak_before;      /* (r) and in the one before */
	_Atomic(size_t) purged;       /* (a) pages, in sum */

	qr_span_ref_t detached[QR_SIZE_CLASSES][QR_SPAN_LISTS]; /* (d) */
	_Atomic(uint32_t) detached_partial; /* (a,d) how many, of all classes */

	/* By number; leaves are pages of pointers. */
	struct qr_heap_thread *_Atomic *leaf[QR_HEAP_LEAVES]; /* (t) */
	uint32_t threads;              /* (t) numbers given out, from 0 on */
	struct qr_heap_thread *parked; /* (t) */
	uint32_t parked_count;         /* (t) */
	struct qr_heap_thread *shared; /* QR_HEAP_LOCK_SHARED to use */
	uint32_t exit_key;             /* (c) of pthread; see thread.c */
	bool has_exit_key;             /* (c) */
	_Atomic(bool) started;         /* (a) regions and keys are there */

	struct qr_heap_lock lock[QR_HEAP_LOCKS];
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

/* --- pagemap_impl.h has the inlines; pagemap.c --- */

struct qr_heap_place {
	struct qr_heap_region *region;
	uint64_t page;
	struct qr_heap_word *word;
};

/* Where an address lies. False: in no region, or where no run ever was. */
bool qr_heap_place_of(struct qr_heap *heap, const void *address,
    struct qr_heap_place *place);

/* Says what this pointer is, which is no block, and ends the program. */
QR_NORETURN void qr_heap_report_foreign(const char *call, const void *pointer);

/* --- run.c: page runs --- */

struct qr_heap_run {
	struct qr_heap_region *region;
	uint64_t page;
	uint64_t pages;
	bool fresh; /* all its pages are zero */
};

/* Reserves the first region. -QR_ENOMEM. */
QR_MUST_CHECK int qr_heap_run_init(struct qr_heap *heap);

/*
 * pages pages, aligned to 1 << align_order of them; region may be added. Runs
 * lock held. If keep_dirty, the pages' dirty bits stay for qr_heap_run_zero.
 */
QR_MUST_CHECK int qr_heap_run_alloc(struct qr_heap *heap, uint64_t pages,
    unsigned align_order, bool keep_dirty, struct qr_heap_run *run);

/* Gives pages back; the first dirty_pages of them have been written to, the
 * rest only if the run was not fresh. Runs lock held. */
void qr_heap_run_free(struct qr_heap *heap, const struct qr_heap_run *run,
    uint64_t dirty_pages);

/* Takes the pages right behind the run. -QR_EBUSY: not all are free. Runs
 * lock held. */
QR_MUST_CHECK int qr_heap_run_extend(struct qr_heap *heap,
    struct qr_heap_run *run, uint64_t more);

/* Writes zeros to the dirty pages of a run that was allocated with
 * keep_dirty. Runs lock not held. */
void qr_heap_run_zero(struct qr_heap *heap, const struct qr_heap_run *run);

static inline char *
qr_heap_page_address(const struct qr_heap_region *region, uint64_t page)
{
	/* Relaxed: constant once the region is known. */
	uintptr_t base =
	    atomic_load_explicit(&region->window->base, memory_order_relaxed);
	return (char *)base + (page << QR_PAGE_SHIFT);
}

/* --- dirty.c: the dirty bits of a region, runs lock held --- */

uint64_t qr_heap_dirty_count(const struct qr_heap_region *region, uint64_t page,
    uint64_t pages);
void qr_heap_dirty_set(struct qr_heap_region *region, uint64_t page,
    uint64_t pages, bool dirty);

/* The longest range of dirty pages that begins at the first dirty page of
 * [page, end). False: none is dirty. Also without the lock, by the owner of
 * the range. */
bool qr_heap_dirty_next(const struct qr_heap_region *region, uint64_t page,
    uint64_t end, uint64_t *first, uint64_t *count);

/* The last dirty page below end. False: there is none. */
bool qr_heap_dirty_last(const struct qr_heap_region *region, uint64_t end,
    uint64_t *page);

/* --- span.c --- */

struct qr_span *qr_span_of_ref(const struct qr_heap *heap, qr_span_ref_t ref);
qr_span_ref_t qr_span_ref_of(const struct qr_heap *heap,
    const struct qr_span *span);
struct qr_span *qr_span_of_word(const struct qr_heap_place *place);
char *qr_span_start(const struct qr_heap *heap, const struct qr_span *span);

/* Pages of the spans of a class: the least and the most, log2. */
unsigned qr_span_order_min(unsigned size_class);
unsigned qr_span_order_max(unsigned size_class);

/* A span of 1 << order pages with no block cut, on no list, its pages marked
 * as owner's. NULL: no memory. */
struct qr_span *qr_span_create(struct qr_heap *heap, unsigned size_class,
    unsigned order, uint32_t owner);

/* The span has all its blocks and is on no list. */
void qr_span_destroy(struct qr_heap *heap, struct qr_span *span);

/* Links up to limit blocks of the span in order of address and puts them
 * before *chain. Returns how many. */
unsigned qr_span_take(struct qr_heap *heap, struct qr_span *span,
    unsigned limit, void **chain);

/* Puts a block back. Reports a block that is free already. */
void qr_span_put(struct qr_heap *heap, struct qr_span *span, void *block);

/* Makes the counts agree with the free map, after its owner was lost. */
void qr_span_recount(struct qr_span *span);

bool qr_span_is_full(const struct qr_span *span);
bool qr_span_is_empty(const struct qr_span *span);

/* Changes the owner in the header and in the pages' words. */
void qr_span_set_owner(struct qr_heap *heap, struct qr_span *span,
    uint32_t owner);

/* lists[QR_SPAN_LISTS]: puts the span first on the one that it belongs to,
 * takes it off the one it is on. */
void qr_span_list_insert(struct qr_heap *heap, qr_span_ref_t *lists,
    struct qr_span *span);
void qr_span_list_remove(struct qr_heap *heap, qr_span_ref_t *lists,
    struct qr_span *span);

/* --- detached.c: spans without an owner --- */

/* Takes over a span of the class that has room. NULL: there is none. */
struct qr_span *qr_heap_adopt(struct qr_heap_thread *thread,
    unsigned size_class);

/* Leaves a span that is on no list to whoever needs it. */
void qr_heap_detach(struct qr_heap *heap, struct qr_span *span);

/* The same, with that lock held, for a span that may have no block in use. */
void qr_heap_detach_locked(struct qr_heap *heap, struct qr_span *span);

/* Detaches all spans whose owner is parked, with the blocks that their free
 * maps say are free. Locks of detached spans and of runs held. */
void qr_heap_recover(struct qr_heap *heap);

/* Frees a block whose span was detached when this thread looked. False: it
 * has an owner again; nothing was done. */
bool qr_heap_free_detached(struct qr_heap *heap, void *block);

/* --- thread.c --- */

/* Looks at the first window again. */
void qr_heap_thread_see_window(struct qr_heap_thread *thread);

/* This thread's cache, made if need be; NULL: it can not have one. */
struct qr_heap_thread *qr_heap_thread_get(struct qr_heap *heap);

/* Starts the heap once. -QR_ENOMEM. */
QR_MUST_CHECK int qr_heap_start(struct qr_heap *heap);

/* Thread with this number. */
struct qr_heap_thread *qr_heap_thread_of(struct qr_heap *heap, uint32_t number);

/* Gives all that the thread has cached back to where it belongs, and spans
 * that are empty then. */
void qr_heap_thread_flush(struct qr_heap_thread *thread);

/* Forgets the cache of a thread that a fork left behind and parks it; then
 * qr_heap_recover gives its spans to others. Threads lock held. */
void qr_heap_thread_bury(struct qr_heap_thread *thread);

/* A block for a thread that can not have a cache. NULL: no memory. */
void *qr_heap_shared_alloc(struct qr_heap *heap, unsigned size_class);

/* --- cache.c: a thread's lists --- */

/* A block of the class, when its list is empty. NULL: no memory. */
void *qr_heap_refill(struct qr_heap_thread *thread, unsigned size_class);

/* The list has more than its cap: it grows or gives the older half away. */
void qr_heap_overflow(struct qr_heap_thread *thread, unsigned size_class);

/* Empties one list. */
void qr_heap_list_flush(struct qr_heap_thread *thread, unsigned size_class);

/* Puts a block of a span that the thread owns into the span. */
void qr_heap_put_own(struct qr_heap_thread *thread, struct qr_span *span,
    void *block);

/* --- remote.c: frees of other threads' blocks --- */

/* tag: the block's, which is not this thread's. */
void qr_heap_free_remote(struct qr_heap_thread *thread, void *block,
    uint32_t tag);

/* Sends all parcels. */
void qr_heap_send_all(struct qr_heap_thread *thread);

/* Looks at up to limit blocks that others sent. Those of the wanted class go
 * to its list while there is room, all others to their spans.
 * QR_SIZE_CLASSES: none is wanted. */
void qr_heap_receive(struct qr_heap_thread *thread, unsigned limit,
    unsigned wanted);

/* Brings a chain of blocks to wherever they belong by now. */
void qr_heap_settle(struct qr_heap *heap, void *chain);

/* --- large.c --- */

void *qr_heap_large_alloc(struct qr_heap *heap, size_t size,
    unsigned align_order, bool zero);
void qr_heap_large_free(struct qr_heap *heap,
    const struct qr_heap_place *place);

/* Grows or shrinks where it is. False: it can not. */
bool qr_heap_large_resize(struct qr_heap *heap,
    const struct qr_heap_place *place, size_t size);

/* --- purge.c --- */

/* Called after runs were freed, with no lock held: purges what is due. */
void qr_heap_purge_due(struct qr_heap *heap);

/* Gives dirty pages back until keep are left. */
void qr_heap_purge_to(struct qr_heap *heap, size_t keep);

/* --- check.c --- */

/* Calls visit for the first page of each run in use. Runs lock held. */
void qr_heap_walk(struct qr_heap *heap,
    void (*visit)(void *ctx, const struct qr_heap_place *place, uint64_t pages),
    void *ctx);

/* --- fork.c --- */

void qr_heap_fork_init(void);

/* --- os.c: the operating system --- */

uint64_t qr_heap_clock(void); /* ns, monotonic, of a few ms resolution */

/* Puts asynchronous cancellation of this thread off, and back as it was. A
 * restore that finds the thread cancelled does not return. */
int qr_heap_cancel_defer(void);
void qr_heap_cancel_restore(int type);

/* --- fast_impl.h: their slow ways, in heap.c --- */

void *qr_heap_malloc_slow(size_t size);
void qr_heap_free_slow(void *block);

#endif
