/* SPDX-License-Identifier: MIT */
/*
 * space/evict.c: pages that the policy gives up leave their frames.
 *
 *   victims --claim--> claimed --freeze--> frozen --store--> out --drop--> gone
 *               |                  |                 |            |
 *               +------------------+-----------------+------------+--> stays
 *
 * Claiming happens under the page lock, by try_claim: an eviction waits for no
 * entry, so whoever waits for an entry waits for a bounded time. Afterwards
 * the busy bits alone keep the pages, their mappings, table nodes and spaces
 * in being. So no space may be touched once the last of its entries that this
 * eviction holds is published.
 *
 * All state of a victim is in its entry: QR_PTE_SAVED_W remembers the write
 * bit while the page is frozen, and as soon as the contents are stored the
 * entry says where they are. What is left is the array of pages, sorted by
 * space and address: the pages of one space, a group, are frozen by one call
 * of the port and dropped by another, as ranges that are as few as can be
 * (window.c). A range may cost the machine an interruption of all its CPUs,
 * whatever the number of pages.
 *
 * A cached page (cache/cache.c) is held instead, and taken from all who map it
 * at once, under the page lock: a touch finds it again in the cache, so nothing
 * is lost if it then stays. What is left to do needs no entry.
 *
 * Keeps [space.4], [space.7], [space.8], [space.9].
 */
#include "pages_impl.h"

#include "port_inline.h"

/* Pages of one space for one call of the port. */
struct evict_ranges {
	struct qr_range range[QR_RANGES_MAX];
	size_t count;
};

struct evict {
	struct qr_spaces *spaces;
	uint64_t clock;             /* of these evictions */
	int error;                  /* last refusal of swap; 0: none */
	uint64_t joined;            /* bit i: page i of the group and the one
				       before it can go as one range */
	struct evict_ranges ranges; /* for the next call of the port */
};
_Static_assert(QR_EVICT_MAX <= 64, "pages of an eviction are bits of a word");

static struct qr_rmap_place
evict_first_place(const struct qr_page *page)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	bool mapped = qr_rmap_step(page, &cursor, &place);
	QR_ASSERT(mapped, "space.4: page %p is mapped nowhere",
	    (const void *)page);
	return place;
}

/* Whether the claimed page went out. */
static bool
evict_is_out(const struct qr_page *page)
{
	struct qr_rmap_place place = evict_first_place(page);
	return !qr_pte_has_frame(qr_pte_read(qr_rmap_word(&place)));
}

/* --- claim --- */

/* Claims what can be claimed; returns how many pages those are, moved to the
 * front, of them the *held cached ones first. The others are handed back at
 * once. (page lock) */
static size_t
evict_claim_all(struct qr_spaces *spaces, struct qr_page **pages, size_t count,
    size_t *held)
{
	size_t claimed = 0;
	*held = 0;
	for (size_t i = 0; i < count; i++) {
		struct qr_page *page = pages[i];
		if (qr_page_is_cached(page)) {
			if (!qr_view_take(spaces, page))
				continue;
			pages[claimed++] = pages[*held];
			pages[(*held)++] = page;
		} else if (qr_rmap_claim(spaces, page)) {
			pages[claimed++] = page;
		} else {
			spaces->ops->page_stays(spaces->ops_ctx, page);
		}
	}
	return claimed;
}

/* Cached pages that nothing maps any more leave RAM; returns how many did. */
static size_t
evict_cached(struct evict *evict, struct qr_page **pages, size_t count)
{
	struct qr_spaces *spaces = evict->spaces;
	size_t gone = 0;
	for (size_t i = 0; i < count; i++) {
		int error = qr_cache_evict(pages[i], (uint32_t)evict->clock);
		if (error == 0) {
			gone++;
			continue;
		}
		evict->error = error;
		qr_lock_acquire(spaces->port, &spaces->page_lock);
		qr_view_keep(spaces, pages[i]);
		qr_lock_release(spaces->port, &spaces->page_lock);
		qr_cached_release(spaces->port, pages[i]);
	}
	return gone;
}

