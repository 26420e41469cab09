/* SPDX-License-Identifier: MIT */
/*
 * swap/slot.c: the table of slots, the list of those in the pool by age, and
 * the pin that keeps a slot's contents where they are.
 *
 * Leaves of 128 slots stand in a table of frames. A leaf with a free slot is
 * on the list `partial`, linked through the page descriptors; its free slots
 * are linked by index. A leaf that is wholly free goes back to frame/ unless
 * it is the last stock of free slots. Keeps [swap.1], [swap.2], [swap.5].
 */
#include "swap_impl.h"

static void
slots_assert_locked(const struct qr_swap *swap)
{
	qr_lock_assert_held(swap->port, &swap->slots.lock);
}

/* --- leaves --- */

static void
partial_push(struct qr_swap *swap, struct qr_page *leaf)
{
	struct swap_slots *slots = &swap->slots;
	uint32_t pfn = (uint32_t)qr_frame_pfn(swap->frames, leaf);
	leaf->prev = QR_PFN_NIL;
	leaf->next = slots->partial;
	if (slots->partial != QR_PFN_NIL)
		swap_page(swap, slots->partial)->prev = pfn;
	slots->partial = pfn;
}

static void
partial_remove(struct qr_swap *swap, struct qr_page *leaf)
{
	if (leaf->next != QR_PFN_NIL)
		swap_page(swap, leaf->next)->prev = leaf->prev;
	if (leaf->prev != QR_PFN_NIL)
		swap_page(swap, leaf->prev)->next = leaf->next;
	else
		swap->slots.partial = leaf->next;
}

static int
leaf_add(struct qr_swap *swap)
{
	struct swap_slots *slots = &swap->slots;
	uint32_t index = slots->leaf_low;
	while (qr_swap_table_page(swap, &slots->table, index) != NULL)
		index++;
	slots->leaf_low = index;
	int error = qr_swap_table_add(swap, &slots->table, index);
	if (error != 0)
		return error;

	struct swap_slot *slot = qr_swap_table_at(swap, &slots->table, index);
	for (uint32_t i = 0; i < SLOTS_PER_LEAF; i++)
		slot[i].link.free_next = i + 1;
	struct qr_page *leaf = qr_swap_table_page(swap, &slots->table, index);
	leaf->u.slots.index = index;
	leaf->u.slots.used = 0;
	leaf->u.slots.free_first = 0;
	slots->free += SLOTS_PER_LEAF;
	slots->leaf_low = index + 1;
	partial_push(swap, leaf);
	return 0;
}

static void
leaf_remove(struct qr_swap *swap, struct qr_page *leaf)
{
	struct swap_slots *slots = &swap->slots;
	uint32_t index = leaf->u.slots.index;
	partial_remove(swap, leaf);
	slots->free -= SLOTS_PER_LEAF;
	if (index < slots->leaf_low)
		slots->leaf_low = index;
	qr_swap_table_remove(swap, &slots->table, index);
}

int
qr_swap_slots_init(struct qr_swap *swap)
{
	struct swap_slots *slots = &swap->slots;
	qr_lock_init(&slots->lock, QR_RANK_SLOT);
	slots->leaf_low = 0;
	slots->partial = QR_PFN_NIL;
	slots->free = 0;
	slots->newest = SLOT_NIL;
	slots->oldest = SLOT_NIL;
	return qr_swap_table_init(swap, &slots->table);
}

void
qr_swap_slots_fini(struct qr_swap *swap)
{
	qr_swap_table_fini(swap, &swap->slots.table);
}

/* --- slots --- */

struct swap_slot *
qr_swap_slot(const struct qr_swap *swap, uint64_t number)
{
	struct swap_slot *leaf = NULL;
	if (number < SLOT_NIL)
		leaf = qr_swap_table_at(swap, &swap->slots.table,
		    (uint32_t)number / SLOTS_PER_LEAF);
	QR_ASSERT(leaf != NULL, "wild slot %llu", (unsigned long long)number);
	struct swap_slot *slot = &leaf[number % SLOTS_PER_LEAF];
	/* Relaxed: the caller holds a reference, so refs can't be 0. */
	QR_ASSERT(atomic_load_explicit(&slot->refs, memory_order_relaxed) != 0,
	    "slot %llu is free", (unsigned long long)number);
	return slot;
}

struct swap_slot *
qr_swap_slot_try(const struct qr_swap *swap, uint32_t number)
{
	slots_assert_locked(swap);
	struct swap_slot *leaf =
	    qr_swap_table_at(swap, &swap->slots.table, number / SLOTS_PER_LEAF);
	return leaf == NULL ? NULL : &leaf[number % SLOTS_PER_LEAF];
}

