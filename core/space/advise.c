/* SPDX-License-Identifier: MIT */
/*
 * space/advise.c: what a program says about how it will use a range.
 */
#include "pages_impl.h"

#include "../base/check.h"

/* From this size on an emptied range gives its table nodes back: 4 MiB hold a
 * whole node of the largest layout at least. */
#define ADVISE_PRUNE_BYTES ((uint64_t)4 << 20)

/* --- contents that may go --- */

struct advise_drop {
	unsigned prot; /* of the area */
	unsigned host;
};

/* Empties a part of a managed area. */
static int
advise_drop_part(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    const struct advise_drop *how)
{
	int error = qr_pages_wake(space, start, end, how->prot);
	if (error != 0)
		return error;
	qr_pages_drop(space, start, end, how->host);
	/* A table node is worth keeping for what comes next, a whole row of
	 * them is not. */
	if (end - start >= ADVISE_PRUNE_BYTES)
		qr_map_prune(space, start, end);
	return 0;
}

/* Holes are passed over and told of at the end, as Linux does. */
static int
advise_drop(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned host)
{
	int hole = 0;
	qr_vaddr_t at = start;
	const struct qr_area *area = qr_area_find(space, start);
	for (; area != NULL && area->start < end; area = qr_area_next(area)) {
		if (area->start > at)
			hole = -QR_ENOMEM;
		if ((area->flags & QR_MAP_LOCKED) != 0)
			return -QR_EINVAL;
		qr_vaddr_t from = area->start > start ? area->start : start;
		at = area->end < end ? area->end : end;
		if (qr_area_is_foreign(area))
			continue;
		struct advise_drop how = { area->prot, host };
		int error = advise_drop_part(space, from, at, &how);
		if (error != 0)
			return error;
	}
	return at < end ? -QR_ENOMEM : hole;
}

/* --- pages that may leave --- */

/* What to do with the words of a leaf node; lock shared. */
typedef void advise_work(struct qr_space *space, qr_pte_word *words,
    size_t count);

/* Does the work on what the core manages of [start, end). */
static void
advise_shared(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    advise_work *work)
{
	const struct qr_port *port = space->spaces->port;
	size_t count;
	qr_rwlock_share(port, &space->lock);
	for (qr_vaddr_t at = start; at < end; at += count * QR_PAGE_SIZE) {
		qr_pte_word *words =
		    qr_table_next(&space->table, &at, end, &count);
		if (words == NULL)
			break;
		count = qr_min(count, QR_EVICT_MAX);
		work(space, words, count);
	}
	qr_rwlock_unshare(port, &space->lock);
}

static void
advise_cold(struct qr_space *space, qr_pte_word *words, size_t count)
{
	const struct qr_port *port = space->spaces->port;
	for (size_t i = 0; i < count; i++) {
		struct qr_pte pte = qr_pte_read(&words[i]);
		if (!qr_pte_is_present(pte) || qr_pte_is_busy(pte) ||
		    !qr_pte_try_claim(&words[i], pte))
			continue;
		pte.bits &= ~QR_PTE_YOUNG;
		(void)qr_pte_publish(port, &words[i], pte);
	}
}

/* Takes the entry's page off the policy's lists if it is on one; NULL: it is
 * not, or the entry is busy. (page lock) */
static struct qr_page *
advise_victim(struct qr_spaces *spaces, qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	if (qr_pte_is_busy(pte) || !qr_pte_has_frame(pte) ||
	    !qr_pte_try_claim(word, pte))
		return NULL;
	struct qr_page *page = qr_frame_page(spaces->frames, qr_pte_frame(pte));
	bool listed = qr_page_is_listed(page);
	if (listed)
		spaces->ops->page_gone(spaces->ops_ctx, page);
	qr_entry_release(spaces->port, word);
	return listed ? page : NULL;
}

