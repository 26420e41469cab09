/* SPDX-License-Identifier: MIT */
/*
 * test_frame.c: frames are given to one user at a time, as blocks that are
 * what was asked for; what each may have is what the watermarks say; every
 * frame is counted once. A model of owners stands beside random calls from
 * several CPUs. (Misuse and zones have tests of their own.)
 */
#define _DEFAULT_SOURCE /* mincore */
#include <pthread.h>
#include <sys/mman.h>

#include "frame_rig.h"
#include "random.h"

#define MODEL_PAGES 8192u
#define MODEL_STEPS 30000u

/* --- random calls beside a model --- */

struct held {
	struct qr_page *page;
	unsigned order;
	enum qr_page_kind kind;
};

struct model {
	struct rig *rig;
	struct test_random random;
	bool taken[MODEL_PAGES];
	uint64_t pages[QR_PAGE_KINDS];
	struct held held[MODEL_PAGES];
	size_t held_count;
};

static enum qr_page_kind
random_kind(struct model *model)
{
	return (enum qr_page_kind)(
	    1 + test_random_below(&model->random, QR_PAGE_KINDS - 1));
}

static void
model_hold(struct model *model, struct qr_page *page, unsigned order,
    enum qr_page_kind kind)
{
	qr_pfn_t pfn = qr_frame_pfn(model->rig->frames, page);
	assert_ptr_equal(qr_frame_page(model->rig->frames, pfn), page);
	assert_int_equal(pfn % ((uint64_t)1 << order), 0);
	assert_int_equal(page->kind, kind);
	assert_int_equal(page->order, order);
	assert_int_equal(page->refs, 1);
	assert_int_equal(page->flags & ~QR_PAGE_HOME, 0);
	assert_int_equal(page->next, QR_PFN_NIL);
	assert_int_equal(page->prev, QR_PFN_NIL);
	assert_null(page->u.user.mapping);
	assert_int_equal(page->u.user.address, 0);
	for (uint64_t i = 0; i < (uint64_t)1 << order; i++) {
		assert_false(model->taken[pfn + i]);
		model->taken[pfn + i] = true;
	}
	model->pages[kind] += (uint64_t)1 << order;
	model->held[model->held_count++] = (struct held){ page, order, kind };
}

static struct held
model_drop(struct model *model)
{
	size_t i = (size_t)test_random_below(&model->random, model->held_count);
	struct held held = model->held[i];
	qr_pfn_t pfn = qr_frame_pfn(model->rig->frames, held.page);
	model->held[i] = model->held[--model->held_count];
	memset(&model->taken[pfn], false, (size_t)1 << held.order);
	model->pages[held.kind] -= (uint64_t)1 << held.order;
	/* A user leaves its marks in the descriptor. */
	held.page->flags |= QR_PAGE_REFERENCED | 3;
	held.page->next = 7;
	held.page->u.user.address = 4711;
	if (test_random_below(&model->random, 2) == 0)
		held.page->refs = 0;
	return held;
}

static void
step_alloc(struct model *model)
{
	static const qr_gfp_t gfps[] = { 0, QR_GFP_USER, QR_GFP_ATOMIC,
		QR_GFP_RESERVE, QR_GFP_ZERO };
	qr_gfp_t gfp = gfps[test_random_below(&model->random, 5)];
	unsigned order =
	    test_random_below(&model->random, 3) != 0
		? 0
		: (unsigned)test_random_below(&model->random, QR_FRAME_ORDERS);
	enum qr_page_kind kind = random_kind(model);
	struct qr_page *page =
	    qr_frame_alloc(model->rig->frames, gfp, order, kind);
	if (page == NULL)
		return;
	model_hold(model, page, order, kind);
	if (test_random_below(&model->random, 8) == 0)
		memset(qr_frame_data(model->rig->frames, page), 0x5a,
		    QR_PAGE_SIZE << order);
}

