/* SPDX-License-Identifier: MIT */
/*
 * swap/writeback.c: pages go to the device: the pool's oldest, neighbours of
 * one another there, and those that can't be compressed, one by one.
 *
 * A batch takes up to 15 neighbouring device pages, takes as many slots off
 * the old end of the list and marks them as in transit, expands them side by
 * side with no lock but the write-back lock, and writes them in one call. A
 * load meanwhile reads the pool's copy, a put leaves the slot to be freed
 * here. Then each slot is committed to the device, unless somebody is reading
 * it: a page that is being loaded is not cold, and goes back to the new end.
 *
 * Errors. If a write fails with -QR_EIO its pages are written again one by
 * one, and the device pages that fail alone are retired. -QR_ENOSPC marks the
 * device as full. In both cases pages stay in the pool, as the newest, so
 * that the next attempt begins with others; and this one ends. Keeps
 * [swap.2], [swap.5], [swap.6].
 */
#include "swap_impl.h"

/* One batch. */
struct batch {
	uint64_t first;               /* device page of the first */
	size_t count;                 /* pages taken on the device */
	size_t slots;                 /* of these, with a slot to go there */
	uint32_t number[WRITE_PAGES]; /* their slots */
	uint32_t checksum[WRITE_PAGES];
	uint32_t good; /* bit i: the i-th is on the device */
	uint32_t bad;  /* bit i: the i-th device page failed */
};
_Static_assert(WRITE_PAGES <= 32, "a batch's pages are bits of a word");

static int
device_write(struct qr_swap *swap, uint64_t first, const void *data,
    size_t count)
{
	int error =
	    swap->port->ops->swap_write(swap->port->ctx, first, data, count);
	if (error == -QR_ENOSPC)
		qr_swap_area_set_full(swap);
	else if (error != 0)
		swap_count(&swap->count.io_errors, 1);
	return error == 0 || error == -QR_ENOSPC ? error : -QR_EIO;
}

/* --- one page, for a store --- */

int
qr_swap_write_page(struct qr_swap *swap, const void *data, uint64_t *device)
{
	uint64_t page;
	if (qr_swap_area_take(swap, 1, &page) == 0)
		return -QR_ENOSPC;
	int error = device_write(swap, page, data, 1);
	if (error == 0)
		*device = page;
	else if (error == -QR_EIO)
		qr_swap_area_retire(swap);
	else
		qr_swap_area_untake(swap, page);
	return error;
}

/* --- batches from the pool --- */

/* Takes the oldest slots, at most as many as there are device pages. */
static void
batch_collect(struct qr_swap *swap, struct batch *batch)
{
	qr_lock_acquire(swap->port, &swap->slots.lock);
	while (batch->slots < batch->count) {
		uint32_t number = qr_swap_lru_pop(swap);
		if (number == SLOT_NIL)
			break;
		struct swap_slot *slot = qr_swap_slot_try(swap, number);
		/* Relaxed: flags change under the slot lock alone. */
		atomic_fetch_or_explicit(&slot->word, SLOT_TRANSIT,
		    memory_order_relaxed);
		batch->number[batch->slots++] = number;
	}
	qr_lock_release(swap->port, &swap->slots.lock);
}

/* The slot of a page in transit can't be freed, so no lock is needed. */
static struct swap_slot *
batch_slot(struct qr_swap *swap, const struct batch *batch, size_t i)
{
	struct swap_slot *leaf = qr_swap_table_at(swap, &swap->slots.table,
	    batch->number[i] / SLOTS_PER_LEAF);
	return &leaf[batch->number[i] % SLOTS_PER_LEAF];
}

static void
batch_expand(struct qr_swap *swap, struct batch *batch)
{
	struct swap_writer *writer = &swap->writer;
	for (size_t i = 0; i < batch->slots; i++) {
		unsigned char *page = writer->pages + i * QR_PAGE_SIZE;
		int error = qr_swap_expand(swap, batch_slot(swap, batch, i),
		    &writer->work, page);
		if (error == 0)
			batch->good |= (uint32_t)1 << i;
		batch->checksum[i] = qr_swap_checksum(page);
	}
}

/* Writes what was expanded; leaves in good what is on the device. An error
 * says that some of it is not. */
static int
batch_write(struct qr_swap *swap, struct batch *batch)
{
	unsigned char *pages = swap->writer.pages;
	int error = device_write(swap, batch->first, pages, batch->slots);
	if (error == 0)
		return 0;
	uint32_t expanded = batch->good;
	batch->good = 0;
	for (size_t i = 0; i < batch->slots && error != -QR_ENOSPC; i++) {
		error = device_write(swap, batch->first + i,
		    pages + i * QR_PAGE_SIZE, 1);
		if (error == 0)
			batch->good |= (uint32_t)1 << i & expanded;
		else if (error == -QR_EIO)
			batch->bad |= (uint32_t)1 << i;
	}
	return -QR_EIO;
}

