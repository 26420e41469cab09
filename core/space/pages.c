/* SPDX-License-Identifier: MIT */
/*
 * space/pages.c: what the exclusive holder of a space does to the entries of
 * a range: drop, change rights, move, lock.
 *
 * No fault runs, but an eviction may still hold entries busy; each is waited
 * for, which is safe since an eviction never waits for a space. Entries are
 * taken in chunks: claimed one by one, changed, told to the port in one call,
 * then published. Keeps [space.4], [space.7].
 */
#include "pages_impl.h"

#include "port_inline.h"

/* Claims every entry that is not none. */
static void
chunk_claim(struct qr_pages_chunk *chunk)
{
	const struct qr_port *port = chunk->space->spaces->port;
	chunk->first = chunk->count;
	for (size_t i = 0; i < chunk->count; i++) {
		/* Nobody but us makes something of an entry that is none. */
		if (qr_pte_is_none(qr_pte_read(&chunk->words[i])))
			continue;
		if (!qr_pte_has_frame(qr_pte_claim(port, &chunk->words[i])))
			continue;
		if (!qr_chunk_has_frames(chunk))
			chunk->first = i;
		chunk->last = i;
	}
}

/* Ends the claims that the work has not ended. */
static void
chunk_release(const struct qr_pages_chunk *chunk)
{
	const struct qr_port *port = chunk->space->spaces->port;
	for (size_t i = 0; i < chunk->count; i++) {
		if (qr_pte_is_busy(qr_pte_read(&chunk->words[i])))
			qr_entry_release(port, &chunk->words[i]);
	}
}

int
qr_pages_for_each(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    int (*work)(const struct qr_pages_chunk *chunk, void *ctx), void *ctx)
{
	size_t count;
	for (qr_vaddr_t at = start; at < end; at += count * QR_PAGE_SIZE) {
		qr_pte_word *words =
		    qr_table_next(&space->table, &at, end, &count);
		if (words == NULL)
			break;
		count = qr_min(count, QR_PAGES_CHUNK);
		struct qr_pages_chunk chunk = {
			.space = space,
			.area = qr_area_find(space, at),
			.start = at,
			.words = words,
			.count = count,
		};
		chunk_claim(&chunk);
		int error = work(&chunk, ctx);
		chunk_release(&chunk);
		if (error != 0)
			return error;
	}
	return 0;
}

void
qr_entry_freeze(qr_pte_word *word)
{
	if ((qr_pte_read(word).bits & QR_PTE_WRITE) != 0)
		(void)qr_pte_update(word, QR_PTE_WRITE, QR_PTE_SAVED_W);
}

void
qr_entry_thaw(qr_pte_word *word)
{
	if ((qr_pte_read(word).bits & QR_PTE_SAVED_W) != 0)
		(void)qr_pte_update(word, QR_PTE_SAVED_W, QR_PTE_WRITE);
}

/* The machine forgets the chunk's pages, of which there are some. */
static void
chunk_drop(const struct qr_pages_chunk *chunk)
{
	const struct qr_port *port = chunk->space->spaces->port;
	const struct qr_range range = qr_chunk_range(chunk);
	size_t dropped =
	    port->ops->mmu_drop(port->ctx, chunk->space->mm, &range, 1);
	QR_ASSERT(dropped == 1, "mmu_drop refused pages at 0x%llx that go",
	    (unsigned long long)range.start);
}

/* --- drop --- */

/* Makes the chunk's pages unreachable for the machine. */
static void
drop_unmap(const struct qr_pages_chunk *chunk, unsigned host)
{
	struct qr_pte away = qr_pte_of_kind(QR_PTE_RESIDENT);
	for (size_t i = chunk->first; i <= chunk->last; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (qr_pte_is_present(pte))
			(void)qr_pte_update(&chunk->words[i],
			    ~(QR_PTE_FRAME | QR_PTE_BUSY | QR_PTE_WAITERS),
			    away.bits);
	}
	if ((host & QR_HOST_DONE) == 0)
		chunk_drop(chunk);
}

