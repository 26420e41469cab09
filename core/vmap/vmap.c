/* SPDX-License-Identifier: MIT */
/*
 * vmap/vmap.c: scattered frames made contiguous for the core itself.
 *
 * 1. Purpose. Large blocks of frames are rare after a while, and frames beyond
 * the direct map can't be touched at all. Where contiguous addresses are enough
 * they are mapped for it, in a range of addresses that the port sets aside:
 *
 *	kernel_start                                          kernel_end
 *	| windows of kmap | area g | area g |     | area g |            |
 *	                     |
 *	                     +--> frame, frame, frame ... linked by next
 *
 * g is a page that is never mapped: who runs over the end of an area is stopped
 * by the machine.
 *
 * 2. States of an area
 *
 *	vmalloc --> in use --vfree--> lazy --purge--> gone
 *
 * A lazy area is still mapped and keeps its frames. To forget a translation
 * interrupts all CPUs, so areas wait until there are QR_VMAP_LAZY_MAX pages of
 * them, or somebody is short of frames or addresses, and go with one call of
 * the port for up to QR_RANGES_MAX of them. What a late access to freed memory
 * finds is thus its own old contents or an error, never somebody else's.
 *
 * 3. Invariants, verified by qr_check_vmap:
 *
 * [vmap.1] Every segment of the arena is an area's, or that of the windows; an
 *          area has as many frames, of kind QR_PAGE_KERNEL, as pages, and one
 *          page more for the guard.
 * [vmap.2] lazy has the freed areas, and lazy_pages and mapped_pages are the
 *          sums of freed ones and of the others.
 * [vmap.3] A window in use is mapped; no frame has two.
 *
 * 4. Locks. One, of rank QR_RANK_VMAP, for all; memory is asked for and given
 * back, and the port is called, without it, but for the windows' mapping. A
 * purge takes the areas off the list first, so each is purged once.
 *
 * 5. Failure. No memory, no addresses, the port's refusal: undone in reverse.
 * What is purged before an allocation fails may be what it needed.
 *
 * Reading: Bonwick and Adams 2001; Gorman 2004, chapter 7, for vmalloc.
 */
#include "vmap_impl.h"

#include "../base/bits.h"

/* Frames mapped by one call of the port. */
#define MAP_BATCH 32u

static unsigned
struct_order(void)
{
	return qr_order_of(
	    qr_div_round_up(sizeof(struct qr_vmap), QR_PAGE_SIZE));
}

int
qr_vmap_create(struct qr_frames *frames, struct qr_slabs *slabs,
    enum qr_fit fit, struct qr_vmap **vmap)
{
	static const struct qr_slab_config areas = {
		.name = "vmap area",
		.size_bytes = sizeof(struct vmap_area),
	};
	const struct qr_port *port = qr_frame_port(frames);
	uint64_t start = port->kernel_start >> QR_PAGE_SHIFT;
	uint64_t end = port->kernel_end >> QR_PAGE_SHIFT;
	if (end < start + qr_kmap_pages(port) + 2)
		return -QR_EOPNOTSUPP;
	struct qr_page *block = qr_frame_alloc(frames,
	    QR_GFP_KERNEL | QR_GFP_ZERO, struct_order(), QR_PAGE_KERNEL);
	if (block == NULL)
		return -QR_ENOMEM;
	struct qr_vmap *made = qr_frame_data(frames, block);
	made->areas = qr_slab_create(slabs, &areas);
	if (made->areas == NULL) {
		qr_frame_free(frames, block);
		return -QR_ENOMEM;
	}
	made->frames = frames;
	made->port = port;
	made->block = block;
	qr_lock_init(&made->lock, QR_RANK_VMAP);
	qr_list_init(&made->lazy);
	qr_arena_init(&made->arena, start, end, fit);
	int error = qr_arena_take(&made->arena, &made->window_segment, start,
	    qr_kmap_pages(port));
	QR_ASSERT(error == 0, "no room for windows: %d", error);
	made->signature = VMAP_SIGNATURE;
	*vmap = made;
	return 0;
}

