/* SPDX-License-Identifier: MIT */
/*
 * space/fork.c: a copy of a space in the same machine.
 *
 * Areas are copied, frames shared, slots referred to once more. The parent is
 * held exclusively; the child is known to nobody but, through the pages, to
 * evictions, so each of its entries is in place before a page names it. A
 * fork that fails leaves the parent with some pages that once were shared:
 * they lack the write bit until the next write.
 */
#include "pages_impl.h"

struct fork_work {
	struct qr_space *child;
	struct qr_mapping *spares; /* linked by next */
	size_t spare_count;
};

/* --- links of shared pages, taken in advance --- */

static int
fork_spares_fill(struct fork_work *work, size_t want)
{
	struct qr_slab_cache *cache = work->child->spaces->mapping_cache;
	while (work->spare_count < want) {
		struct qr_mapping *link = qr_slab_alloc(cache, QR_GFP_KERNEL);
		if (link == NULL)
			return -QR_ENOMEM;
		link->next = work->spares;
		work->spares = link;
		work->spare_count++;
	}
	return 0;
}

static struct qr_mapping *
fork_spare_pop(struct fork_work *work)
{
	struct qr_mapping *link = work->spares;
	QR_ASSERT(link != NULL, "no spare link was taken");
	work->spares = link->next;
	work->spare_count--;
	return link;
}

static void
fork_spare_push(struct fork_work *work, struct qr_mapping *link)
{
	if (link == NULL)
		return;
	link->next = work->spares;
	work->spares = link;
	work->spare_count++;
}

static void
fork_spares_drop(struct fork_work *work)
{
	while (work->spares != NULL)
		qr_slab_free(work->child->spaces->mapping_cache,
		    fork_spare_pop(work));
}

/* --- entries --- */

/* Takes the parent's write bits away, in the entries and in the machine. */
static int
fork_freeze(const struct qr_pages_chunk *chunk)
{
	const struct qr_port *port = chunk->space->spaces->port;
	if (!qr_chunk_has_frames(chunk))
		return 0;
	for (size_t i = chunk->first; i <= chunk->last; i++) {
		if (qr_pte_is_present(qr_pte_read(&chunk->words[i])))
			qr_entry_freeze(&chunk->words[i]);
	}
	const struct qr_range range = qr_chunk_range(chunk);
	int error =
	    port->ops->mmu_freeze(port->ctx, chunk->space->mm, &range, 1, true);
	if (error == 0)
		return 0;
	for (size_t i = chunk->first; i <= chunk->last; i++) {
		if (qr_pte_is_present(qr_pte_read(&chunk->words[i])))
			qr_entry_thaw(&chunk->words[i]);
	}
	return error;
}

/* Gives the child what the parent's claimed entry says, without the rights
 * that a shared page can't have. */
static void
fork_entry(struct fork_work *work, qr_pte_word *word, struct qr_pte pte)
{
	struct qr_spaces *spaces = work->child->spaces;
	bool claimed = qr_pte_try_claim(word, qr_pte_of_kind(QR_PTE_NONE));
	QR_ASSERT(claimed, "entry of a new space is 0x%llx",
	    (unsigned long long)qr_pte_read(word).bits);
	pte.bits &= ~(QR_PTE_BUSY | QR_PTE_WAITERS);
	if (!qr_pte_is_present(pte))
		pte.bits &= ~QR_PTE_ASLEEP;
	if (qr_pte_has_frame(pte))
		pte.bits &= ~(QR_PTE_SAVED_W | QR_PTE_WRITE | QR_PTE_YOUNG |
			      QR_PTE_LOCKED);
	else if (qr_pte_kind(pte) == QR_PTE_SWAPPED)
		qr_swap_get(spaces->swap, qr_pte_slot(pte));
	(void)qr_pte_publish(spaces->port, word, pte);
}

