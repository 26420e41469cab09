/* SPDX-License-Identifier: MIT */
/*
 * space/cow.c: a write to a page that fork has shared: the writer gets a
 * copy, the others keep the page.
 *
 * The entry is claimed, so the old page can be neither evicted nor become
 * this space's alone under our hands without our seeing one of the two: if
 * its last other mapping goes while we copy, we free the page ourselves.
 */
#include "space_impl.h"

#include "port_inline.h"

/* Puts a copy of the claimed entry's page where mmu_map will take it from. */
static int
cow_stage(const struct qr_touch *touch, qr_pfn_t frame, unsigned cpu)
{
	struct qr_spaces *spaces = touch->space->spaces;
	const struct qr_port *port = spaces->port;
	struct qr_lock *lock = &spaces->peek_lock[cpu];
	qr_lock_acquire(port, lock);
	const struct qr_peek at = { touch->address, qr_pte_frame(touch->pte),
		cpu, qr_pte_is_present(touch->pte) };
	const void *from =
	    port->ops->mmu_peek(port->ctx, touch->space->mm, &at);
	if (from != NULL)
		__builtin_memcpy(port->ops->stage(port->ctx, cpu, frame, 0),
		    from, QR_PAGE_SIZE);
	qr_lock_release(port, lock);
	return from != NULL ? 0 : -QR_EIO;
}

/* Replaces the mapping of the old page by one of the staged copy. */
static int
cow_replace(const struct qr_touch *touch, qr_pfn_t frame, unsigned cpu)
{
	const struct qr_port *port = touch->space->spaces->port;
	struct qr_pte away = qr_pte_of_kind(QR_PTE_RESIDENT);
	away.bits |= touch->pte.bits & QR_PTE_FRAME;
	(void)qr_pte_update(touch->word, touch->pte.bits, away.bits);
	const struct qr_range range = { touch->address,
		touch->address + QR_PAGE_SIZE };
	int error = -QR_EBUSY;
	if (port->ops->mmu_drop(port->ctx, touch->space->mm, &range, 1) == 1) {
		struct qr_map_run map = {
			.start = touch->address,
			.frames = &frame,
			.count = 1,
			.prot = touch->area->prot,
			.zero = false,
		};
		error =
		    port->ops->mmu_map(port->ctx, touch->space->mm, cpu, &map);
	}
	if (error != 0)
		(void)qr_pte_update(touch->word, away.bits, touch->pte.bits);
	return error;
}

/* The old page loses this mapping, the copy gets it. */
static void
cow_exchange(const struct qr_touch *touch, struct qr_page *old,
    struct qr_page *copy)
{
	struct qr_spaces *spaces = touch->space->spaces;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	bool last = qr_rmap_unlink(spaces, old, touch->space, touch->address);
	qr_rmap_set(copy, touch->space, touch->address);
	if ((touch->area->flags & QR_MAP_LOCKED) == 0)
		spaces->ops->page_in(spaces->ops_ctx, copy, UINT64_MAX);
	qr_lock_release(spaces->port, &spaces->page_lock);
	if (last)
		qr_run_free_frames(spaces, &old, 1);
}

int
qr_touch_copy(struct qr_touch *touch)
{
	struct qr_spaces *spaces = touch->space->spaces;
	const struct qr_port *port = spaces->port;
	struct qr_page *copy = qr_run_frame(spaces);
	if (copy == NULL) {
		qr_entry_release(port, touch->word);
		return -QR_ENOMEM;
	}
	qr_pfn_t frame = qr_frame_pfn(spaces->frames, copy);
	unsigned cpu = qr_port_cpu(port);
	qr_lock_acquire(port, &spaces->stage_lock[cpu]);
	int error = cow_stage(touch, frame, cpu);
	if (error == 0)
		error = cow_replace(touch, frame, cpu);
	qr_lock_release(port, &spaces->stage_lock[cpu]);
	if (error != 0) {
		qr_run_free_frames(spaces, &copy, 1);
		qr_entry_release(port, touch->word);
		return error;
	}
	cow_exchange(touch,
	    qr_frame_page(spaces->frames, qr_pte_frame(touch->pte)), copy);
	(void)qr_pte_publish(port, touch->word,
	    qr_area_pte(touch->area, frame, touch->area->prot));
	atomic_fetch_add_explicit(&spaces->count.cow, 1,
	    memory_order_relaxed); /* Relaxed: statistics. */
	return 0;
}