/* Takes the chunk's pages from their mappings; returns how many were mapped,
 * stores those that nobody maps any more. */
static size_t
drop_unlink(const struct qr_pages_chunk *chunk, struct qr_page **dead,
    size_t *dead_count)
{
	struct qr_spaces *spaces = chunk->space->spaces;
	size_t mapped = 0;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	for (size_t i = chunk->first; i <= chunk->last; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (!qr_pte_has_frame(pte))
			continue;
		struct qr_page *page = qr_chunk_page(chunk, pte);
		mapped++;
		/* This mapping keeps the page off the lists no longer. */
		if (qr_page_is_cached(page))
			(void)qr_pte_update(&chunk->words[i], QR_PTE_LOCKED, 0);
		if (qr_rmap_unlink(spaces, page, chunk->space,
			qr_chunk_address(chunk, i)))
			dead[(*dead_count)++] = page;
	}
	qr_lock_release(spaces->port, &spaces->page_lock);
	return mapped;
}

static size_t
drop_publish(const struct qr_pages_chunk *chunk)
{
	struct qr_spaces *spaces = chunk->space->spaces;
	size_t were_out = 0;
	for (size_t i = 0; i < chunk->count; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (!qr_pte_is_busy(pte))
			continue;
		enum qr_pte_kind kind = qr_pte_kind(pte);
		(void)qr_pte_publish(spaces->port, &chunk->words[i],
		    qr_pte_of_kind(QR_PTE_NONE));
		were_out += kind == QR_PTE_SWAPPED || kind == QR_PTE_ZERO;
		if (kind == QR_PTE_SWAPPED)
			qr_swap_put(spaces->swap, qr_pte_slot(pte));
	}
	return were_out;
}

static int
drop_chunk(const struct qr_pages_chunk *chunk, void *ctx)
{
	const unsigned *host = ctx;
	struct qr_page *dead[QR_PAGES_CHUNK];
	size_t dead_count = 0;
	size_t mapped = 0;
	if (qr_chunk_has_frames(chunk)) {
		drop_unmap(chunk, *host);
		mapped = drop_unlink(chunk, dead, &dead_count);
	}
	size_t were_out = drop_publish(chunk);
	qr_run_free_frames(chunk->space->spaces, dead, dead_count);
	/* Relaxed: counts that order nothing. */
	atomic_fetch_sub_explicit(&chunk->space->resident, mapped,
	    memory_order_relaxed);
	atomic_fetch_sub_explicit(&chunk->space->swapped, were_out,
	    memory_order_relaxed);
	return 0;
}

void
qr_pages_drop(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned host)
{
	int error = qr_pages_for_each(space, start, end, drop_chunk, &host);
	QR_ASSERT(error == 0, "dropping pages failed: %d", error);
}

/* --- protect --- */

struct protect_request {
	unsigned prot;
	unsigned host;
	bool undo; /* go on after a refusal */
};

/* The rights that an entry of the chunk may have under prot. */
static unsigned
protect_entry_prot(const struct qr_pages_chunk *chunk, struct qr_pte pte,
    unsigned prot)
{
	const struct qr_page *page = qr_chunk_page(chunk, pte);
	if (qr_page_is_cached(page))
		return qr_view_prot(chunk->area, page, prot);
	if (qr_page_is_shared(page))
		return prot & ~QR_PROT_WRITE;
	return prot;
}

/* Writes the new entries of a run of equal rights from index on; returns the
 * index behind it. */
