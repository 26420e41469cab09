/* SPDX-License-Identifier: MIT */
/*
 * space/pin.c: bringing ranges in, and keeping them in.
 *
 * A pin is a range in the embedder's memory that the space knows of. Pinning
 * writes the range and then looks at the entries; eviction (and ageing)
 * claims entries and then looks at the pins; a sequentially consistent fence
 * stands between the two steps on both sides. So either the evictor sees the
 * pin and leaves the page, or the pinning thread sees the entry busy or gone,
 * waits, and brings it back in [space.8].
 */
#include "space_impl.h"

/* start and end are plain words in a public struct that C++ can read too, so
 * they are accessed by the compiler's builtins. Relaxed: ordered by the fences
 * in qr_space_pin and of qr_space_is_pinned's callers. */
static uint64_t
pin_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void
pin_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* --- populate --- */

static bool
populate_needs(const struct qr_populate *populate, struct qr_pte pte)
{
	if (!populate->swapped_only)
		return !qr_touch_is_met(pte, populate->access);
	return !qr_pte_is_present(pte) && qr_pte_kind(pte) == QR_PTE_SWAPPED;
}

/* The first page in [at, stop) that needs a touch; stop: none does. */
static qr_vaddr_t
populate_find(const struct qr_populate *populate, qr_vaddr_t stop)
{
	qr_vaddr_t at = populate->at;
	while (at < stop) {
		size_t count;
		qr_vaddr_t node = at;
		const qr_pte_word *words =
		    qr_table_next(&populate->space->table, &node, stop, &count);
		bool hole = words == NULL || node > at;
		if (hole && !populate->swapped_only)
			return at;
		if (words == NULL)
			return stop;
		for (size_t i = 0; i < count; i++) {
			if (populate_needs(populate, qr_pte_read(&words[i])))
				return node + i * QR_PAGE_SIZE;
		}
		at = node + count * QR_PAGE_SIZE;
	}
	return stop;
}

/* One touch, or a piece of the range that needs none. Lock shared. */
static int
populate_step(struct qr_populate *populate)
{
	struct qr_space *space = populate->space;
	const struct qr_area *area = qr_area_find(space, populate->at);
	if (area == NULL || area->start >= populate->end) {
		populate->at = populate->end;
		return 0;
	}
	if (populate->at < area->start)
		populate->at = area->start;
	qr_vaddr_t stop = area->end < populate->end ? area->end : populate->end;
	bool allowed = qr_prot_allows(area->prot, populate->access);
	if (qr_area_is_foreign(area) || (!allowed && populate->swapped_only)) {
		populate->at = stop;
		return 0;
	}
	if (!allowed)
		return -QR_EFAULT;
	populate->at = populate_find(populate, stop);
	if (populate->at == stop)
		return 0;
	struct qr_touch touch = {
		.space = space,
		.area = area,
		.address = populate->at,
		.access = populate->access,
		.ahead = (stop - populate->at) >> QR_PAGE_SHIFT,
	};
	return qr_touch_entry(&touch);
}

int
qr_populate(struct qr_populate *populate)
{
	struct qr_space *space = populate->space;
	const struct qr_port *port = space->spaces->port;
	int error = 0;
	while (error == 0 && populate->at < populate->end) {
		qr_rwlock_share(port, &space->lock);
		error = populate_step(populate);
		qr_rwlock_unshare(port, &space->lock);
		if (error == -QR_ENOMEM && !populate->swapped_only &&
		    qr_touch_oom(space, populate->at))
			error = 0;
	}
	return populate->swapped_only ? 0 : error;
}

/* --- pins --- */

void
qr_space_pin_register(struct qr_space *space, struct qr_pin *pin)
{
	const struct qr_port *port = space->spaces->port;
	QR_ASSERT(pin->space == NULL, "pin %p is registered already",
	    (void *)pin);
	pin->space = space;
	qr_lock_acquire(port, &space->pin_lock);
	pin->next = space->pins;
	space->pins = pin;
	qr_lock_release(port, &space->pin_lock);
}

