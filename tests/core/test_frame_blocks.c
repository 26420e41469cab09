/* SPDX-License-Identifier: MIT */
/*
 * test_frame_blocks.c: what can be moved and what can't keep to pageblocks of
 * their own as long as there are some; who runs out takes the right piece of
 * another type's; and the figures about it are what a walk over all frames
 * finds.
 */
#include "frame_rig.h"
#include "random.h"

#define PAGES  16384u
#define BLOCKS (PAGES >> BLOCK_ORDER)
#define STEPS  20000u

/* --- against a model --- */

struct held {
	struct qr_page *page;
	unsigned order;
};

struct model {
	struct rig *rig;
	struct test_random random;
	struct held held[PAGES];
	size_t count;
};

static void
step_alloc(struct model *model)
{
	static const struct {
		qr_gfp_t gfp;
		enum qr_page_kind kind;
	} uses[] = {
		{ QR_GFP_USER, QR_PAGE_USER },
		{ QR_GFP_USER | QR_GFP_ATOMIC, QR_PAGE_USER },
		{ 0, QR_PAGE_TABLE },
		{ QR_GFP_RECLAIMABLE, QR_PAGE_SLAB },
	};
	size_t use = (size_t)test_random_below(&model->random, 4);
	unsigned order = test_random_below(&model->random, 3) != 0
			     ? 0
			     : (unsigned)test_random_below(&model->random, 8);
	struct qr_page *page = qr_frame_alloc(model->rig->frames, uses[use].gfp,
	    order, uses[use].kind);
	if (page != NULL)
		model->held[model->count++] = (struct held){ page, order };
}

static void
step_free(struct model *model)
{
	if (model->count == 0)
		return;
	size_t i = (size_t)test_random_below(&model->random, model->count);
	qr_frame_free(model->rig->frames, model->held[i].page);
	model->held[i] = model->held[--model->count];
}

/* Free blocks by order, from a map of what is taken: the largest aligned ones
 * in each pageblock. */
static void
naive_blocks(const bool *taken, uint64_t *blocks)
{
	for (size_t at = 0; at < PAGES;) {
		unsigned order = 0;
		if (taken[at]) {
			at++;
			continue;
		}
		while (order < BLOCK_ORDER) {
			size_t size = (size_t)2 << order;
			bool is_whole = at % size == 0;
			for (size_t i = at; is_whole && i < at + size; i++)
				is_whole = !taken[i];
			if (!is_whole)
				break;
			order++;
		}
		blocks[order]++;
		at += (size_t)1 << order;
	}
}

static void
compare_blocks(struct model *model)
{
	struct qr_frames *frames = model->rig->frames;
	bool *taken = calloc(PAGES, sizeof(*taken));
	uint64_t expect[QR_FRAME_ORDERS] = { 0 };
	struct qr_zone_types types;
	assert_non_null(taken);
	qr_frame_drain(frames);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	for (size_t i = 0; i < model->count; i++)
		memset(&taken[page_index(frames, model->held[i].page)], true,
		    (size_t)1 << model->held[i].order);
	/* Boot has the lowest. */
	memset(taken, true, frames->boot_pages);
	naive_blocks(taken, expect);
	qr_frame_zone_types(frames, 0, &types);
	uint64_t blocks = 0;
	for (unsigned order = 0; order < QR_FRAME_ORDERS; order++) {
		uint64_t found = 0;
		for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
			found += types.free_blocks[type][order];
		assert_int_equal(found, expect[order]);
	}
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++)
		blocks += types.blocks[type];
	assert_int_equal(blocks, BLOCKS);
	free(taken);
}

static void
test_against_model(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	(void)state;
	assert_non_null(model);
	model->random = test_random_start("frame_blocks");
	model->rig = rig_create(PAGES, 2, 0);
	for (unsigned step = 0; step < STEPS; step++) {
		/* Towards full, then towards empty, and so on. */
		uint64_t bias = step / 4000 % 2 == 0 ? 6 : 4;
		sim_set_cpu((unsigned)test_random_below(&model->random, 2));
		if (test_random_below(&model->random, 10) < bias)
			step_alloc(model);
		else
			step_free(model);
		if (step % 1000 == 0)
			compare_blocks(model);
	}
	while (model->count != 0)
		step_free(model);
	compare_blocks(model);
	rig_destroy(model->rig);
	free(model);
}

