/* SPDX-License-Identifier: MIT */
/*
 * reclaim/policy.c: lists of pages, what is known of touches, and the table
 * of policies. Keeps [reclaim.1].
 */
#include "policy.h"

#include "../base/bits.h"

/* The default first: see the figures in reclaim.c, part 5. */
const struct qr_policy *const qr_policies[] = {
	&qr_policy_s3fifo,
	&qr_policy_sieve,
	&qr_policy_clock,
	&qr_policy_lru,
	&qr_policy_fifo,
	&qr_policy_nru,
	&qr_policy_ageing,
	&qr_policy_wsclock,
	&qr_policy_2q,
	&qr_policy_arc,
	&qr_policy_lirs,
	&qr_policy_twolists,
	&qr_policy_generations,
	NULL,
};

/* The list as second chance and the ring with a hand evict the same pages. */
static const struct {
	const char *name;
	const struct qr_policy *policy;
} policy_aliases[] = {
	{ "second-chance", &qr_policy_clock },
	{ "active-inactive", &qr_policy_twolists },
	{ "mglru", &qr_policy_generations },
};

static bool
names_equal(const char *a, const char *b)
{
	size_t i = 0;
	while (a[i] != '\0' && a[i] == b[i])
		i++;
	return a[i] == b[i];
}

const struct qr_policy *
qr_policy_find(const char *name)
{
	if (name == NULL)
		return qr_policies[0];
	for (size_t i = 0; qr_policies[i] != NULL; i++) {
		if (names_equal(qr_policies[i]->name, name))
			return qr_policies[i];
	}
	for (size_t i = 0; i < QR_COUNT_OF(policy_aliases); i++) {
		if (names_equal(policy_aliases[i].name, name))
			return policy_aliases[i].policy;
	}
	return NULL;
}

int
qr_lru_init(struct qr_lru *lru, const struct qr_policy *policy,
    struct qr_frames *frames)
{
	*lru = (struct qr_lru){
		.policy = policy,
		.frames = frames,
		.hand = QR_PFN_NIL,
		.looks_max = QR_LRU_LOOKS_MAX,
	};
	for (unsigned i = 0; i < QR_POLICY_LISTS; i++) {
		lru->lists[i].head = QR_PFN_NIL;
		lru->lists[i].tail = QR_PFN_NIL;
	}
	for (unsigned i = 0; i < QR_POLICY_CHAINS; i++)
		qr_chain_init(&lru->chains[i]);
	struct qr_frame_stat stat = { .total = 0 };
	if (policy->history != 0)
		qr_frame_stat(frames, &stat);
	return qr_history_init(&lru->history, frames,
	    stat.total * policy->history);
}

void
qr_lru_fini(struct qr_lru *lru)
{
	qr_history_fini(&lru->history);
}

uint64_t
qr_lru_count(const struct qr_lru *lru)
{
	uint64_t count = 0;
	for (unsigned i = 0; i < QR_POLICY_LISTS; i++)
		count += lru->lists[i].count;
	return count;
}

/* --- lists --- */

/* Relaxed throughout: flags change under the page lock; the bits of others
 * in the same byte may change meanwhile, hence the read-modify-write. */
static unsigned
page_list_of(const struct qr_page *page)
{
	unsigned flags =
	    atomic_load_explicit(&page->flags, memory_order_relaxed);
	return flags & QR_PAGE_LRU_MASK;
}

unsigned
qr_lru_list_of(const struct qr_page *page)
{
	unsigned mark = page_list_of(page);
	return mark == 0 ? QR_POLICY_LISTS : mark - 1;
}

static void
page_flags_change(struct qr_page *page, unsigned clear, unsigned set)
{
	if (clear != 0)
		atomic_fetch_and_explicit(&page->flags, (uint8_t)~clear,
		    memory_order_relaxed);
	if (set != 0)
		atomic_fetch_or_explicit(&page->flags, (uint8_t)set,
		    memory_order_relaxed);
}

static struct qr_page *
lru_page(const struct qr_lru *lru, uint32_t pfn)
{
	return pfn == QR_PFN_NIL ? NULL : qr_frame_page(lru->frames, pfn);
}

