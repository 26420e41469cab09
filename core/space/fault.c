/* SPDX-License-Identifier: MIT */
/*
 * space/fault.c: a touch that failed: what the entry says, what it takes.
 *
 *   entry                  area allows it   what is done
 *   none, zero             yes              a zeroed frame       first touch
 *   none, in a view        yes              view_fault.c
 *   swapped                yes              a frame, the slot    load
 *   resident               yes              rights given back    wake
 *   present, lacks right   yes, own page    rights given back    lift
 *   present, lacks right   yes, shared      a copy, cow.c        copy
 *   present, has right     yes              nothing              spurious
 *   guard, or no area, foreign, no right    -QR_EFAULT           bad
 *
 * The entry is read again after every wait: what counts is what it says now,
 * never what the signal or trap said. Keeps [space.5], [space.6].
 */
#include "space_impl.h"

#include "port_inline.h"

/* Pages that one load of a swapped page brings along at most: expanding is
 * dearer than zeroing, so less is risked on a guess. */
#define LOAD_WINDOW 16u

static void
fault_count(_Atomic(uint64_t) *counter, uint64_t events)
{
	/* Relaxed: statistics. */
	atomic_fetch_add_explicit(counter, events, memory_order_relaxed);
}

bool
qr_prot_allows(unsigned prot, unsigned access)
{
	if ((access & QR_ACCESS_WRITE) != 0 && (prot & QR_PROT_WRITE) == 0)
		return false;
	if ((access & QR_ACCESS_EXEC) != 0 && (prot & QR_PROT_EXEC) == 0)
		return false;
	/* Hardware has no right to write or run without one to read. */
	return prot != QR_PROT_NONE;
}

bool
qr_touch_is_met(struct qr_pte pte, unsigned access)
{
	if (!qr_pte_is_present(pte) || qr_pte_is_busy(pte))
		return false;
	if ((access & QR_ACCESS_WRITE) != 0 && (pte.bits & QR_PTE_WRITE) == 0)
		return false;
	return (access & QR_ACCESS_EXEC) == 0 || (pte.bits & QR_PTE_NX) == 0;
}

/* Brings in the touched page and what follows it. The entry is claimed and
 * has no frame. */
static int
touch_bring_in(struct qr_touch *touch, size_t limit, size_t *brought)
{
	struct qr_spaces *spaces = touch->space->spaces;
	struct qr_page *page = qr_run_frame(spaces);
	if (page == NULL) {
		qr_entry_release(spaces->port, touch->word);
		return -QR_ENOMEM;
	}
	struct qr_run run;
	run.space = touch->space;
	run.area = touch->area;
	run.start = touch->address;
	run.words = touch->word;
	run.count = 1;
	run.frames[0] = qr_frame_pfn(spaces->frames, page);

	size_t window = qr_stream_window(touch->space, touch->address, limit);
	window = qr_max(window, qr_min(touch->ahead, QR_STAGE_PAGES));
	if (window > 1)
		qr_run_grow(&run, window);
	int error = qr_run_bring_in(&run);
	if (error != 0)
		return error;
	qr_stream_note(touch->space, touch->address + run.count * QR_PAGE_SIZE,
	    run.count);
	*brought = run.count;
	return 0;
}

static int
touch_first(struct qr_touch *touch)
{
	struct qr_spaces *spaces = touch->space->spaces;
	size_t brought;
	int error = touch_bring_in(touch, spaces->fault_around, &brought);
	if (error == 0)
		fault_count(&spaces->count.first_touch, brought);
	return error;
}

static int
touch_load(struct qr_touch *touch)
{
	struct qr_spaces *spaces = touch->space->spaces;
	bool near = qr_swap_is_near(spaces->swap, qr_pte_slot(touch->pte));
	size_t limit = qr_min(LOAD_WINDOW, spaces->fault_around);
	size_t brought;
	int error = touch_bring_in(touch, limit, &brought);
	if (error == 0)
		fault_count(near ? &spaces->count.pool : &spaces->count.device,
		    1);
	return error;
}

static void
touch_tell(struct qr_spaces *spaces, struct qr_page *page)
{
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	if (qr_page_is_listed(page))
		spaces->ops->page_touched(spaces->ops_ctx, page);
	qr_lock_release(spaces->port, &spaces->page_lock);
}

/* Gives the entry's frame the rights of its area, less writing if the page
 * is shared. */
static int
touch_remap(struct qr_touch *touch, struct qr_page *page)
{
	struct qr_spaces *spaces = touch->space->spaces;
	const struct qr_port *port = spaces->port;
	unsigned prot = touch->area->prot;
	if (qr_page_is_cached(page))
		prot = qr_view_prot(touch->area, page, prot);
	else if (qr_page_is_shared(page))
		prot &= ~QR_PROT_WRITE;
	struct qr_pte pte =
	    qr_area_pte(touch->area, qr_pte_frame(touch->pte), prot);
	(void)qr_pte_update(touch->word, touch->pte.bits, pte.bits);
	int error = port->ops->mmu_protect(port->ctx, touch->space->mm,
	    touch->address, touch->address + QR_PAGE_SIZE, prot);
	if (error != 0) {
		(void)qr_pte_update(touch->word, pte.bits, touch->pte.bits);
		qr_entry_release(port, touch->word);
		return error;
	}
	touch_tell(spaces, page);
	(void)qr_pte_publish(port, touch->word, pte);
	return 0;
}

