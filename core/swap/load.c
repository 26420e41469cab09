/* SPDX-License-Identifier: MIT */
/*
 * swap/load.c: a page comes back, from where its slot says it is.
 *
 * From the pool without a lock if the codec expands without work memory and
 * the object lies in one frame; otherwise under the lock of a work area that
 * only loads use. Nothing here waits for a compression. Pages that were written
 * back together and are wanted together come by one read.
 */
#include "swap_impl.h"

static void
page_fill(uint64_t *data, uint64_t word)
{
	for (size_t i = 0; i < QR_PAGE_SIZE / sizeof(word); i++)
		data[i] = word;
}

int
qr_swap_expand(struct qr_swap *swap, const struct swap_slot *slot,
    const struct swap_work *work, void *data)
{
	struct pool_object object = slot->where.object;
	void *bounce = work == NULL ? NULL : work->page;
	const void *contents = qr_swap_pool_view(swap, object, bounce);
	int error = 0;
	if (object.length == QR_PAGE_SIZE)
		__builtin_memcpy(data, contents, QR_PAGE_SIZE);
	else
		error = swap->codec->expand(work == NULL ? NULL : work->codec,
		    contents, object.length, data);
	if (QR_CONFIG_HARD)
		QR_ASSERT(error == 0 &&
			      qr_swap_checksum(data) == slot->checksum,
		    "[swap.7] %u bytes of run %u, object %u: error %d, sum of "
		    "page is not 0x%x",
		    object.length, object.run, object.index, error,
		    slot->checksum);
	return error;
}

/* Whether an object can be expanded without a work area. */
static bool
is_direct(const struct qr_swap *swap, struct pool_object object)
{
	if (object.length == QR_PAGE_SIZE)
		return true;
	return swap->codec->expand_bytes == 0 &&
	       !qr_swap_pool_straddles(swap, object);
}

/* The slot is pinned. */
static int
load_pool(struct qr_swap *swap, const struct swap_slot *slot, void *data)
{
	swap_count(&swap->count.loads_pool, 1);
	if (is_direct(swap, slot->where.object))
		return qr_swap_expand(swap, slot, NULL, data);
	struct swap_work *work = qr_swap_work_acquire(swap, swap->load);
	int error = qr_swap_expand(swap, slot, work, data);
	qr_swap_work_release(swap, work);
	return error;
}

/* Where on the device the slot's page is, and stays as long as the slot lives;
 * AREA_NIL: it is elsewhere. */
static uint64_t
slot_device(struct qr_swap *swap, uint64_t number)
{
	const struct swap_slot *slot = qr_swap_slot(swap, number);
	/* Acquire pairs with the release that commits in writeback.c: link and
	 * checksum are the device's. */
	uint32_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
	return (word & SLOT_STATE) == SLOT_DEVICE ? slot->link.device
						  : AREA_NIL;
}

static int
load_device(struct qr_swap *swap, struct swap_slot *slot, void *data)
{
	int error = swap->port->ops->swap_read(swap->port->ctx,
	    slot->link.device, data, 1);
	swap_count(&swap->count.loads_device, 1);
	if (error == 0 && qr_swap_checksum(data) == slot->checksum)
		return 0;
	/* Relaxed: a note for whoever frees the slot, under its lock. */
	atomic_fetch_or_explicit(&slot->word, SLOT_BAD, memory_order_relaxed);
	swap_count(&swap->count.io_errors, 1);
	return -QR_EIO;
}

int
qr_swap_load(struct qr_swap *swap, uint64_t number, void *data)
{
	struct swap_slot *slot = qr_swap_slot(swap, number);
	/* Acquire pairs with the release that commits in writeback.c: link and
	 * checksum are the device's. */
	uint32_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
	if ((word & SLOT_STATE) == SLOT_SAME) {
		page_fill(data, slot->where.fill);
		swap_count(&swap->count.loads_pool, 1);
		return 0;
	}
	if ((word & SLOT_STATE) == SLOT_POOL && qr_swap_slot_pin(swap, slot)) {
		int error = load_pool(swap, slot, data);
		qr_swap_slot_unpin(slot);
		return error;
	}
	return load_device(swap, slot, data);
}

size_t
qr_swap_load_row(struct qr_swap *swap, const uint64_t *numbers, void *data,
    size_t count)
{
	unsigned char *bytes = data;
	uint64_t first = slot_device(swap, numbers[0]);
	size_t row = 1;
	if (first == AREA_NIL)
		return 0;
	while (row < count && slot_device(swap, numbers[row]) == first + row)
		row++;
	if (row == 1 ||
	    swap->port->ops->swap_read(swap->port->ctx, first, data, row) != 0)
		return 0;
	size_t good = 0;
	while (good < row && qr_swap_checksum(bytes + good * QR_PAGE_SIZE) ==
				 qr_swap_slot(swap, numbers[good])->checksum)
		good++;
	swap_count(&swap->count.loads_device, (int64_t)good);
	return good;
}

bool
qr_swap_follows(struct qr_swap *swap, uint64_t before, uint64_t number)
{
	uint64_t device = slot_device(swap, before);
	return device != AREA_NIL && slot_device(swap, number) == device + 1;
}

bool
qr_swap_is_near(struct qr_swap *swap, uint64_t number)
{
	struct swap_slot *slot = qr_swap_slot(swap, number);
	/* Relaxed: the answer may be old the moment it is given. */
	return (atomic_load_explicit(&slot->word, memory_order_relaxed) &
		   SLOT_STATE) != SLOT_DEVICE;
}
