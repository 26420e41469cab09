/* SPDX-License-Identifier: MIT */
/*
 * space/run.c: bringing pages in: frames for them, their neighbours, their
 * contents, the port's mapping, the policy's lists.
 *
 * A run is a row of entries of one area in one leaf node, all claimed by this
 * thread, all swapped or all holding nothing. The first is the page that was
 * touched; the others come along because a sequential stream of faults was
 * seen (qr_stream_window). Where memory is short nothing is freed for them if
 * there is a background for that; if there is none, they are as good as
 * touched, and one turn for all of them costs far less than a fault each.
 * Contents are staged and mapped under the CPU's stage lock; until then
 * everything can be given back.
 */
#include "space_impl.h"

#include "port_inline.h"

/* mmu_map may ask to be called again so often before the touch is simply
 * taken back: it will be repeated anyhow. */
#define RUN_MAP_TRIES 16u

/* A stream's hash slot is found by its next page; the page number and the
 * window's logarithm share the word. */
#define STREAM_LOG_BITS 3u
_Static_assert(QR_STAGE_PAGES >> ((1u << STREAM_LOG_BITS) - 1) == 0,
    "a window's logarithm fits its bits");

void
qr_entry_release(const struct qr_port *port, qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	pte.bits &= ~(QR_PTE_BUSY | QR_PTE_WAITERS);
	(void)qr_pte_publish(port, word, pte);
}

/* --- streams --- */

static _Atomic(uint64_t) *
stream_slot(struct qr_space *space, uint64_t page_number)
{
	/* Multiplying by 2^64 / golden ratio spreads neighbours. */
	uint64_t hash = page_number * UINT64_C(0x9e3779b97f4a7c15);
	return &space->streams[hash >> 58];
}
_Static_assert(QR_STREAMS == 1u << (64 - 58), "a slot for each hash");

size_t
qr_stream_window(struct qr_space *space, qr_vaddr_t address, size_t limit)
{
	uint64_t number = address >> QR_PAGE_SHIFT;
	/* Relaxed: a hint; a lost or torn-apart stream costs a small window. */
	uint64_t word = atomic_load_explicit(stream_slot(space, number),
	    memory_order_relaxed);
	if (word >> STREAM_LOG_BITS != number)
		return 1;
	size_t window = (size_t)2 << (word & ((1u << STREAM_LOG_BITS) - 1));
	while (window > limit)
		window /= 2;
	/* Ends where a window of this size would, were it aligned. */
	return window - (number & (window - 1));
}

void
qr_stream_note(struct qr_space *space, qr_vaddr_t next, size_t window)
{
	uint64_t number = next >> QR_PAGE_SHIFT;
	uint64_t word = number << STREAM_LOG_BITS | qr_bit_highest(window);
	/* Relaxed: as in qr_stream_window. */
	atomic_store_explicit(stream_slot(space, number), word,
	    memory_order_relaxed);
}

/* --- frames --- */

/* Counts pages towards user_pages_max; false: they would pass it. */
static bool
run_charge(struct qr_spaces *spaces, size_t pages)
{
	/* Relaxed: a count that orders nothing. */
	uint64_t was = atomic_fetch_add_explicit(&spaces->user_pages, pages,
	    memory_order_relaxed);
	if (spaces->user_pages_max == 0 ||
	    was + pages <= spaces->user_pages_max)
		return true;
	atomic_fetch_sub_explicit(&spaces->user_pages, pages,
	    memory_order_relaxed);
	return false;
}

static void
run_uncharge(struct qr_spaces *spaces, size_t pages)
{
	/* Relaxed: as in run_charge. */
	atomic_fetch_sub_explicit(&spaces->user_pages, pages,
	    memory_order_relaxed);
}

struct qr_page *
qr_run_frame(struct qr_spaces *spaces)
{
	/* Ends: reclaim() fails when it makes no progress. */
	while (!run_charge(spaces, 1)) {
		if (spaces->ops->reclaim(spaces->ops_ctx, QR_EVICT_MAX / 2) !=
		    0)
			return NULL;
	}
	struct qr_page *page =
	    qr_frame_alloc(spaces->frames, QR_GFP_PAGE, 0, QR_PAGE_USER);
	if (page == NULL)
		run_uncharge(spaces, 1);
	return page;
}

