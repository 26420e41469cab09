/* SPDX-License-Identifier: MIT */
/*
 * space/pages_impl.h: ranges of entries, for the files of this folder. The
 * essay is in pages.c.
 */
#ifndef QR_PAGES_IMPL_H
#define QR_PAGES_IMPL_H

#include "space_impl.h"

/* All with the space's lock held exclusively, but for the two of one entry. */

/* Entries taken at a time; their frames' pointers fit the stack. */
#define QR_PAGES_CHUNK 64u

/* A piece of one leaf node whose entries that are not none are claimed.
 * first and last are those that have a frame. */
struct qr_pages_chunk {
	struct qr_space *space;
	const struct qr_area *area; /* that start lies in */
	qr_vaddr_t start;
	qr_pte_word *words;
	size_t count;
	size_t first; /* index; count: no entry has a frame */
	size_t last;
};

static inline bool
qr_chunk_has_frames(const struct qr_pages_chunk *chunk)
{
	return chunk->first < chunk->count;
}

static inline qr_vaddr_t
qr_chunk_address(const struct qr_pages_chunk *chunk, size_t index)
{
	return chunk->start + index * QR_PAGE_SIZE;
}

/* From the first page that has a frame to the last; there is one. */
static inline struct qr_range
qr_chunk_range(const struct qr_pages_chunk *chunk)
{
	return (struct qr_range){ qr_chunk_address(chunk, chunk->first),
		qr_chunk_address(chunk, chunk->last + 1) };
}

static inline struct qr_page *
qr_chunk_page(const struct qr_pages_chunk *chunk, struct qr_pte pte)
{
	return qr_frame_page(chunk->space->spaces->frames, qr_pte_frame(pte));
}

/* Calls work for all of [start, end), a claimed chunk at a time, and ends the
 * claims that work has left; stops at an error, which it returns. */
QR_MUST_CHECK int qr_pages_for_each(struct qr_space *space, qr_vaddr_t start,
    qr_vaddr_t end, int (*work)(const struct qr_pages_chunk *chunk, void *ctx),
    void *ctx);

/* Takes a claimed entry's write bit away, and gives it back. */
void qr_entry_freeze(qr_pte_word *word);
void qr_entry_thaw(qr_pte_word *word);

/* Empties the entries of [start, end) of a managed area: frames and slots
 * are given back. */
void qr_pages_drop(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned host);

/* Gives the resident pages of [start, end) the rights of prot. On an error
 * of the port some have got them. */
QR_MUST_CHECK int qr_pages_protect(struct qr_space *space, qr_vaddr_t start,
    qr_vaddr_t end, unsigned prot, unsigned host);

/* After that failed: entries of [start, end) say prot again. */
void qr_pages_unprotect(struct qr_space *space, qr_vaddr_t start,
    qr_vaddr_t end, unsigned prot, unsigned host);

/* Gives rights back to the machine where pages of [start, end) sleep or slept
 * when they left; their entries stay as they are. */
QR_MUST_CHECK int qr_pages_wake(struct qr_space *space, qr_vaddr_t start,
    qr_vaddr_t end, unsigned prot);

/* Makes the table nodes that qr_pages_move needs. */
QR_MUST_CHECK int qr_pages_move_prepare(struct qr_space *space, qr_vaddr_t from,
    uint64_t size_bytes, qr_vaddr_t to);
void qr_pages_move(struct qr_space *space, qr_vaddr_t from, uint64_t size_bytes,
    qr_vaddr_t to, unsigned host);

/* Takes the resident pages of [start, end) off the policy's lists, or puts
 * them on. */
void qr_pages_set_locked(struct qr_space *space, qr_vaddr_t start,
    qr_vaddr_t end, bool locked);

#endif
