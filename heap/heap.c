/* SPDX-License-Identifier: MIT */
/*
 * heap/heap.c: the heap of a process: its design, and the functions of
 * qr/heap.h.
 *
 * 1. Purpose
 *
 * A malloc that any program can be started on: fast where a thread frees what
 * it allocated, cheap where another thread does, with little memory beyond
 * the blocks themselves, that gives pages back. It stands on a page source
 * and knows nothing else of the system, so under a RAM budget its pages are
 * simply pages that may be cold. For that it keeps two habits: what it writes
 * about memory lies apart from the memory, dense, and it does not touch free
 * memory except for a block that is about to be used or was just freed.
 *
 * 2. Layers
 *
 *     libc.c  cxx.c          malloc, operator new ...: names and errno
 *     heap.c  fast_impl.h    which of the ways a call goes
 *     limit.c                how much there may be    separate.c  more heaps
 *     cache.c                lists of a thread       remote.c  to other threads
 *     thread.c               caches begin and end    detached.c  spans of none
 *     span.c                 pages cut into blocks   large.c  blocks of pages
 *     run.c  dirty.c         runs of pages           purge.c  gives them back
 *     kept.c                 runs of a length       hint.c    what is to come
 *     sample_impl.h          when a block is due    profile.c the sample
 *     unwind.c               who asked for it       pprof.c   as text
 *     guard.c                blocks between pages that nobody may touch
 *     idle.c                 a helper thread that does so while nobody calls
 *     frame/buddy.c          which pages are free
 *     qr_page_source, os.c   address space and memory
 *
 * 3. The life of a small block
 *
 *               cut                 refill             malloc
 *     never cut ---> (at once) ... free in its span --> on a list --> in use
 *                                    ^                    ^   |         |
 *                                    |      overflow      |   |         |
 *                                    +--------------------|---+   free by owner
 *                                    |                    +-------------+
 *                                    |  receive                free by another
 *                                    +----- queue <----- parcel <-------+
 *
 * A list is a stack linked through the blocks: the block freed last is warm
 * and goes out first. The span learns of frees only when a list overflows;
 * then the colder half of the list is entered in the spans' free maps, one
 * bit a block. A refill takes blocks out of a map in order of address. A
 * block on a list, in a parcel or in a queue counts as used in its span.
 *
 * 4. From an address to what it is
 *
 * The page map has one 8-byte word a page (0.2 %). A word holds the span's
 * owner and class, which is all that a free needs: if the owner is the
 * freeing thread, the rest of the tag is where that class's list lies in the
 * thread's cache. Only the slow ways look at the span's header.
 *
 * 5. Spans
 *
 * A class's first span in a thread has the fewest pages that waste at most an
 * eighth, each further one twice as many up to 16, 64 or 256 KiB by size of
 * block, less the pages that no block of it reaches into. Rounding to classes
 * and the ends of spans take 2.9 % together, over all sizes of 24 bytes to 32
 * KiB. Pages are cut one after the other, when the blocks are needed, so an
 * uncut page is never touched. A thread takes from the first span on its list
 * of partial ones; spans come first on it when they cease to be full, so full
 * ones stay full and sparse ones have time to become empty. An empty span goes
 * back to the buddy at once, unless it is its class's only one; these go, too,
 * before another class takes pages that were never used.
 *
 * 6. Invariants, verified by qr_check_heap
 *
 * [heap.1] A block's bit is set only if it was cut: no bit at or above cut.
 * [heap.2] free is the number of bits set: free <= cut <= blocks.
 * [heap.3] A span is on its owner's full list iff it has neither a free nor
 *          an uncut block, else on the partial one.
 * [heap.4] All words of a span carry its owner, class and unit. The owner
 *          changes under the lock of detached spans, from and to DETACHED,
 *          and a thread's own number is given and taken by that thread alone.
 * [heap.5] A page is free in the buddy, kept, or belongs to one run, but for
 *          what a purge has out; words of pages in the buddy are 0.
 * [heap.6] A dirty bit is set only for a free page, or by calloc for a moment
 *          for its own; a free page without one reads as zero.
 * [heap.7] held is the sum of all runs, dirty that of all dirty bits.
 * [heap.8] A parked thread owns no span, and its queue is empty or has a
 *          sender that is about to empty it.
 * [heap.9] A list's blocks are of its class, all but the adopted ones in spans
 *          of its thread, and room leaves place for them.
 * [heap.10] A page's word has the mark SAMPLED iff a block in the profile's
 *          table starts in the page; see profile.c.
 *
 * 7. Threads
 *
 * What is (o) in heap_impl.h is touched by its thread alone: no atomics. The
 * rest is behind the five locks of lock_impl.h and one lock a thread, none of
 * which is taken on the way of a local malloc or free that finds a block or
 * room on its list. The thread's own lock is for what others may do in its
 * place: bring home what was freed for it while it sleeps.
 * Standards do not let a thread be cancelled asynchronously inside malloc.
 * Where it happens all the same, it is put off over all that could not be
 * left half done: between any two stores of the fast paths one block is lost
 * at most.
 *
 * 8. Failure
 *
 * The source may refuse at any time. Every call then returns NULL with the
 * heap as it was, after the thread has given up what it had cached and tried
 * again. What can be told to be a misuse at no cost on the fast path ends the
 * program with a report: a pointer that is no block, the second free of a
 * block when it reaches its span; guard.c tells more of single blocks.
 * libquire-hard.so tells the rest: hard.c.
 *
 * 9. Rejected
 *
 * Headers at the start of a span, found by masking the address: no page map,
 * but each free touches a cache line of a page that may be cold, and all of
 * them share few cache sets. Free lists within spans: the same, and a sparse
 * span cannot be told to be sparse without reading it. A page map over the
 * whole address space: it saves the window's compare in free, and does not
 * start under a limit of address space. Locks instead of messages for foreign
 * frees: the owner would pay too.
 *
 * 10. Reading: heap_impl.h, calls_impl.h, fast_impl.h, cache.c, span.c, run.c,
 * remote.c, then the rest in any order.
 */