/* Bit i: pages[i] is only mapped by this space. */
static uint64_t
evict_of_space(const struct qr_space *space, struct qr_page **pages,
    size_t count)
{
	uint64_t mask = 0;
	for (size_t i = 0; i < count; i++) {
		bool its = !qr_page_is_shared(pages[i]) &&
			   pages[i]->u.user.mapping == space;
		mask |= (uint64_t)its << i;
	}
	return mask;
}

/* Bit i: a pin covers pages[i], which is claimed. */
static uint64_t
evict_find_pinned(struct qr_page **pages, size_t count)
{
	uint64_t pinned = 0;
	uint64_t seen = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t bit = (uint64_t)1 << i;
		if ((seen & bit) != 0)
			continue;
		if (qr_page_is_shared(pages[i])) {
			pinned |= qr_rmap_is_pinned(pages[i]) ? bit : 0;
			continue;
		}
		/* All of a space at once: it may have many pins. */
		struct qr_space *space = pages[i]->u.user.mapping;
		uint64_t mask = evict_of_space(space, pages, count);
		pinned |= qr_space_find_pinned(space, pages, mask);
		seen |= mask;
	}
	return pinned;
}

/* Moves pages that no pin covers to the front; returns their number. */
static size_t
evict_part_pinned(struct qr_page **pages, size_t count)
{
	uint64_t pinned = evict_find_pinned(pages, count);
	size_t front = 0;
	for (size_t i = 0; i < count; i++) {
		struct qr_page *page = pages[i];
		if ((pinned >> i & 1) != 0)
			continue;
		pages[i] = pages[front];
		pages[front++] = page;
	}
	return front;
}

/* Moves the pages that are out to the front; returns their number. */
static size_t
evict_part_out(struct qr_page **pages, size_t count)
{
	size_t front = 0;
	for (size_t i = 0; i < count; i++) {
		struct qr_page *page = pages[i];
		if (!evict_is_out(page))
			continue;
		pages[i] = pages[front];
		pages[front++] = page;
	}
	return front;
}

/* --- sort --- */

/* Shared pages come first; they go one by one. */
static bool
evict_is_before(const struct qr_page *a, const struct qr_page *b)
{
	if (qr_page_is_shared(a) || qr_page_is_shared(b))
		return qr_page_is_shared(a) && !qr_page_is_shared(b);
	uintptr_t space_a = (uintptr_t)a->u.user.mapping;
	uintptr_t space_b = (uintptr_t)b->u.user.mapping;
	if (space_a != space_b)
		return space_a < space_b;
	return a->u.user.address < b->u.user.address;
}

/* By insertion: victims come nearly sorted, and are few. */
static void
evict_sort(struct qr_page **pages, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct qr_page *page = pages[i];
		size_t at = i;
		for (; at > 0 && evict_is_before(page, pages[at - 1]); at--)
			pages[at] = pages[at - 1];
		pages[at] = page;
	}
}

/* --- ranges --- */

/* Adds a page above all that are there; joined: to the last one. False: there
 * is no room. */
static bool
ranges_add(struct evict_ranges *ranges, qr_vaddr_t address, bool joined)
{
	if (joined) {
		ranges->range[ranges->count - 1].end = address + QR_PAGE_SIZE;
		return true;
	}
	if (ranges->count == QR_RANGES_MAX)
		return false;
	ranges->range[ranges->count++] =
	    (struct qr_range){ address, address + QR_PAGE_SIZE };
	return true;
}

/* Whether the page goes with the one before it as one range; then what lies
 * between them is claimed. */
static bool
evict_join(const struct qr_page *before, const struct qr_page *page)
{
	qr_vaddr_t below = before->u.user.address;
	qr_vaddr_t above = page->u.user.address;
	if (above == below + QR_PAGE_SIZE)
		return true;
	return qr_window_join(page->u.user.mapping, below, above);
}

/* The pages that pages[] begins with, of one space and shared with none, as
 * many as fit QR_RANGES_MAX ranges; returns how many they are. */
