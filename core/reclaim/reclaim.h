/* SPDX-License-Identifier: MIT */
/*
 * reclaim/reclaim.h: keeps frames free: direct reclaim for who needs one
 * now, background reclaim between the watermarks, ageing, giving up.
 */
#ifndef QR_RECLAIM_H
#define QR_RECLAIM_H

#include "../space/space.h"
#include "policy.h"

/* Keys: (c) constant after init, (a) atomic. */
struct qr_reclaim {
	uint32_t signature;
	bool age_softly;            /* (c) */
	bool by_touchers;           /* (c) see qr_machine_config */
	const struct qr_port *port; /* (c) */
	struct qr_frames *frames;   /* (c) */
	struct qr_slabs *slabs;     /* (c) */
	struct qr_swap *swap;       /* (c) */
	struct qr_spaces *spaces;   /* (c) */
	struct qr_lru lru;          /* (spaces->page_lock) */

	_Atomic(uint32_t) evicting; /* (a) threads that hold victims */
	_Atomic(uint32_t) waiting;  /* (a) threads that wait for them */
	_Atomic(uint32_t) evicted;  /* (a) windows done; waited on */
	_Atomic(uint32_t) woken;    /* (a) 1: wake_reclaim called, no balance
				       since */
	/* (a) events since the start */
	_Atomic(uint64_t) freed;      /* frames that evictions freed */
	_Atomic(uint64_t) direct;     /* times somebody had to reclaim */
	_Atomic(uint64_t) background; /* rounds in the background */
};

/* Registers itself with spaces and the frames below them. -QR_EINVAL: no
 * such policy; -QR_ENOMEM: no room for what it remembers. */
QR_MUST_CHECK int qr_reclaim_init(struct qr_reclaim *reclaim,
    struct qr_spaces *spaces, const struct qr_machine_config *config);
void qr_reclaim_fini(struct qr_reclaim *reclaim);

/* Frees at least want frames of mapped pages if it can; returns how many it
 * did. What they held may need frames of the pool. */
size_t qr_reclaim_pages(struct qr_reclaim *reclaim, size_t want);

/* A background round, see qr_machine_balance. */
size_t qr_reclaim_balance(struct qr_reclaim *reclaim);

/* Puts some of the pages to sleep that will be looked at next. */
void qr_reclaim_age(struct qr_reclaim *reclaim);

void qr_check_reclaim(struct qr_reclaim *reclaim, enum qr_check_depth depth);

#endif