#include "heap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fast_impl.h"
#include "sample_impl.h"

/* In place while a block shrinks to no less than 1 / this of its class. */
#define REALLOC_KEEP_PART 2u

struct qr_heap qr_heap_process;

__attribute__((constructor)) static void
heap_load(void)
{
	qr_heap_fork_init();
	qr_sample_init();
	qr_guard_init();
	const char *limit = getenv("QUIRE_HEAP_LIMIT");
	if (limit != NULL)
		qr_heap_limit_from_text(limit);
}

static void *
heap_no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/* The class that a size is served from: never class 0, see qr_heap_list. */
static unsigned
class_of(size_t size)
{
	return qr_size_class_of(qr_max(size, QR_SIZE_TINY_BYTES + 1));
}

unsigned
qr_heap_class_of(size_t size, size_t align)
{
	if (align > QR_PAGE_SIZE)
		return QR_SIZE_CLASSES;
	return qr_size_class_aligned(qr_max(size, QR_SIZE_TINY_BYTES + 1),
	    align);
}

unsigned
qr_heap_align_order(size_t align)
{
	unsigned order = qr_order_of(align);
	return order > QR_PAGE_SHIFT ? order - QR_PAGE_SHIFT : 0;
}

/* A block of a class, whatever the state of this thread. */
static void *
small_alloc(unsigned size_class)
{
	struct qr_heap_thread *thread = qr_heap_self;
	if (QR_UNLIKELY(thread == &qr_heap_thread_none)) {
		if (qr_heap_start(&qr_heap_process) != 0)
			return NULL;
		thread = qr_heap_thread_get(&qr_heap_process);
		if (thread == NULL)
			return qr_heap_shared_alloc(&qr_heap_process,
			    size_class);
	}
	struct qr_heap_list *list = &thread->list[size_class];
	void *block = list->head;
	if (block == NULL)
		return qr_heap_refill(thread, size_class);
	list->head = *(void **)block;
	return block;
}

static void *
large_alloc(size_t size, unsigned align_order, bool zero)
{
	if (size > PTRDIFF_MAX || qr_heap_start(&qr_heap_process) != 0)
		return NULL;
	void *block =
	    qr_heap_large_alloc(&qr_heap_process, size, align_order, zero);
	if (block != NULL)
		qr_sample_large(qr_heap_self, block, size);
	return block;
}

/* What has come up and is done where no lock is held. */
static QR_NOINLINE void
heap_attend(struct qr_heap *heap)
{
	/* Relaxed: wishes; what is allocated meanwhile may wish again. */
	uint32_t what =
	    atomic_exchange_explicit(&heap->attention, 0, memory_order_relaxed);
	if ((what & QR_HEAP_ATTEND_IDLE) != 0)
		qr_heap_idle_start(heap);
	if ((what & QR_HEAP_ATTEND_SOFT) != 0)
		qr_heap_limit_warn(heap);
}

/* What there is to allocate, once more where the limit stood in the way. */
struct heap_request {
	size_t size;
	unsigned size_class; /* QR_SIZE_CLASSES: pages */
	unsigned align_order;
	bool zero;
	bool aligned; /* to more than malloc does */
};