void
qr_run_free_frames(struct qr_spaces *spaces, struct qr_page **pages,
    size_t count)
{
	if (count == 0)
		return;
	qr_frame_free_bulk(spaces->frames, pages, count);
	run_uncharge(spaces, count);
}

static struct qr_page *
run_page(const struct qr_run *run, size_t index)
{
	return qr_frame_page(run->space->spaces->frames, run->frames[index]);
}

static uint64_t
run_slot(const struct qr_run *run, size_t index)
{
	return qr_pte_slot(qr_pte_read(&run->words[index]));
}

static enum qr_pte_kind
run_kind(const struct qr_run *run, size_t index)
{
	return qr_pte_kind(qr_pte_read(&run->words[index]));
}

static bool
run_is_swapped(const struct qr_run *run)
{
	return run_kind(run, 0) == QR_PTE_SWAPPED;
}

/* Gives back entries and frames from keep on. */
static void
run_cut(struct qr_run *run, size_t keep)
{
	struct qr_spaces *spaces = run->space->spaces;
	while (run->count > keep) {
		run->count--;
		struct qr_page *page = run_page(run, run->count);
		qr_run_free_frames(spaces, &page, 1);
		qr_entry_release(spaces->port, &run->words[run->count]);
	}
}

/* --- neighbours --- */

/* Whether a swapped page can come along at little cost: out of the pool, or
 * by the read of the page before it. */
static bool
run_is_cheap(const struct qr_run *run, size_t index, struct qr_pte pte)
{
	struct qr_swap *swap = run->space->spaces->swap;
	uint64_t slot = qr_pte_slot(pte);
	return qr_swap_is_near(swap, slot) ||
	       qr_swap_follows(swap, run_slot(run, index - 1), slot);
}

/* Claims the entry if it belongs in the run. */
static bool
run_claim(const struct qr_run *run, size_t index, bool swapped)
{
	struct qr_pte pte = qr_pte_read(&run->words[index]);
	if (qr_pte_is_busy(pte) || qr_pte_is_present(pte))
		return false;
	enum qr_pte_kind kind = qr_pte_kind(pte);
	bool fits = kind == QR_PTE_ZERO;
	if (swapped)
		fits = kind == QR_PTE_SWAPPED && run_is_cheap(run, index, pte);
	else if (kind == QR_PTE_NONE)
		fits = !qr_area_is_view(run->area);
	return fits && qr_pte_try_claim(&run->words[index], pte);
}

/* Adds entries first to first + count, as many as are alike and find frames;
 * returns how many that were. */
static size_t
run_grow_some(struct qr_run *run, size_t count)
{
	struct qr_spaces *spaces = run->space->spaces;
	struct qr_page *pages[QR_STAGE_PAGES / 4];
	count = qr_min(count, QR_COUNT_OF(pages));
	if (!run_charge(spaces, count))
		return 0;
	size_t got = qr_frame_alloc_bulk(spaces->frames, QR_GFP_USER, count,
	    QR_PAGE_USER, pages);
	run_uncharge(spaces, count - got);

	bool swapped = run_is_swapped(run);
	size_t used = 0;
	while (used < got && run_claim(run, run->count, swapped)) {
		run->frames[run->count] =
		    qr_frame_pfn(spaces->frames, pages[used]);
		run->count++;
		used++;
	}
	qr_run_free_frames(spaces, pages + used, got - used);
	return used;
}

/* Pages that may follow the run's first one: the area, the leaf node. */
static size_t
run_room(const struct qr_run *run)
{
	const struct qr_geometry *geometry = run->space->spaces->geometry;
	size_t leaf = (size_t)1 << geometry->index_bits[0];
	size_t index = (run->start >> QR_PAGE_SHIFT) & (leaf - 1);
	return qr_min(leaf - index,
	    (run->area->end - run->start) >> QR_PAGE_SHIFT);
}

