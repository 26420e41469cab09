/* SPDX-License-Identifier: MIT */
/*
 * invariants_bed.h: a machine with something of everything in it, for
 * test_invariants.c to break.
 */
#ifndef TEST_INVARIANTS_BED_H
#define TEST_INVARIANTS_BED_H

#include "core/frame/frame_impl.h"
#include "core/machine/machine_impl.h"
#include "core/slab/slab_impl.h"
#include "core/vmap/vmap_impl.h"
#include "machine_bed.h"

#include <qr/memory.h>

#define MIB ((uint64_t)1 << 20)

#define OBJECTS  600u
#define SEGMENTS 4u

/* What is broken; whole and right when a case begins. */
struct world {
	struct bed bed;
	struct qr_machine *machine;
	struct qr_frames *frames;
	uint32_t offline; /* slot that is so */
	/* --- frames --- */
	struct qr_page *page;   /* in use, one frame */
	struct qr_page *block;  /* in use, two frames */
	struct qr_zone *zone;   /* of both */
	struct qr_buddy *buddy; /* that would have them if they were free */
	struct qr_pcp *list;    /* with bare frames */
	/* --- objects --- */
	struct qr_slab_cache *cache;
	void *object[OBJECTS]; /* the last hundred are in use */
	/* --- addresses --- */
	struct bed mapped; /* RAM that is mapped elsewhere can't be plugged, so
			      this machine is another one */
	struct qr_vmap *vmap;
	struct qr_arena arena[QR_FITS];
	struct qr_segment segment[QR_FITS][SEGMENTS];
};

static void
world_use_frames(struct world *world)
{
	struct qr_frames *frames = world->frames;
	struct qr_page *users[8];
	world->page = qr_frame_alloc(frames, 0, 0, QR_PAGE_KERNEL);
	world->block = qr_frame_alloc(frames, 0, 1, QR_PAGE_KERNEL);
	assert_true(world->page != NULL && world->block != NULL);
	assert_int_equal(world->page->zone, world->block->zone);
	world->zone = &frames->zone[world->page->zone];
	world->buddy = zone_buddy(world->zone,
	    page_index(frames, world->block) - world->zone->base);
	for (unsigned i = 0; i < 8; i++) {
		users[i] = qr_frame_alloc(frames, QR_GFP_USER, 0, QR_PAGE_USER);
		assert_non_null(users[i]);
	}
	world->list = &frames->zone[users[0]->zone].pcp[0];
	for (unsigned i = 0; i < 8; i++)
		qr_frame_free(frames, users[i]);
	assert_true(pcp_load(&world->list->bare) >= 2);
}

static void
world_use_objects(struct world *world)
{
	static const struct qr_slab_config config = {
		.name = "broken",
		.size_bytes = 196,
	};
	world->cache = qr_slab_create(world->machine->slabs, &config);
	assert_non_null(world->cache);
	for (unsigned i = 0; i < OBJECTS; i++) {
		world->object[i] = qr_slab_alloc(world->cache, QR_GFP_ATOMIC);
		assert_non_null(world->object[i]);
	}
	for (unsigned i = 0; i < OBJECTS - 100; i++)
		qr_slab_free(world->cache, world->object[i]);
	assert_true(world->cache->depot_full_count > 0);
	assert_true(world->cache->cpu[0].count > 0);
	assert_true(world->cache->first[SLAB_FULL] != QR_PFN_NIL);
	assert_true(world->cache->first[SLAB_PARTIAL] != QR_PFN_NIL);
}

/* Gaps of 16, 40, 64 and what is left. */
static void
world_use_arenas(struct world *world)
{
	for (unsigned fit = 0; fit < QR_FITS; fit++) {
		struct qr_arena *arena = &world->arena[fit];
		uint64_t at = 1000;
		qr_arena_init(arena, at, 100000, (enum qr_fit)fit);
		for (unsigned i = 0; i < SEGMENTS; i++) {
			at += 16 + 24 * i;
			assert_int_equal(qr_arena_take(arena,
					     &world->segment[fit][i], at, 10),
			    0);
			at += 10;
		}
	}
}

static void
world_use_addresses(struct world *world)
{
	static const struct sim_config sim_config = {
		.ram_bytes = 4 * MIB,
		.kernel_bytes = 8 * MIB,
	};
	static const struct qr_machine_config config = { .codec = &bed_codec };
	bed_make(&world->mapped, &sim_config, &config);
	const struct qr_machine *machine = world->mapped.machine;
	assert_int_equal(qr_vmap_create(machine->frames, machine->slabs,
			     QR_FIT_INSTANT, &world->vmap),
	    0);
	void *kept = qr_vmalloc(world->vmap, 3 * QR_PAGE_SIZE, 0);
	void *freed = qr_vmalloc(world->vmap, 2 * QR_PAGE_SIZE, 0);
	assert_true(kept != NULL && freed != NULL);
	qr_vfree(world->vmap, freed);
	assert_true(world->vmap->lazy_pages != 0);
}

static void
world_check(struct world *world)
{
	qr_check_machine(world->machine);
	qr_check_machine(world->mapped.machine);
	qr_check_vmap(world->vmap);
	for (unsigned fit = 0; fit < QR_FITS; fit++)
		qr_check_arena(&world->arena[fit]);
}

static void
world_make(struct world *world)
{
	static const struct qr_ram_region regions[] = {
		{ .start = 0, .size_bytes = 31 * MIB, .kind = QR_RAM_USABLE },
		{ .start = 64 * MIB,
		    .size_bytes = 17 * MIB,
		    .kind = QR_RAM_USABLE },
	};
	static const struct sim_config sim_config = {
		.regions = regions,
		.region_count = 2,
		.plug_bytes = 256 * MIB,
		.cpus = 2,
	};
	static const struct qr_machine_config config = {
		.codec = &bed_codec,
		.plug_slots = 2,
		.plug_end = 256 * MIB,
	};
	memset(world, 0, sizeof(*world));
	bed_make(&world->bed, &sim_config, &config);
	world->machine = world->bed.machine;
	world->frames = world->machine->frames;
	sim_plug(world->bed.sim, 128 * MIB, QR_MEMORY_BLOCK_BYTES);
	assert_int_equal(qr_machine_block_add(world->machine, 128 * MIB,
			     &world->offline),
	    0);
	world_use_frames(world);
	world_use_objects(world);
	world_use_arenas(world);
	world_use_addresses(world);
	world_check(world);
}

#endif
