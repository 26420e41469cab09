/* SPDX-License-Identifier: MIT */
/*
 * space/commit.c: how much memory has been promised, and whether there may
 * be more. Linux's rules: what counts is private memory that may be written;
 * shared memory is its object's to promise;
 * an area once charged stays so until it goes, whatever its rights become.
 *
 * A space's quota is held against the same sum of its own. So it costs a call
 * that promises two comparisons and a fault nothing, and what a program meets
 * at its end is an error of a call, not of a touch.
 */
#include "space_impl.h"

#include "../base/bits.h"

/* Under QR_OVERCOMMIT_GUESS a frame is taken to hold this many pages at
 * best: no codec squeezes a program's heap further. */
#define COMMIT_SQUEEZE 8u

/* Under QR_OVERCOMMIT_GUESS this much could be had of any machine, so that
 * frames need not be counted: there is none of eight frames. */
#define COMMIT_SMALL (8u * COMMIT_SQUEEZE)

bool
qr_commit_counts(const struct qr_spaces *spaces, unsigned prot, unsigned flags)
{
	if ((flags & (QR_MAP_FOREIGN | QR_MAP_SHARED)) != 0 ||
	    (prot & QR_PROT_WRITE) == 0)
		return false;
	return (flags & QR_MAP_NORESERVE) == 0 ||
	       spaces->overcommit == QR_OVERCOMMIT_NEVER;
}

/* More than this in one piece could not be had from an idle machine. */
static uint64_t
commit_guess_max(const struct qr_spaces *spaces)
{
	struct qr_frame_stat stat;
	qr_frame_stat(spaces->frames, &stat);
	return stat.total * COMMIT_SQUEEZE +
	       spaces->port->ops->swap_size(spaces->port->ctx);
}

int
qr_space_may_map(const struct qr_space *space, uint64_t size_bytes,
    unsigned prot, unsigned flags)
{
	const struct qr_spaces *spaces = space->spaces;
	uint64_t pages = size_bytes >> QR_PAGE_SHIFT;
	if (!qr_commit_counts(spaces, prot, flags))
		return 0;
	/* Relaxed: other spaces' charges may come between, as ever. */
	uint64_t charged =
	    atomic_load_explicit(&spaces->commit_pages, memory_order_relaxed);
	bool fits = true;
	if (spaces->overcommit == QR_OVERCOMMIT_GUESS)
		fits = pages <= commit_guess_max(spaces);
	else if (spaces->overcommit == QR_OVERCOMMIT_NEVER)
		fits = charged + pages <= spaces->commit_pages_max;
	return fits ? 0 : -QR_ENOMEM;
}

int
qr_commit_charge(struct qr_spaces *spaces, uint64_t pages)
{
	if (spaces->overcommit == QR_OVERCOMMIT_GUESS && pages > COMMIT_SMALL &&
	    pages > commit_guess_max(spaces))
		return -QR_ENOMEM;
	/* Relaxed: a count that orders nothing; the sum decides. */
	uint64_t was = atomic_fetch_add_explicit(&spaces->commit_pages, pages,
	    memory_order_relaxed);
	if (spaces->overcommit == QR_OVERCOMMIT_NEVER &&
	    was + pages > spaces->commit_pages_max) {
		qr_commit_uncharge(spaces, pages);
		return -QR_ENOMEM;
	}
	return 0;
}

void
qr_commit_uncharge(struct qr_spaces *spaces, uint64_t pages)
{
	/* Relaxed: as in qr_commit_charge. */
	uint64_t was = atomic_fetch_sub_explicit(&spaces->commit_pages, pages,
	    memory_order_relaxed);
	QR_ASSERT(was >= pages, "%llu of %llu pages uncharged",
	    (unsigned long long)pages, (unsigned long long)was);
}

/* --- a space's quota; its lock is held exclusively --- */

/* Pages that may be charged to the space in all. */
static uint64_t
quota_end(const struct qr_space *space)
{
	uint64_t room = QR_NO_LIMIT - space->quota_pages;
	if (!space->reserve_open)
		return space->quota_pages;
	return space->quota_pages + qr_min(space->reserve_pages, room);
}

/* What is promised already may be more, as a quota can be lowered. */
static uint64_t
quota_balance(const struct qr_space *space)
{
	uint64_t end = quota_end(space);
	return end - qr_min(space->charged_pages, end);
}

int
qr_space_charge(struct qr_space *space, uint64_t pages)
{
	if (QR_UNLIKELY(pages > quota_balance(space)))
		return -QR_ENOMEM;
	int error = qr_commit_charge(space->spaces, pages);
	if (error == 0)
		space->charged_pages += pages;
	return error;
}

void
qr_space_uncharge(struct qr_space *space, uint64_t pages)
{
	QR_ASSERT(space->charged_pages >= pages,
	    "%llu of %llu pages uncharged from a space",
	    (unsigned long long)pages,
	    (unsigned long long)space->charged_pages);
	space->charged_pages -= pages;
	if (space->charged_pages <= space->quota_pages)
		space->reserve_open = false;
	qr_commit_uncharge(space->spaces, pages);
}

void
qr_quota_set(struct qr_space *space, const struct qr_quota *quota)
{
	qr_space_lock(space);
	space->quota_pages = quota->pages;
	space->reserve_pages = quota->reserve_pages;
	space->reserve_open = false;
	qr_space_unlock(space);
}

void
qr_quota_get(struct qr_space *space, struct qr_quota *quota)
{
	const struct qr_port *port = space->spaces->port;
	qr_rwlock_share(port, &space->lock);
	*quota = (struct qr_quota){
		.pages = space->quota_pages,
		.reserve_pages = space->reserve_pages,
		.charged_pages = space->charged_pages,
		.balance_pages = quota_balance(space),
		.open = space->reserve_open,
	};
	qr_rwlock_unshare(port, &space->lock);
}

void
qr_quota_open(struct qr_space *space)
{
	qr_space_lock(space);
	space->reserve_open = true;
	qr_space_unlock(space);
}
