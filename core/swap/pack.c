/* SPDX-License-Identifier: MIT */
/*
 * swap/pack.c: moves objects together, so that runs become free.
 *
 * Pages come back in another order than they went out. Left alone, a pool of
 * which half has been taken back at random keeps 95 % of its frames. So after
 * each object that is freed its class is looked at: if a run and a half of it
 * is free, the emptiest run is put aside and its objects go to the others, 8
 * at a time. A class thus never holds more than a run and a half of free
 * objects (and those being moved), whatever its history, for one copy of an
 * object, 50 to 200 ns, per object freed in the long run.
 *
 * An object says whose it is, and its slot says whether that is true. It is
 * moved under the slot lock, marked in the slot's word so that no reader
 * begins; one that is being read stays. Keeps [swap.2], [swap.3].
 */
#include "swap_impl.h"

static bool
object_same(struct pool_object a, struct pool_object b)
{
	return a.run == b.run && a.index == b.index;
}

/* The slot of a tenant, marked as moving; NULL: it has left, or is in use.
 * Slot lock held. */
static struct swap_slot *
tenant_claim(struct qr_swap *swap, const struct pool_tenant *tenant)
{
	if (tenant->owner == SLOT_NIL)
		return NULL;
	struct swap_slot *slot = qr_swap_slot_try(swap, tenant->owner);
	if (slot == NULL)
		return NULL;
	uint32_t word = SLOT_POOL;
	/* Acquire pairs with the release of qr_swap_slot_unpin: all readers
	 * are done. No pin and no flag may be set. */
	if (!atomic_compare_exchange_strong_explicit(&slot->word, &word,
		SLOT_POOL | SLOT_MOVING, memory_order_acquire,
		memory_order_relaxed))
		return NULL;
	if (object_same(slot->where.object, tenant->object))
		return slot;
	atomic_fetch_and_explicit(&slot->word, ~SLOT_MOVING,
	    memory_order_relaxed);
	return NULL;
}

static void
tenant_move(struct qr_swap *swap, const struct pool_tenant *tenant)
{
	struct pool_object to, from = { 0, 0, 0 };
	bool moved = false;
	qr_lock_acquire(swap->port, &swap->slots.lock);
	struct swap_slot *slot = tenant_claim(swap, tenant);
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
	struct pool_tenant tenants[PACK_MOVES];
	size_t count = qr_swap_pool_isolate(swap, class_index, tenants);
	for (size_t i = 0; i < count; i++)
		tenant_move(swap, &tenants[i]);
	return count == 0 ? 0 : qr_swap_pool_restore(swap, class_index);
}