static size_t
protect_run(const struct qr_pages_chunk *chunk, size_t index, unsigned prot)
{
	for (; index <= chunk->last; index++) {
		qr_pte_word *word = &chunk->words[index];
		struct qr_pte pte = qr_pte_read(word);
		if (!qr_pte_has_frame(pte))
			break;
		if (protect_entry_prot(chunk, pte, prot) != prot)
			break;
		struct qr_pte map = qr_pte_map(qr_pte_frame(pte), prot);
		map.bits &= ~QR_PTE_YOUNG;
		map.bits |= pte.bits & QR_PTE_LOCKED;
		if (qr_pte_is_present(pte) && prot != QR_PROT_NONE)
			map.bits |= pte.bits & (QR_PTE_YOUNG | QR_PTE_DIRTY);
		(void)qr_pte_update(word, ~(QR_PTE_BUSY | QR_PTE_WAITERS),
		    map.bits);
	}
	return index;
}

/* What the host has done to all of its range has woken it too. */
static void
protect_wake(const struct qr_pages_chunk *chunk)
{
	for (size_t i = 0; i < chunk->count; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (qr_pte_is_busy(pte) && !qr_pte_is_present(pte))
			(void)qr_pte_update(&chunk->words[i], QR_PTE_ASLEEP, 0);
	}
}

static int
protect_chunk(const struct qr_pages_chunk *chunk, void *ctx)
{
	const struct protect_request *request = ctx;
	const struct qr_port *port = chunk->space->spaces->port;
	if ((request->host & QR_HOST_DONE) != 0)
		protect_wake(chunk);
	if (!qr_chunk_has_frames(chunk))
		return 0;
	size_t index = chunk->first;
	while (index <= chunk->last) {
		struct qr_pte pte = qr_pte_read(&chunk->words[index]);
		if (!qr_pte_has_frame(pte)) {
			index++;
			continue;
		}
		unsigned prot = protect_entry_prot(chunk, pte, request->prot);
		size_t from = index;
		index = protect_run(chunk, index, prot);
		if ((request->host & QR_HOST_DONE) != 0)
			continue;
		int error = port->ops->mmu_protect(port->ctx, chunk->space->mm,
		    qr_chunk_address(chunk, from),
		    qr_chunk_address(chunk, index), prot);
		if (error != 0 && !request->undo)
			return error;
	}
	return 0;
}

int
qr_pages_protect(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot, unsigned host)
{
	struct protect_request request = { prot, host, false };
	return qr_pages_for_each(space, start, end, protect_chunk, &request);
}

void
qr_pages_unprotect(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot, unsigned host)
{
	struct protect_request request = { prot, host, true };
	int error =
	    qr_pages_for_each(space, start, end, protect_chunk, &request);
	QR_ASSERT(error == 0, "giving rights back failed: %d", error);
}

/* --- wake --- */

static int
wake_chunk(const struct qr_pages_chunk *chunk, void *ctx)
{
	const unsigned *prot = ctx;
	const struct qr_port *port = chunk->space->spaces->port;
	for (size_t i = 0; i < chunk->count; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (qr_pte_is_present(pte) || (pte.bits & QR_PTE_ASLEEP) == 0)
			continue;
		int error = port->ops->mmu_protect(port->ctx, chunk->space->mm,
		    qr_chunk_address(chunk, i), qr_chunk_address(chunk, i + 1),
		    *prot);
		if (error != 0)
			return error;
		(void)qr_pte_update(&chunk->words[i], QR_PTE_ASLEEP, 0);
	}
	return 0;
}

int
qr_pages_wake(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot)
{
	return qr_pages_for_each(space, start, end, wake_chunk, &prot);
}

/* --- move --- */

struct move_request {
	qr_vaddr_t from;
	qr_vaddr_t to;
	unsigned host;
};

int
qr_pages_move_prepare(struct qr_space *space, qr_vaddr_t from,
    uint64_t size_bytes, qr_vaddr_t to)
{
	size_t count;
	qr_vaddr_t end = from + size_bytes;
	for (qr_vaddr_t at = from; at < end; at += count * QR_PAGE_SIZE) {
		if (qr_table_next(&space->table, &at, end, &count) == NULL)
			break;
		/* A leaf node's worth of entries lands in two at most. */
		qr_vaddr_t first = at - from + to;
		qr_vaddr_t last = first + (count - 1) * QR_PAGE_SIZE;
		if (qr_table_ensure(&space->table, first, QR_GFP_KERNEL) ==
			NULL ||
		    qr_table_ensure(&space->table, last, QR_GFP_KERNEL) == NULL)
			return -QR_ENOMEM;
	}
	return 0;
}