/* The page of a shared view is about to be written to. Our claim keeps it. */
static void
touch_dirty(const struct qr_port *port, struct qr_page *page)
{
	qr_cached_hold(port, page);
	qr_cache_dirty(page);
	qr_cached_release(port, page);
}

/* The entry has a frame. */
static int
touch_resident(struct qr_touch *touch)
{
	struct qr_spaces *spaces = touch->space->spaces;
	struct qr_page *page =
	    qr_frame_page(spaces->frames, qr_pte_frame(touch->pte));
	bool asleep = !qr_pte_is_present(touch->pte);
	/* The page may become our own while we look, never the reverse: only
	 * a fork of this space could share it, and that excludes us. */
	bool write = (touch->access & QR_ACCESS_WRITE) != 0;
	bool cached = qr_page_is_cached(page);
	if (write && cached ? !qr_area_is_shared(touch->area)
			    : write && qr_page_is_shared(page))
		return qr_touch_copy(touch);
	if (write && cached)
		touch_dirty(spaces->port, page);
	int error = touch_remap(touch, page);
	if (error == 0)
		fault_count(asleep ? &spaces->count.soft : &spaces->count.cow,
		    1);
	return error;
}

/* What the claimed entry needs, by its kind. */
static int
touch_claimed(struct qr_touch *touch)
{
	if (qr_pte_is_present(touch->pte))
		return touch_resident(touch);
	switch (qr_pte_kind(touch->pte)) {
	case QR_PTE_NONE:
		if (qr_area_is_view(touch->area))
			return qr_touch_object(touch);
		return touch_first(touch);
	case QR_PTE_ZERO:
		return touch_first(touch);
	case QR_PTE_SWAPPED:
		return touch_load(touch);
	case QR_PTE_RESIDENT:
		return touch_resident(touch);
	case QR_PTE_GUARD:
	default:
		qr_entry_release(touch->space->spaces->port, touch->word);
		return -QR_EFAULT;
	}
}

int
qr_touch_entry(struct qr_touch *touch)
{
	struct qr_spaces *spaces = touch->space->spaces;
	touch->word = qr_table_ensure(&touch->space->table, touch->address,
	    QR_GFP_KERNEL);
	if (touch->word == NULL)
		return -QR_ENOMEM;
	/* Each further turn means that another thread got ahead. */
	do {
		touch->pte = qr_pte_settle(spaces->port, touch->word);
		if (qr_touch_is_met(touch->pte, touch->access)) {
			fault_count(&spaces->count.spurious, 1);
			return 0;
		}
	} while (!qr_pte_try_claim(touch->word, touch->pte));
	int error = touch_claimed(touch);
	/* Nothing was mapped, the touch will be repeated. */
	return error == -QR_EAGAIN || error == -QR_EBUSY ? 0 : error;
}

/* One touch, without asking oom(). */
static int
fault_once(struct qr_space *space, qr_vaddr_t address, unsigned access)
{
	const struct qr_port *port = space->spaces->port;
	qr_rwlock_share(port, &space->lock);
	const struct qr_area *area = qr_area_find(space, address);
	int error = -QR_EFAULT;
	if (area != NULL && area->start <= address &&
	    !qr_area_is_foreign(area) && qr_prot_allows(area->prot, access)) {
		struct qr_touch touch = {
			.space = space,
			.area = area,
			.address = address,
			.access = access,
			.ahead = 1,
		};
		error = qr_touch_entry(&touch);
	}
	qr_rwlock_unshare(port, &space->lock);
	return error;
}

bool
qr_touch_oom(struct qr_space *space, qr_vaddr_t address)
{
	struct qr_spaces *spaces = space->spaces;
	const struct qr_port *port = spaces->port;
	struct qr_frame_stat frames;
	struct qr_swap_stat swap;
	qr_frame_stat(spaces->frames, &frames);
	qr_swap_stat(spaces->swap, &swap);
	struct qr_oom_report report = {
		.address = address,
		.frames_total = frames.total,
		.frames_free = frames.free,
		.pool_frames = frames.pool,
		.stored_pages = swap.slots,
		.swap_pages = swap.device_pages,
		.swap_free = swap.device_pages - swap.on_device,
		/* Relaxed: a detail of a report. */
		.error = atomic_load_explicit(&spaces->last_error,
		    memory_order_relaxed),
	};
	if (report.error == 0)
		report.error = -QR_ENOMEM;
	fault_count(&spaces->count.oom, 1);
	return port->ops->oom(port->ctx, space->mm, &report);
}

int
qr_space_fault(struct qr_space *space, qr_vaddr_t address, unsigned access)
{
	address = qr_round_down(address, QR_PAGE_SIZE);
	int error;
	do {
		error = fault_once(space, address, access);
		if (qr_cache_is_over_limit(&space->spaces->cache))
			qr_cache_throttle(&space->spaces->cache);
		if (error == -QR_EFAULT &&
		    qr_area_grow_down(space, address) == 0)
			error = fault_once(space, address, access);
	} while (error == -QR_ENOMEM && qr_touch_oom(space, address));
	if (error == -QR_EFAULT)
		fault_count(&space->spaces->count.bad, 1);
	return error;
}
