/* SPDX-License-Identifier: MIT */
/*
 * frame/pcp_impl.h: what one CPU keeps of one zone, and how a frame comes off
 * it and onto it; see frame.c, part 4.
 *
 * Keys as in frame_impl.h, which includes this.
 */
#ifndef QR_FRAME_PCP_IMPL_H
#define QR_FRAME_PCP_IMPL_H

#include "../base/busy.h"
#include "frame.h"

/* Frames that a CPU's list of one zone can hold: half a MiB. */
#define PCP_MAX 128u

/* Frames moved at once between a list and its zone, at most: what a hold of
 * the zone's lock should cost. */
#define PCP_BATCH_MAX 32u

struct qr_pcp {
	_Alignas(64) struct qr_busy busy;
	_Atomic(uint32_t) bare; /* (b,a) frames on the low stack */
	_Atomic(uint32_t) own;  /* (b,a) on the high stack */
	_Atomic(uint32_t) high; /* (b,a) that both may hold together now */
	uint32_t spill;         /* (b) that go back when they are full */
	uint32_t is_used;       /* (b) since the last look of qr_frame_tune */
	uint64_t begin;         /* (c) page->use of its frames at first, but
				   for the kind */
	_Alignas(64) _Atomic(int64_t) delta[QR_PAGE_KINDS]; /* (b,a) not yet
				   in frames->kind_pages */
	uint32_t frames[PCP_MAX]; /* (b) by index, two stacks: from the low
				     end those for mapped pages, without
				     home bytes; from the high end the
				     core's own */
};

/* Frames on the list; for others than who is inside a hint. Relaxed, as are
 * all accesses of a list's numbers: what they order is the busy word's. */
static inline uint32_t
pcp_count(const struct qr_pcp *pcp)
{
	return atomic_load_explicit(&pcp->bare, memory_order_relaxed) +
	       atomic_load_explicit(&pcp->own, memory_order_relaxed);
}

static inline uint32_t
pcp_load(const _Atomic(uint32_t) *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

static inline void
pcp_store(_Atomic(uint32_t) *number, uint32_t value)
{
	atomic_store_explicit(number, value, memory_order_relaxed);
}

/* Counts single frames that came into a use or out of it. */
static inline void
pcp_count_kind(struct qr_pcp *pcp, enum qr_page_kind kind, int64_t pages)
{
	int64_t now = pages + atomic_load_explicit(&pcp->delta[kind],
				  memory_order_relaxed);
	atomic_store_explicit(&pcp->delta[kind], now, memory_order_relaxed);
}

/* Takes the frame that came last onto the stack that is gfp's. False: there is
 * none. The caller is inside, here and below. */
static inline bool
pcp_pop(struct qr_pcp *pcp, qr_gfp_t gfp, uint32_t *index)
{
	bool is_user = (gfp & QR_GFP_USER) != 0;
	_Atomic(uint32_t) *stack = is_user ? &pcp->bare : &pcp->own;
	uint32_t count = pcp_load(stack);
	if (QR_UNLIKELY(count == 0))
		return false;
	pcp_store(stack, count - 1);
	*index = pcp->frames[is_user ? count - 1 : PCP_MAX - count];
	return true;
}

/* Puts a frame on a stack, the low one if it is bare; fewer than limit lie on
 * both. False: the list is full. */
static inline bool
pcp_push(struct qr_pcp *pcp, uint64_t index, bool is_bare, uint32_t limit)
{
	uint32_t bare = pcp_load(&pcp->bare);
	uint32_t own = pcp_load(&pcp->own);
	if (QR_UNLIKELY(bare + own >= limit))
		return false;
	if (is_bare) {
		pcp->frames[bare] = (uint32_t)index;
		pcp_store(&pcp->bare, bare + 1);
	} else {
		pcp->frames[PCP_MAX - 1 - own] = (uint32_t)index;
		pcp_store(&pcp->own, own + 1);
	}
	return true;
}

#endif