/* Whether frames for neighbours can be had without reclaim. A page that was in
 * use before is more likely to be used again than one that never was, so it
 * may come nearer to the watermark. */
static bool
run_is_at_ease(const struct qr_run *run, size_t want)
{
	struct qr_spaces *spaces = run->space->spaces;
	bool scarce = run_is_swapped(run) ? qr_frame_below_low(spaces->frames)
					  : qr_frame_below_high(spaces->frames);
	/* Relaxed: a hint. */
	uint64_t pages =
	    atomic_load_explicit(&spaces->user_pages, memory_order_relaxed);
	return !scarce && (spaces->user_pages_max == 0 ||
			      pages + want <= spaces->user_pages_max);
}

void
qr_run_grow(struct qr_run *run, size_t limit)
{
	struct qr_spaces *spaces = run->space->spaces;
	limit = qr_min(qr_min(limit, QR_STAGE_PAGES), run_room(run));
	if (run->count < limit && !run_is_at_ease(run, limit - run->count)) {
		/* The background will see to it. */
		if (!spaces->evict_by_touchers)
			return;
		/* In vain: the run grows by what there is. */
		(void)spaces->ops->reclaim(spaces->ops_ctx, limit - run->count);
	}
	while (run->count < limit) {
		size_t want = limit - run->count;
		size_t got = run_grow_some(run, want);
		if (got < qr_min(want, QR_STAGE_PAGES / 4))
			break;
	}
}

/* --- contents and mapping --- */

/* Stages the pages from index on that one read of the device brings; how many
 * that were. */
static size_t
run_load_row(const struct qr_run *run, unsigned cpu, size_t index)
{
	struct qr_spaces *spaces = run->space->spaces;
	const struct qr_port *port = spaces->port;
	uint64_t slots[QR_STAGE_PAGES];
	size_t count = 1;
	slots[0] = run_slot(run, index);
	if (index + 1 == run->count || qr_swap_is_near(spaces->swap, slots[0]))
		return 0;
	unsigned char *data =
	    port->ops->stage(port->ctx, cpu, run->frames[index], index);
	for (; index + count < run->count; count++) {
		/* As far as the stage lies in a row, too. */
		if (port->ops->stage(port->ctx, cpu, run->frames[index + count],
			index + count) != data + count * QR_PAGE_SIZE)
			break;
		slots[count] = run_slot(run, index + count);
	}
	return qr_swap_load_row(spaces->swap, slots, data, count);
}

/* Stages the pages of a swapped run. A neighbour that can't be read ends the
 * run before it; the first page's error is the result. */
static int
run_load(struct qr_run *run, unsigned cpu)
{
	struct qr_spaces *spaces = run->space->spaces;
	const struct qr_port *port = spaces->port;
	for (size_t i = 0; i < run->count; i++) {
		i += run_load_row(run, cpu, i);
		if (i == run->count)
			break;
		void *data =
		    port->ops->stage(port->ctx, cpu, run->frames[i], i);
		int error = qr_swap_load(spaces->swap, run_slot(run, i), data);
		if (error != 0 && i == 0)
			return error;
		if (error != 0)
			run_cut(run, i);
	}
	return 0;
}

/* Where pages of the run were put to sleep before they left, the machine may
 * still refuse access. */
static int
run_wake(const struct qr_run *run)
{
	const struct qr_port *port = run->space->spaces->port;
	uint64_t marks = 0;
	for (size_t i = 0; i < run->count; i++)
		marks |= qr_pte_read(&run->words[i]).bits;
	if ((marks & QR_PTE_ASLEEP) == 0)
		return 0;
	return port->ops->mmu_protect(port->ctx, run->space->mm, run->start,
	    run->start + run->count * QR_PAGE_SIZE, run->area->prot);
}