/*
 * Ends the transit of one slot: on the device if it was written and nobody
 * reads it. Slot lock held. What it held before, or what it holds if its
 * last reference is gone, is returned to be given back.
 */
static struct swap_remains
slot_land(struct qr_swap *swap, struct batch *batch, size_t i)
{
	uint32_t number = batch->number[i], bit = (uint32_t)1 << i;
	struct swap_slot *slot = batch_slot(swap, batch, i);
	struct swap_remains remains = { SLOT_FREE, { 0, 0, 0 }, 0 };
	/* Relaxed: the last reference goes under the slot lock. */
	bool dead =
	    atomic_load_explicit(&slot->refs, memory_order_relaxed) == 0;
	uint32_t word = SLOT_POOL | SLOT_TRANSIT;
	if ((batch->good & bit) != 0 && !dead) {
		slot->link.device = batch->first + i;
		if (!QR_CONFIG_HARD)
			slot->checksum = batch->checksum[i];
		/* Release pairs with the acquire in qr_swap_load: who sees the
		 * device sees link and checksum. Acquire pairs with the
		 * release in qr_swap_slot_unpin: readers are done. */
		if (atomic_compare_exchange_strong_explicit(&slot->word, &word,
			SLOT_DEVICE, memory_order_acq_rel,
			memory_order_relaxed)) {
			remains.word = SLOT_POOL;
			remains.object = slot->where.object;
			return remains;
		}
	}
	batch->good &= ~bit;
	/* Relaxed: as where it was set. */
	atomic_fetch_and_explicit(&slot->word, ~SLOT_TRANSIT,
	    memory_order_relaxed);
	qr_swap_lru_push(swap, number);
	return dead ? qr_swap_bury(swap, number) : remains;
}

/* Returns the frames that became free. */
static size_t
batch_land(struct qr_swap *swap, struct batch *batch)
{
	size_t freed = 0;
	for (size_t i = 0; i < batch->slots; i++) {
		qr_lock_acquire(swap->port, &swap->slots.lock);
		struct swap_remains remains = slot_land(swap, batch, i);
		bool moved = (batch->good >> i & 1) != 0;
		if (moved) {
			swap_count(&swap->count.pooled, -1);
			swap_count(&swap->count.on_device, 1);
			swap_count(&swap->count.written_back, 1);
		}
		qr_lock_release(swap->port, &swap->slots.lock);
		freed += qr_swap_clear(swap, &remains);
	}
	return freed;
}

/* Gives back the device pages that hold nothing, keeps those that failed. */
static void
batch_return(struct qr_swap *swap, const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		if ((batch->bad >> i & 1) != 0)
			qr_swap_area_retire(swap);
		else if ((batch->good >> i & 1) == 0)
			qr_swap_area_untake(swap, batch->first + i);
	}
}

/* Moves up to want pages; *freed grows by the frames that became free.
 * Returns the pages that were tried; 0: there is no use in going on. */
static size_t
batch_run(struct qr_swap *swap, size_t want, size_t *freed)
{
	struct batch batch = { .count = 0 };
	batch.count =
	    qr_swap_area_take(swap, qr_min(want, WRITE_PAGES), &batch.first);
	if (batch.count == 0)
		return 0;
	int error = 0;
	batch_collect(swap, &batch);
	if (batch.slots > 0) {
		batch_expand(swap, &batch);
		error = batch_write(swap, &batch);
	}
	*freed += batch_land(swap, &batch);
	batch_return(swap, &batch);
	return error != 0 ? 0 : batch.slots;
}

size_t
qr_swap_write_back(struct qr_swap *swap, size_t count)
{
	size_t freed = 0;
	if (swap->port->ops->swap_size(swap->port->ctx) == 0)
		return 0;
	qr_lock_acquire(swap->port, &swap->writer.work.lock);
	if (qr_swap_writer_init(swap) != 0)
		count = 0;
	while (count > 0) {
		size_t tried = batch_run(swap, count, &freed);
		if (tried == 0)
			break;
		count -= tried;
	}
	qr_lock_release(swap->port, &swap->writer.work.lock);
	return freed;
}

bool
qr_swap_pool_is_full(const struct qr_swap *swap)
{
	/* Relaxed: a hint. */
	return atomic_load_explicit(&swap->pool.frames, memory_order_relaxed) >
	       swap->writeback_frames;
}
