/* SPDX-License-Identifier: MIT */
/*
 * space/check.c: whether spaces, their areas, entries and pages agree.
 *
 * For a machine in which nothing runs: no entry is busy. Names the invariant
 * of the essay in space.c that is broken.
 */
#include "shm_impl.h"

#include "../base/check.h"

struct check_sums {
	struct qr_space *space;
	const struct qr_area *area; /* that the walk has come to */
	uint64_t resident;
	uint64_t swapped;
	uint64_t frames; /* of resident, those counted at this entry */
};

/* --- areas --- */

static void
check_area(const struct qr_space *space, const struct qr_area *area,
    const struct qr_area *next)
{
	unsigned long long start = area->start;
	QR_ASSERT(area->start < area->end && area->end <= space->end,
	    "space.1: area 0x%llx ends at 0x%llx", start,
	    (unsigned long long)area->end);
	QR_ASSERT((area->start | area->end) % QR_PAGE_SIZE == 0,
	    "space.1: area 0x%llx is not of whole pages", start);
	QR_ASSERT((area->flags &
		      ~(QR_AREA_KEPT | QR_AREA_CHARGED | QR_AREA_VIEW)) == 0,
	    "space.1: area 0x%llx has flags 0x%x", start, area->flags);
	if (next == NULL)
		return;
	QR_ASSERT(area->end <= next->start,
	    "space.1: area 0x%llx overlaps the one at 0x%llx", start,
	    (unsigned long long)next->start);
	QR_ASSERT(area->end != next->start || area->prot != next->prot ||
		      area->flags != next->flags ||
		      (qr_area_is_view(area) && !qr_view_follows(area, next)),
	    "space.2: areas at 0x%llx and 0x%llx are alike", start,
	    (unsigned long long)next->start);
}

/* Areas one by one, and the space's sums; returns the pages charged. */
static uint64_t
check_areas(const struct qr_space *space)
{
	uint64_t count = 0;
	uint64_t pages = 0;
	uint64_t locked = 0;
	uint64_t charged = 0;
	uint64_t views = 0;
	qr_check_tree(&space->areas);
	qr_check_area_gaps(space);
	for (const struct qr_area *area = qr_area_first(space); area != NULL;
	     area = qr_area_next(area)) {
		check_area(space, area, qr_area_next(area));
		count++;
		views += qr_area_is_view(area);
		if ((area->flags & QR_AREA_CHARGED) != 0)
			charged += qr_area_pages(area);
		if (qr_area_is_foreign(area))
			continue;
		pages += qr_area_pages(area);
		if ((area->flags & QR_MAP_LOCKED) != 0)
			locked += qr_area_pages(area);
	}
	QR_ASSERT(count == space->area_count && pages == space->virtual_pages &&
		      locked == space->locked_pages &&
		      views == space->view_count,
	    "space.3: %llu areas, %llu pages, %llu locked",
	    (unsigned long long)count, (unsigned long long)pages,
	    (unsigned long long)locked);
	QR_ASSERT(charged == space->charged_pages,
	    "space.10: %llu pages charged to a space, counted %llu",
	    (unsigned long long)charged,
	    (unsigned long long)space->charged_pages);
	return charged;
}

/* --- pages --- */

/* The page is mapped where the entry is, as often as it says. */
static void
check_mappings(const struct check_sums *sums, const struct qr_page *page,
    qr_vaddr_t address)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	uint32_t mappings = 0;
	uint32_t here = 0;
	while (qr_rmap_step(page, &cursor, &place)) {
		mappings++;
		here += place.space == sums->space && place.address == address;
	}
	uint32_t refs = atomic_load_explicit(&page->refs, memory_order_relaxed);
	QR_ASSERT(here == 1, "space.4: 0x%llx is %u mappings of its page",
	    (unsigned long long)address, here);
	if (qr_page_is_cached(page)) {
		QR_ASSERT(refs == mappings + 1,
		    "cache.3: the page at 0x%llx has %u mappings and %u refs",
		    (unsigned long long)address, mappings, refs);
		return;
	}
	QR_ASSERT(refs == mappings && (mappings > 1) == qr_page_is_shared(page),
	    "space.4: the page at 0x%llx has %u mappings and %u refs",
	    (unsigned long long)address, mappings, refs);
}