int
qr_swap_slot_take(struct qr_swap *swap, uint32_t *number)
{
	struct swap_slots *slots = &swap->slots;
	slots_assert_locked(swap);
	if (slots->partial == QR_PFN_NIL) {
		int error = leaf_add(swap);
		if (error != 0)
			return error;
	}
	struct qr_page *leaf = swap_page(swap, slots->partial);
	struct swap_slot *slot = swap_bytes(swap, slots->partial);
	uint32_t index = leaf->u.slots.free_first;
	slot += index;
	QR_ASSERT(atomic_load_explicit(&slot->word, memory_order_relaxed) ==
		      SLOT_FREE,
	    "slot %u of leaf %u on the free list", index, leaf->u.slots.index);

	leaf->u.slots.free_first = (uint16_t)slot->link.free_next;
	leaf->u.slots.used++;
	slots->free--;
	if (leaf->u.slots.used == SLOTS_PER_LEAF)
		partial_remove(swap, leaf);
	/* Relaxed: the slot's number is handed on only after the lock is
	 * dropped. */
	atomic_store_explicit(&slot->refs, 1, memory_order_relaxed);
	atomic_store_explicit(&slot->shadow, 0, memory_order_relaxed);
	*number = leaf->u.slots.index * SLOTS_PER_LEAF + index;
	return 0;
}

void
qr_swap_slot_give(struct qr_swap *swap, uint32_t number)
{
	struct swap_slots *slots = &swap->slots;
	struct swap_slot *slot = qr_swap_slot_try(swap, number);
	struct qr_page *leaf =
	    qr_swap_table_page(swap, &slots->table, number / SLOTS_PER_LEAF);
	/* Relaxed: no reference is left, so nobody looks but under the
	 * lock. */
	atomic_store_explicit(&slot->word, SLOT_FREE, memory_order_relaxed);
	slot->link.free_next = leaf->u.slots.free_first;
	leaf->u.slots.free_first = (uint16_t)(number % SLOTS_PER_LEAF);
	if (leaf->u.slots.used == SLOTS_PER_LEAF)
		partial_push(swap, leaf);
	leaf->u.slots.used--;
	slots->free++;
	/* Another leaf's worth stays, so that a store and a put in turn don't
	 * take and free a frame each time. */
	if (leaf->u.slots.used == 0 &&
	    slots->free >= (uint64_t)2 * SLOTS_PER_LEAF)
		leaf_remove(swap, leaf);
}

/* --- by age --- */

void
qr_swap_lru_push(struct qr_swap *swap, uint32_t number)
{
	struct swap_slots *slots = &swap->slots;
	struct swap_slot *slot = qr_swap_slot_try(swap, number);
	slot->link.lru.newer = SLOT_NIL;
	slot->link.lru.older = slots->newest;
	if (slots->newest != SLOT_NIL)
		qr_swap_slot_try(swap, slots->newest)->link.lru.newer = number;
	else
		slots->oldest = number;
	slots->newest = number;
}

void
qr_swap_lru_remove(struct qr_swap *swap, uint32_t number)
{
	struct swap_slots *slots = &swap->slots;
	struct swap_slot *slot = qr_swap_slot_try(swap, number);
	uint32_t newer = slot->link.lru.newer;
	uint32_t older = slot->link.lru.older;
	if (newer != SLOT_NIL)
		qr_swap_slot_try(swap, newer)->link.lru.older = older;
	else
		slots->newest = older;
	if (older != SLOT_NIL)
		qr_swap_slot_try(swap, older)->link.lru.newer = newer;
	else
		slots->oldest = newer;
}

uint32_t
qr_swap_lru_pop(struct qr_swap *swap)
{
	uint32_t number = swap->slots.oldest;
	if (number != SLOT_NIL)
		qr_swap_lru_remove(swap, number);
	return number;
}

/* --- pins --- */

bool
qr_swap_slot_pin(struct qr_swap *swap, struct swap_slot *slot)
{
	for (;;) {
		/* Acquire pairs with the release that ends a move in pack.c
		 * and with the one that commits to the device in
		 * writeback.c. */
		uint32_t was = atomic_fetch_add_explicit(&slot->word, SLOT_PIN,
		    memory_order_acquire);
		if ((was & SLOT_STATE) == SLOT_POOL && (was & SLOT_MOVING) == 0)
			return true;
		qr_swap_slot_unpin(slot);
		if ((was & SLOT_STATE) != SLOT_POOL)
			return false;
		/* Who moves it holds the slot lock as long. */
		qr_lock_acquire(swap->port, &swap->slots.lock);
		qr_lock_release(swap->port, &swap->slots.lock);
	}
}

void
qr_swap_slot_unpin(struct swap_slot *slot)
{
	/* Release pairs with the acquire of the exchange that moves or
	 * commits: it comes after all that this reader has read. */
	atomic_fetch_sub_explicit(&slot->word, SLOT_PIN, memory_order_release);
}

