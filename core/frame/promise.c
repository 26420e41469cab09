/* SPDX-License-Identifier: MIT */
/*
 * frame/promise.c: frames that are asked for before they are needed, for who
 * can't fail halfway; see frame.c, part 9.
 */
#include "frame_impl.h"

static void
promise_push(struct qr_frames *frames, struct qr_frame_promise *promise,
    struct qr_page *page)
{
	page->next = promise->count != 0 ? promise->first : QR_PFN_NIL;
	promise->first = (uint32_t)frames_pfn(frames, page);
	promise->count++;
}

static struct qr_page *
promise_pop(struct qr_frames *frames, struct qr_frame_promise *promise)
{
	QR_ASSERT(promise->count != 0, "more is redeemed than was promised");
	struct qr_page *page = qr_frame_page(frames, promise->first);
	promise->first = page->next;
	promise->count--;
	page->next = QR_PFN_NIL;
	return page;
}

int
qr_frame_promise(struct qr_frames *frames, struct qr_frame_promise *promise,
    qr_gfp_t gfp, uint32_t count)
{
	uint32_t had = promise->count;
	while (promise->count < count) {
		struct qr_page *page =
		    qr_frame_alloc(frames, gfp, 0, QR_PAGE_KERNEL);
		if (page == NULL)
			goto undo_promise;
		promise_push(frames, promise, page);
	}
	return 0;

undo_promise:
	while (promise->count > had)
		qr_frame_free(frames, promise_pop(frames, promise));
	return -QR_ENOMEM;
}

struct qr_page *
qr_frame_redeem_nofail(struct qr_frames *frames,
    struct qr_frame_promise *promise, enum qr_page_kind kind)
{
	struct qr_page *page = promise_pop(frames, promise);
	if (kind == QR_PAGE_USER && page_is_home(page))
		qr_home_release(frames, page_index(frames, page), 0);
	if (kind != QR_PAGE_KERNEL)
		qr_frame_set_kind(frames, page, kind);
	return page;
}

void
qr_frame_forgo(struct qr_frames *frames, struct qr_frame_promise *promise)
{
	while (promise->count != 0)
		qr_frame_free(frames, promise_pop(frames, promise));
}