void
qr_page_list_push(struct qr_lru *lru, unsigned list, struct qr_page *page)
{
	struct qr_page_list *to = &lru->lists[list];
	uint32_t pfn = (uint32_t)qr_frame_pfn(lru->frames, page);
	struct qr_page *head = lru_page(lru, to->head);
	QR_ASSERT(page_list_of(page) == 0, "page %u is on list %u already", pfn,
	    page_list_of(page) - 1);
	page->prev = QR_PFN_NIL;
	page->next = to->head;
	if (head == NULL)
		to->tail = pfn;
	else
		head->prev = pfn;
	to->head = pfn;
	to->count++;
	page_flags_change(page, 0, list + 1);
}

void
qr_page_list_remove(struct qr_lru *lru, struct qr_page *page)
{
	unsigned mark = page_list_of(page);
	QR_ASSERT(mark != 0 && mark <= QR_POLICY_LISTS,
	    "page %p is on no list: mark %u", (void *)page, mark);
	struct qr_page_list *from = &lru->lists[mark - 1];
	struct qr_page *newer = lru_page(lru, page->prev);
	struct qr_page *older = lru_page(lru, page->next);
	if (newer == NULL)
		from->head = page->next;
	else
		newer->next = page->next;
	if (older == NULL)
		from->tail = page->prev;
	else
		older->prev = page->prev;
	from->count--;
	page->next = QR_PFN_NIL;
	page->prev = QR_PFN_NIL;
	page_flags_change(page, QR_PAGE_LRU_MASK | QR_PAGE_SEEN, 0);
}

void
qr_page_list_move(struct qr_lru *lru, unsigned list, struct qr_page *page)
{
	qr_page_list_remove(lru, page);
	qr_page_list_push(lru, list, page);
}

struct qr_page *
qr_page_list_oldest(const struct qr_lru *lru, unsigned list)
{
	return lru_page(lru, lru->lists[list].tail);
}

struct qr_page *
qr_page_list_newer(const struct qr_lru *lru, const struct qr_page *page)
{
	return lru_page(lru, page->prev);
}

/* --- touches --- */

bool
qr_lru_test_touched(struct qr_lru *lru, struct qr_page *page)
{
	unsigned flags =
	    atomic_load_explicit(&page->flags, memory_order_relaxed);
	bool young = lru->test_young(lru->ctx, page);
	if ((flags & QR_PAGE_REFERENCED) == 0)
		return young;
	page_flags_change(page, QR_PAGE_REFERENCED, 0);
	return true;
}

bool
qr_lru_is_seen(const struct qr_page *page)
{
	unsigned flags =
	    atomic_load_explicit(&page->flags, memory_order_relaxed);
	return (flags & QR_PAGE_SEEN) != 0;
}

void
qr_lru_see(struct qr_page *page)
{
	page_flags_change(page, 0, QR_PAGE_SEEN);
}

void
qr_lru_note_touch(struct qr_lru *lru, struct qr_page *page)
{
	(void)lru;
	page_flags_change(page, 0, QR_PAGE_REFERENCED);
}

bool
qr_lru_is_touched(struct qr_lru *lru, struct qr_page *page)
{
	if (lru->test_young(lru->ctx, page))
		qr_lru_note_touch(lru, page);
	unsigned flags =
	    atomic_load_explicit(&page->flags, memory_order_relaxed);
	return (flags & QR_PAGE_REFERENCED) != 0;
}

/* --- rings --- */

struct qr_page *
qr_ring_at_hand(const struct qr_lru *lru, unsigned list)
{
	if (lru->hand == QR_PFN_NIL)
		return qr_page_list_oldest(lru, list);
	return qr_frame_page(lru->frames, lru->hand);
}

/* From the newest page the hand leaves the list. */
void
qr_ring_pass(struct qr_lru *lru, const struct qr_page *page)
{
	lru->hand = page->prev;
}

void
qr_ring_remove(struct qr_lru *lru, struct qr_page *page)
{
	if (lru->hand == qr_frame_pfn(lru->frames, page))
		qr_ring_pass(lru, page);
	qr_page_list_remove(lru, page);
}

