/* SPDX-License-Identifier: MIT */
/*
 * swap/pack.c: moves objects together, so that runs become free.
 *
 * Pages come back in another order than they went out. Left alone, a pool of
 * which half has been taken back at random wastes half of its frames; packed,
 * 8 % of them (16000 pages stored). So after each object that is freed its
 * class is looked at: if a run and a half of it is free, the emptiest run is
 * put aside and its objects go to the others, 8 at a time. A class thus never
 * holds more than a run and a half of free objects (and those being moved),
 * whatever its history, for one copy of an object per object freed in the
 * long run.
 *
 * An object says whose it is. It is moved under the slot lock, marked in the
 * slot's word so that no reader begins; one that is being read stays. Keeps
 * [swap.2], [swap.3].
 */
#include "swap_impl.h"

/*
 * The owner's slot, marked as moving; NULL: it has left, or is in use. A slot
 * that has been freed and taken anew since is moved in vain, no more. Slot
 * lock held.
 */
static struct swap_slot *
owner_claim(struct qr_swap *swap, uint32_t owner)
{
	if (owner == SLOT_NIL)
		return NULL;
	struct swap_slot *slot = qr_swap_slot_try(swap, owner);
	uint32_t word = SLOT_POOL;
	/* Acquire pairs with the release of qr_swap_slot_unpin: all readers
	 * are done. No pin and no flag may be set. */
	if (slot == NULL ||
	    !atomic_compare_exchange_strong_explicit(&slot->word, &word,
		SLOT_POOL | SLOT_MOVING, memory_order_acquire,
		memory_order_relaxed))
		return NULL;
	return slot;
}

static void
owner_move(struct qr_swap *swap, uint32_t owner)
{
	struct pool_object to, from = { 0, 0, 0 };
	bool moved = false;
	qr_lock_acquire(swap->port, &swap->slots.lock);
	struct swap_slot *slot = owner_claim(swap, owner);
	if (slot != NULL) {
		from = slot->where.object;
		moved = qr_swap_pool_move(swap, from, &to);
		if (moved)
			slot->where.object = to;
		/* Release pairs with the acquire in qr_swap_slot_pin: a
		 * reader finds the new place, and the copy there. */
		atomic_fetch_and_explicit(&slot->word, ~SLOT_MOVING,
		    memory_order_release);
	}
	qr_lock_release(swap->port, &swap->slots.lock);
	if (moved)
		(void)qr_swap_pool_free(swap, from);
}

size_t
qr_swap_pack(struct qr_swap *swap, unsigned class_index)
{
	uint32_t owners[PACK_MOVES];
	size_t count = qr_swap_pool_isolate(swap, class_index, owners);
	for (size_t i = 0; i < count; i++)
		owner_move(swap, owners[i]);
	return count == 0 ? 0 : qr_swap_pool_restore(swap, class_index);
}