static void
check_frame(struct check_sums *sums, qr_vaddr_t address, struct qr_pte pte)
{
	const struct qr_spaces *spaces = sums->space->spaces;
	const struct qr_page *page =
	    qr_frame_page(spaces->frames, qr_pte_frame(pte));
	unsigned long long at = address;
	unsigned prot = sums->area->prot;
	bool cached = qr_page_is_cached(page);
	bool view = qr_area_is_view(sums->area);
	QR_ASSERT(page->kind == QR_PAGE_USER || (cached && view),
	    "space.4: the page at 0x%llx is of kind %u", at, page->kind);
	QR_ASSERT(!cached || (qr_cached_object(page) ==
				     qr_area_view(sums->area)->object &&
				 page->u.cached.index ==
				     qr_view_number(qr_area_view(sums->area),
					 address)),
	    "space.11: 0x%llx maps another page", at);
	check_mappings(sums, page, address);
	sums->resident++;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place first;
	(void)qr_rmap_step(page, &cursor, &first);
	sums->frames +=
	    !cached && first.space == sums->space && first.address == address;

	bool locked = (sums->area->flags & QR_MAP_LOCKED) != 0;
	QR_ASSERT(((pte.bits & QR_PTE_LOCKED) != 0) == locked,
	    "space.9: entry 0x%llx at 0x%llx, area flags 0x%x",
	    (unsigned long long)pte.bits, at, sums->area->flags);
	QR_ASSERT(qr_page_is_listed(page) != qr_rmap_is_locked(page),
	    "space.9: the page at 0x%llx is on %s list", at,
	    qr_page_is_listed(page) ? "a" : "no");
	if (!qr_pte_is_present(pte))
		return;
	bool writable = (pte.bits & QR_PTE_WRITE) != 0;
	QR_ASSERT(prot != QR_PROT_NONE, "space.5: 0x%llx is present", at);
	QR_ASSERT(!writable || (prot & QR_PROT_WRITE) != 0,
	    "space.5: 0x%llx is writable", at);
	QR_ASSERT(!writable || !qr_page_is_shared(page),
	    "space.6: 0x%llx is writable and shared", at);
	QR_ASSERT(!writable || !cached || qr_area_is_shared(sums->area),
	    "space.6: 0x%llx is writable, private and cached", at);
	QR_ASSERT(!writable || !cached || qr_cached_is_dirty(page),
	    "cache.5: 0x%llx is writable, its page is clean", at);
	QR_ASSERT((pte.bits & QR_PTE_NX) != 0 || (prot & QR_PROT_EXEC) != 0,
	    "space.5: 0x%llx is executable", at);
	QR_ASSERT((pte.bits & QR_PTE_SAVED_W) == 0, "space.7: 0x%llx is frozen",
	    at);
}

static void
check_entry(void *ctx, qr_vaddr_t address, struct qr_pte pte)
{
	struct check_sums *sums = ctx;
	unsigned long long at = address;
	while (sums->area != NULL && sums->area->end <= address)
		sums->area = qr_area_next(sums->area);
	QR_ASSERT(sums->area != NULL && sums->area->start <= address &&
		      !qr_area_is_foreign(sums->area),
	    "space.3: entry 0x%llx at 0x%llx lies in no managed area",
	    (unsigned long long)pte.bits, at);
	QR_ASSERT(!qr_pte_is_busy(pte), "space.7: 0x%llx is busy", at);
	if (qr_pte_has_frame(pte))
		check_frame(sums, address, pte);
	else
		sums->swapped++;
}

/* Returns how many frames the space's entries account for: a shared page
 * counts at its first mapping. */
static uint64_t
check_entries(struct qr_space *space)
{
	struct check_sums sums = {
		.space = space,
		.area = qr_area_first(space),
	};
	qr_table_for_each(&space->table, check_entry, &sums);
	uint64_t resident =
	    atomic_load_explicit(&space->resident, memory_order_relaxed);
	uint64_t swapped =
	    atomic_load_explicit(&space->swapped, memory_order_relaxed);
	QR_ASSERT(sums.resident == resident && sums.swapped == swapped,
	    "space.10: %llu resident, counted %llu; %llu out, counted %llu",
	    (unsigned long long)sums.resident, (unsigned long long)resident,
	    (unsigned long long)sums.swapped, (unsigned long long)swapped);
	return sums.frames;
}

void
qr_check_space(struct qr_space *space, enum qr_check_depth depth)
{
	QR_ASSERT(space->signature == QR_SPACE_SIGNATURE,
	    "space %p has signature 0x%x", (void *)space, space->signature);
	if (depth == QR_CHECK_SIGNATURE)
		return;
	(void)check_areas(space);
	if (depth == QR_CHECK_SELF)
		return;
	qr_check_table(&space->table, depth);
	(void)check_entries(space);
}

void
qr_check_spaces(struct qr_spaces *spaces, enum qr_check_depth depth)
{
	uint64_t charged = 0;
	uint64_t frames = 0;
	struct qr_list *link;
	QR_ASSERT(spaces->signature == QR_SPACES_SIGNATURE,
	    "spaces have signature 0x%x", spaces->signature);
	qr_list_for_each (link, &spaces->list) {
		struct qr_space *space =
		    QR_CONTAINER(link, struct qr_space, link);
		qr_check_space(space, depth);
		if (depth == QR_CHECK_SIGNATURE)
			continue;
		charged += check_areas(space);
		if (depth == QR_CHECK_CHILDREN)
			frames += check_entries(space);
	}
	if (depth == QR_CHECK_SIGNATURE)
		return;
	uint64_t promised;
	qr_check_cache(&spaces->cache, depth, &promised);
	qr_check_views(spaces);
	qr_check_shm(spaces);
	charged += promised;
	uint64_t commit =
	    atomic_load_explicit(&spaces->commit_pages, memory_order_relaxed);
	QR_ASSERT(charged == commit,
	    "space.10: %llu pages charged, counted %llu",
	    (unsigned long long)charged, (unsigned long long)commit);
	uint64_t user =
	    atomic_load_explicit(&spaces->user_pages, memory_order_relaxed);
	QR_ASSERT(depth != QR_CHECK_CHILDREN || frames == user,
	    "space.10: %llu frames mapped, counted %llu",
	    (unsigned long long)frames, (unsigned long long)user);
}
