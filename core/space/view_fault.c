/* SPDX-License-Identifier: MIT */
/*
 * space/view_fault.c: a touch of memory that an object's pages are shown in.
 *
 *   entry        access  area      what is done
 *   none         read    any       the cached page, without the right to write
 *   none         write   shared    the cached page, which is dirty from now on
 *   none         write   private   a copy of the cached page, the space's own
 *   cached       write   shared    the right to write; the page is dirty
 *   cached       write   private   a copy (cow.c)
 *
 * The last two are fault.c's, which asks qr_view_prot. Beyond the object's end
 * nothing can be touched: -QR_ENXIO. With a page that is read, those that
 * follow it and are cached are mapped too, as long as nobody holds them: a
 * fault that costs no more than a look.
 *
 * Order: the entry is claimed, then the page is held; both until the entry is
 * published. Keeps [space.4], [space.11], [cache.3], [cache.5].
 */
#include "pages_impl.h"

#include "../base/bits.h"
#include "port_inline.h"

/* Pages that one touch maps at most. */
#define AROUND_MAX 16u

/* Held pages and the claimed entries that are to map them, in a row. */
struct show {
	struct qr_touch *touch;
	struct qr_page *pages[AROUND_MAX];
	qr_pfn_t frames[AROUND_MAX];
	size_t count;
};

unsigned
qr_view_prot(const struct qr_area *area, const struct qr_page *page,
    unsigned prot)
{
	bool write = qr_area_is_shared(area) && qr_cached_is_dirty(page);
	return write ? prot : prot & ~QR_PROT_WRITE;
}

static void
show_add(struct show *show, struct qr_page *page)
{
	const struct qr_spaces *spaces = show->touch->space->spaces;
	show->pages[show->count] = page;
	show->frames[show->count] = qr_frame_pfn(spaces->frames, page);
	show->count++;
}

/* How many pages of the area's row of entries may go along. */
static size_t
show_room(const struct qr_touch *touch)
{
	const struct qr_spaces *spaces = touch->space->spaces;
	size_t leaf = (size_t)1 << spaces->geometry->index_bits[0];
	size_t index = (touch->address >> QR_PAGE_SHIFT) & (leaf - 1);
	size_t room = (touch->area->end - touch->address) >> QR_PAGE_SHIFT;
	size_t around = qr_min(spaces->fault_around, AROUND_MAX);
	if ((touch->access & QR_ACCESS_WRITE) != 0)
		return 1;
	return qr_min(qr_min(leaf - index, room), around);
}

static void
show_grow(struct show *show, uint64_t number)
{
	const struct qr_touch *touch = show->touch;
	const struct qr_port *port = touch->space->spaces->port;
	const struct qr_view *view = qr_area_view(touch->area);
	size_t room = show_room(touch);
	while (show->count < room) {
		qr_pte_word *word = &touch->word[show->count];
		struct qr_pte none = qr_pte_of_kind(QR_PTE_NONE);
		if (!qr_pte_try_claim(word, none))
			return;
		struct qr_page *page =
		    qr_cache_try_get(view->object, number + show->count);
		if (page == NULL) {
			qr_entry_release(port, word);
			return;
		}
		show_add(show, page);
	}
}

/* The pages' new mappings are counted; those of locked areas leave the
 * policy's lists. */
static void
show_link(const struct show *show)
{
	struct qr_spaces *spaces = show->touch->space->spaces;
	bool locked = (show->touch->area->flags & QR_MAP_LOCKED) != 0;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	for (size_t i = 0; i < show->count; i++) {
		struct qr_page *page = show->pages[i];
		/* Relaxed: changed under the page lock only. */
		atomic_fetch_add_explicit(&page->refs, 1, memory_order_relaxed);
		if (!qr_page_is_listed(page))
			continue;
		if (locked)
			spaces->ops->page_gone(spaces->ops_ctx, page);
		else if (i == 0)
			spaces->ops->page_touched(spaces->ops_ctx, page);
	}
	qr_lock_release(spaces->port, &spaces->page_lock);
}

/* Ends holds and claims; published: with the pages' mappings in place. */
static void
show_end(const struct show *show, bool published)
{
	const struct qr_touch *touch = show->touch;
	const struct qr_port *port = touch->space->spaces->port;
	for (size_t i = 0; i < show->count; i++) {
		struct qr_pte pte = qr_area_pte(touch->area, show->frames[i],
		    qr_view_prot(touch->area, show->pages[i],
			touch->area->prot));
		if (i > 0)
			pte.bits &= ~QR_PTE_YOUNG;
		if (published)
			(void)qr_pte_publish(port, &touch->word[i], pte);
		else
			qr_entry_release(port, &touch->word[i]);
		qr_cached_release(port, show->pages[i]);
	}
}

