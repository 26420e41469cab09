/* SPDX-License-Identifier: MIT */
/*
 * space/run_impl.h: pages on their way in, for the files of this folder. The
 * essay is in run.c.
 */
#ifndef QR_SPACE_RUN_IMPL_H
#define QR_SPACE_RUN_IMPL_H

#include "space_impl.h"

/* All with the lock shared. */

/* A run of claimed neighbours and the frames they get. */
struct qr_run {
	struct qr_space *space;
	const struct qr_area *area;
	qr_vaddr_t start;
	qr_pte_word *words; /* the entries, in one leaf node */
	size_t count;       /* entries claimed, each with a frame */
	qr_pfn_t frames[QR_STAGE_PAGES];
};

/* A frame for a page to be mapped, counted; NULL: no memory, or the limit
 * for mapped pages. May reclaim. */
QR_MUST_CHECK struct qr_page *qr_run_frame(struct qr_spaces *spaces);
void qr_run_free_frames(struct qr_spaces *spaces, struct qr_page **pages,
    size_t count);

/* Claims up to limit entries that like the first one are swapped and near
 * or hold nothing, as long as frames can be had without reclaim. */
void qr_run_grow(struct qr_run *run, size_t limit);

/* Fills the run (zero or from swap) and maps it, or gives all back. On
 * success entries are published and pages on the policy's lists. */
QR_MUST_CHECK int qr_run_bring_in(struct qr_run *run);

/* How many pages from address on are worth bringing in, judged from the
 * faults before, at most limit; and what the next one may expect. */
size_t qr_stream_window(struct qr_space *space, qr_vaddr_t address,
    size_t limit);
void qr_stream_note(struct qr_space *space, qr_vaddr_t next, size_t window);

/* Ends a claim with the entry as it was. */
void qr_entry_release(const struct qr_port *port, qr_pte_word *word);

#endif