/* The pages of the chunk get their second mapping. */
static size_t
fork_share(struct fork_work *work, const struct qr_pages_chunk *chunk)
{
	struct qr_spaces *spaces = work->child->spaces;
	size_t shared = 0;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	for (size_t i = chunk->first; i < chunk->count; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (!qr_pte_has_frame(pte))
			continue;
		struct qr_mapping *spare[2] = {
			fork_spare_pop(work),
			fork_spare_pop(work),
		};
		qr_rmap_share(qr_chunk_page(chunk, pte), work->child,
		    qr_chunk_address(chunk, i), spare);
		fork_spare_push(work, spare[0]);
		fork_spare_push(work, spare[1]);
		if ((pte.bits & QR_PTE_SAVED_W) != 0)
			(void)qr_pte_update(&chunk->words[i], QR_PTE_SAVED_W,
			    0);
		shared++;
	}
	qr_lock_release(spaces->port, &spaces->page_lock);
	return shared;
}

static int
fork_chunk(const struct qr_pages_chunk *chunk, void *ctx)
{
	struct fork_work *work = ctx;
	struct qr_space *child = work->child;
	qr_pte_word *words =
	    qr_table_ensure(&child->table, chunk->start, QR_GFP_KERNEL);
	if (words == NULL)
		return -QR_ENOMEM;
	int error = fork_spares_fill(work, 2 * chunk->count);
	if (error == 0)
		error = fork_freeze(chunk);
	if (error != 0)
		return error;

	size_t copied = 0;
	for (size_t i = 0; i < chunk->count; i++) {
		struct qr_pte pte = qr_pte_read(&chunk->words[i]);
		if (!qr_pte_is_busy(pte))
			continue;
		fork_entry(work, &words[i], pte);
		copied++;
	}
	size_t shared =
	    qr_chunk_has_frames(chunk) ? fork_share(work, chunk) : 0;
	/* Relaxed: counts that order nothing. */
	atomic_fetch_add_explicit(&child->resident, shared,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&child->swapped, copied - shared,
	    memory_order_relaxed);
	return 0;
}

/* --- areas --- */

static int
fork_area(struct qr_space *child, const struct qr_area *from)
{
	struct qr_area_spares spares;
	int error =
	    qr_area_spares_take(child, 1, qr_area_is_view(from), &spares);
	if (error != 0)
		return error;
	if ((from->flags & QR_AREA_CHARGED) != 0)
		error = qr_space_charge(child, qr_area_pages(from));
	if (error == 0) {
		bool is_view = qr_area_is_view(from);
		struct qr_area *area = qr_area_spares_use(&spares, is_view);
		*area = *from;
		/* Locks are not inherited. */
		area->flags &= ~(QR_MAP_LOCKED | QR_MAP_ONFAULT);
		qr_area_insert(child, area);
		if (is_view)
			qr_view_attach(qr_area_view(area), child,
			    qr_area_view(from)->object,
			    qr_area_view(from)->first);
	}
	qr_area_spares_drop(child, &spares);
	return error;
}

/* Copies all; the parent is held exclusively. */
static int
fork_copy(struct qr_space *space, struct fork_work *work)
{
	for (const struct qr_area *area = qr_area_first(space); area != NULL;
	     area = qr_area_next(area)) {
		if ((area->flags & QR_MAP_DONTFORK) != 0)
			continue;
		int error = fork_area(work->child, area);
		if (error != 0)
			return error;
		/* What is shared is found again at the first touch. */
		if ((area->flags & (QR_MAP_WIPEONFORK | QR_MAP_SHARED)) != 0 ||
		    qr_area_is_foreign(area))
			continue;
		error = qr_pages_for_each(space, area->start, area->end,
		    fork_chunk, work);
		if (error != 0)
			return error;
	}
	/* Areas that differed by their locks may now be alike. */
	qr_area_join(work->child, 0, work->child->end);
	return 0;
}

int
qr_space_fork(struct qr_space *space, struct qr_space **child)
{
	struct fork_work work = { 0 };
	int error = qr_space_new(space->spaces, &work.child);
	if (error != 0)
		return error;
	qr_space_lock(space);
	qr_calls_inherit(work.child, space);
	error = fork_copy(space, &work);
	qr_space_unlock(space);
	fork_spares_drop(&work);
	if (error != 0) {
		qr_space_destroy(work.child);
		return error;
	}
	*child = work.child;
	return 0;
}
