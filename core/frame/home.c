/* SPDX-License-Identifier: MIT */
/*
 * frame/home.c: frames' own bytes, in the direct map; see frame.c, part 6.
 */
#include "frame_impl.h"

/* Raises the mark below which all frames with QR_PAGE_HOME lie. */
static void
home_raise(struct qr_frames *frames, qr_pfn_t end)
{
	/* Relaxed: who reads the mark for a block has got the block through a
	 * lock or a busy word from the one who raised it. */
	uint64_t seen =
	    atomic_load_explicit(&frames->home_end, memory_order_relaxed);
	while (seen < end &&
	       !atomic_compare_exchange_weak_explicit(&frames->home_end, &seen,
		   end, memory_order_relaxed, memory_order_relaxed))
		continue;
}

static QR_NOINLINE void
home_mark(struct qr_frames *frames, struct qr_page *page)
{
	/* Each frame of the block: it may be split when it is free. Relaxed:
	 * the flags' other bits have owners of their own, this one is the
	 * block's owner's. */
	uint64_t newly = 0;
	for (size_t i = 0; i < (size_t)1 << page->order; i++) {
		uint8_t was = atomic_fetch_or_explicit(&page[i].flags,
		    QR_PAGE_HOME, memory_order_relaxed);
		newly += (was & QR_PAGE_HOME) == 0;
	}
	atomic_fetch_add_explicit(&frames->home_pages, newly,
	    memory_order_relaxed);
	home_raise(frames,
	    qr_frame_pfn(frames, page) + ((uint64_t)1 << page->order));
}

void *
qr_frame_data(struct qr_frames *frames, struct qr_page *page)
{
	qr_pfn_t pfn = qr_frame_pfn(frames, page);
	QR_HARD(page->kind != QR_PAGE_FREE, "frame 0x%llx is nobody's",
	    (unsigned long long)pfn);
	uint8_t flags =
	    atomic_load_explicit(&page->flags, memory_order_relaxed);
	if (QR_UNLIKELY((flags & QR_PAGE_HOME) == 0))
		home_mark(frames, page);
	return frames->direct_map + (pfn << QR_PAGE_SHIFT);
}

void
qr_home_release(struct qr_frames *frames, qr_pfn_t first, unsigned order)
{
	const struct qr_port *port = frames->port;
	uint64_t released = 0;
	/* Relaxed, see home_raise. Above the mark no descriptor is read. */
	if (first >=
	    atomic_load_explicit(&frames->home_end, memory_order_relaxed))
		return;
	struct qr_page *page = frames_page(frames, first);
	for (size_t i = 0; i < (size_t)1 << order; i++) {
		/* Relaxed: the block is the caller's, and no other's. */
		uint8_t flags =
		    atomic_load_explicit(&page[i].flags, memory_order_relaxed);
		if ((flags & QR_PAGE_HOME) == 0)
			continue;
		released++;
		atomic_store_explicit(&page[i].flags,
		    (uint8_t)(flags & ~QR_PAGE_HOME), memory_order_relaxed);
	}
	if (released == 0)
		return;
	port->ops->frame_release(port->ctx, first, order);
	atomic_fetch_sub_explicit(&frames->home_pages, released,
	    memory_order_relaxed);
}