/* Maps held pages where they are. */
static int
show_map(const struct show *show)
{
	const struct qr_touch *touch = show->touch;
	struct qr_space *space = touch->space;
	const struct qr_port *port = space->spaces->port;
	const struct qr_map_run map = {
		.start = touch->address,
		.frames = show->frames,
		.count = show->count,
		.prot = touch->area->prot,
		.held = true,
	};
	int error =
	    port->ops->mmu_map(port->ctx, space->mm, qr_port_cpu(port), &map);
	if (error == 0) {
		show_link(show);
		/* Relaxed: counts that order nothing. */
		atomic_fetch_add_explicit(&space->resident, show->count,
		    memory_order_relaxed);
		atomic_fetch_add_explicit(&space->spaces->count.cached, 1,
		    memory_order_relaxed);
	}
	show_end(show, error == 0);
	return error;
}

/* --- private copies --- */

/* Puts a copy of the held page in a frame of the space's own. */
static int
copy_map(const struct qr_touch *touch, const struct qr_page *page,
    qr_pfn_t frame)
{
	struct qr_spaces *spaces = touch->space->spaces;
	const struct qr_port *port = spaces->port;
	unsigned cpu = qr_port_cpu(port);
	const struct qr_map_run map = {
		.start = touch->address,
		.frames = &frame,
		.count = 1,
		.prot = touch->area->prot,
	};
	qr_lock_acquire(port, &spaces->stage_lock[cpu]);
	__builtin_memcpy(port->ops->stage(port->ctx, cpu, frame, 0),
	    qr_frame_data(spaces->frames,
		qr_frame_page(spaces->frames,
		    qr_frame_pfn(spaces->frames, page))),
	    QR_PAGE_SIZE);
	int error = port->ops->mmu_map(port->ctx, touch->space->mm, cpu, &map);
	qr_lock_release(port, &spaces->stage_lock[cpu]);
	return error;
}

static void
copy_link(const struct qr_touch *touch, struct qr_page *copy)
{
	struct qr_spaces *spaces = touch->space->spaces;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	qr_rmap_set(copy, touch->space, touch->address);
	if ((touch->area->flags & QR_MAP_LOCKED) == 0)
		spaces->ops->page_in(spaces->ops_ctx, copy, UINT64_MAX);
	qr_lock_release(spaces->port, &spaces->page_lock);
}

/* A first touch that writes to a private view. The page is held. */
static int
copy_page(const struct qr_touch *touch, struct qr_page *page)
{
	struct qr_spaces *spaces = touch->space->spaces;
	const struct qr_port *port = spaces->port;
	struct qr_page *copy = qr_run_frame(spaces);
	int error = -QR_ENOMEM;
	qr_pfn_t frame = 0;
	if (copy != NULL) {
		frame = qr_frame_pfn(spaces->frames, copy);
		error = copy_map(touch, page, frame);
	}
	if (error == 0) {
		copy_link(touch, copy);
		/* Relaxed: counts that order nothing. */
		atomic_fetch_add_explicit(&touch->space->resident, 1,
		    memory_order_relaxed);
		atomic_fetch_add_explicit(&spaces->count.cow, 1,
		    memory_order_relaxed);
		(void)qr_pte_publish(port, touch->word,
		    qr_area_pte(touch->area, frame, touch->area->prot));
	} else {
		if (copy != NULL)
			qr_run_free_frames(spaces, &copy, 1);
		qr_entry_release(port, touch->word);
	}
	qr_cached_release(port, page);
	return error;
}

int
qr_touch_object(struct qr_touch *touch)
{
	const struct qr_view *view = qr_area_view(touch->area);
	uint64_t number = qr_view_number(view, touch->address);
	bool write = (touch->access & QR_ACCESS_WRITE) != 0;
	struct qr_page *page;
	int error = qr_cache_get(view->object, number, &page);
	if (error != 0) {
		qr_entry_release(touch->space->spaces->port, touch->word);
		return error;
	}
	if (write && !qr_area_is_shared(touch->area))
		return copy_page(touch, page);
	if (write)
		qr_cache_dirty(page);
	struct show show;
	show.touch = touch;
	show.count = 0;
	show_add(&show, page);
	show_grow(&show, number);
	return show_map(&show);
}
