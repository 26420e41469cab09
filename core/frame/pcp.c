/* SPDX-License-Identifier: MIT */
/*
 * frame/pcp.c: the slow ways of the CPUs' lists: refill, spill, drain, and how
 * long a list may be; see frame.c, part 4.
 *
 *	high       frames a list may hold now
 *	spill      frames that go back when it is full
 *
 * Between the zone's pcp_batch, which an idle list may hold, and pcp_high,
 * which memory can spare, high follows the need: each refill raises it by what
 * was taken, for a longer list would have had those frames. While memory is
 * below the low watermark a refill halves it instead, and so does a second
 * look (qr_frame_tune) at a list that was neither refilled nor full since the
 * first. A CPU that only frees, as at a space's end, should not come to the
 * zone for each few frames: each spill without a refill in between doubles the
 * next.
 */
#include "frame_impl.h"

/* Frames that go back at once at most. */
#define SPILL_MAX (PCP_MAX / 2)

static uint32_t
pcp_limit(const struct qr_zone *zone)
{
	return pcp_load(&zone->pcp_high);
}

void
qr_pcp_init(struct qr_frames *frames, struct qr_zone *zone, struct qr_pcp *pcp)
{
	qr_busy_init(&pcp->busy, frames->port);
	pcp->begin = page_use_by(QR_PAGE_FREE, 0, zone->index);
	pcp_store(&pcp->high, pcp_load(&zone->pcp_batch));
	pcp->spill = pcp_load(&zone->pcp_batch);
}

/* Gives back so many of each stack, those that lay there longest. */
static void
pcp_spill(struct qr_frames *frames, struct qr_zone *zone, struct qr_pcp *pcp,
    uint32_t of_bare, uint32_t of_own)
{
	uint32_t bare = pcp_load(&pcp->bare);
	uint32_t own = pcp_load(&pcp->own);
	uint32_t *frame = pcp->frames;
	QR_ASSERT(of_bare <= bare && of_own <= own,
	    "%u of %u frames and %u of %u", of_bare, bare, of_own, own);
	if (of_bare != 0)
		qr_zone_put_singles(frames, zone, frame, of_bare);
	if (of_own != 0)
		qr_zone_put_singles(frames, zone, &frame[PCP_MAX - of_own],
		    of_own);
	__builtin_memmove(frame, &frame[of_bare],
	    (bare - of_bare) * sizeof(*frame));
	uint32_t top = PCP_MAX - own;
	__builtin_memmove(&frame[top + of_own], &frame[top],
	    (own - of_own) * sizeof(*frame));
	pcp_store(&pcp->bare, bare - of_bare);
	pcp_store(&pcp->own, own - of_own);
	FRAME_TRACE(frames, LIST_SPILL, zone->index, of_bare + of_own,
	    pcp->high);
}

/* Makes all frames of the list fit for mapped pages. */
static void
pcp_release_home(struct qr_frames *frames, struct qr_pcp *pcp)
{
	uint32_t bare = pcp_load(&pcp->bare);
	uint32_t own = pcp_load(&pcp->own);
	uint32_t *frame = &pcp->frames[PCP_MAX - own];
	qr_home_release_all(frames, frame, own);
	__builtin_memmove(&pcp->frames[bare], frame, own * sizeof(*frame));
	pcp_store(&pcp->bare, bare + own);
	pcp_store(&pcp->own, 0);
}

/* --- how long it may be --- */

static void
pcp_note_refill(struct qr_zone *zone, struct qr_pcp *pcp, uint32_t got)
{
	uint32_t high = pcp_load(&pcp->high);
	uint32_t batch = pcp_load(&zone->pcp_batch);
	high = qr_watermark_is_low(zone) ? (uint32_t)qr_max(high / 2, batch)
					 : high + got;
	pcp_store(&pcp->high, (uint32_t)qr_min(high, pcp_limit(zone)));
	pcp->spill = batch;
	pcp->is_used = 1;
}

static void
pcp_note_full(struct qr_zone *zone, struct qr_pcp *pcp)
{
	uint32_t high = pcp_load(&pcp->high);
	pcp_store(&pcp->high, (uint32_t)qr_min(high, pcp_limit(zone)));
	pcp->spill = (uint32_t)qr_min(2 * pcp->spill, SPILL_MAX);
	pcp->is_used = 1;
}

/* --- refill --- */

/* Frames from the zone, onto the stack that is gfp's, which is empty; how
 * many. */
static uint32_t
pcp_refill(struct qr_frames *frames, struct qr_zone *zone, struct qr_pcp *pcp,
    qr_gfp_t gfp)
{
	uint32_t fresh[PCP_BATCH_MAX];
	bool is_user = (gfp & QR_GFP_USER) != 0;
	uint32_t room = PCP_MAX - pcp_count(pcp);
	uint32_t want = (uint32_t)qr_min(room, pcp_load(&zone->pcp_batch));
	uint32_t got = qr_zone_take_singles(frames, zone, gfp, fresh, want);
	if (is_user)
		qr_home_release_all(frames, fresh, got);
	/* The lowest on top. */
	for (uint32_t i = 0; i < got; i++)
		pcp->frames[is_user ? i : PCP_MAX - 1 - i] = fresh[i];
	pcp_store(is_user ? &pcp->bare : &pcp->own, got);
	qr_count_flush(frames, pcp);
	pcp_note_refill(zone, pcp, got);
	FRAME_TRACE(frames, LIST_REFILL, zone->index, got, pcp->high);
	qr_watermark_signal(frames);
	return got;
}

