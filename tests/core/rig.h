/* SPDX-License-Identifier: MIT */
/*
 * rig.h: a simulated machine with the frame layer on it and nothing above,
 * for tests of what lies between frames and spaces; and its famine.
 */
#ifndef TEST_CORE_RIG_H
#define TEST_CORE_RIG_H

#include <stdlib.h>

#include "core/boot/boot.h"
#include "core/frame/frame.h"
#include "port/sim/sim.h"

struct rig {
	struct sim *sim;
	const struct qr_port *port;
	struct qr_boot boot;
	struct qr_frames *frames;
	struct qr_page **hoard; /* frames that rig_starve() took */
	size_t hoarded;
};

static inline void
rig_start_sim(struct rig *rig, const struct sim_config *config)
{
	const struct qr_frame_config frame_config = { .min_free_pages = 1 };
	rig->sim = sim_create(config);
	if (rig->sim == NULL)
		abort();
	rig->port = sim_port(rig->sim);
	if (qr_boot_init(&rig->boot, rig->port) != 0 ||
	    qr_frame_create(rig->port, &rig->boot, &frame_config,
		&rig->frames) != 0)
		abort();
	rig->hoard = NULL;
	rig->hoarded = 0;
}

static inline void
rig_start(struct rig *rig, uint64_t ram_bytes, unsigned cpus, unsigned flags)
{
	const struct sim_config config = { .ram_bytes = ram_bytes,
		.cpus = cpus,
		.flags = flags };
	rig_start_sim(rig, &config);
}

/* The frame layer has no end: it goes with its machine. */
static inline void
rig_stop(struct rig *rig)
{
	free(rig->hoard);
	sim_destroy(rig->sim);
}

static inline uint64_t
rig_free_pages(const struct rig *rig)
{
	struct qr_frame_stat stat;
	qr_frame_stat(rig->frames, &stat);
	return stat.free;
}

/* Takes all frames that can be had under gfp 0 and gives count back, so that
 * the next count allocations of one frame succeed and no more. */
static inline void
rig_starve(struct rig *rig, size_t count)
{
	if (rig->hoard == NULL)
		rig->hoard = calloc(rig_free_pages(rig), sizeof(void *));
	if (rig->hoard == NULL)
		abort();
	struct qr_page *page;
	while (
	    (page = qr_frame_alloc(rig->frames, 0, 0, QR_PAGE_KERNEL)) != NULL)
		rig->hoard[rig->hoarded++] = page;
	while (count-- > 0 && rig->hoarded > 0)
		qr_frame_free(rig->frames, rig->hoard[--rig->hoarded]);
}

static inline void
rig_feed(struct rig *rig)
{
	while (rig->hoarded > 0)
		qr_frame_free(rig->frames, rig->hoard[--rig->hoarded]);
}

#endif