static size_t
evict_gather(struct evict *evict, struct qr_page **pages, size_t count)
{
	size_t length = 0;
	evict->ranges.count = 0;
	evict->joined = 0;
	for (; length < count; length++) {
		const struct qr_page *page = pages[length];
		if (qr_page_is_shared(page) ||
		    page->u.user.mapping != pages[0]->u.user.mapping)
			break;
		bool joined = length > 0 && evict_join(pages[length - 1], page);
		if (!ranges_add(&evict->ranges, page->u.user.address, joined))
			break;
		evict->joined |= (uint64_t)joined << length;
	}
	return length;
}

/* Ends the claims between the pages of a group. */
static void
evict_unjoin(const struct evict *evict, struct qr_page **pages, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if ((evict->joined >> i & 1) != 0)
			qr_window_part(pages[i]->u.user.mapping,
			    pages[i - 1]->u.user.address,
			    pages[i]->u.user.address);
	}
}

/* Of a group the next pages, from *at on, that are out, or that are not, as
 * evict->ranges; moves *at behind them. False: there are none left. */
static bool
evict_next(struct evict *evict, struct qr_page **pages, size_t count,
    size_t *at, bool out)
{
	bool before = false; /* the page before is in the ranges */
	evict->ranges.count = 0;
	for (; *at < count; (*at)++) {
		bool wanted = evict_is_out(pages[*at]) == out;
		bool joined = before && (evict->joined >> *at & 1) != 0;
		if (wanted && !ranges_add(&evict->ranges,
				  pages[*at]->u.user.address, joined))
			break;
		before = wanted;
	}
	return evict->ranges.count != 0;
}

/* --- store --- */

static bool
evict_is_zero(const void *data)
{
	const uint64_t *words = data;
	for (size_t i = 0; i < QR_PAGE_SIZE / sizeof(*words); i++) {
		if (words[i] != 0)
			return false;
	}
	return true;
}

/* Stores the frozen page at the place; what its entry shall say. */
static int
evict_store(struct evict *evict, const struct qr_page *page,
    const struct qr_rmap_place *place, struct qr_pte *out)
{
	struct qr_spaces *spaces = evict->spaces;
	const struct qr_port *port = spaces->port;
	const struct qr_peek at = { place->address,
		qr_frame_pfn(spaces->frames, page), qr_port_cpu(port),
		qr_pte_is_present(qr_pte_read(qr_rmap_word(place))) };
	uint64_t slot;
	int error;
	qr_lock_acquire(port, &spaces->peek_lock[at.cpu]);
	const void *data =
	    port->ops->mmu_peek(port->ctx, place->space->mm, &at);
	bool zero = data != NULL && evict_is_zero(data);
	if (data == NULL)
		error = -QR_EBUSY;
	else
		error = zero ? 0 : qr_swap_store(spaces->swap, data, &slot);
	qr_lock_release(port, &spaces->peek_lock[at.cpu]);
	if (error != 0)
		return error;
	if (zero) {
		/* The place of a slot holds the shadow. */
		*out = qr_pte_of_kind(QR_PTE_ZERO);
		out->bits |= (uint64_t)(uint32_t)evict->clock << 16;
		return 0;
	}
	qr_swap_set_shadow(spaces->swap, slot, (uint32_t)evict->clock);
	*out = qr_pte_swapped(slot);
	return 0;
}

/* Makes all entries of the page say where it is now. */
static void
evict_set_out(struct qr_spaces *spaces, const struct qr_page *page,
    struct qr_pte out)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	bool more = false;
	while (qr_rmap_step(page, &cursor, &place)) {
		if (more && qr_pte_kind(out) == QR_PTE_SWAPPED)
			qr_swap_get(spaces->swap, qr_pte_slot(out));
		more = true;
		qr_pte_word *word = qr_rmap_word(&place);
		uint64_t keep = QR_PTE_BUSY | QR_PTE_WAITERS;
		if (!qr_pte_is_present(qr_pte_read(word)))
			keep |= QR_PTE_ASLEEP;
		(void)qr_pte_update(word, ~keep, out.bits);
	}
}

/* Takes that back: the page still has its frame, and the next touch gives it
 * its rights. */