/* --- who sits where --- */

static struct qr_page *
take(struct rig *rig, qr_gfp_t gfp, unsigned order, enum qr_page_kind kind)
{
	struct qr_page *page = qr_frame_alloc(rig->frames, gfp, order, kind);
	assert_non_null(page);
	return page;
}

static enum qr_migrate_type
type_of(const struct rig *rig, const struct qr_page *page)
{
	const struct qr_zone *zone = &rig->frames->zone[page->zone];
	uint64_t unit = page_index(rig->frames, page) - zone->base;
	return (enum qr_migrate_type)zone->block_type[unit >> BLOCK_ORDER];
}

/* One frame in four is the core's. When the mapped ones are gone, nearly all
 * memory is in large blocks again; without types no block of order 3 and
 * larger would be there. */
static void
test_the_core_keeps_together(void **state)
{
	struct rig *rig = rig_create(PAGES, 1, 64);
	struct qr_frames *frames = rig->frames;
	struct qr_zone_types types;
	static struct qr_page *user[PAGES], *own[PAGES];
	size_t users = 0, owns = 0;
	(void)state;
	for (;;) {
		struct qr_page *page =
		    qr_frame_alloc(frames, QR_GFP_USER, 0, QR_PAGE_USER);
		if (page == NULL)
			break;
		user[users++] = page;
		if (users % 4 != 0 || owns == 3000)
			continue;
		qr_gfp_t gfp = owns % 3 == 0 ? QR_GFP_RECLAIMABLE : 0;
		own[owns++] = take(rig, gfp, 0, QR_PAGE_TABLE);
	}
	assert_int_equal(owns, 3000);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	for (size_t i = 0; i < users; i++)
		qr_frame_free(frames, user[i]);
	qr_frame_drain(frames);
	qr_frame_zone_types(frames, 0, &types);
	uint64_t whole = types.free_blocks[QR_MIGRATE_MOVABLE][BLOCK_ORDER];
	/* 3000 of 1024 each are three pageblocks, with two types four or five;
	 * boot has a part of one. */
	assert_in_range(whole, BLOCKS - 7, BLOCKS - 4);
	assert_in_range(qr_zone_unusable_index(&types, BLOCK_ORDER), 1, 350);
	for (size_t i = 0; i < owns; i++)
		qr_frame_free(frames, own[i]);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

static void
test_who_runs_out_claims_a_pageblock(void **state)
{
	struct rig *rig = rig_create(PAGES, 1, 0);
	struct qr_zone *zone = rig->frames->zone;
	struct qr_zone_types types;
	(void)state;
	qr_frame_zone_types(rig->frames, 0, &types);
	assert_int_equal(types.blocks[QR_MIGRATE_MOVABLE], BLOCKS);
	assert_int_equal(zone->claimed[QR_MIGRATE_UNMOVABLE], 0);

	struct qr_page *own = take(rig, 0, 0, QR_PAGE_TABLE);
	assert_int_equal(type_of(rig, own), QR_MIGRATE_UNMOVABLE);
	assert_int_equal(zone->claimed[QR_MIGRATE_UNMOVABLE], 1);
	/* All that the pageblock has comes first. */
	for (unsigned i = 0; i < 1000; i++)
		(void)take(rig, 0, 0, QR_PAGE_TABLE);
	assert_int_equal(zone->claimed[QR_MIGRATE_UNMOVABLE], 1);
	assert_int_equal(zone->mixed[QR_MIGRATE_UNMOVABLE], 0);

	struct qr_page *slab = take(rig, QR_GFP_RECLAIMABLE, 0, QR_PAGE_SLAB);
	assert_int_equal(type_of(rig, slab), QR_MIGRATE_RECLAIMABLE);
	struct qr_page *user = take(rig, QR_GFP_USER, 0, QR_PAGE_USER);
	assert_int_equal(type_of(rig, user), QR_MIGRATE_MOVABLE);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* Memory is full of mapped pages, and one in so many is freed: the core takes
 * over a pageblock if half of it is free, else just a piece. */
static void
check_piece(unsigned every, bool is_claimed)
{
	struct rig *rig = rig_create(PAGES, 1, 1);
	struct qr_zone *zone = rig->frames->zone;
	(void)rig_exhaust(rig, QR_GFP_USER | QR_GFP_RESERVE);
	size_t freed = 0;
	for (size_t i = 0; i < rig->hoard_count; i++) {
		/* Pairs, so that there are pieces of order 1. */
		uint64_t at = page_index(rig->frames, rig->hoard[i]);
		if (at / 2 % every != 0)
			continue;
		qr_frame_free(rig->frames, rig->hoard[i]);
		freed++;
	}
	qr_frame_drain(rig->frames);
	assert_true(freed > PAGES / 16);
	uint64_t claimed = zone->claimed[QR_MIGRATE_UNMOVABLE];
	uint64_t mixed = zone->mixed[QR_MIGRATE_UNMOVABLE];
	struct qr_page *page = take(rig, 0, 1, QR_PAGE_TABLE);
	assert_int_equal(zone->claimed[QR_MIGRATE_UNMOVABLE] - claimed,
	    is_claimed);
	assert_int_equal(zone->mixed[QR_MIGRATE_UNMOVABLE] - mixed,
	    !is_claimed);
	assert_int_equal(type_of(rig, page),
	    is_claimed ? QR_MIGRATE_UNMOVABLE : QR_MIGRATE_MOVABLE);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

static void
test_half_a_pageblock_decides(void **state)
{
	(void)state;
	check_piece(2, true);
	check_piece(3, false);
	check_piece(4, false);
}

/* The core runs out: it takes the largest piece of the other types. Mapped
 * pages, which can be moved, take the smallest. */
static void
test_which_piece(void **state)
{
	struct rig *rig = rig_create(PAGES, 1, 1);
	struct qr_frames *frames = rig->frames;
	(void)state;
	(void)rig_exhaust(rig, QR_GFP_USER | QR_GFP_RESERVE);
	/* Sort out one piece of order 4 and one of order 2, by address. */
	struct qr_page *first = qr_frame_page(frames, 4096);
	for (size_t i = 0; i < rig->hoard_count; i++) {
		ptrdiff_t at = rig->hoard[i] - first;
		if ((at >= 0 && at < 4) || (at >= 16 && at < 32))
			qr_frame_free(frames, rig->hoard[i]);
	}
	qr_frame_drain(frames);
	struct qr_page *own = take(rig, QR_GFP_RESERVE, 1, QR_PAGE_TABLE);
	assert_int_equal(own - first, 16);
	qr_frame_free(frames, own);
	/* The same pieces as the core's, and a mapped page that has none. */
	qr_lock_acquire(qr_frame_port(frames), &frames->zone[0].lock);
	qr_block_set_type(frames->zone, 4096 >> BLOCK_ORDER,
	    QR_MIGRATE_UNMOVABLE);
	qr_lock_release(qr_frame_port(frames), &frames->zone[0].lock);
	struct qr_page *user =
	    take(rig, QR_GFP_USER | QR_GFP_RESERVE, 1, QR_PAGE_USER);
	assert_int_equal(user - first, 0);
	assert_int_equal(type_of(rig, user), QR_MIGRATE_UNMOVABLE);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* What is set aside for large pieces is lent to mapped pages only. */
static void
test_contig_pageblocks(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = PAGES * QR_PAGE_SIZE,
	};
	static const struct qr_frame_config frame_config = {
		.min_free_pages = 1,
		.contig_pages = 3 * BLOCK_PAGES + 7,
	};
	struct qr_zone_types types;
	(void)state;
	struct rig *rig = rig_prepare(&config);
	assert_int_equal(qr_frame_create(&rig->port, &rig->boot, &frame_config,
			     &rig->frames),
	    0);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	qr_frame_zone_types(rig->frames, 0, &types);
	assert_int_equal(types.blocks[QR_MIGRATE_CONTIG], 3);
	assert_int_equal(types.free_blocks[QR_MIGRATE_CONTIG][BLOCK_ORDER], 3);

	uint64_t free_pages = rig_buddy_free(rig);
	assert_int_equal(rig_exhaust(rig, QR_GFP_RESERVE),
	    free_pages - 3 * BLOCK_PAGES);
	for (size_t i = 0; i < rig->hoard_count; i++)
		assert_int_not_equal(type_of(rig, rig->hoard[i]),
		    QR_MIGRATE_CONTIG);
	assert_int_equal(rig_exhaust(rig, QR_GFP_RESERVE | QR_GFP_USER),
	    3 * BLOCK_PAGES);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	while (rig->hoard_count != 0)
		qr_frame_free(rig->frames, rig->hoard[--rig->hoard_count]);
	qr_frame_drain(rig->frames);
	qr_frame_zone_types(rig->frames, 0, &types);
	assert_int_equal(types.free_blocks[QR_MIGRATE_CONTIG][BLOCK_ORDER], 3);
	rig_destroy(rig);
}

/* --- figures --- */

/* A zone of fewer pageblocks than types serves everybody from the same. */
static void
test_small_zones_are_not_parted(void **state)
{
	static const uint64_t sizes[] = { QR_MIGRATE_TYPES * BLOCK_PAGES - 1,
		QR_MIGRATE_TYPES * BLOCK_PAGES };
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rig *rig = rig_create(sizes[i], 1, 0);
		struct qr_zone_types types;
		struct qr_page *page =
		    qr_frame_alloc(rig->frames, 0, 3, QR_PAGE_KERNEL);
		assert_non_null(page);
		qr_frame_zone_types(rig->frames, 0, &types);
		assert_int_equal(types.blocks[QR_MIGRATE_UNMOVABLE] != 0,
		    i == 1);
		assert_int_equal(types.mixed[QR_MIGRATE_UNMOVABLE], 0);
		qr_frame_free(rig->frames, page);
		rig_destroy(rig);
	}
}

static void
test_indexes(void **state)
{
	struct qr_zone_types types = { 0 };
	(void)state;
	assert_int_equal(qr_zone_unusable_index(&types, 0), 1000);
	assert_int_equal(qr_zone_fragmentation_index(&types, 0), 0);
	/* 100 single frames and 10 blocks of 4, of two types. */
	types.free_blocks[QR_MIGRATE_UNMOVABLE][0] = 60;
	types.free_blocks[QR_MIGRATE_MOVABLE][0] = 40;
	types.free_blocks[QR_MIGRATE_MOVABLE][2] = 10;
	/* Isolated ones are no free memory. */
	types.free_blocks[QR_MIGRATE_ISOLATE][10] = 5;
	assert_int_equal(qr_zone_unusable_index(&types, 0), 0);
	assert_int_equal(qr_zone_unusable_index(&types, 1), 100000 / 140);
	assert_int_equal(qr_zone_unusable_index(&types, 2), 100000 / 140);
	assert_int_equal(qr_zone_unusable_index(&types, 3), 1000);
	assert_int_equal(qr_zone_fragmentation_index(&types, 2), -1000);
	/* 140 pages would do for 8, were they not in 110 pieces. */
	assert_int_equal(qr_zone_fragmentation_index(&types, 3),
	    1000 - (1000 + 140000 / 8) / 110);
	/* For 1024 there is not enough, whatever the pieces: lower. */
	assert_int_equal(qr_zone_fragmentation_index(&types, 10),
	    1000 - (1000 + 140000 / 1024) / 110);
	types.free_blocks[QR_MIGRATE_UNMOVABLE][0] = 0;
	types.free_blocks[QR_MIGRATE_MOVABLE][0] = 1;
	types.free_blocks[QR_MIGRATE_MOVABLE][2] = 0;
	assert_int_equal(qr_zone_fragmentation_index(&types, 10), 0);
}

static void
test_names(void **state)
{
	struct rig *rig = rig_create(PAGES, 1, 0);
	struct qr_zone_types types;
	(void)state;
	(void)take(rig, 0, 0, QR_PAGE_TABLE);
	qr_frame_zone_types(rig->frames, 0, &types);
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		printf("%-12s %4llu pageblocks, free by order",
		    qr_migrate_name((enum qr_migrate_type)type),
		    (unsigned long long)types.blocks[type]);
		for (unsigned order = 0; order < QR_FRAME_ORDERS; order++)
			printf(" %llu",
			    (unsigned long long)types.free_blocks[type][order]);
		printf("\n");
	}
	assert_string_equal(qr_migrate_name(QR_MIGRATE_RECLAIMABLE),
	    "Reclaimable");
	assert_string_equal(qr_migrate_name(QR_MIGRATE_TYPES), "none");
	assert_int_equal(types.blocks[QR_MIGRATE_UNMOVABLE], 1);
	rig_destroy(rig);
}

/* --- the checker --- */

static void
do_check(void *ctx)
{
	struct rig *rig = ctx;
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
}

static void
assert_names_8(struct rig *rig)
{
	const char *message = sim_expect_panic(do_check, rig);
	assert_non_null(message);
	if (strstr(message, "[frame.8]") == NULL)
		fail_msg("not [frame.8]: %s", message);
}

static void
test_checker_names_the_invariant(void **state)
{
	struct rig *rig = rig_create(PAGES, 1, 0);
	struct qr_zone *zone = rig->frames->zone;
	(void)state;
	zone->block_type[5] = QR_MIGRATE_UNMOVABLE;
	assert_names_8(rig);
	zone->block_type[5] = QR_MIGRATE_TYPES;
	assert_names_8(rig);
	zone->block_type[5] = QR_MIGRATE_MOVABLE;
	do_check(rig);
	rig_destroy(rig);
}

static int
move_none(void *ctx, struct qr_page *page, struct qr_page *to)
{
	(void)ctx;
	(void)page;
	(void)to;
	return -QR_EPERM;
}

/* Whoever mixes pageblocks raises the goal of background reclaim, up to a bound
 * and until that has run; but not where pages can't be moved. */
static void
test_boost(void **state)
{
	(void)state;
	for (unsigned can_move = 0; can_move < 2; can_move++) {
		struct rig *rig = rig_create(16384, 1, 64);
		struct qr_frame_ops ops = rig_frame_ops;
		struct qr_zone_stat stat;
		if (can_move != 0)
			ops.migrate = move_none;
		qr_frame_set_ops(rig->frames, &ops, rig);
		uint64_t want = qr_frame_want(rig->frames);
		/* All pageblocks are in use by mapped pages, but for some
		 * frames of each. */
		size_t got = rig_exhaust(rig, QR_GFP_USER);
		for (size_t i = 0; i < got; i++) {
			if (i % 4 != 0)
				continue;
			qr_frame_free(rig->frames, rig->hoard[i]);
			rig->hoard[i] = NULL;
		}
		qr_frame_drain(rig->frames);
		for (unsigned i = 0; i < 300; i++)
			assert_non_null(
			    qr_frame_alloc(rig->frames, 0, 0, QR_PAGE_KERNEL));
		qr_frame_zone_stat(rig->frames, 0, &stat);
		assert_int_equal(want, 0);
		if (can_move == 0) {
			assert_int_equal(stat.boost, 0);
		} else {
			assert_in_range(stat.boost, 1,
			    stat.marks.high_pages * 15000 / 10000);
			want = qr_frame_want(rig->frames);
			qr_frame_unboost(rig->frames);
			uint64_t plain = qr_frame_want(rig->frames);
			assert_true(plain == 0 || want == plain + stat.boost);
			qr_frame_zone_stat(rig->frames, 0, &stat);
			assert_int_equal(stat.boost, 0);
		}
		rig_destroy(rig);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_the_core_keeps_together),
		cmocka_unit_test(test_who_runs_out_claims_a_pageblock),
		cmocka_unit_test(test_half_a_pageblock_decides),
		cmocka_unit_test(test_which_piece),
		cmocka_unit_test(test_contig_pageblocks),
		cmocka_unit_test(test_small_zones_are_not_parted),
		cmocka_unit_test(test_indexes),
		cmocka_unit_test(test_boost),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_checker_names_the_invariant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