static void
advise_pageout(struct qr_space *space, qr_pte_word *words, size_t count)
{
	struct qr_spaces *spaces = space->spaces;
	struct qr_page *pages[QR_EVICT_MAX];
	size_t found = 0;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	for (size_t i = 0; i < count; i++) {
		struct qr_page *page = advise_victim(spaces, &words[i]);
		if (page != NULL)
			pages[found++] = page;
	}
	int error;
	(void)qr_spaces_evict(spaces, pages, found, &error);
}

/* --- dispatch --- */

static int
advise_flags(struct qr_space *space, qr_vaddr_t start, uint64_t size_bytes,
    unsigned set, unsigned clear)
{
	struct qr_area_change change = {
		.flags_set = set,
		.flags_clear = clear,
	};
	return qr_map_change(space, start, size_bytes, &change);
}

/* Reads files ahead that the range shows; memory comes by itself. */
static void
advise_prefetch(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	const struct qr_port *port = space->spaces->port;
	for (qr_vaddr_t at = start; at < end;) {
		struct qr_object *object = NULL;
		uint64_t first = 0;
		qr_vaddr_t from = at;
		qr_rwlock_share(port, &space->lock);
		const struct qr_area *area = qr_area_find(space, at);
		at = area == NULL || area->end > end ? end : area->end;
		if (area != NULL && area->start < end &&
		    qr_area_is_view(area) &&
		    qr_area_view(area)->object->file != NULL) {
			from = from > area->start ? from : area->start;
			object = qr_area_view(area)->object;
			first = qr_view_number(qr_area_view(area), from);
			qr_object_get(object);
		}
		qr_rwlock_unshare(port, &space->lock);
		if (object == NULL)
			continue;
		qr_object_prefetch(object, first * QR_PAGE_SIZE, at - from);
		qr_object_put(object);
	}
}

static int
advise_willneed(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	advise_prefetch(space, start, end);
	struct qr_populate populate = {
		.space = space,
		.at = start,
		.end = end,
		.access = QR_ACCESS_READ,
		.swapped_only = true,
	};
	return qr_populate(&populate);
}

int
qr_space_advise(struct qr_space *space, qr_vaddr_t start, uint64_t size_bytes,
    enum qr_advice advice, unsigned host)
{
	if (!qr_range_is_valid(space, start, size_bytes))
		return -QR_EINVAL;
	qr_vaddr_t end = start + size_bytes;
	switch (advice) {
	case QR_ADVICE_NORMAL:
		return 0;
	case QR_ADVICE_DONTNEED:
	case QR_ADVICE_FREE:
		qr_rwlock_assert_exclusive(space->spaces->port, &space->lock);
		return advise_drop(space, start, end, host);
	case QR_ADVICE_COLD:
		advise_shared(space, start, end, advise_cold);
		return 0;
	case QR_ADVICE_PAGEOUT:
		advise_shared(space, start, end, advise_pageout);
		return 0;
	case QR_ADVICE_WILLNEED:
		return advise_willneed(space, start, end);
	case QR_ADVICE_LOCK:
		return advise_flags(space, start, size_bytes, QR_MAP_LOCKED, 0);
	case QR_ADVICE_UNLOCK:
		return advise_flags(space, start, size_bytes, 0, QR_MAP_LOCKED);
	case QR_ADVICE_DONTFORK:
		return advise_flags(space, start, size_bytes, QR_MAP_DONTFORK,
		    0);
	case QR_ADVICE_DOFORK:
		return advise_flags(space, start, size_bytes, 0,
		    QR_MAP_DONTFORK);
	case QR_ADVICE_WIPEONFORK:
		return advise_flags(space, start, size_bytes, QR_MAP_WIPEONFORK,
		    0);
	case QR_ADVICE_KEEPONFORK:
		return advise_flags(space, start, size_bytes, 0,
		    QR_MAP_WIPEONFORK);
	default:
		return -QR_EINVAL;
	}
}