void
qr_fresh_set(struct qr_lru *lru, const struct qr_page *page)
{
	if (lru->hand != QR_PFN_NIL)
		(void)qr_lru_test_touched(lru,
		    qr_frame_page(lru->frames, lru->hand));
	lru->hand = (uint32_t)qr_frame_pfn(lru->frames, page);
}

void
qr_fresh_gone(struct qr_lru *lru, const struct qr_page *page)
{
	if (lru->hand == qr_frame_pfn(lru->frames, page))
		lru->hand = QR_PFN_NIL;
}

/* --- history --- */

void
qr_ghost_add(struct qr_lru *lru, unsigned chain, struct qr_page *page,
    uint64_t limit)
{
	struct qr_history *history = &lru->history;
	struct qr_chain *on = &lru->chains[chain];
	(void)qr_ghost_take(lru, page);
	if (limit == 0)
		return;
	while (on->count != 0 &&
	       (on->count >= limit || history->free == QR_NODE_NIL))
		qr_chain_drop(history, on, on->bottom);
	uint32_t index =
	    qr_history_new_ghost(history, lru->identity(lru->ctx, page));
	if (index == QR_NODE_NIL)
		return;
	qr_history_node(history, index)->value = chain;
	qr_chain_push(history, on, index);
}

unsigned
qr_ghost_take(struct qr_lru *lru, struct qr_page *page)
{
	uint32_t index =
	    qr_history_find_ghost(&lru->history, lru->identity(lru->ctx, page));
	if (index == QR_NODE_NIL)
		return QR_POLICY_CHAINS;
	unsigned chain = qr_history_node(&lru->history, index)->value;
	qr_chain_drop(&lru->history, &lru->chains[chain], index);
	return chain;
}

struct qr_history_node *
qr_node_of(struct qr_lru *lru, const struct qr_page *page)
{
	uint32_t index = qr_history_find_page(&lru->history, page);
	if (index == QR_NODE_NIL)
		index = qr_history_new_page(&lru->history, page);
	return index == QR_NODE_NIL ? NULL
				    : qr_history_node(&lru->history, index);
}

void
qr_node_drop(struct qr_lru *lru, const struct qr_page *page)
{
	uint32_t index = qr_history_find_page(&lru->history, page);
	if (index != QR_NODE_NIL)
		qr_history_free(&lru->history, index);
}

/* --- check --- */

static void
check_list(const struct qr_lru *lru, unsigned list)
{
	const struct qr_page_list *it = &lru->lists[list];
	uint32_t newer = QR_PFN_NIL;
	uint32_t pfn = it->head;
	uint64_t count = 0;
	while (pfn != QR_PFN_NIL) {
		const struct qr_page *page = qr_frame_page(lru->frames, pfn);
		QR_ASSERT(count < it->count,
		    "reclaim.1: list %u is longer than %llu pages", list,
		    (unsigned long long)it->count);
		QR_ASSERT(page->prev == newer,
		    "reclaim.1: page %u of list %u: newer is %u, not %u", pfn,
		    list, page->prev, newer);
		QR_ASSERT(page_list_of(page) == list + 1,
		    "reclaim.1: page %u of list %u has mark %u", pfn, list,
		    page_list_of(page));
		QR_ASSERT(page->kind == QR_PAGE_USER ||
			      page->kind == QR_PAGE_CACHED,
		    "reclaim.1: page %u of list %u has kind %u", pfn, list,
		    page->kind);
		count++;
		newer = pfn;
		pfn = page->next;
	}
	QR_ASSERT(count == it->count && newer == it->tail,
	    "reclaim.1: list %u has %llu pages, says %llu", list,
	    (unsigned long long)count, (unsigned long long)it->count);
}

void
qr_check_lru(const struct qr_lru *lru)
{
	for (unsigned i = 0; i < QR_POLICY_LISTS; i++)
		check_list(lru, i);
	for (unsigned i = 0; i < QR_POLICY_CHAINS; i++)
		qr_check_chain(&lru->history, &lru->chains[i]);
	qr_check_history(&lru->history);
	if (lru->hand == QR_PFN_NIL)
		return;
	QR_ASSERT(page_list_of(qr_frame_page(lru->frames, lru->hand)) != 0,
	    "reclaim.1: the hand is at page %u, which is on no list",
	    lru->hand);
}