/* The core's own stay for the core as long as they are not most of what the
 * list may hold; where the zone has none for it, it has the others too. */
QR_NOINLINE bool
qr_pcp_take(struct qr_frames *frames, struct qr_zone *zone, struct qr_pcp *pcp,
    qr_gfp_t gfp, uint32_t *index)
{
	if (pcp_pop(pcp, gfp, index))
		return true;
	uint32_t bare = pcp_load(&pcp->bare);
	if ((gfp & QR_GFP_USER) != 0) {
		if (pcp_load(&pcp->own) > pcp_load(&pcp->high) / 2)
			pcp_release_home(frames, pcp);
		else if (pcp_refill(frames, zone, pcp, gfp) == 0)
			return false;
		return pcp_pop(pcp, gfp, index);
	}
	if (bare > PCP_MAX - PCP_BATCH_MAX)
		pcp_spill(frames, zone, pcp, bare - (PCP_MAX - PCP_BATCH_MAX),
		    0);
	if (pcp_refill(frames, zone, pcp, gfp) == 0)
		return pcp_pop(pcp, QR_GFP_USER, index);
	return pcp_pop(pcp, gfp, index);
}

/* --- spill --- */

QR_NOINLINE void
qr_pcp_give(struct qr_frames *frames, struct qr_zone *zone, struct qr_pcp *pcp,
    uint64_t index, bool is_bare)
{
	uint32_t bare = pcp_load(&pcp->bare);
	uint32_t own = pcp_load(&pcp->own);
	uint32_t high = pcp_load(&pcp->high);
	if (bare + own >= high) {
		uint32_t want = (uint32_t)qr_min(bare + own - high + pcp->spill,
		    bare + own);
		/* Of the larger stack first. */
		uint32_t of_own = bare < own
				      ? (uint32_t)qr_min(want, own)
				      : want - (uint32_t)qr_min(want, bare);
		pcp_spill(frames, zone, pcp, want - of_own, of_own);
		qr_count_flush(frames, pcp);
		pcp_note_full(zone, pcp);
	}
	/* Not high: that may just have been lowered. */
	bool is_put = pcp_push(pcp, index, is_bare, PCP_MAX);
	QR_ASSERT(is_put, "no room on a list of %u frames", pcp_count(pcp));
}

void
qr_pcp_drain(struct qr_frames *frames, struct qr_zone *zone, struct qr_pcp *pcp)
{
	/* Who fills the list at this moment is as good as one who comes a
	 * moment later. */
	if (pcp_count(pcp) == 0 ||
	    !qr_busy_try_enter_other(frames->port, &pcp->busy))
		return;
	pcp_spill(frames, zone, pcp, pcp_load(&pcp->bare), pcp_load(&pcp->own));
	qr_busy_leave_other(&pcp->busy);
}

void
qr_pcp_restore(struct qr_frames *frames, struct qr_zone *zone)
{
	struct qr_pcp *pcp = &zone->pcp[qr_port_cpu(frames->port)];
	uint64_t missing = qr_watermark_missing(zone);
	if (missing == 0 || !qr_busy_try_enter(&pcp->busy))
		return;
	uint32_t bare = pcp_load(&pcp->bare);
	pcp_spill(frames, zone, pcp, (uint32_t)qr_min(missing, bare), 0);
	qr_busy_leave(&pcp->busy);
}

static void
pcp_tune(struct qr_frames *frames, struct qr_zone *zone, struct qr_pcp *pcp)
{
	if (pcp_count(pcp) == 0 ||
	    !qr_busy_try_enter_other(frames->port, &pcp->busy))
		return;
	if (pcp->is_used == 0) {
		uint32_t high = pcp_load(&pcp->high);
		uint32_t batch = pcp_load(&zone->pcp_batch);
		pcp_spill(frames, zone, pcp, (pcp_load(&pcp->bare) + 1) / 2,
		    (pcp_load(&pcp->own) + 1) / 2);
		pcp_store(&pcp->high, (uint32_t)qr_max(high / 2, batch));
	}
	pcp->is_used = 0;
	qr_busy_leave_other(&pcp->busy);
}

void
qr_frame_tune(struct qr_frames *frames)
{
	for (unsigned i = 0; i < frames->zone_count; i++)
		for (unsigned cpu = 0; cpu < frames->port->cpu_count; cpu++)
			pcp_tune(frames, &frames->zone[i],
			    &frames->zone[i].pcp[cpu]);
}

void
qr_frame_drain(struct qr_frames *frames)
{
	for (unsigned i = 0; i < frames->zone_count; i++)
		for (unsigned cpu = 0; cpu < frames->port->cpu_count; cpu++)
			qr_pcp_drain(frames, &frames->zone[i],
			    &frames->zone[i].pcp[cpu]);
}