/* Gives a claimed entry's contents to the entry at to, which is none. The
 * page is still known at its old place, whose entry is busy. */
static void
move_entry(struct qr_space *space, struct qr_pte pte, qr_vaddr_t to)
{
	qr_pte_word *word = qr_table_find(&space->table, to);
	QR_ASSERT(word != NULL, "no node was prepared for 0x%llx",
	    (unsigned long long)to);
	struct qr_pte none = qr_pte_of_kind(QR_PTE_NONE);
	bool claimed = qr_pte_try_claim(word, none);
	QR_ASSERT(claimed, "the entry at 0x%llx is not free",
	    (unsigned long long)to);
	pte.bits &= ~(QR_PTE_BUSY | QR_PTE_WAITERS);
	(void)qr_pte_publish(space->spaces->port, word, pte);
}

static int
move_chunk(const struct qr_pages_chunk *chunk, void *ctx)
{
	const struct move_request *request = ctx;
	struct qr_spaces *spaces = chunk->space->spaces;
	const struct qr_port *port = spaces->port;
	for (size_t i = 0; i < chunk->count; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (qr_pte_is_busy(pte))
			move_entry(chunk->space, pte,
			    qr_chunk_address(chunk, i) - request->from +
				request->to);
	}
	qr_lock_acquire(port, &spaces->page_lock);
	for (size_t i = chunk->first; i < chunk->count; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		qr_vaddr_t at = qr_chunk_address(chunk, i);
		if (qr_pte_has_frame(pte))
			qr_rmap_move(qr_chunk_page(chunk, pte), chunk->space,
			    at, at - request->from + request->to);
	}
	qr_lock_release(port, &spaces->page_lock);
	for (size_t i = 0; i < chunk->count; i++) {
		if (qr_pte_is_busy(qr_pte_read(&chunk->words[i])))
			(void)qr_pte_publish(port, &chunk->words[i],
			    qr_pte_of_kind(QR_PTE_NONE));
	}
	if (!qr_chunk_has_frames(chunk) || (request->host & QR_HOST_DONE) != 0)
		return 0;
	chunk_drop(chunk);
	return 0;
}

void
qr_pages_move(struct qr_space *space, qr_vaddr_t from, uint64_t size_bytes,
    qr_vaddr_t to, unsigned host)
{
	struct move_request request = { from, to, host };
	int error = qr_pages_for_each(space, from, from + size_bytes,
	    move_chunk, &request);
	QR_ASSERT(error == 0, "moving pages failed: %d", error);
}

/* --- lock --- */

static int
lock_chunk(const struct qr_pages_chunk *chunk, void *ctx)
{
	const bool *locked = ctx;
	struct qr_spaces *spaces = chunk->space->spaces;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	for (size_t i = chunk->first; i < chunk->count; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (!qr_pte_has_frame(pte))
			continue;
		(void)qr_pte_update(&chunk->words[i], QR_PTE_LOCKED,
		    *locked ? QR_PTE_LOCKED : 0);
		struct qr_page *page = qr_chunk_page(chunk, pte);
		bool listed = qr_page_is_listed(page);
		if (listed && *locked)
			spaces->ops->page_gone(spaces->ops_ctx, page);
		else if (!listed && qr_rmap_may_list(page))
			spaces->ops->page_in(spaces->ops_ctx, page, UINT64_MAX);
	}
	qr_lock_release(spaces->port, &spaces->page_lock);
	return 0;
}

void
qr_pages_set_locked(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    bool locked)
{
	int error = qr_pages_for_each(space, start, end, lock_chunk, &locked);
	QR_ASSERT(error == 0, "locking pages failed: %d", error);
}