static void
evict_set_resident(struct qr_spaces *spaces, const struct qr_page *page)
{
	struct qr_pte stay =
	    qr_pte_map(qr_frame_pfn(spaces->frames, page), QR_PROT_NONE);
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(page, &cursor, &place)) {
		struct qr_pte out = qr_pte_update(qr_rmap_word(&place),
		    ~(QR_PTE_BUSY | QR_PTE_WAITERS), stay.bits);
		if (qr_pte_kind(out) == QR_PTE_SWAPPED)
			qr_swap_put(spaces->swap, qr_pte_slot(out));
	}
}

/* --- groups: pages of one space that only it maps --- */

static void
evict_store_all(struct evict *evict, struct qr_page **pages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct qr_rmap_place place = evict_first_place(pages[i]);
		struct qr_pte out;
		int error = evict_store(evict, pages[i], &place, &out);
		if (error == 0)
			evict_set_out(evict->spaces, pages[i], out);
		else
			evict->error = error;
	}
}

/* Freezes pages that lie in evict->ranges. 0; QR_MMU_STILL; or an error, then
 * nothing but the entries is frozen. */
static int
evict_freeze(const struct evict *evict, struct qr_page **pages, size_t count)
{
	struct qr_rmap_place place = evict_first_place(pages[0]);
	const struct qr_port *port = evict->spaces->port;
	for (size_t i = 0; i < count; i++) {
		place.address = pages[i]->u.user.address;
		qr_entry_freeze(qr_rmap_word(&place));
	}
	return port->ops->mmu_freeze(port->ctx, place.space->mm,
	    evict->ranges.range, evict->ranges.count, false);
}

/* Drops the pages that are out; those that the port keeps are resident again
 * afterwards. */
static void
evict_drop(struct evict *evict, struct qr_page **pages, size_t count)
{
	const struct qr_port *port = evict->spaces->port;
	void *mm = evict_first_place(pages[0]).space->mm;
	struct evict_ranges *ranges = &evict->ranges;
	size_t at = 0;
	while (evict_next(evict, pages, count, &at, true)) {
		size_t dropped = port->ops->mmu_drop(port->ctx, mm,
		    ranges->range, ranges->count);
		for (size_t i = 0; i < at && dropped < ranges->count; i++) {
			if (evict_is_out(pages[i]) &&
			    pages[i]->u.user.address >=
				ranges->range[dropped].start)
				evict_set_resident(evict->spaces, pages[i]);
		}
	}
}

/* Gives back the write bits of the pages that stay. */
static void
evict_thaw(struct evict *evict, struct qr_page **pages, size_t count,
    bool frozen)
{
	struct qr_rmap_place place = evict_first_place(pages[0]);
	const struct qr_port *port = evict->spaces->port;
	struct evict_ranges *ranges = &evict->ranges;
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		place.address = pages[i]->u.user.address;
		if (!evict_is_out(pages[i]))
			qr_entry_thaw(qr_rmap_word(&place));
	}
	while (frozen && evict_next(evict, pages, count, &at, false))
		port->ops->mmu_thaw(port->ctx, place.space->mm, ranges->range,
		    ranges->count);
}

/* Evicts the first of pages[] that are one space's; how many those are. */
static size_t
evict_group(struct evict *evict, struct qr_page **pages, size_t count)
{
	count = evict_gather(evict, pages, count);
	int frozen = evict_freeze(evict, pages, count);
	if (frozen >= 0) {
		evict_store_all(evict, pages, count);
		evict_drop(evict, pages, count);
	}
	evict_thaw(evict, pages, count, frozen == 0);
	evict_unjoin(evict, pages, count);
	return count;
}

/* --- shared pages --- */

/* Freezes each mapping of the page. */
static int
shared_freeze(const struct qr_page *page, const struct qr_port *port)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	int frozen = 0;
	while (frozen >= 0 && qr_rmap_step(page, &cursor, &place)) {
		const struct qr_range range = { place.address,
			place.address + QR_PAGE_SIZE };
		frozen = port->ops->mmu_freeze(port->ctx, place.space->mm,
		    &range, 1, false);
	}
	return frozen < 0 ? frozen : 0;
}

/* False: the port keeps a mapping. */
static bool
shared_drop(const struct qr_page *page, const struct qr_port *port)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	bool dropped = true;
	while (dropped && qr_rmap_step(page, &cursor, &place)) {
		const struct qr_range range = { place.address,
			place.address + QR_PAGE_SIZE };
		dropped = port->ops->mmu_drop(port->ctx, place.space->mm,
			      &range, 1) == 1;
	}
	return dropped;
}