static void *
request_try(const struct heap_request *request)
{
	return request->size_class < QR_SIZE_CLASSES
		   ? small_alloc(request->size_class)
		   : large_alloc(request->size, request->align_order,
			 request->zero);
}

static void *
request_alloc(const struct heap_request *request)
{
	struct qr_heap *heap = &qr_heap_process;
	void *block = request_try(request);
	if (QR_UNLIKELY(block == NULL) && request->size <= PTRDIFF_MAX &&
	    qr_heap_limit_reached(heap))
		block = request_try(request);
	if (QR_UNLIKELY(block == NULL)) {
		qr_heap_limit_failed(heap);
		return heap_no_memory();
	}
	if (QR_UNLIKELY(qr_heap_self->sampled != NULL))
		block = qr_sample_take(qr_heap_self,
		    request->aligned ? 0 : request->size);
	/* Relaxed: a wish. */
	if (QR_UNLIKELY(atomic_load_explicit(&heap->attention,
			    memory_order_relaxed) != 0))
		heap_attend(heap);
	return block;
}

/* Apart, so that what calls it needs no frame. */
static QR_NOINLINE void *
request_size(size_t size)
{
	return request_alloc(&(struct heap_request){ .size = size,
	    .size_class =
		size <= QR_SIZE_MAX ? class_of(size) : QR_SIZE_CLASSES });
}

QR_NOINLINE void *
qr_heap_malloc_slow(size_t size)
{
	/* Sizes that the fast path has no list for. */
	if (size - QR_SIZE_STEP_MAX - 1 >= QR_SIZE_MAX - QR_SIZE_STEP_MAX)
		return request_size(size);
	struct qr_heap_list *list = &qr_heap_self->list[qr_size_class_of(size)];
	void *block = list->head;
	if (block == NULL)
		return request_size(size);
	list->head = *(void **)block;
	return block;
}

void *
qr_heap_malloc(size_t size)
{
	return qr_heap_malloc_fast(size);
}

void *
qr_heap_calloc(size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		return heap_no_memory();
	if (bytes > QR_SIZE_MAX)
		return request_alloc(&(struct heap_request){ .size = bytes,
		    .size_class = QR_SIZE_CLASSES,
		    .zero = true });
	void *block = qr_heap_malloc_fast(bytes);
	return block != NULL ? memset(block, 0, bytes) : NULL;
}

void *
qr_heap_aligned_alloc(size_t align, size_t size)
{
	if (!qr_is_pow2(align)) {
		errno = EINVAL;
		return NULL;
	}
	return request_alloc(&(struct heap_request){ .size = size,
	    .size_class = qr_heap_class_of(size, align),
	    .align_order = qr_heap_align_order(align),
	    .aligned = align > QR_SIZE_STEP });
}

/* --- free --- */

/* A block of a span of this thread, which the fast path did not know to be
 * so: not in what the thread has seen of the first window. */
static void
free_own(struct qr_heap_thread *thread, void *block, uint32_t tag)
{
	size_t offset = tag ^ thread->key;
	qr_heap_thread_see_window(thread);
	*(void **)block = fast_list(thread, offset)->head;
	fast_list(thread, offset)->head = block;
	if (fast_count(fast_list(thread, offset)))
		qr_heap_overflow(thread, offset);
}

/* A block on a page of which one is in the profile's sample. */
static QR_NOINLINE void
free_sampled(void *block)
{
	struct qr_heap_place place;
	if (!qr_heap_place_of(&qr_heap_process, block, &place))
		qr_heap_report_foreign("free", block);
	qr_sample_freed(&qr_heap_process, block, place.word);
}

/* A block that is no block of a span: a large one, or none. */
static QR_NOINLINE void
free_other(void *block)
{
	struct qr_heap_place place;
	if (!qr_heap_place_of(&qr_heap_process, block, &place))
		qr_heap_report_foreign("free", block);
	if (qr_heap_tag(place.word) != QR_HEAP_KIND_LARGE ||
	    ((uintptr_t)block & (QR_PAGE_SIZE - 1)) != 0)
		qr_heap_report_foreign("free", block);
	qr_heap_large_free(&qr_heap_process, &place);
}

void
qr_heap_free_tagged(struct qr_heap_thread *thread, void *block,
    size_t keyed_tag)
{
	uint32_t tag = (uint32_t)keyed_tag ^ thread->key;
	if (QR_UNLIKELY((tag & QR_HEAP_TAG_SAMPLED) != 0)) {
		free_sampled(block);
		tag &= ~QR_HEAP_TAG_SAMPLED;
		if (qr_tag_is_span(tag) &&
		    qr_tag_owner(tag) == thread->number) {
			free_own(thread, block, tag);
			return;
		}
	}
	if (qr_tag_is_span(tag))
		qr_heap_free_remote(thread, block, tag);
	else
		free_other(block);
}

