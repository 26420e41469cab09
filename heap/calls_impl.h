/* SPDX-License-Identifier: MIT */
/*
 * heap/calls_impl.h: what the files of the heap offer each other, file by
 * file. Errors are negative QR_E*.
 */
#ifndef QR_HEAP_CALLS_IMPL_H
#define QR_HEAP_CALLS_IMPL_H

#include "heap_impl.h"

/* --- fast_impl.h: the slow ways, in heap.c --- */

void *qr_heap_malloc_slow(size_t size);
void qr_heap_free_slow(void *block);

/* keyed_tag: of block's page, exclusive-or thread's key: what the fast path
 * has at hand. */
void qr_heap_free_tagged(struct qr_heap_thread *thread, void *block,
    size_t keyed_tag);

/* The class of a size and an alignment; QR_SIZE_CLASSES: it takes pages. */
unsigned qr_heap_class_of(size_t size, size_t align);

/* Pages that a block of pages is to be aligned to, log2. */
unsigned qr_heap_align_order(size_t align);

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

/* --- foreign.c: blocks of libc's own malloc --- */

/* Gives it back to libc. False: it is none of libc's either. */
bool qr_heap_foreign_free(void *block);
bool qr_heap_foreign_realloc(void *block, size_t size, void **moved);

/* --- run.c: page runs --- */

struct qr_heap_run {
	struct qr_heap_region *region;
	uint64_t page;
	uint64_t pages;
	bool fresh; /* all its pages are zero */
};

/* Reserves the first region. -QR_ENOMEM. */
QR_MUST_CHECK int qr_heap_run_init(struct qr_heap *heap);

/* Gives all regions back, with all that is in them. Nobody is inside. */
void qr_heap_run_fini(struct qr_heap *heap);

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

/* --- kept.c: freed runs by length, runs lock held --- */

/* A run of just so many pages, which are free and dirty. False: none is
 * kept. */
bool qr_heap_kept_take(struct qr_heap *heap, uint64_t pages, uint64_t *page);

/* Keeps a run whose pages are free and dirty. False: it is not for that. */
bool qr_heap_kept_add(struct qr_heap *heap, const struct qr_heap_run *run);

/* Gives all that is kept to the buddy. False: that was nothing. */
bool qr_heap_kept_join(struct qr_heap *heap);

/* --- hint.c: what the source is told --- */

/* Whether a run of so many pages, for calloc or not, may make chunks dense. */
bool qr_heap_hint_may_open(uint64_t pages, bool zero);

/* A chunk is used that was empty and holds nothing. Runs lock held. */
void qr_heap_hint_opened(struct qr_heap *heap, struct qr_heap_region *region,
    uint64_t chunk, bool may_be_dense);

/* Pages are about to be given back. Runs lock held. */
void qr_heap_hint_dropped(struct qr_heap *heap, struct qr_heap_region *region,
    uint64_t page, uint64_t pages);

/* Whether spans may touch pages in pieces, as the heap has grown. */
bool qr_heap_hint_span(const struct qr_heap *heap);

/* Fresh pages of one chunk that the caller is about to write to. */
void qr_heap_hint_written(struct qr_heap *heap,
    const struct qr_heap_region *region, uint64_t page, uint64_t pages);

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

/* Pages of a span of that order: no more than its blocks reach into. */
unsigned qr_span_pages(unsigned size_class, unsigned order);

/* A span of at most 1 << order pages with no block cut, on no list, its pages marked
 * as owner's. NULL: no memory. */
struct qr_span *qr_span_create(struct qr_heap *heap, unsigned size_class,
    unsigned order, uint32_t owner);

/* The span has all its blocks and is on no list. */
void qr_span_destroy(struct qr_heap *heap, struct qr_span *span);

/* Links up to limit blocks of the span in order of address and puts them
 * before *chain. Returns how many. */
unsigned qr_span_take(struct qr_heap *heap, struct qr_span *span,
    unsigned limit, void **chain);

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
 * that are empty then. By that thread, with its lock held. */
void qr_heap_thread_flush(struct qr_heap_thread *thread);

/* Drains all threads. flush: each is to give up its lists as well, when it
 * next comes by a slow way. */
void qr_heap_drain_all(struct qr_heap *heap, bool flush);

/* Forgets the cache of a thread that a fork left behind and parks it; then
 * qr_heap_recover gives its spans to others. Threads lock held. */
void qr_heap_thread_bury(struct qr_heap_thread *thread);

/* A block for a thread that can not have a cache. NULL: no memory. */
void *qr_heap_shared_alloc(struct qr_heap *heap, unsigned size_class);

/* --- cache.c: a thread's lists --- */

/* A block of the class, when its list is empty. NULL: no memory. */
void *qr_heap_refill(struct qr_heap_thread *thread, unsigned size_class);