/* Evicts a page that several entries map. None of them may write to it, so
 * none is thawed. */
static void
evict_shared(struct evict *evict, struct qr_page *page)
{
	const struct qr_port *port = evict->spaces->port;
	if (shared_freeze(page, port) != 0)
		return;
	evict_store_all(evict, &page, 1);
	if (evict_is_out(page) && !shared_drop(page, port))
		evict_set_resident(evict->spaces, page);
}

static void
evict_all(struct evict *evict, struct qr_page **pages, size_t count)
{
	evict_sort(pages, count);
	size_t at = 0;
	while (at < count) {
		if (qr_page_is_shared(pages[at]))
			evict_shared(evict, pages[at++]);
		else
			at += evict_group(evict, pages + at, count - at);
	}
}

/* --- end --- */

/* Publishes the page's entries; then its spaces are out of reach. */
static void
evict_publish(struct qr_spaces *spaces, const struct qr_page *page, bool out)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(page, &cursor, &place)) {
		if (out) {
			/* Relaxed: counts that order nothing. */
			atomic_fetch_sub_explicit(&place.space->resident, 1,
			    memory_order_relaxed);
			atomic_fetch_add_explicit(&place.space->swapped, 1,
			    memory_order_relaxed);
		}
		qr_entry_release(spaces->port, qr_rmap_word(&place));
	}
}

/* Hands pages back to the policy, then ends the claims: in this order, since
 * a page without claim may be unmapped and freed at once. */
static void
evict_put_back(struct qr_spaces *spaces, struct qr_page **pages, size_t count)
{
	if (count == 0)
		return;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	for (size_t i = 0; i < count; i++)
		spaces->ops->page_stays(spaces->ops_ctx, pages[i]);
	for (size_t i = 0; i < count; i++)
		evict_publish(spaces, pages[i], false);
	qr_lock_release(spaces->port, &spaces->page_lock);
}

static void
evict_finish(struct qr_spaces *spaces, struct qr_page **pages, size_t count)
{
	size_t zero_pages = 0;
	for (size_t i = 0; i < count; i++) {
		struct qr_rmap_place place = evict_first_place(pages[i]);
		zero_pages += qr_pte_kind(qr_pte_read(qr_rmap_word(&place))) ==
			      QR_PTE_ZERO;
		evict_publish(spaces, pages[i], true);
		if (qr_page_is_shared(pages[i]))
			qr_rmap_forget(spaces, pages[i]);
		/* Relaxed: nobody else knows the page any more. */
		atomic_store_explicit(&pages[i]->refs, 1, memory_order_relaxed);
	}
	qr_run_free_frames(spaces, pages, count);
	/* Relaxed: statistics. */
	atomic_fetch_add_explicit(&spaces->count.pages_out, count,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&spaces->count.pages_out_zero, zero_pages,
	    memory_order_relaxed);
}

size_t
qr_spaces_evict(struct qr_spaces *spaces, struct qr_page **pages, size_t count,
    int *error)
{
	qr_lock_assert_held(spaces->port, &spaces->page_lock);
	QR_ASSERT(count <= QR_EVICT_MAX, "%zu pages at once", count);
	struct evict evict;
	evict.spaces = spaces;
	evict.clock = spaces->evictions;
	evict.error = 0;
	size_t held;
	count = evict_claim_all(spaces, pages, count, &held);
	spaces->evictions += count;
	qr_lock_release(spaces->port, &spaces->page_lock);
	size_t dropped = held != 0 ? evict_cached(&evict, pages, held) : 0;
	pages += held;
	count -= held;

	/* Pairs with the fence in qr_space_pin. */
	atomic_thread_fence(memory_order_seq_cst);
	size_t going = evict_part_pinned(pages, count);
	evict_all(&evict, pages, going);
	size_t gone = evict_part_out(pages, going);
	evict_put_back(spaces, pages + gone, count - gone);
	evict_finish(spaces, pages, gone);
	*error = evict.error;
	return dropped + gone;
}
