/* SPDX-License-Identifier: MIT */
/*
 * space/rmap.c: from a page to the entries that map it.
 *
 * A page of an object is found through that. Of the others, a page that one
 * entry maps holds the space and the address itself. Only
 * fork makes a page that several entries map; then QR_PAGE_SHARED is set and
 * u.user.mapping is a chain of struct qr_mapping, one an entry. When one is
 * left again the chain goes and the page is its own once more.
 *
 *   cached       page --> object --> views (view.c)
 *   not shared   page --> space, address
 *   shared       page --> mapping --> mapping --> ... --> NULL
 *
 * Keeps [space.4]: an entry with a frame and the frame's mapping exist
 * together, but for the time the entry is claimed. refs counts mappings.
 */
#include "space_impl.h"

static void
rmap_set_flag(struct qr_page *page, bool shared)
{
	/* Relaxed: see qr_page_is_shared. */
	if (shared)
		atomic_fetch_or_explicit(&page->flags, QR_PAGE_SHARED,
		    memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&page->flags,
		    (uint8_t)~QR_PAGE_SHARED, memory_order_relaxed);
}

static uint32_t
rmap_refs_add(struct qr_page *page, uint32_t delta)
{
	/* Relaxed: changed under the page lock only. */
	uint32_t refs =
	    delta + atomic_load_explicit(&page->refs, memory_order_relaxed);
	atomic_store_explicit(&page->refs, refs, memory_order_relaxed);
	return refs;
}

void
qr_rmap_set(struct qr_page *page, struct qr_space *space, qr_vaddr_t address)
{
	rmap_set_flag(page, false);
	page->u.user.mapping = space;
	page->u.user.address = address;
}

static struct qr_mapping **
rmap_find(struct qr_page *page, const struct qr_space *space,
    qr_vaddr_t address, struct qr_mapping **head)
{
	*head = page->u.user.mapping;
	struct qr_mapping **at = head;
	while (
	    *at != NULL && ((*at)->space != space || (*at)->address != address))
		at = &(*at)->next;
	QR_ASSERT(*at != NULL, "space.4: no mapping of page %p at 0x%llx",
	    (void *)page, (unsigned long long)address);
	return at;
}

void
qr_rmap_move(struct qr_page *page, struct qr_space *space, qr_vaddr_t from,
    qr_vaddr_t to)
{
	if (qr_page_is_cached(page))
		return;
	if (qr_page_is_shared(page)) {
		struct qr_mapping *head;
		(*rmap_find(page, space, from, &head))->address = to;
		return;
	}
	QR_ASSERT(page->u.user.mapping == space,
	    "space.4: page %p is mapped by another space", (void *)page);
	page->u.user.address = to;
}

static void
rmap_push(struct qr_page *page, struct qr_space *space, qr_vaddr_t address,
    struct qr_mapping **spare)
{
	struct qr_mapping *link = *spare;
	*spare = NULL;
	link->space = space;
	link->address = address;
	link->next = page->u.user.mapping;
	page->u.user.mapping = link;
}

void
qr_rmap_share(struct qr_page *page, struct qr_space *space, qr_vaddr_t address,
    struct qr_mapping *spare[2])
{
	if (qr_page_is_cached(page)) {
		(void)rmap_refs_add(page, 1);
		return;
	}
	if (!qr_page_is_shared(page)) {
		struct qr_space *only = page->u.user.mapping;
		page->u.user.mapping = NULL;
		rmap_push(page, only, page->u.user.address, &spare[1]);
		rmap_set_flag(page, true);
	}
	rmap_push(page, space, address, &spare[0]);
	(void)rmap_refs_add(page, 1);
}

bool
qr_rmap_step(const struct qr_page *page, struct qr_rmap_cursor *cursor,
    struct qr_rmap_place *place)
{
	if (qr_page_is_cached(page))
		return qr_view_step(page, cursor, place);
	bool shared = qr_page_is_shared(page);
	if (!cursor->started) {
		cursor->started = true;
		if (!shared) {
			place->space = page->u.user.mapping;
			place->address = page->u.user.address;
			return place->space != NULL;
		}
		cursor->next = page->u.user.mapping;
	}
	if (!shared || cursor->next == NULL)
		return false;
	place->space = cursor->next->space;
	place->address = cursor->next->address;
	cursor->next = cursor->next->next;
	return true;
}

qr_pte_word *
qr_rmap_word(const struct qr_rmap_place *place)
{
	qr_pte_word *word = qr_table_find(&place->space->table, place->address);
	QR_ASSERT(word != NULL, "space.4: no node for a mapping at 0x%llx",
	    (unsigned long long)place->address);
	return word;
}