/* The list at this offset in the thread may have more than its cap: then it
 * grows or gives the older part away. */
void qr_heap_overflow(struct qr_heap_thread *thread, size_t list_offset);

/* Most blocks that the list may have: its cap, or what it takes between two
 * looks at it. */
int32_t qr_heap_list_most(const struct qr_heap_list *list, unsigned size_class);

/* Empties one list. The thread's lock held, as for the next two. */
void qr_heap_list_flush(struct qr_heap_thread *thread, unsigned size_class);

/* Gives back the empty spans that its classes keep, one each. */
void qr_heap_give_empty(struct qr_heap_thread *thread);

/* Puts a block of a span that the thread owns into the span, which may be
 * destroyed with that. */
void qr_heap_put_own_block(struct qr_heap_thread *thread, void *block);
void qr_heap_put_own(struct qr_heap_thread *thread, struct qr_span *span,
    void *block);

/* --- remote.c: frees of other threads' blocks --- */

/* tag: the block's, which is not this thread's, as it has seemed. */
void qr_heap_free_remote(struct qr_heap_thread *thread, void *block,
    uint32_t tag);

/* Sends a foreign block on its way, to be with its owner sooner or later. */
void qr_heap_send(struct qr_heap_thread *thread, void *block, uint32_t tag);

/* Sends all parcels. */
void qr_heap_send_all(struct qr_heap_thread *thread);

/* Looks at limit blocks that others sent, and a carrier's more. They go to
 * their spans or, if this is the thread's doing and to_lists says so, to its
 * lists while there is room. The thread's lock held. */
void qr_heap_receive(struct qr_heap_thread *thread, unsigned limit,
    bool to_lists);

/* Brings what others have sent to any thread into its spans. */
void qr_heap_drain(struct qr_heap_thread *thread);

/* Brings the blocks of a chain of carriers, or one block, to wherever they
 * belong by now. */
void qr_heap_settle(struct qr_heap *heap, void *chain);
void qr_heap_settle_block(struct qr_heap *heap, void *block);

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

/* What is due when half a second has passed and nobody may have freed. */
void qr_heap_purge_tick(struct qr_heap *heap);

/* --- limit.c --- */

/* Whether so many pages more may be held. Runs lock held or not. */
bool qr_heap_limit_allows(struct qr_heap *heap, uint64_t pages);

/* Dirty pages that may stay under the limits, at most budget. */
size_t qr_heap_limit_dirty(struct qr_heap *heap, size_t budget);

/* Tells the program that the soft limit is passed. No lock held. */
void qr_heap_limit_warn(struct qr_heap *heap);

/* An allocation failed: if a limit may be why, gives back what can be and
 * tells the program. True: it is worth another try. No lock held. */
bool qr_heap_limit_reached(struct qr_heap *heap);

/* The program is told by a NULL: the reserve is its own now. */
void qr_heap_limit_failed(struct qr_heap *heap);

/* Bytes of a number with K, M, G or T behind it; *text is behind that then.
 * False: it is none. */
bool qr_heap_bytes_from_text(const char **text, size_t *bytes);

/* Takes limits from the environment. */
void qr_heap_limit_from_text(const char *text);

/* --- os.c: --- */

/* A line to stderr. */
void qr_heap_say(const char *text);

/* --- idle.c: the helper thread --- */

/* Starts it. In malloc, with no lock held. */
void qr_heap_idle_start(struct qr_heap *heap);

/* Wakes it, or wishes for it, if there is need. With any locks held. */
void qr_heap_idle_notice(struct qr_heap *heap);

/* Ends it and waits for that, with no lock held. Returns whether there was
 * one. */
bool qr_heap_idle_end(void);

/* In a child of fork: there is none here. */
void qr_heap_idle_forget(void);

/* A system call of two arguments, without the helper; as syscall(). */
int qr_heap_call_alone(long number, long first, long second);

/* --- check.c --- */

/* Calls visit for the first page of each run in use. Runs lock held. */
void qr_heap_walk(struct qr_heap *heap,
    void (*visit)(void *ctx, const struct qr_heap_place *place, uint64_t pages),
    void *ctx);

/* --- fork.c --- */

void qr_heap_fork_init(void);

/* --- panic.c --- */

/* Only libquire.so and libquire.a have it: in libquire-run.so the heap's pages
 * and its idle hours are the port's. */
extern const char qr_heap_stands_alone[]
    __attribute__((weak, visibility("hidden")));

/* --- os.c: the operating system --- */

uint64_t qr_heap_clock(void); /* ns, monotonic, of a few ms resolution */

/* Puts asynchronous cancellation of this thread off, and back as it was. A
 * restore that finds the thread cancelled does not return. */
int qr_heap_cancel_defer(void);
void qr_heap_cancel_restore(int type);

#endif
