/* SPDX-License-Identifier: MIT */
/*
 * space/oom.c: whose memory would help most when there is none.
 *
 * Linux's measure: a space is as bad as it has pages, in RAM, out, and of its
 * page tables, and adjust moves that by thousandths of all there is. So with
 * an adjustment of 0 the largest goes, whoever asked for the last page; it has
 * the most to give, and what leaks grows to be it. Shared pages count in each
 * space that maps them: they are not freed until the last one goes, but to
 * know that of every page would take longer than a program may hang.
 *
 * The numbers are read one by one while others may change them: a choice, not
 * an account.
 */
#include "space_impl.h"

int
qr_space_oom_adjust(struct qr_space *space, int adjust)
{
	if (adjust < QR_OOM_NEVER || adjust > QR_OOM_FIRST)
		return -QR_EINVAL;
	/* Relaxed: a setting that orders nothing. */
	atomic_store_explicit(&space->oom_adjust, adjust, memory_order_relaxed);
	return 0;
}

static struct qr_oom_score
oom_score(struct qr_space *space, uint64_t memory_pages)
{
	/* Relaxed throughout: see above. */
	struct qr_oom_score score = {
		.space = space,
		.resident_pages = atomic_load_explicit(&space->resident,
		    memory_order_relaxed),
		.swapped_pages =
		    atomic_load_explicit(&space->swapped, memory_order_relaxed),
		.table_pages = atomic_load_explicit(&space->table.nodes,
		    memory_order_relaxed),
		.adjust = atomic_load_explicit(&space->oom_adjust,
		    memory_order_relaxed),
	};
	score.badness = (int64_t)(score.resident_pages + score.swapped_pages +
				  score.table_pages);
	score.badness += (int64_t)(memory_pages / QR_OOM_FIRST) * score.adjust;
	return score;
}

int
qr_spaces_oom_choose(struct qr_spaces *spaces,
    const struct qr_oom_search *search, struct qr_oom_score *worst)
{
	int error = -QR_ENOENT;
	qr_lock_acquire(spaces->port, &spaces->list_lock);
	for (struct qr_list *at = spaces->list.next; at != &spaces->list;
	     at = at->next) {
		struct qr_oom_score score =
		    oom_score(QR_CONTAINER(at, struct qr_space, link),
			search->memory_pages);
		if (score.adjust == QR_OOM_NEVER)
			continue;
		if (search->visit != NULL)
			search->visit(search->ctx, &score);
		/* Of equals the oldest: its loss was asked for the longest. */
		if (error != 0 || score.badness > worst->badness)
			*worst = score;
		error = 0;
	}
	qr_lock_release(spaces->port, &spaces->list_lock);
	return error;
}