void
qr_vmap_destroy(struct qr_vmap *vmap)
{
	QR_ASSERT(vmap->signature == VMAP_SIGNATURE, "signature 0x%x",
	    vmap->signature);
	(void)qr_vmap_purge(vmap);
	qr_kmap_fini(vmap);
	QR_ASSERT(vmap->arena.segments == 0, "[vmap.1] %llu ranges at the end",
	    (unsigned long long)vmap->arena.segments);
	vmap->signature = 0;
	qr_slab_destroy(vmap->areas);
	qr_frame_free(vmap->frames, vmap->block);
}

/* --- frames of an area --- */

static void
area_push(struct qr_vmap *vmap, struct vmap_area *area, struct qr_page *page)
{
	page->next = area->first;
	area->first = (uint32_t)qr_frame_pfn(vmap->frames, page);
}

static void
area_free_frames(struct qr_vmap *vmap, struct vmap_area *area)
{
	while (area->first != QR_PFN_NIL) {
		struct qr_page *page = qr_frame_page(vmap->frames, area->first);
		area->first = page->next;
		qr_frame_free(vmap->frames, page);
	}
}

static int
area_take_frames(struct qr_vmap *vmap, struct vmap_area *area, qr_gfp_t gfp)
{
	for (uint64_t i = 0; i < area->pages; i++) {
		struct qr_page *page =
		    qr_frame_alloc(vmap->frames, gfp, 0, QR_PAGE_KERNEL);
		if (page == NULL) {
			area_free_frames(vmap, area);
			return -QR_ENOMEM;
		}
		area_push(vmap, area, page);
	}
	return 0;
}

/* --- mapping --- */

static void
area_unmap(const struct qr_vmap *vmap, const struct vmap_area *area,
    uint64_t pages)
{
	qr_vaddr_t start = page_address(area->segment.start);
	const struct qr_range range = { start, start + page_address(pages) };
	if (pages != 0)
		vmap->port->ops->kernel_unmap(vmap->port->ctx, &range, 1);
}

/* Maps the frames in the order of the chain. */
static int
area_map(const struct qr_vmap *vmap, const struct vmap_area *area)
{
	const struct qr_port *port = vmap->port;
	qr_pfn_t batch[MAP_BATCH];
	uint64_t mapped = 0;
	uint32_t pfn = area->first;
	while (mapped < area->pages) {
		size_t count = 0;
		for (; count < MAP_BATCH && pfn != QR_PFN_NIL; count++) {
			batch[count] = pfn;
			pfn = qr_frame_page(vmap->frames, pfn)->next;
		}
		int error = port->ops->kernel_map(port->ctx,
		    page_address(area->segment.start + mapped), batch, count);
		if (error != 0) {
			area_unmap(vmap, area, mapped);
			return error;
		}
		mapped += count;
	}
	return 0;
}

/* --- purging --- */

/* Unmaps and frees areas that are on no list any more. */
static size_t
purge_areas(struct qr_vmap *vmap, struct vmap_area **areas, size_t count)
{
	struct qr_range ranges[QR_RANGES_MAX];
	size_t frames = 0;
	for (size_t i = 0; i < count; i++) {
		ranges[i].start = page_address(areas[i]->segment.start);
		ranges[i].end = ranges[i].start + page_address(areas[i]->pages);
	}
	vmap->port->ops->kernel_unmap(vmap->port->ctx, ranges, count);
	for (size_t i = 0; i < count; i++) {
		frames += areas[i]->pages;
		area_free_frames(vmap, areas[i]);
		qr_lock_acquire(vmap->port, &vmap->lock);
		qr_arena_free(&vmap->arena, &areas[i]->segment);
		qr_lock_release(vmap->port, &vmap->lock);
		qr_slab_free(vmap->areas, areas[i]);
	}
	return frames;
}

size_t
qr_vmap_purge(struct qr_vmap *vmap)
{
	size_t frames = 0;
	for (;;) {
		struct vmap_area *areas[QR_RANGES_MAX];
		size_t count = 0;
		qr_lock_acquire(vmap->port, &vmap->lock);
		while (count < QR_RANGES_MAX && !qr_list_empty(&vmap->lazy)) {
			struct vmap_area *area =
			    QR_CONTAINER(qr_list_pop_front(&vmap->lazy),
				struct vmap_area, lazy);
			vmap->lazy_pages -= area->pages;
			areas[count++] = area;
		}
		vmap->purges += count != 0;
		qr_lock_release(vmap->port, &vmap->lock);
		if (count == 0)
			return frames;
		frames += purge_areas(vmap, areas, count);
		VMAP_TRACE(vmap, VMAP_PURGE, count, frames, vmap->purges);
	}
}