void
qr_space_pin_unregister(struct qr_space *space, struct qr_pin *pin)
{
	const struct qr_port *port = space->spaces->port;
	QR_ASSERT(pin->space == space, "pin %p is another space's",
	    (void *)pin);
	qr_lock_acquire(port, &space->pin_lock);
	struct qr_pin **at = &space->pins;
	while (*at != NULL && *at != pin)
		at = &(*at)->next;
	QR_ASSERT(*at == pin, "pin %p is not in its list", (void *)pin);
	*at = pin->next;
	qr_lock_release(port, &space->pin_lock);
	pin->space = NULL;
	qr_space_unpin(pin);
}

bool
qr_space_is_pinned(struct qr_space *space, qr_vaddr_t address)
{
	const struct qr_port *port = space->spaces->port;
	bool pinned = false;
	qr_lock_acquire(port, &space->pin_lock);
	for (const struct qr_pin *pin = space->pins; pin != NULL && !pinned;
	     pin = pin->next)
		pinned = address >= pin_load(&pin->start) &&
			 address < pin_load(&pin->end);
	qr_lock_release(port, &space->pin_lock);
	return pinned;
}

/* The bits of mask whose pages lie in [start, end). */
static uint64_t
pin_covers(qr_vaddr_t start, qr_vaddr_t end, struct qr_page **pages,
    uint64_t mask)
{
	uint64_t covered = 0;
	for (; mask != 0; mask &= mask - 1) {
		qr_vaddr_t at = pages[qr_bit_lowest(mask)]->u.user.address;
		if (at >= start && at < end)
			covered |= mask & (0 - mask);
	}
	return covered;
}

uint64_t
qr_space_find_pinned(struct qr_space *space, struct qr_page **pages,
    uint64_t mask)
{
	const struct qr_port *port = space->spaces->port;
	uint64_t pinned = 0;
	qr_lock_acquire(port, &space->pin_lock);
	for (const struct qr_pin *pin = space->pins; pin != NULL;
	     pin = pin->next) {
		qr_vaddr_t end = pin_load(&pin->end);
		if (end != 0) /* most hold nothing */
			pinned |= pin_covers(pin_load(&pin->start), end, pages,
			    mask & ~pinned);
	}
	qr_lock_release(port, &space->pin_lock);
	return pinned;
}

int
qr_space_pin(struct qr_space *space, struct qr_pin *pin, qr_vaddr_t start,
    uint64_t size_bytes, unsigned access)
{
	QR_ASSERT(pin->space == space, "pin %p is not of space %p", (void *)pin,
	    (void *)space);
	qr_vaddr_t end;
	if (__builtin_add_overflow(start, size_bytes, &end))
		return -QR_EFAULT;
	start = qr_round_down(start, QR_PAGE_SIZE);
	/* Nothing is managed past the space's end. */
	end = end > space->end ? space->end : qr_round_up(end, QR_PAGE_SIZE);
	pin_store(&pin->start, start);
	pin_store(&pin->end, end);
	/* Pairs with the fence in evict.c and age.c. */
	atomic_thread_fence(memory_order_seq_cst);
	struct qr_populate populate = {
		.space = space,
		.at = start,
		.end = end,
		.access = access,
	};
	int error = qr_populate(&populate);
	/* A shorter range needs no fence: its pages were pinned before. */
	if (error == -QR_EFAULT && populate.at > start)
		pin_store(&pin->end, populate.at);
	else if (error != 0)
		qr_space_unpin(pin);
	return error;
}

void
qr_space_unpin(struct qr_pin *pin)
{
	/* Release: what was done with the pages is done. */
	__atomic_store_n(&pin->end, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&pin->start, 0, __ATOMIC_RELEASE);
}

void
qr_space_hold(struct qr_space *space, struct qr_pin *pin, qr_vaddr_t start,
    uint64_t size_bytes)
{
	const struct qr_port *port = space->spaces->port;
	qr_rwlock_assert_exclusive(port, &space->lock);
	qr_vaddr_t end = size_bytes < space->end - qr_min(start, space->end)
			     ? start + size_bytes
			     : space->end;
	pin_store(&pin->start, start);
	pin_store(&pin->end, end);
	/* Pairs with the fence in qr_spaces_evict. */
	atomic_thread_fence(memory_order_seq_cst);
	size_t count;
	for (qr_vaddr_t at = start; at < end; at += count * QR_PAGE_SIZE) {
		qr_pte_word *words =
		    qr_table_next(&space->table, &at, end, &count);
		if (words == NULL)
			return;
		for (size_t i = 0; i < count; i++)
			(void)qr_pte_settle(port, &words[i]);
	}
}