static bool
rmap_claim_entry(qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	if (qr_pte_is_busy(pte))
		return false;
	QR_ASSERT((pte.bits & QR_PTE_LOCKED) == 0,
	    "space.9: a locked page was on a list: entry 0x%llx",
	    (unsigned long long)pte.bits);
	QR_ASSERT(qr_pte_has_frame(pte),
	    "space.4: entry 0x%llx of a mapped page has no frame",
	    (unsigned long long)pte.bits);
	return qr_pte_try_claim(word, pte);
}

bool
qr_rmap_claim(struct qr_spaces *spaces, const struct qr_page *page)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	size_t claimed = 0;
	while (qr_rmap_step(page, &cursor, &place)) {
		if (!rmap_claim_entry(qr_rmap_word(&place)))
			goto undo_claims;
		claimed++;
	}
	return claimed > 0;

undo_claims:
	cursor = (struct qr_rmap_cursor){ 0 };
	while (claimed > 0 && qr_rmap_step(page, &cursor, &place)) {
		qr_entry_release(spaces->port, qr_rmap_word(&place));
		claimed--;
	}
	return false;
}

bool
qr_rmap_is_pinned(const struct qr_page *page)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(page, &cursor, &place)) {
		if (qr_space_is_pinned(place.space, place.address))
			return true;
	}
	return false;
}

void
qr_rmap_transfer(struct qr_page *page, struct qr_page *to)
{
	rmap_set_flag(to, qr_page_is_shared(page));
	to->u.user = page->u.user;
	/* Relaxed, both: changed under the page lock only. */
	atomic_store_explicit(&to->refs,
	    atomic_load_explicit(&page->refs, memory_order_relaxed),
	    memory_order_relaxed);
	atomic_store_explicit(&page->refs, 1, memory_order_relaxed);
	rmap_set_flag(page, false);
	page->u.user.mapping = NULL;
}

bool
qr_rmap_is_locked(const struct qr_page *page)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(page, &cursor, &place)) {
		const qr_pte_word *word = qr_rmap_word(&place);
		if ((qr_pte_read(word).bits & QR_PTE_LOCKED) != 0)
			return true;
	}
	return false;
}

bool
qr_rmap_may_list(const struct qr_page *page)
{
	bool victim = qr_page_is_cached(page) &&
		      (qr_cached_state(page) & QR_CACHED_VICTIM) != 0;
	return !victim && !qr_rmap_is_locked(page);
}

/* One of several mappings goes; the last but one makes the page its own. */
static void
rmap_unlink_shared(struct qr_spaces *spaces, struct qr_page *page,
    struct qr_space *space, qr_vaddr_t address)
{
	struct qr_mapping *head;
	struct qr_mapping **at = rmap_find(page, space, address, &head);
	struct qr_mapping *gone = *at;
	*at = gone->next;
	page->u.user.mapping = head;
	qr_slab_free(spaces->mapping_cache, gone);

	QR_ASSERT(head != NULL, "space.4: shared page %p had one mapping",
	    (void *)page);
	if (head->next == NULL) {
		qr_rmap_set(page, head->space, head->address);
		qr_slab_free(spaces->mapping_cache, head);
	}
	/* The mapping that is gone may have been what kept it off. */
	if (!qr_page_is_listed(page) && !qr_rmap_is_locked(page))
		spaces->ops->page_in(spaces->ops_ctx, page, UINT64_MAX);
}

/* A cached page stays with its object. */
static void
rmap_unlink_cached(struct qr_spaces *spaces, struct qr_page *page)
{
	(void)rmap_refs_add(page, UINT32_MAX);
	if (!qr_page_is_listed(page) && qr_rmap_may_list(page))
		spaces->ops->page_in(spaces->ops_ctx, page, UINT64_MAX);
}

bool
qr_rmap_unlink(struct qr_spaces *spaces, struct qr_page *page,
    struct qr_space *space, qr_vaddr_t address)
{
	if (qr_page_is_cached(page)) {
		rmap_unlink_cached(spaces, page);
		return false;
	}
	if (rmap_refs_add(page, UINT32_MAX) > 0) {
		rmap_unlink_shared(spaces, page, space, address);
		return false;
	}
	QR_ASSERT(page->u.user.mapping == space &&
		      page->u.user.address == address,
	    "space.4: page %p is mapped at 0x%llx, not at 0x%llx", (void *)page,
	    (unsigned long long)page->u.user.address,
	    (unsigned long long)address);
	page->u.user.mapping = NULL;
	if (qr_page_is_listed(page))
		spaces->ops->page_gone(spaces->ops_ctx, page);
	return true;
}

void
qr_rmap_forget(struct qr_spaces *spaces, struct qr_page *page)
{
	struct qr_mapping *link = page->u.user.mapping;
	while (link != NULL) {
		struct qr_mapping *next = link->next;
		qr_slab_free(spaces->mapping_cache, link);
		link = next;
	}
	rmap_set_flag(page, false);
	page->u.user.mapping = NULL;
}
