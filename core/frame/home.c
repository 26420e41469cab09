/* SPDX-License-Identifier: MIT */
/*
 * frame/home.c: frames' own bytes, in the direct map; see frame.c, part 6.
 */
#include "frame_impl.h"

/* Raises the mark below which all frames with QR_PAGE_HOME lie. */
static void
home_raise(struct qr_frames *frames, uint64_t end)
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
	    page_index(frames, page) + ((uint64_t)1 << page->order));
}

void *
qr_frame_data(struct qr_frames *frames, struct qr_page *page)
{
	qr_pfn_t pfn = qr_frame_pfn(frames, page);
	QR_ASSERT(pfn < frames->direct_end,
	    "frame 0x%llx has no place in the direct map",
	    (unsigned long long)pfn);
	QR_HARD(page->kind != QR_PAGE_FREE, "frame 0x%llx is nobody's",
	    (unsigned long long)pfn);
	uint8_t flags =
	    atomic_load_explicit(&page->flags, memory_order_relaxed);
	if (QR_UNLIKELY((flags & QR_PAGE_HOME) == 0))
		home_mark(frames, page);
	return frames->direct_map + (pfn << QR_PAGE_SHIFT);
}

/* Takes the mark from a frame that is the caller's; whether it had it. Above
 * the highest mark no descriptor is read. */
static bool
home_unmark(struct qr_frames *frames, uint64_t index)
{
	/* Relaxed, see home_raise; and the frame is no other's. */
	if (index >=
	    atomic_load_explicit(&frames->home_end, memory_order_relaxed))
		return false;
	struct qr_page *page = &frames->pages[index];
	if (!page_is_home(page))
		return false;
	atomic_fetch_and_explicit(&page->flags, (uint8_t)~QR_PAGE_HOME,
	    memory_order_relaxed);
	return true;
}

/* Gives the bytes of runs back that had pages with the mark. */
static void
home_give(struct qr_frames *frames, const struct qr_frame_run *runs,
    size_t count, uint64_t pages)
{
	const struct qr_port *port = frames->port;
	port->ops->frame_release(port->ctx, runs, count);
	atomic_fetch_sub_explicit(&frames->home_pages, pages,
	    memory_order_relaxed);
}

void
qr_home_release(struct qr_frames *frames, uint64_t first, unsigned order)
{
	uint64_t marked = 0;
	for (uint64_t i = 0; i < (uint64_t)1 << order; i++)
		marked += home_unmark(frames, first + i);
	if (marked == 0)
		return;
	const struct qr_frame_run run = {
		.first = frames_pfn_at(frames, first),
		.pages = (uint64_t)1 << order,
	};
	home_give(frames, &run, 1, marked);
}

/* Adds a frame to the last of the runs, or begins one more. */
static void
home_run_add(struct qr_frame_run *runs, size_t *count, qr_pfn_t pfn)
{
	struct qr_frame_run *last = &runs[*count - 1];
	bool above = *count != 0 && last->first + last->pages == pfn;
	bool below = *count != 0 && last->first == pfn + 1;
	if (!above && !below) {
		runs[(*count)++] = (struct qr_frame_run){ pfn, 1 };
		return;
	}
	last->first -= below;
	last->pages++;
}

void
qr_home_release_all(struct qr_frames *frames, const uint32_t *indexes,
    size_t count)
{
	struct qr_frame_run runs[QR_RANGES_MAX];
	size_t used = 0;
	uint64_t marked = 0;
	for (size_t i = 0; i < count; i++) {
		if (!home_unmark(frames, indexes[i]))
			continue;
		home_run_add(runs, &used, frames_pfn_at(frames, indexes[i]));
		marked++;
		if (used < QR_RANGES_MAX)
			continue;
		home_give(frames, runs, used, marked);
		used = 0;
		marked = 0;
	}
	if (used != 0)
		home_give(frames, runs, used, marked);
}