QR_NOINLINE void
qr_heap_free_slow(void *block)
{
	struct qr_heap_place place;
	if (block == NULL)
		return;
	if (!qr_heap_place_of(&qr_heap_process, block, &place)) {
		if (!qr_guard_free(block) && !qr_heap_foreign_free(block))
			qr_heap_report_foreign("free", block);
		return;
	}
	struct qr_heap_thread *thread = qr_heap_self;
	uint32_t tag = qr_heap_raw_tag(place.word);
	if (qr_tag_is_span(tag) && qr_tag_owner(tag) == thread->number)
		free_own(thread, block, tag);
	else
		qr_heap_free_tagged(thread, block, tag ^ thread->key);
}

void
qr_heap_free(void *block)
{
	qr_heap_free_fast(block);
}

/* --- sizes --- */

/* Bytes of the block that place is the start of, 0 if it is of none. */
static size_t
place_bytes(const struct qr_heap_place *place)
{
	uint32_t tag = qr_heap_tag(place->word);
	if (qr_tag_is_span(tag))
		return qr_size_of_class(qr_tag_class(tag));
	if (tag == QR_HEAP_KIND_LARGE)
		return (size_t)place->word->value << QR_PAGE_SHIFT;
	return 0;
}

size_t
qr_heap_usable_size(const void *block)
{
	struct qr_heap_place place;
	if (block == NULL)
		return 0;
	if (!qr_heap_place_of(&qr_heap_process, block, &place))
		return qr_guard_size(block);
	return place_bytes(&place);
}

static void *
realloc_move(void *block, size_t have, size_t size)
{
	void *moved = qr_heap_malloc_fast(size);
	if (moved == NULL)
		return NULL;
	memcpy(moved, block, qr_min(have, size));
	qr_heap_free_fast(block);
	return moved;
}

void *
qr_heap_realloc(void *block, size_t size)
{
	if (block == NULL)
		return qr_heap_malloc_fast(size);
	if (size == 0) {
		qr_heap_free_fast(block);
		return NULL;
	}
	if (size > PTRDIFF_MAX)
		return heap_no_memory();
	struct qr_heap_place place;
	bool known = qr_heap_place_of(&qr_heap_process, block, &place);
	void *moved = NULL;
	size_t guarded = known ? 0 : qr_guard_size(block);
	if (guarded != 0)
		return realloc_move(block, guarded, size);
	/* One that was freed is reported there. */
	if (!known && (qr_guard_free(block) ||
			  qr_heap_foreign_realloc(block, size, &moved)))
		return moved;
	size_t have = known ? place_bytes(&place) : 0;
	if (have == 0)
		qr_heap_report_foreign("realloc", block);
	if (have > QR_SIZE_MAX && size > QR_SIZE_MAX) {
		if (qr_heap_large_resize(&qr_heap_process, &place, size)) {
			qr_sample_resized(&qr_heap_process, &place);
			return block;
		}
	} else if (size <= have && size >= have / REALLOC_KEEP_PART) {
		return block;
	}
	return realloc_move(block, have, size);
}

/* --- the whole --- */

size_t
qr_heap_trim(size_t keep_bytes)
{
	struct qr_heap *heap = &qr_heap_process;
	if (qr_heap_start(heap) != 0)
		return 0;
	/* Relaxed: two looks at a statistic. */
	size_t before =
	    atomic_load_explicit(&heap->purged, memory_order_relaxed);
	qr_heap_drain_all(heap, true);
	struct qr_heap_thread *thread = qr_heap_self;
	if (thread != &qr_heap_thread_none) {
		qr_heap_lock_acquire(&thread->lock);
		qr_heap_thread_flush(thread);
		qr_heap_lock_release(&thread->lock);
	}
	qr_heap_purge_to(heap, keep_bytes >> QR_PAGE_SHIFT);
	size_t after =
	    atomic_load_explicit(&heap->purged, memory_order_relaxed);
	return (after - before) << QR_PAGE_SHIFT;
}

int
qr_heap_set_page_source(const struct qr_page_source *source)
{
	struct qr_heap *heap = &qr_heap_process;
	int err = -QR_EBUSY;
	qr_heap_lock(heap, QR_HEAP_LOCK_THREADS);
	if (heap->region[0] == NULL) {
		heap->source = source;
		err = 0;
	}
	qr_heap_unlock(heap, QR_HEAP_LOCK_THREADS);
	return err;
}