static void
step_alloc_bulk(struct model *model)
{
	struct qr_page *pages[64];
	size_t count = (size_t)test_random_below(&model->random, 65);
	enum qr_page_kind kind = random_kind(model);
	size_t got = qr_frame_alloc_bulk(model->rig->frames, QR_GFP_USER, count,
	    kind, pages);
	assert_true(got <= count);
	for (size_t i = 0; i < got; i++)
		model_hold(model, pages[i], 0, kind);
}

static void
step_free(struct model *model)
{
	if (model->held_count == 0)
		return;
	struct held held = model_drop(model);
	qr_frame_free(model->rig->frames, held.page);
	/* The list that it went to is as long as it may be, also after the
	 * balloon has made that less. */
	const struct qr_zone *zone = model->rig->frames->zone;
	unsigned cpu =
	    sim_port(model->rig->sim)->ops->cpu(sim_port(model->rig->sim)->ctx);
	if (held.order == 0)
		assert_true(pcp_count(&zone->pcp[cpu]) <= zone->pcp_high);
}

static void
step_free_bulk(struct model *model)
{
	struct qr_page *pages[64];
	size_t count = (size_t)test_random_below(&model->random, 65);
	size_t i = 0;
	for (; i < count && model->held_count != 0; i++)
		pages[i] = model_drop(model).page;
	qr_frame_free_bulk(model->rig->frames, pages, i);
}

static void
step_set_kind(struct model *model)
{
	if (model->held_count == 0)
		return;
	size_t i = (size_t)test_random_below(&model->random, model->held_count);
	struct held *held = &model->held[i];
	enum qr_page_kind kind = random_kind(model);
	qr_frame_set_kind(model->rig->frames, held->page, kind);
	model->pages[held->kind] -= (uint64_t)1 << held->order;
	model->pages[kind] += (uint64_t)1 << held->order;
	held->kind = kind;
}

static void
step_balloon(struct model *model)
{
	uint64_t target = test_random_below(&model->random, MODEL_PAGES / 2);
	uint64_t reached = qr_frame_balloon(model->rig->frames, target);
	assert_true(reached <= target);
}

static void
step_drain(struct model *model)
{
	qr_frame_drain(model->rig->frames);
}

static void
model_compare(const struct model *model)
{
	struct qr_frame_stat stat;
	struct qr_frames *frames = model->rig->frames;
	qr_frame_stat(frames, &stat);
	assert_int_equal(stat.user, model->pages[QR_PAGE_USER]);
	assert_int_equal(stat.slab, model->pages[QR_PAGE_SLAB]);
	assert_int_equal(stat.table, model->pages[QR_PAGE_TABLE]);
	assert_int_equal(stat.pool, model->pages[QR_PAGE_POOL]);
	assert_int_equal(stat.kernel, model->pages[QR_PAGE_KERNEL]);
	assert_int_equal(stat.meta,
	    model->pages[QR_PAGE_META] + frames->boot_pages);
	assert_true(stat.user_peak >= stat.user);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
}

static void
test_against_model(void **state)
{
	static void (*const steps[])(struct model *) = { step_alloc, step_alloc,
		step_alloc, step_alloc_bulk, step_free, step_free,
		step_free_bulk, step_set_kind };
	struct model *model = calloc(1, sizeof(*model));
	(void)state;
	assert_non_null(model);
	model->random = test_random_start("frame");
	model->rig = rig_create(MODEL_PAGES, 3, 0);
	uint64_t free_at_first = rig_buddy_free(model->rig);
	for (unsigned step = 0; step < MODEL_STEPS; step++) {
		sim_set_cpu((unsigned)test_random_below(&model->random, 3));
		uint64_t pick = test_random_below(&model->random, 400);
		if (pick == 0)
			step_balloon(model);
		else if (pick == 1)
			step_drain(model);
		else
			steps[pick % 8](model);
		if (step % 256 == 0)
			model_compare(model);
	}
	while (model->held_count != 0)
		step_free(model);
	model_compare(model);
	assert_int_equal(qr_frame_balloon(model->rig->frames, 0), 0);
	qr_frame_drain(model->rig->frames);
	assert_int_equal(rig_buddy_free(model->rig), free_at_first);
	rig_destroy(model->rig);
	free(model);
}

