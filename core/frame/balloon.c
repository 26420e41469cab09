/* SPDX-License-Identifier: MIT */
/*
 * frame/balloon.c: frames that somebody else has the memory of.
 *
 * What is in the balloon stands in a second buddy of the zone, so that a
 * balloon of nearly all frames costs a few pages of bitmaps and no descriptor
 * is touched. Whole calls are not kept apart: each block moves by itself, and
 * a call moves at most as many pages as it found missing, so that two calls
 * of different minds both end.
 */
#include "frame_impl.h"

static unsigned
order_for(uint64_t pages)
{
	return (unsigned)qr_min(qr_bit_highest(pages), QR_FRAME_ORDERS - 1);
}

/* One block from a user's point of view: taken as any other, then lent. */
static bool
inflate_block(struct qr_frames *frames, unsigned order)
{
	for (unsigned i = 0; i < frames->zone_count; i++) {
		uint64_t first;
		struct qr_zone *zone = &frames->zone[i];
		/* Movable, so that large balloons leave the types alone. */
		if (!qr_zone_take(frames, zone, QR_GFP_MOVABLE, order, &first))
			continue;
		qr_home_release(frames, first, order);
		qr_zone_lend(frames, zone, first, order);
		return true;
	}
	return false;
}

static bool
deflate_block(struct qr_frames *frames, unsigned order)
{
	for (unsigned i = 0; i < frames->zone_count; i++) {
		uint64_t first;
		struct qr_zone *zone = &frames->zone[i];
		if (!qr_zone_recall(frames, zone, order, &first))
			continue;
		qr_zone_put(frames, zone, first, order);
		return true;
	}
	return false;
}

/* Moves up to pages by move, in blocks as large as there are; returns what
 * was left to do. */
static uint64_t
move_pages(struct qr_frames *frames, uint64_t pages,
    bool (*move)(struct qr_frames *frames, unsigned order))
{
	unsigned order = QR_FRAME_ORDERS - 1;
	while (pages != 0) {
		order = (unsigned)qr_min(order, order_for(pages));
		if (move(frames, order))
			pages -= (uint64_t)1 << order;
		else if (order-- == 0)
			break;
	}
	return pages;
}

uint64_t
qr_frame_balloon(struct qr_frames *frames, uint64_t target_pages)
{
	uint64_t now = atomic_load(&frames->balloon_pages);
	if (target_pages > now) {
		/* What must stay free depends on what will be left. */
		qr_watermark_update(frames, target_pages - now);
		uint64_t left =
		    move_pages(frames, target_pages - now, inflate_block);
		if (left != 0) {
			qr_frame_drain(frames);
			(void)move_pages(frames, left, inflate_block);
		}
	} else if (target_pages < now) {
		(void)move_pages(frames, now - target_pages, deflate_block);
	}
	qr_watermark_update(frames, 0);
	qr_watermark_signal(frames);
	FRAME_TRACE(frames, BALLOON, target_pages,
	    atomic_load(&frames->balloon_pages), now);
	return atomic_load(&frames->balloon_pages);
}
