/* SPDX-License-Identifier: MIT */
/*
 * test_interleave.c: two to four CPUs allocate, free, take each other's pages,
 * compact, plug and unplug memory, and move the balloon, all at once; whatever
 * the order in which they come to their turns, each page has one owner, keeps
 * what was written to it, and all of memory is there at the end.
 *
 * The order is a function of a seed (turns.h). QUIRE_SEED=n repeats a run,
 * QUIRE_INTERLEAVINGS=n runs so many. The same work is then done by real
 * threads, for the thread sanitizer.
 */
#include <pthread.h>

#include "core/frame_rig.h"
#include "turns.h"

#include "core/frame/hotplug.h"
#include "core/slab/slab.h"

#define STEPS 40u
#define SLOTS 192u
#define MIB   ((uint64_t)1 << 20)

/* What a page is used for, and by whom it may be found. */
struct slot {
	bool is_taken;
	struct qr_page *page; /* NULL: on its way in or out */
	uint64_t mark;        /* in the page, and moved with it */
};

struct vcpu {
	unsigned index;
	struct test_random random;
	pthread_t thread;
	void *object; /* of the slab cache, or NULL */
};

static struct world {
	struct rig *rig;
	struct qr_slabs *slabs;
	struct qr_slab_cache *cache;
	struct slot slot[SLOTS];
	uint64_t next_mark;
	struct vcpu cpu[TURN_CPUS_MAX];
	unsigned cpus;
	bool has_blocks;
	bool is_threads;
	pthread_mutex_t table; /* with threads: of slot[] and next_mark */
} world;

static _Thread_local unsigned thread_cpu;

/* --- the port --- */

static unsigned
world_cpu(void *ctx)
{
	return world.is_threads ? thread_cpu : turns_cpu(ctx);
}

static uint32_t
world_self(void *ctx)
{
	return world.is_threads ? thread_cpu + 1 : turns_self(ctx);
}

static void
world_wait(void *ctx, const void *word, uint32_t expect, uint64_t timeout_ns)
{
	if (world.is_threads)
		sim_port(world.rig->sim)
		    ->ops->wait(ctx, word, expect, timeout_ns);
	else
		turns_wait(ctx, word, expect, timeout_ns);
}

static void
world_release(void *ctx, const struct qr_frame_run *runs, size_t count)
{
	(void)ctx;
	(void)runs;
	(void)count;
}

/* --- the table --- */

static void
table_lock(void)
{
	if (world.is_threads)
		pthread_mutex_lock(&world.table);
}

static void
table_unlock(void)
{
	if (world.is_threads)
		pthread_mutex_unlock(&world.table);
}

static struct slot *
slot_reserve(struct vcpu *cpu)
{
	struct slot *found = NULL;
	uint64_t at = test_random_below(&cpu->random, SLOTS);
	table_lock();
	for (unsigned i = 0; i < SLOTS && found == NULL; i++) {
		struct slot *slot = &world.slot[(at + i) % SLOTS];
		if (!slot->is_taken) {
			slot->is_taken = true;
			slot->mark = ++world.next_mark;
			found = slot;
		}
	}
	table_unlock();
	return found;
}

static void
slot_settle(struct slot *slot, struct qr_page *page)
{
	table_lock();
	if (page == NULL) {
		slot->is_taken = false;
	} else {
		page->u.user.address = slot->mark;
		slot->page = page;
	}
	table_unlock();
}

/* Some page, whoever has allocated it; nobody else finds it any more. */
static struct qr_page *
slot_steal(struct vcpu *cpu)
{
	struct qr_page *page = NULL;
	uint64_t at = test_random_below(&cpu->random, SLOTS);
	table_lock();
	for (unsigned i = 0; i < SLOTS && page == NULL; i++) {
		struct slot *slot = &world.slot[(at + i) % SLOTS];
		page = slot->page;
		if (page == NULL)
			continue;
		need(page->u.user.address == slot->mark);
		slot->page = NULL;
		slot->is_taken = false;
	}
	table_unlock();
	return page;
}

/* As a space does it: only what is in the table can be moved. */
static int
world_migrate(void *ctx, struct qr_page *page, struct qr_page *to)
{
	int error = -QR_EPERM;
	(void)ctx;
	table_lock();
	for (unsigned i = 0; i < SLOTS && error != 0; i++) {
		struct slot *slot = &world.slot[i];
		if (slot->page != page)
			continue;
		need(page->u.user.address == slot->mark);
		to->u.user.address = slot->mark;
		slot->page = to;
		error = 0;
	}
	table_unlock();
	return error;
}