/* --- vmalloc --- */

/* Gives the area addresses; those that wait are purged if need be. */
static int
area_place(struct qr_vmap *vmap, struct vmap_area *area)
{
	for (unsigned turn = 0;; turn++) {
		qr_lock_acquire(vmap->port, &vmap->lock);
		int error = qr_arena_alloc(&vmap->arena, &area->segment,
		    area->pages + 1, 1);
		qr_lock_release(vmap->port, &vmap->lock);
		if (error == 0 || turn != 0 || qr_vmap_purge(vmap) == 0)
			return error;
	}
}

static int
area_fill(struct qr_vmap *vmap, struct vmap_area *area, qr_gfp_t gfp)
{
	int error = area_take_frames(vmap, area, gfp);
	if (error != 0 && qr_vmap_purge(vmap) != 0)
		error = area_take_frames(vmap, area, gfp);
	if (error != 0)
		return error;
	error = area_map(vmap, area);
	if (error != 0)
		area_free_frames(vmap, area);
	return error;
}

static struct vmap_area *
area_make(struct qr_vmap *vmap, uint64_t pages, qr_gfp_t gfp)
{
	struct vmap_area *area = qr_slab_alloc(vmap->areas, gfp);
	if (area == NULL)
		return NULL;
	__builtin_memset(area, 0, sizeof(*area));
	area->pages = pages;
	area->first = QR_PFN_NIL;
	qr_list_init(&area->lazy);
	if (area_place(vmap, area) != 0)
		goto undo_area;
	if (area_fill(vmap, area, gfp) != 0)
		goto undo_place;
	return area;

undo_place:
	qr_lock_acquire(vmap->port, &vmap->lock);
	qr_arena_free(&vmap->arena, &area->segment);
	qr_lock_release(vmap->port, &vmap->lock);
undo_area:
	qr_slab_free(vmap->areas, area);
	return NULL;
}

void *
qr_vmalloc(struct qr_vmap *vmap, size_t size_bytes, qr_gfp_t gfp)
{
	uint64_t pages = qr_div_round_up(size_bytes, QR_PAGE_SIZE);
	qr_gfp_t plain = (gfp & ~(QR_GFP_ZERO | QR_GFP_USER)) | QR_GFP_HIGHMEM;
	if (pages == 0 || pages >= vmap->arena.end - vmap->arena.start)
		return NULL;
	struct vmap_area *area = area_make(vmap, pages, plain);
	if (area == NULL)
		return NULL;
	area->caller = __builtin_return_address(0);
	qr_lock_acquire(vmap->port, &vmap->lock);
	vmap->mapped_pages += pages;
	VMAP_TRACE(vmap, VMAP_ALLOC, area->segment.start, pages,
	    vmap->arena.segments);
	qr_lock_release(vmap->port, &vmap->lock);
	void *address = (void *)(uintptr_t)page_address(area->segment.start);
	if ((gfp & QR_GFP_ZERO) != 0)
		__builtin_memset(address, 0, (size_t)page_address(pages));
	return address;
}

static struct vmap_area *
area_of(struct qr_segment *segment)
{
	return QR_CONTAINER(segment, struct vmap_area, segment);
}

void
qr_vfree(struct qr_vmap *vmap, void *address)
{
	uint64_t page = (uintptr_t)address >> QR_PAGE_SHIFT;
	if (address == NULL)
		return;
	qr_lock_acquire(vmap->port, &vmap->lock);
	struct qr_segment *segment = qr_arena_find(&vmap->arena, page);
	QR_ASSERT(segment != NULL && segment != &vmap->window_segment &&
		      page_address(segment->start) == (uintptr_t)address,
	    "vfree: no range begins at %p", address);
	struct vmap_area *area = area_of(segment);
	QR_ASSERT(!area->is_freed,
	    "vfree: %p freed twice; it was asked for "
	    "by %p",
	    address, area->caller);
	area->is_freed = true;
	qr_list_push_back(&vmap->lazy, &area->lazy);
	vmap->lazy_pages += area->pages;
	vmap->mapped_pages -= area->pages;
	bool is_due = vmap->lazy_pages >= QR_VMAP_LAZY_MAX;
	VMAP_TRACE(vmap, VMAP_FREE, page, area->pages, vmap->arena.segments);
	qr_lock_release(vmap->port, &vmap->lock);
	if (is_due)
		(void)qr_vmap_purge(vmap);
}

