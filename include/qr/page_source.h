/* SPDX-License-Identifier: MIT */
/*
 * qr/page_source.h: where the heaps get runs of virtual pages from.
 *
 * A source is a table of callbacks and a context. It outlives every heap that
 * uses it. All callbacks may be called from any thread, concurrently, and
 * must not call back into the heap, which may hold its locks meanwhile: so
 * they never allocate. Addresses and sizes are multiples of grain_bytes.
 * They return 0 or a negative QR_E* number, have changed nothing when they
 * fail, and leave errno alone.
 *
 *        reserve          commit            decommit
 *   none -------> reserved ------> committed --------> committed, zero again
 *        <-------            release (all of a reservation, any state)
 */
#ifndef QR_PAGE_SOURCE_H
#define QR_PAGE_SOURCE_H

#include <qr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the heap expects of pages. */
enum qr_page_hint {
	QR_PAGE_HINT_WRITTEN, /* all are about to be written to */
	QR_PAGE_HINT_DENSE,   /* nearly all will be in use: large pages pay */
	QR_PAGE_HINT_SPARSE,  /* no longer so */
};

struct qr_page_source_ops {
	/*
	 * Takes bytes of address space that holds nothing and may not be
	 * touched yet, aligned to align (a power of two, or 0 for the grain).
	 * -QR_ENOMEM: there is none of that size; the heap asks for less.
	 */
	int (*reserve)(void *ctx, size_t bytes, size_t align, void **start);

	/*
	 * Makes part of a reservation usable; it reads as zero until it is
	 * written. Memory need not be there before it is touched. The part
	 * was not committed before. -QR_ENOMEM: it can not be promised.
	 */
	int (*commit)(void *ctx, void *start, size_t bytes);

	/* Drops the contents of a committed part, which reads as zero from
	 * here on, and gives its memory back. It stays committed. NULL:
	 * nothing is ever given back. */
	int (*decommit)(void *ctx, void *start, size_t bytes);

	/* Gives back a whole reservation. */
	void (*release)(void *ctx, void *start, size_t bytes);

	/* Says what will become of a committed part, whose contents stay. It
	 * may do nothing. NULL: nobody wants to know. */
	void (*hint)(void *ctx, void *start, size_t bytes,
	    enum qr_page_hint hint);
};

struct qr_page_source {
	const struct qr_page_source_ops *ops;
	void *ctx;
	size_t grain_bytes; /* a power of two, at least QR_PAGE_SIZE */

	/* No reservation should be larger than this unless a single block
	 * is: address space is scarce here. 0: it is not. */
	size_t reserve_bytes_max;
};

/* The operating system's: anonymous private memory. Static, never freed. */
QR_PUBLIC const struct qr_page_source *qr_page_source_os(void);

#ifdef __cplusplus
}
#endif

#endif