/* --- watermarks --- */

static void
test_watermarks_are_derived(void **state)
{
	static const struct {
		uint64_t pages;
		uint64_t configured;
		uint64_t min_pages; /* to within 2 % for the tables' part */
	} cases[] = {
		{ 160, 0, 32 },      /* the least, 128 KiB */
		{ 64, 0, 15 },       /* a quarter at most */
		{ 16384, 0, 256 },   /* 64 MiB: 1 MiB */
		{ 262144, 0, 1024 }, /* 1 GiB: 4 MiB */
		{ 16384, 100, 100 },
		{ 256, 1000, 63 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *rig =
		    rig_create(cases[i].pages, 1, cases[i].configured);
		struct qr_watermarks marks = qr_frame_watermarks(rig->frames);
		uint64_t expect = cases[i].min_pages;
		assert_in_range(marks.min_pages, expect - expect / 50 - 1,
		    expect);
		assert_true(marks.low_pages >
			    marks.min_pages + marks.min_pages / 4 - 1);
		assert_true(marks.high_pages > marks.low_pages);
		assert_false(qr_frame_below_high(rig->frames));
		assert_int_equal(qr_frame_want(rig->frames), 0);
		rig_destroy(rig);
	}
}

/* Of 8 TiB no more than 256 MiB are kept free. */
static void
test_watermarks_have_a_limit(void **state)
{
	struct rig *rig = rig_create(1024, 1, 0);
	(void)state;
	rig->frames->total_pages = (uint64_t)1 << 31;
	rig->frames->zone[0].pages = (uint64_t)1 << 31;
	qr_watermark_update(rig->frames, 0);
	assert_int_equal(qr_frame_watermarks(rig->frames).min_pages, 65536);
	rig_destroy(rig);
}

/* Each kind of caller gets down to its own mark and no further, whatever is
 * on the lists of other CPUs. */
static void
test_each_stops_at_its_mark(void **state)
{
	struct rig *rig = rig_create(4096, 2, 200);
	struct qr_page *odd[6];
	(void)state;
	struct qr_watermarks marks = qr_frame_watermarks(rig->frames);
	assert_int_equal(marks.min_pages, 200);
	struct qr_page *block = qr_frame_alloc(rig->frames, 0, 3, QR_PAGE_SLAB);
	sim_set_cpu(1);
	for (size_t i = 0; i < 6; i++)
		odd[i] = qr_frame_alloc(rig->frames, 0, 0, QR_PAGE_KERNEL);
	qr_frame_free_bulk(rig->frames, odd, 6);
	assert_true(pcp_count(&rig->frames->zone[0].pcp[1]) >= 6);
	sim_set_cpu(0);

	assert_true(rig_exhaust(rig, 0) > 3000);
	assert_int_equal(rig_buddy_free(rig), 200);
	assert_true(qr_frame_below_low(rig->frames));
	assert_false(qr_frame_below_min(rig->frames));
	assert_int_equal(qr_frame_want(rig->frames), marks.high_pages - 200);
	assert_null(qr_frame_alloc(rig->frames, 0, 3, QR_PAGE_SLAB));
	qr_frame_free(rig->frames, block);
	assert_non_null(qr_frame_alloc(rig->frames, 0, 3, QR_PAGE_SLAB));
	assert_int_equal(rig_exhaust(rig, QR_GFP_ATOMIC), 100);
	assert_true(qr_frame_below_min(rig->frames));
	assert_int_equal(rig_exhaust(rig, QR_GFP_RESERVE), 100);
	assert_int_equal(rig_buddy_free(rig), 0);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);

	/* What came out of the reserve goes back there. */
	while (rig->hoard_count != 0)
		qr_frame_free(rig->frames, rig->hoard[--rig->hoard_count]);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* Below low every refill wakes background reclaim; above it none does. */
static void
test_low_is_signalled_in_time(void **state)
{
	struct rig *rig = rig_create(4096, 1, 100);
	(void)state;
	qr_frame_set_ops(rig->frames, &rig_frame_ops, rig);
	struct qr_watermarks marks = qr_frame_watermarks(rig->frames);
	for (;;) {
		struct qr_page *page =
		    qr_frame_alloc(rig->frames, 0, 0, QR_PAGE_USER);
		if (page == NULL)
			break;
		bool is_low = rig_buddy_free(rig) < marks.low_pages;
		assert_int_equal(rig->lows != 0, is_low);
	}
	assert_true(rig->lows != 0);
	rig_destroy(rig);
}

/* --- reclaim --- */

static void
test_reclaim_is_called_while_it_helps(void **state)
{
	struct rig *rig = rig_create(1024, 1, 50);
	(void)state;
	(void)rig_exhaust(rig, 0);
	qr_frame_set_ops(rig->frames, &rig_frame_ops, rig);

	/* Progress that is of no use at first: others take what was freed. */
	rig->progress_rounds = 1000;
	rig->free_each = 0;
	struct qr_page *keep[60];
	for (size_t i = 0; i < 40; i++)
		keep[i] = qr_frame_alloc(rig->frames, QR_GFP_RESERVE, 0,
		    QR_PAGE_KERNEL);
	rig->free_each = 5;
	struct qr_page *page =
	    qr_frame_alloc(rig->frames, QR_GFP_KERNEL, 0, QR_PAGE_USER);
	assert_non_null(page);
	assert_int_equal(rig->reclaims, 9); /* 40 taken, 5 given by each */
	assert_true(rig->want >= 1);
	assert_int_equal(rig->waits, 0);
	qr_frame_free_bulk(rig->frames, keep, 40);
	qr_frame_free(rig->frames, page);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

static void
test_reclaim_in_vain_ends(void **state)
{
	static const struct {
		qr_gfp_t gfp;
		unsigned order;
		unsigned progress_rounds;
		unsigned reclaims;
		unsigned waits;
	} cases[] = {
		{ QR_GFP_KERNEL, 0, 0, 5, 4 },
		{ QR_GFP_KERNEL, 0, 3, 8, 4 }, /* progress starts it anew */
		{ QR_GFP_KERNEL | QR_GFP_NORETRY, 0, 3, 1, 0 },
		{ QR_GFP_KERNEL | QR_GFP_ATOMIC, 0, 3, 0, 0 },
		{ QR_GFP_KERNEL | QR_GFP_RESERVE, 10, 3, 0, 0 },
		{ QR_GFP_ATOMIC, 0, 3, 0, 0 }, { 0, 0, 3, 0, 0 },
		{ QR_GFP_KERNEL, 4, 1000, 16, 0 }, /* no block comes about */
	};
	struct rig *rig = rig_create(1024, 1, 50);
	(void)state;
	(void)rig_exhaust(rig, QR_GFP_ATOMIC);
	qr_frame_set_ops(rig->frames, &rig_frame_ops, rig);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig->reclaims = 0;
		rig->waits = 0;
		rig->progress_rounds = cases[i].progress_rounds;
		assert_null(qr_frame_alloc(rig->frames, cases[i].gfp,
		    cases[i].order, QR_PAGE_SLAB));
		assert_int_equal(rig->reclaims, cases[i].reclaims);
		assert_int_equal(rig->waits, cases[i].waits);
	}
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* A block comes about once reclaim has freed its neighbours: what they wait
 * for on the lists is given back first. */
static void
test_reclaim_makes_a_block(void **state)
{
	struct rig *rig = rig_create(1024, 1, 50);
	(void)state;
	(void)rig_exhaust(rig, 0);
	qr_frame_set_ops(rig->frames, &rig_frame_ops, rig);
	rig->progress_rounds = 1000;
	rig->free_each = 64;
	struct qr_page *page =
	    qr_frame_alloc(rig->frames, QR_GFP_KERNEL, 5, QR_PAGE_SLAB);
	assert_non_null(page);
	assert_true(rig->reclaims <= 2);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* --- contents --- */

static void
test_home_bytes_are_released(void **state)
{
	struct rig *rig = rig_create(1024, 1, 0);
	struct qr_frames *frames = rig->frames;
	(void)state;
	struct qr_page *page =
	    qr_frame_alloc(frames, QR_GFP_KERNEL, 0, QR_PAGE_SLAB);
	assert_int_equal(page->flags, 0);
	unsigned char *data = qr_frame_data(frames, page);
	assert_ptr_equal(data, sim_frame(rig->sim, qr_frame_pfn(frames, page)));
	assert_int_equal(page->flags, QR_PAGE_HOME);
	memset(data, 1, QR_PAGE_SIZE);
	qr_frame_free(frames, page);

	/* Kept for the next user of the core itself, who gets it zeroed. */
	struct qr_page *again = qr_frame_alloc(frames,
	    QR_GFP_KERNEL | QR_GFP_ZERO, 0, QR_PAGE_TABLE);
	assert_ptr_equal(again, page);
	assert_int_equal(page->flags, QR_PAGE_HOME);
	assert_int_equal(data[0] | data[QR_PAGE_SIZE - 1], 0);
	assert_int_equal(rig->releases, 0);
	qr_frame_free(frames, page);

	/* A mapped page gets another one while there is one. */
	again = qr_frame_alloc(frames, QR_GFP_PAGE, 0, QR_PAGE_USER);
	assert_ptr_not_equal(again, page);
	assert_int_equal(again->flags, 0);
	assert_int_equal(rig->releases, 0);
	qr_frame_free(frames, again);
	again = qr_frame_alloc(frames, QR_GFP_KERNEL, 0, QR_PAGE_SLAB);
	assert_ptr_equal(again, page);
	qr_frame_free(frames, page);

	/* Every frame of a block has them, and each is released once, many by
	 * a call. */
	page = qr_frame_alloc(frames, QR_GFP_KERNEL, 3, QR_PAGE_SLAB);
	(void)qr_frame_data(frames, page);
	qr_frame_free(frames, page);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	struct qr_frame_stat stat;
	qr_frame_stat(frames, &stat);
	assert_int_equal(stat.home, 1 + 8);
	(void)rig_exhaust(rig, QR_GFP_USER | QR_GFP_RESERVE);
	assert_int_equal(rig->released_pages, 1 + 8);
	assert_in_range(rig->releases, 1, 5);
	qr_frame_stat(frames, &stat);
	assert_int_equal(stat.home, 0);
	rig_destroy(rig);
}

/* --- the balloon --- */

static void
test_balloon(void **state)
{
	struct rig *rig = rig_create(16384, 2, 0);
	struct qr_frames *frames = rig->frames;
	struct qr_frame_stat stat;
	(void)state;
	struct qr_watermarks before = qr_frame_watermarks(frames);
	uint64_t free_before = rig_buddy_free(rig);

	assert_int_equal(qr_frame_balloon(frames, 12345), 12345);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	qr_frame_stat(frames, &stat);
	assert_int_equal(stat.balloon, 12345);
	assert_int_equal(stat.free, free_before - 12345);
	struct qr_watermarks marks = qr_frame_watermarks(frames);
	assert_true(marks.min_pages < before.min_pages);

	/* As far as it can: down to the min of what is left. */
	uint64_t reached = qr_frame_balloon(frames, 1 << 20);
	assert_true(reached > 12345 && reached < 16384);
	assert_true(rig_buddy_free(rig) < 64);
	assert_null(qr_frame_alloc(frames, 0, 6, QR_PAGE_SLAB));
	qr_check_frames(frames, QR_CHECK_CHILDREN);

	assert_int_equal(qr_frame_balloon(frames, 777), 777);
	assert_int_equal(qr_frame_balloon(frames, 0), 0);
	assert_int_equal(rig_buddy_free(rig), free_before);
	assert_int_equal(qr_frame_watermarks(frames).min_pages,
	    before.min_pages);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* What the core has used goes back to the port when it is lent; pages that
 * wait on other CPUs' lists are found. */
static void
test_balloon_takes_used_frames(void **state)
{
	struct rig *rig = rig_create(1024, 2, 10);
	struct qr_frames *frames = rig->frames;
	(void)state;
	(void)rig_exhaust(rig, 0);
	size_t all = rig->hoard_count;
	for (size_t i = 0; i < all; i++)
		(void)qr_frame_data(frames, rig->hoard[i]);
	for (size_t i = 0; i < all; i++) {
		sim_set_cpu(i % 2);
		qr_frame_free(frames, rig->hoard[i]);
	}
	rig->hoard_count = 0;
	rig->released_pages = 0;
	uint64_t reached = qr_frame_balloon(frames, all + 100);
	assert_in_range(reached, all - 10, all + 10);
	assert_true(rig->released_pages >= reached - 20);
	struct qr_frame_stat stat;
	qr_frame_stat(frames, &stat);
	assert_int_equal(stat.free, rig_buddy_free(rig));
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* Pages of the simulated RAM that the host has had to give. */
static uint64_t
resident_pages(const struct rig *rig, uint64_t pages)
{
	uint64_t resident = 0;
	unsigned char *map = malloc(pages);
	assert_non_null(map);
	assert_int_equal(mincore(sim_frame(rig->sim, 0), pages * QR_PAGE_SIZE,
			     map),
	    0);
	for (uint64_t i = 0; i < pages; i++)
		resident += map[i] & 1;
	free(map);
	return resident;
}

/* A machine of 64 GiB of which 60 are in the balloon and little is used
 * costs what is used, not what is described. */
static void
test_unused_memory_is_free_of_cost(void **state)
{
	struct qr_page *pages[64];
	uint64_t all = (uint64_t)64 << 30 >> QR_PAGE_SHIFT;
	const struct sim_config config = { .ram_bytes = all * QR_PAGE_SIZE };
	(void)state;
	struct rig *rig = rig_prepare(&config);
	/* Or the host gives 512 pages where one is touched. */
	assert_int_equal(madvise(sim_frame(rig->sim, 0), all * QR_PAGE_SIZE,
			     MADV_NOHUGEPAGE),
	    0);
	assert_int_equal(qr_frame_create(&rig->port, &rig->boot, NULL,
			     &rig->frames),
	    0);
	assert_int_equal(qr_frame_balloon(rig->frames, all / 64 * 60),
	    all / 64 * 60);
	assert_in_range(resident_pages(rig, all), 1, 64);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(qr_frame_alloc_bulk(rig->frames, QR_GFP_USER,
				     64, QR_PAGE_USER, pages),
		    64);
	uint64_t descriptors = 64000 * sizeof(struct qr_page) / QR_PAGE_SIZE;
	assert_in_range(resident_pages(rig, all), descriptors,
	    descriptors + 96);
	rig_destroy(rig);
}

/* --- threads --- */

#define THREADS       4u
#define THREAD_ROUNDS 20000u
#define THREAD_HELD   48u

struct worker {
	struct rig *rig;
	unsigned index;
	pthread_t thread;
	const char *trouble;
};

/* Each writes its own mark into what it has, and finds it there later. */
static void *
worker_run(void *ctx)
{
	struct worker *worker = ctx;
	struct qr_frames *frames = worker->rig->frames;
	struct qr_page *held[THREAD_HELD] = { NULL };
	struct test_random random = { worker->index };
	for (unsigned i = 0; i < THREAD_ROUNDS; i++) {
		size_t at = (size_t)test_random_below(&random, THREAD_HELD);
		sim_set_cpu((unsigned)test_random_below(&random, 2));
		if (held[at] != NULL) {
			if (held[at]->u.user.address != worker->index)
				worker->trouble = "a page has two owners";
			qr_frame_free(frames, held[at]);
			held[at] = NULL;
			continue;
		}
		unsigned order = test_random_below(&random, 4) == 0 ? 3 : 0;
		held[at] =
		    qr_frame_alloc(frames, QR_GFP_ATOMIC, order, QR_PAGE_USER);
		if (held[at] != NULL)
			held[at]->u.user.address = worker->index;
		if (i % 1000 == 0)
			(void)qr_frame_balloon(frames,
			    test_random_below(&random, 300));
	}
	for (size_t at = 0; at < THREAD_HELD; at++)
		if (held[at] != NULL)
			qr_frame_free(frames, held[at]);
	return NULL;
}

static void
test_threads(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = 1024 * QR_PAGE_SIZE,
		.cpus = 2,
		.flags = SIM_THREADS,
	};
	struct worker workers[THREADS];
	(void)state;
	struct rig *rig = rig_prepare(&config);
	rig_start(rig, 0);
	uint64_t free_at_first = rig_buddy_free(rig);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .rig = rig, .index = i + 1 };
		assert_int_equal(pthread_create(&workers[i].thread, NULL,
				     worker_run, &workers[i]),
		    0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		(void)pthread_join(workers[i].thread, NULL);
		assert_null(workers[i].trouble);
	}
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	(void)qr_frame_balloon(rig->frames, 0);
	qr_frame_drain(rig->frames);
	assert_int_equal(rig_buddy_free(rig), free_at_first);
	rig_destroy(rig);
}

/* While somebody is inside the CPU's list, all works without it. */
static void
test_list_is_gone_round(void **state)
{
	struct rig *rig = rig_create(1024, 1, 0);
	struct qr_pcp *pcp = rig->frames->zone[0].pcp;
	struct qr_page *pages[5];
	(void)state;
	assert_true(qr_busy_try_enter(&pcp->busy));
	assert_int_equal(qr_frame_alloc_bulk(rig->frames, 0, 5, QR_PAGE_USER,
			     pages),
	    5);
	uint64_t left = rig_buddy_free(rig);
	qr_frame_free_bulk(rig->frames, pages, 5);
	assert_int_equal(rig_buddy_free(rig), left + 5);
	assert_int_equal(pcp_count(pcp), 0);
	atomic_store(&pcp->bare, 1);
	qr_frame_drain(rig->frames); /* does not hang, and leaves it alone */
	assert_int_equal(pcp_count(pcp), 1);
	atomic_store(&pcp->bare, 0);
	qr_busy_leave(&pcp->busy);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* Peaks are seen although the CPUs tell their counts late. */
static void
test_peaks(void **state)
{
	struct rig *rig = rig_create(4096, 2, 0);
	struct qr_frame_stat stat;
	(void)state;
	size_t got = rig_exhaust(rig, 0);
	while (rig->hoard_count != 0) {
		sim_set_cpu(rig->hoard_count % 2);
		qr_frame_free(rig->frames, rig->hoard[--rig->hoard_count]);
	}
	qr_frame_stat(rig->frames, &stat);
	assert_int_equal(stat.user, 0);
	assert_int_equal(stat.pool_peak, 0);
	assert_in_range(stat.user_peak, got - 64, got);
	rig_destroy(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_watermarks_are_derived),
		cmocka_unit_test(test_watermarks_have_a_limit),
		cmocka_unit_test(test_each_stops_at_its_mark),
		cmocka_unit_test(test_low_is_signalled_in_time),
		cmocka_unit_test(test_reclaim_is_called_while_it_helps),
		cmocka_unit_test(test_reclaim_in_vain_ends),
		cmocka_unit_test(test_reclaim_makes_a_block),
		cmocka_unit_test(test_home_bytes_are_released),
		cmocka_unit_test(test_balloon),
		cmocka_unit_test(test_balloon_takes_used_frames),
		cmocka_unit_test(test_unused_memory_is_free_of_cost),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_list_is_gone_round),
		cmocka_unit_test(test_peaks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