/* Stages and maps the run; -QR_EAGAIN: the port asked too often. */
static int
run_map(struct qr_run *run)
{
	const struct qr_port *port = run->space->spaces->port;
	bool swapped = run_is_swapped(run);
	unsigned cpu = qr_port_cpu(port);
	struct qr_lock *lock = &run->space->spaces->stage_lock[cpu];
	int error = 0;
	qr_lock_acquire(port, lock);
	for (unsigned turn = 0; turn < RUN_MAP_TRIES; turn++) {
		error = swapped ? run_load(run, cpu) : 0;
		if (error != 0)
			break;
		struct qr_map_run map = {
			.start = run->start,
			.frames = run->frames,
			.count = run->count,
			.prot = run->area->prot,
			.zero = !swapped,
		};
		error =
		    port->ops->mmu_map(port->ctx, run->space->mm, cpu, &map);
		if (error != -QR_EAGAIN)
			break;
	}
	qr_lock_release(port, lock);
	return error;
}

/* Evictions since the page behind the entry was evicted. (page lock) */
static uint64_t
run_distance(const struct qr_run *run, size_t index)
{
	struct qr_spaces *spaces = run->space->spaces;
	uint64_t slot = run_slot(run, index);
	uint32_t shadow;
	switch (run_kind(run, index)) {
	case QR_PTE_SWAPPED:
		shadow = qr_swap_shadow(spaces->swap, slot);
		break;
	case QR_PTE_ZERO:
		shadow = (uint32_t)slot;
		break;
	case QR_PTE_NONE:
	case QR_PTE_GUARD:
	case QR_PTE_RESIDENT:
	default:
		return UINT64_MAX;
	}
	/* The clock's low 32 bits: a page that was out for longer than 2^32
	 * evictions looks younger than it is. */
	return (uint32_t)spaces->evictions - shadow;
}

/* Makes the pages known: their mapping, the policy. Entries are still
 * claimed, so a page that is picked at once is found busy and stays. */
static void
run_tell(const struct qr_run *run)
{
	struct qr_spaces *spaces = run->space->spaces;
	bool locked = (run->area->flags & QR_MAP_LOCKED) != 0;
	/* Relaxed: a count that orders nothing. */
	uint64_t soon =
	    atomic_load_explicit(&spaces->user_pages, memory_order_relaxed);
	uint64_t refaulted = 0;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	for (size_t i = 0; i < run->count; i++) {
		struct qr_page *page = run_page(run, i);
		qr_rmap_set(page, run->space, run->start + i * QR_PAGE_SIZE);
		uint64_t distance = run_distance(run, i);
		refaulted += distance <= soon;
		if (!locked)
			spaces->ops->page_in(spaces->ops_ctx, page, distance);
	}
	qr_lock_release(spaces->port, &spaces->page_lock);
	if (refaulted != 0)
		atomic_fetch_add_explicit(&spaces->count.refaulted, refaulted,
		    memory_order_relaxed);
}

/* Publishes the entries; only the touched page is young. */
static void
run_publish(const struct qr_run *run)
{
	struct qr_spaces *spaces = run->space->spaces;
	size_t were_out = 0;
	for (size_t i = 0; i < run->count; i++) {
		struct qr_pte old = qr_pte_read(&run->words[i]);
		struct qr_pte pte =
		    qr_area_pte(run->area, run->frames[i], run->area->prot);
		if (i > 0)
			pte.bits &= ~QR_PTE_YOUNG;
		(void)qr_pte_publish(spaces->port, &run->words[i], pte);
		were_out += qr_pte_kind(old) != QR_PTE_NONE;
		if (qr_pte_kind(old) == QR_PTE_SWAPPED)
			qr_swap_put(spaces->swap, qr_pte_slot(old));
	}
	/* Relaxed: counts that order nothing. */
	atomic_fetch_add_explicit(&run->space->resident, run->count,
	    memory_order_relaxed);
	if (were_out == 0)
		return;
	atomic_fetch_sub_explicit(&run->space->swapped, were_out,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&spaces->count.pages_in, were_out,
	    memory_order_relaxed);
}

int
qr_run_bring_in(struct qr_run *run)
{
	int error = run_wake(run);
	if (error == 0)
		error = run_map(run);
	if (error == -QR_EFAULT && run->count > 1) {
		/* The host's area may end before the core's does. */
		run_cut(run, 1);
		error = run_map(run);
	}
	if (error != 0) {
		run_cut(run, 0);
		return error;
	}
	run_tell(run);
	run_publish(run);
	return 0;
}