/* --- looking --- */

void
qr_vmap_for_each(struct qr_vmap *vmap,
    void (*visit)(void *ctx, const struct qr_vmap_info *info), void *ctx)
{
	uint64_t at = vmap->window_segment.start + vmap->window_segment.size;
	for (;;) {
		struct qr_vmap_info info = { 0 };
		qr_lock_acquire(vmap->port, &vmap->lock);
		struct qr_segment *segment = qr_arena_next(&vmap->arena, at);
		if (segment != NULL) {
			const struct vmap_area *area = area_of(segment);
			info.start = page_address(segment->start);
			info.pages = area->pages;
			info.caller = area->caller;
			info.is_freed = area->is_freed;
			at = segment->start + segment->size;
		}
		qr_lock_release(vmap->port, &vmap->lock);
		if (segment == NULL)
			return;
		visit(ctx, &info);
	}
}

void
qr_vmap_stat(struct qr_vmap *vmap, struct qr_vmap_stat *stat)
{
	qr_lock_acquire(vmap->port, &vmap->lock);
	*stat = (struct qr_vmap_stat){
		.total_pages = vmap->arena.end - vmap->arena.start,
		.used_pages = vmap->arena.used,
		.largest_pages = qr_arena_largest(&vmap->arena),
		.ranges = vmap->arena.segments - 1,
		.mapped_pages = vmap->mapped_pages,
		.lazy_pages = vmap->lazy_pages,
		.purges = vmap->purges,
		.windows = qr_kmap_in_use_locked(vmap),
		.window_flushes = vmap->window_flushes,
	};
	qr_lock_release(vmap->port, &vmap->lock);
}

static uint64_t
check_area(struct qr_vmap *vmap, const struct vmap_area *area)
{
	uint64_t frames = 0;
	for (uint32_t pfn = area->first; pfn != QR_PFN_NIL; frames++) {
		const struct qr_page *page = qr_frame_page(vmap->frames, pfn);
		QR_ASSERT(page->kind == QR_PAGE_KERNEL && frames < area->pages,
		    "[vmap.1] frame 0x%x of the range at page 0x%llx is of "
		    "kind %u",
		    pfn, (unsigned long long)area->segment.start, page->kind);
		pfn = page->next;
	}
	QR_ASSERT(frames == area->pages &&
		      area->segment.size == area->pages + 1,
	    "[vmap.1] the range at page 0x%llx has %llu frames of %llu",
	    (unsigned long long)area->segment.start, (unsigned long long)frames,
	    (unsigned long long)area->pages);
	return frames;
}

void
qr_check_vmap(struct qr_vmap *vmap)
{
	uint64_t sums[2] = { 0, 0 };
	uint64_t at = vmap->window_segment.start + vmap->window_segment.size;
	QR_ASSERT(vmap->signature == VMAP_SIGNATURE, "signature 0x%x",
	    vmap->signature);
	qr_lock_acquire(vmap->port, &vmap->lock);
	qr_check_arena(&vmap->arena);
	struct qr_segment *segment = qr_arena_next(&vmap->arena, at);
	while (segment != NULL) {
		const struct vmap_area *area = area_of(segment);
		sums[area->is_freed] += check_area(vmap, area);
		QR_ASSERT(area->is_freed == !qr_list_empty(&area->lazy),
		    "[vmap.2] the range at page 0x%llx waits, or not",
		    (unsigned long long)segment->start);
		segment =
		    qr_arena_next(&vmap->arena, segment->start + segment->size);
	}
	QR_ASSERT(sums[0] == vmap->mapped_pages && sums[1] == vmap->lazy_pages,
	    "[vmap.2] %llu and %llu pages, %llu and %llu counted",
	    (unsigned long long)sums[0], (unsigned long long)sums[1],
	    (unsigned long long)vmap->mapped_pages,
	    (unsigned long long)vmap->lazy_pages);
	qr_check_kmap_locked(vmap);
	qr_lock_release(vmap->port, &vmap->lock);
}