static int
world_reclaim(void *ctx, qr_gfp_t gfp, size_t want)
{
	(void)ctx;
	(void)gfp;
	(void)want;
	return -QR_ENOMEM;
}

static void
world_low(void *ctx)
{
	(void)ctx;
}

static const struct qr_frame_ops world_ops = {
	.reclaim = world_reclaim,
	.low = world_low,
	.migrate = world_migrate,
};

/* --- the work --- */

static void
step_alloc(struct vcpu *cpu)
{
	struct qr_frames *frames = world.rig->frames;
	bool is_user = test_random_below(&cpu->random, 3) != 0;
	unsigned order = 0;
	struct slot *slot = slot_reserve(cpu);
	if (slot == NULL)
		return;
	if (!is_user && test_random_below(&cpu->random, 3) == 0)
		order = 1 + (unsigned)test_random_below(&cpu->random, 4);
	slot_settle(slot,
	    qr_frame_alloc(frames, is_user ? QR_GFP_USER : QR_GFP_ATOMIC, order,
		is_user ? QR_PAGE_USER : QR_PAGE_KERNEL));
}

static void
step_free(struct vcpu *cpu)
{
	struct qr_page *page = slot_steal(cpu);
	if (page != NULL)
		qr_frame_free(world.rig->frames, page);
}

static void
step_bulk(struct vcpu *cpu)
{
	struct qr_page *pages[16];
	size_t got = qr_frame_alloc_bulk(world.rig->frames, QR_GFP_USER,
	    1 + (size_t)test_random_below(&cpu->random, 16), QR_PAGE_POOL,
	    pages);
	qr_frame_free_bulk(world.rig->frames, pages, got);
}

static void
step_contig(struct vcpu *cpu)
{
	uint64_t count = 2 + test_random_below(&cpu->random, 40);
	struct qr_page *page = qr_frame_alloc_contig(world.rig->frames, 0,
	    count, 0, QR_PAGE_KERNEL);
	if (page != NULL)
		qr_frame_free_contig(world.rig->frames, page, count);
}

/* The one block that is plugged. */
static void
step_block(struct vcpu *cpu)
{
	struct qr_frames *frames = world.rig->frames;
	uint32_t slot = qr_memory_block_count(frames) - 1;
	if (!world.has_blocks)
		return;
	int error = test_random_below(&cpu->random, 2) == 0
			? qr_memory_block_offline(frames, slot)
			: qr_memory_block_online(frames, slot);
	need(error == 0 || error == -QR_EBUSY || error == -QR_EPERM ||
	     error == -QR_ENOMEM);
}

static void
step_slab(struct vcpu *cpu)
{
	switch (test_random_below(&cpu->random, 4)) {
	case 0:
		(void)qr_slab_shrink(world.cache);
		break;
	case 1:
		(void)qr_slab_reap_all(world.slabs);
		break;
	default:
		if (cpu->object == NULL) {
			cpu->object = qr_slab_alloc(world.cache, QR_GFP_ATOMIC);
			if (cpu->object != NULL)
				memset(cpu->object, (int)cpu->index, 500);
			break;
		}
		for (unsigned i = 0; i < 500; i++)
			need(((unsigned char *)cpu->object)[i] == cpu->index);
		qr_slab_free(world.cache, cpu->object);
		cpu->object = NULL;
	}
}

static void
step(struct vcpu *cpu)
{
	struct qr_frames *frames = world.rig->frames;
	switch (test_random_below(&cpu->random, 16)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		step_alloc(cpu);
		break;
	case 5:
	case 6:
	case 7:
		step_free(cpu);
		break;
	case 8:
		step_bulk(cpu);
		break;
	case 9:
		(void)qr_frame_compact(frames,
		    1 + (unsigned)test_random_below(&cpu->random, 6), 1);
		break;
	case 10:
		step_contig(cpu);
		break;
	case 11:
		step_block(cpu);
		break;
	case 12:
		(void)qr_frame_balloon(frames,
		    test_random_below(&cpu->random, 200));
		break;
	case 13:
		qr_frame_drain(frames);
		break;
	case 14:
		qr_frame_tune(frames);
		break;
	default:
		step_slab(cpu);
		break;
	}
}

static void
work(struct vcpu *cpu, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++)
		step(cpu);
	if (cpu->object != NULL)
		qr_slab_free(world.cache, cpu->object);
	cpu->object = NULL;
}

/* --- one run --- */