/* --- checks --- */

/* What a walk over all slots finds. */
struct slot_census {
	uint64_t state[4];
	uint64_t listed; /* in the pool and not in transit */
};

static void
check_leaf(struct qr_swap *swap, uint32_t index, struct slot_census *census)
{
	struct qr_page *leaf =
	    qr_swap_table_page(swap, &swap->slots.table, index);
	struct swap_slot *slot =
	    swap_bytes(swap, qr_frame_pfn(swap->frames, leaf));
	uint32_t used = 0;
	for (uint32_t i = 0; i < SLOTS_PER_LEAF; i++) {
		uint32_t word = atomic_load(&slot[i].word);
		census->state[word & SLOT_STATE]++;
		if ((word & SLOT_STATE) == SLOT_FREE)
			continue;
		used++;
		QR_ASSERT(atomic_load(&slot[i].refs) != 0,
		    "[swap.1] slot %u in use without references",
		    index * SLOTS_PER_LEAF + i);
		QR_ASSERT((word & ~(SLOT_STATE | SLOT_BAD)) == 0,
		    "[swap.2] slot %u at rest has word 0x%x",
		    index * SLOTS_PER_LEAF + i, word);
	}
	QR_ASSERT(used == leaf->u.slots.used,
	    "[swap.1] leaf %u counts %u slots, has %u", index,
	    leaf->u.slots.used, used);
	QR_ASSERT(leaf->u.slots.index == index, "[swap.1] leaf %u says %u",
	    index, leaf->u.slots.index);
}

static uint64_t
check_lru(struct qr_swap *swap)
{
	uint64_t count = 0;
	uint32_t older = SLOT_NIL;
	uint32_t number = swap->slots.oldest;
	while (number != SLOT_NIL) {
		struct swap_slot *slot = qr_swap_slot_try(swap, number);
		QR_ASSERT(slot != NULL, "[swap.5] slot %u listed, gone",
		    number);
		uint32_t word = atomic_load(&slot->word);
		QR_ASSERT((word & SLOT_STATE) == SLOT_POOL,
		    "[swap.5] slot %u listed, word 0x%x", number, word);
		QR_ASSERT(slot->link.lru.older == older,
		    "[swap.5] slot %u: older is %u, not %u", number,
		    slot->link.lru.older, older);
		older = number;
		number = slot->link.lru.newer;
		count++;
	}
	QR_ASSERT(swap->slots.newest == older,
	    "[swap.5] newest is %u, list ends with %u", swap->slots.newest,
	    older);
	return count;
}

void
qr_check_swap_slots(struct qr_swap *swap)
{
	struct slot_census census = { { 0 }, 0 };
	qr_lock_acquire(swap->port, &swap->slots.lock);
	for (uint32_t i = 0; i < swap->slots.table.end; i++)
		if (qr_swap_table_page(swap, &swap->slots.table, i) != NULL)
			check_leaf(swap, i, &census);
	census.listed = check_lru(swap);
	qr_lock_release(swap->port, &swap->slots.lock);

	struct swap_counts *count = &swap->count;
	uint64_t used = census.state[SLOT_SAME] + census.state[SLOT_POOL] +
			census.state[SLOT_DEVICE];
	QR_ASSERT(census.state[SLOT_FREE] == swap->slots.free,
	    "[swap.1] %llu slots free, %llu counted",
	    (unsigned long long)census.state[SLOT_FREE],
	    (unsigned long long)swap->slots.free);
	QR_ASSERT(used == swap_counted(&count->slots),
	    "[swap.1] %llu slots, %llu counted", (unsigned long long)used,
	    (unsigned long long)swap_counted(&count->slots));
	QR_ASSERT(census.state[SLOT_SAME] == swap_counted(&count->same_filled),
	    "[swap.1] %llu same-filled, counted %llu",
	    (unsigned long long)census.state[SLOT_SAME],
	    (unsigned long long)swap_counted(&count->same_filled));
	QR_ASSERT(census.state[SLOT_POOL] == swap_counted(&count->pooled),
	    "[swap.1] %llu in the pool, counted %llu",
	    (unsigned long long)census.state[SLOT_POOL],
	    (unsigned long long)swap_counted(&count->pooled));
	QR_ASSERT(census.state[SLOT_DEVICE] == swap_counted(&count->on_device),
	    "[swap.1] %llu on the device, counted %llu",
	    (unsigned long long)census.state[SLOT_DEVICE],
	    (unsigned long long)swap_counted(&count->on_device));
	QR_ASSERT(census.listed == census.state[SLOT_POOL],
	    "[swap.5] %llu in the pool, %llu listed",
	    (unsigned long long)census.state[SLOT_POOL],
	    (unsigned long long)census.listed);
}
