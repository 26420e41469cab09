/* SPDX-License-Identifier: MIT */
/*
 * frame_rig.h: a frame layer on simulated RAM, whose port and upcalls can be
 * watched and steered.
 */
#ifndef TEST_FRAME_RIG_H
#define TEST_FRAME_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/frame/frame_impl.h"
#include "port/sim/sim.h"

struct rig {
	struct sim *sim;
	struct qr_port_ops ops; /* the sim's, but for what is watched */
	struct qr_port port;
	struct qr_boot boot;
	struct qr_frames *frames;
	/* What was called. */
	unsigned releases;       /* frame_release() */
	uint64_t released_pages; /* frames of these */
	unsigned waits;
	unsigned lows;
	unsigned reclaims;
	size_t want; /* of the last reclaim */
	/* What reclaim does: frees hoard[] so many at a time, and says that it
	 * made progress as long as it is told to. */
	struct qr_page **hoard;
	size_t hoard_count;
	size_t free_each;
	unsigned progress_rounds;
};

/* The port's context must stay the sim's, so its calls find the rig here. */
static struct rig *rig_watched;

static void
rig_frame_release(void *ctx, const struct qr_frame_run *runs, size_t count)
{
	(void)ctx;
	rig_watched->releases++;
	for (size_t i = 0; i < count; i++)
		rig_watched->released_pages += runs[i].pages;
}

static void
rig_wait(void *ctx, const void *word, uint32_t expect, uint64_t timeout_ns)
{
	(void)ctx;
	assert_int_equal(*(const uint32_t *)word, expect);
	assert_true(timeout_ns < 100 * 1000 * 1000);
	rig_watched->waits++;
}

static int
rig_reclaim(void *ctx, qr_gfp_t gfp, size_t want)
{
	struct rig *rig = ctx;
	(void)gfp;
	rig->reclaims++;
	rig->want = want;
	for (size_t i = 0; i < rig->free_each && rig->hoard_count != 0; i++)
		qr_frame_free(rig->frames, rig->hoard[--rig->hoard_count]);
	return rig->reclaims <= rig->progress_rounds ? 0 : -QR_ENOMEM;
}

static void
rig_low(void *ctx)
{
	struct rig *rig = ctx;
	rig->lows++;
}

static const struct qr_frame_ops rig_frame_ops = {
	.reclaim = rig_reclaim,
	.low = rig_low,
};

/* A rig whose frame layer is not made yet. */
static struct rig *
rig_prepare(const struct sim_config *config)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	assert_non_null(rig);
	rig->sim = sim_create(config);
	assert_non_null(rig->sim);
	rig->port = *sim_port(rig->sim);
	rig->ops = *rig->port.ops;
	rig->ops.frame_release = rig_frame_release;
	if ((config->flags & SIM_THREADS) == 0)
		rig->ops.wait = rig_wait;
	rig->port.ops = &rig->ops;
	rig_watched = rig;
	sim_set_cpu(0);
	assert_int_equal(qr_boot_init(&rig->boot, &rig->port), 0);
	return rig;
}

static void
rig_start(struct rig *rig, uint64_t min_free_pages)
{
	struct qr_frame_config config = { .min_free_pages = min_free_pages };
	assert_int_equal(qr_frame_create(&rig->port, &rig->boot, &config,
			     &rig->frames),
	    0);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
}

static inline struct rig *
rig_create(uint64_t pages, unsigned cpus, uint64_t min_free_pages)
{
	const struct sim_config config = {
		.ram_bytes = pages * QR_PAGE_SIZE,
		.cpus = cpus,
	};
	struct rig *rig = rig_prepare(&config);
	rig_start(rig, min_free_pages);
	return rig;
}

static void
rig_destroy(struct rig *rig)
{
	sim_destroy(rig->sim);
	free(rig->hoard);
	free(rig);
}

/* Free pages as the watermarks count them. */
static inline uint64_t
rig_buddy_free(const struct rig *rig)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < rig->frames->zone_count; i++)
		sum += zone_free_units(&rig->frames->zone[i]);
	return sum;
}

/* Allocates single frames into the hoard until that is refused; returns how
 * many it got. */
static inline size_t
rig_exhaust(struct rig *rig, qr_gfp_t gfp)
{
	size_t got = 0;
	if (rig->hoard == NULL) {
		rig->hoard =
		    calloc(rig->frames->total_pages, sizeof(*rig->hoard));
		assert_non_null(rig->hoard);
	}
	for (;; got++) {
		struct qr_page *page =
		    qr_frame_alloc(rig->frames, gfp, 0, QR_PAGE_USER);
		if (page == NULL)
			return got;
		rig->hoard[rig->hoard_count++] = page;
	}
}

#endif