static void
world_make(uint64_t seed, unsigned flags)
{
	bool has_blocks = seed % 8 == 0;
	const struct sim_config sim_config = {
		.ram_bytes = has_blocks ? 10 * MIB : 4 * MIB,
		.plug_bytes = has_blocks ? 64 * MIB : 0,
		.cpus = 2 + (unsigned)(seed % 3),
		.flags = flags,
	};
	const struct qr_frame_config config = {
		.plug_slots = has_blocks ? 1 : 0,
		.plug_end = 64 * MIB,
	};
	world.cpus = sim_config.cpus;
	turns_prepare(seed, world.cpus);
	world.rig = rig_prepare(&sim_config);
	world.rig->ops.cpu = world_cpu;
	world.rig->ops.self = world_self;
	world.rig->ops.wait = world_wait;
	world.rig->ops.frame_release = world_release;
	assert_int_equal(qr_frame_create(&world.rig->port, &world.rig->boot,
			     &config, &world.rig->frames),
	    0);
	qr_frame_set_ops(world.rig->frames, &world_ops, NULL);
	world.has_blocks = has_blocks;
	world.next_mark = 0;
	memset(world.slot, 0, sizeof(world.slot));
	for (unsigned i = 0; i < world.cpus; i++) {
		world.cpu[i].index = i;
		world.cpu[i].object = NULL;
		world.cpu[i].random =
		    (struct test_random){ seed * TURN_CPUS_MAX + i };
	}
}

/* What belongs to the world before turns are taken. */
static uint64_t
world_start(void)
{
	uint32_t slot;
	if (world.has_blocks) {
		sim_plug(world.rig->sim, 32 * MIB, QR_MEMORY_BLOCK_BYTES);
		assert_int_equal(qr_memory_block_add(world.rig->frames,
				     32 * MIB, &slot),
		    0);
	}
	uint64_t free_pages = rig_buddy_free(world.rig);
	world.slabs = qr_slab_start(world.rig->frames);
	assert_non_null(world.slabs);
	world.cache = qr_slab_create(world.slabs,
	    &(struct qr_slab_config){ .name = "interleaved",
		.size_bytes = 500 });
	assert_non_null(world.cache);
	return free_pages;
}

/* All is given back, and is as much as it was. */
static void
world_end(uint64_t free_pages)
{
	struct qr_frames *frames = world.rig->frames;
	struct vcpu *cpu = &world.cpu[0];
	struct qr_page *page;
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	qr_check_slabs(world.slabs, QR_CHECK_CHILDREN);
	while ((page = slot_steal(cpu)) != NULL)
		qr_frame_free(frames, page);
	qr_slab_destroy(world.cache);
	qr_slab_stop(world.slabs);
	(void)qr_frame_balloon(frames, 0);
	qr_frame_drain(frames);
	if (world.has_blocks) {
		uint32_t slot = qr_memory_block_count(frames) - 1;
		int error = qr_memory_block_offline(frames, slot);
		need(error == 0 || error == -QR_EBUSY);
	}
	qr_frame_drain(frames);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	need(rig_buddy_free(world.rig) == free_pages);
	rig_destroy(world.rig);
}

static void
vcpu_work(unsigned cpu)
{
	work(&world.cpu[cpu], STEPS);
}

static void
run_seed(uint64_t seed)
{
	world_make(seed, seed % 2 == 0 ? SIM_CPU_OWNED : 0);
	uint64_t free_pages = world_start();
	turns_run(vcpu_work);
	world_end(free_pages);
}

static void
test_seeded_turns(void **state)
{
	(void)state;
	if (!HAS_COROUTINES)
		skip();
	/* The checks of a debug build cost four times as much. */
	turns_run_seeds(run_seed, QR_CONFIG_DEBUG ? 500 : 3000);
}

/* --- the same at once --- */

static void *
thread_run(void *ctx)
{
	struct vcpu *cpu = ctx;
	thread_cpu = cpu->index;
	work(cpu, 1500);
	return NULL;
}

static void
run_threads(uint64_t seed, unsigned flags)
{
	world.is_threads = true;
	thread_cpu = 0;
	world_make(seed, SIM_THREADS | flags);
	uint64_t free_pages = world_start();
	for (unsigned i = 0; i < world.cpus; i++)
		assert_int_equal(pthread_create(&world.cpu[i].thread, NULL,
				     thread_run, &world.cpu[i]),
		    0);
	for (unsigned i = 0; i < world.cpus; i++)
		(void)pthread_join(world.cpu[i].thread, NULL);
	world_end(free_pages);
	world.is_threads = false;
}

static void
test_threads(void **state)
{
	(void)state;
	pthread_mutex_init(&world.table, NULL);
	run_threads(7, 0);
	run_threads(8, 0);
	run_threads(10, SIM_CPU_OWNED);
	run_threads(16, SIM_CPU_OWNED);
	pthread_mutex_destroy(&world.table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeded_turns),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
