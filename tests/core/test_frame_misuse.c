/* SPDX-License-Identifier: MIT */
/*
 * test_frame_misuse.c: frames freed twice or never had, wild numbers and
 * pointers, and calls in the wrong place end the machine with a message that
 * says so; and the checker names each invariant that is broken.
 */
#include "frame_rig.h"

struct misuse {
	struct rig *rig;
	struct qr_page *page;
	qr_gfp_t gfp;
	qr_pfn_t pfn;
	enum qr_page_kind kind;
};

static void
do_free(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_frame_free(misuse->rig->frames, misuse->page);
}

static void
do_free_twice_in_bulk(void *ctx)
{
	struct misuse *misuse = ctx;
	struct qr_page *pages[2] = { misuse->page, misuse->page };
	qr_frame_free_bulk(misuse->rig->frames, pages, 2);
}

static void
do_alloc(void *ctx)
{
	struct misuse *misuse = ctx;
	misuse->page =
	    qr_frame_alloc(misuse->rig->frames, misuse->gfp, 0, misuse->kind);
}

static void
do_page(void *ctx)
{
	struct misuse *misuse = ctx;
	misuse->page = qr_frame_page(misuse->rig->frames, misuse->pfn);
}

static void
do_set_kind(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_frame_set_kind(misuse->rig->frames, misuse->page, misuse->kind);
}

static void
do_data(void *ctx)
{
	struct misuse *misuse = ctx;
	(void)qr_frame_data(misuse->rig->frames, misuse->page);
}

static void
do_check(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_check_frames(misuse->rig->frames, QR_CHECK_CHILDREN);
}

static void
assert_panics(struct misuse *misuse, void (*body)(void *ctx), const char *words)
{
	const char *message = sim_expect_panic(body, misuse);
	assert_non_null(message);
	if (strstr(message, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, message);
}

static struct qr_page *
take(struct misuse *misuse, unsigned order)
{
	struct qr_page *page =
	    qr_frame_alloc(misuse->rig->frames, 0, order, QR_PAGE_KERNEL);
	assert_non_null(page);
	return page;
}

static void
test_double_free(void **state)
{
	struct misuse misuse = { .rig = rig_create(1024, 1, 0) };
	(void)state;
	misuse.page = take(&misuse, 0);
	qr_frame_free(misuse.rig->frames, misuse.page); /* now on the list */
	assert_panics(&misuse, do_free, "not in use");
	qr_frame_drain(misuse.rig->frames); /* now in the buddy */
	assert_panics(&misuse, do_free, "not in use");

	misuse.page = take(&misuse, 3);
	misuse.page++; /* the second of a block */
	assert_panics(&misuse, do_free, "not in use");
	misuse.page--;
	qr_frame_free(misuse.rig->frames, misuse.page);
	assert_panics(&misuse, do_free, "not in use");
	do_check(&misuse);

	misuse.page = take(&misuse, 0);
	misuse.page->refs = 2;
	assert_panics(&misuse, do_free, "2 references");
	rig_destroy(misuse.rig);

	misuse.rig = rig_create(1024, 1, 0);
	misuse.page = take(&misuse, 0);
	assert_panics(&misuse, do_free_twice_in_bulk, "not in use");
	rig_destroy(misuse.rig);
}

static void
test_wild_pointers_and_numbers(void **state)
{
	struct misuse misuse = { .rig = rig_create(1024, 1, 0) };
	struct qr_frames *frames = misuse.rig->frames;
	unsigned char *bytes;
	(void)state;
	misuse.page = take(&misuse, 0);
	bytes = (unsigned char *)misuse.page;
	misuse.page = (struct qr_page *)(void *)(bytes + 8);
	assert_panics(&misuse, do_free, "no page descriptor");
	misuse.page = frames->pages + frames->page_count;
	assert_panics(&misuse, do_free, "no page descriptor");
	misuse.page = NULL;
	assert_panics(&misuse, do_free, "no page descriptor");
	misuse.pfn = 1024;
	assert_panics(&misuse, do_page, "is not in");
	misuse.pfn = UINT64_MAX;
	assert_panics(&misuse, do_page, "is not in");
	misuse.pfn = 1023;
	do_page(&misuse);
	/* A frame that boot gave out, and one that is free. */
	misuse.page = qr_frame_page(frames, 0);
	assert_panics(&misuse, do_free, "not in use");
	assert_panics(&misuse, do_set_kind, "not in use");
	if (QR_CONFIG_HARD)
		assert_panics(&misuse, do_data, "nobody's");
	do_check(&misuse);
	rig_destroy(misuse.rig);
}

static void
test_wrong_kind_or_place(void **state)
{
	struct misuse misuse = { .rig = rig_create(1024, 1, 0) };
	struct qr_frames *frames = misuse.rig->frames;
	struct qr_lock lock;
	(void)state;
	misuse.kind = QR_PAGE_FREE;
	assert_panics(&misuse, do_alloc, "kind 0");
	misuse.kind = QR_PAGE_KINDS;
	assert_panics(&misuse, do_alloc, "kind 8");
	misuse.page = take(&misuse, 0);
	assert_panics(&misuse, do_set_kind, "kind 8");

	/* Reclaim takes locks: the caller may hold none of those. */
	qr_frame_set_ops(frames, &rig_frame_ops, misuse.rig);
	qr_lock_init(&lock, QR_RANK_LRU);
	qr_lock_acquire(qr_frame_port(frames), &lock);
	misuse.kind = QR_PAGE_USER;
	misuse.gfp = QR_GFP_KERNEL;
	if (QR_CONFIG_DEBUG)
		assert_panics(&misuse, do_alloc, "holding locks");
	misuse.gfp = QR_GFP_ATOMIC;
	do_alloc(&misuse);
	assert_non_null(misuse.page);
	qr_lock_release(qr_frame_port(frames), &lock);
	do_check(&misuse);
	rig_destroy(misuse.rig);
}

/* --- broken invariants --- */

static void
break_list(struct misuse *misuse)
{
	struct qr_pcp *pcp = misuse->rig->frames->zone[0].pcp;
	qr_frame_free(misuse->rig->frames, take(misuse, 0));
	uint32_t *place = &pcp->frames[PCP_MAX - 1];
	uint32_t had = *place;
	assert_true(pcp->own >= 2);
	*place = place[-1];
	assert_panics(misuse, do_check, "[frame.1]");
	*place = had + 1; /* free */
	assert_panics(misuse, do_check, "[frame.");
	*place = had;
	do_check(misuse);
	atomic_store(&pcp->busy.word, 1);
	assert_panics(misuse, do_check, "[frame.1]");
	atomic_store(&pcp->busy.word, 0);
}

static void
break_descriptor(struct misuse *misuse)
{
	struct qr_page *page = take(misuse, 2);
	page->kind = QR_PAGE_FREE;
	assert_panics(misuse, do_check, "[frame.3]");
	page->kind = QR_PAGE_POOL;
	assert_panics(misuse, do_check, "[frame.3]");
	page->kind = QR_PAGE_KERNEL;
	page[2].kind = QR_PAGE_POOL;
	assert_panics(misuse, do_check, "[frame.2]");
	misuse->page = page;
	if (QR_CONFIG_HARD)
		assert_panics(misuse, do_free, "[frame.2]");
	page[2].kind = QR_PAGE_FREE;
	page->order = 11;
	assert_panics(misuse, do_check, "[frame.2]");
	page->order = 2;
	page->flags = QR_PAGE_HOME;
	assert_panics(misuse, do_check, "[frame.5]");
	page->flags = 0;
	do_check(misuse);
	qr_frame_free(misuse->rig->frames, page);
}

static void
break_zone(struct misuse *misuse)
{
	struct qr_zone *zone = &misuse->rig->frames->zone[0];
	struct qr_page *page = take(misuse, 2);
	uint64_t unit = page_index(misuse->rig->frames, page) - zone->base;
	atomic_fetch_add(&zone->free_pages, 1);
	assert_panics(misuse, do_check, "[frame.4]");
	atomic_fetch_sub(&zone->free_pages, 1);

	(void)qr_buddy_free(&zone->balloon, unit, 2);
	assert_panics(misuse, do_check, "[frame.1]");
	page->kind = QR_PAGE_FREE;
	assert_panics(misuse, do_check, "[frame.3]");
	page->kind = QR_PAGE_KERNEL;
	assert_int_equal(qr_buddy_take_range(&zone->balloon, unit, 4), 0);
	do_check(misuse);

	(void)qr_buddy_free(zone_buddy(zone, unit), unit, 2);
	assert_panics(misuse, do_check, "[frame.");
	misuse->page = page;
	/* Who has broken the descriptor too is found where that is cheap. */
	if (QR_CONFIG_HARD)
		assert_panics(misuse, do_free, "freed twice");
}

static void
test_checker_names_invariants(void **state)
{
	struct misuse misuse = { .rig = rig_create(4096, 1, 0) };
	(void)state;
	break_list(&misuse);
	break_descriptor(&misuse);
	break_zone(&misuse);
	misuse.rig->frames->signature = 0;
	assert_panics(&misuse, do_check, "signature");
	rig_destroy(misuse.rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_double_free),
		cmocka_unit_test(test_wild_pointers_and_numbers),
		cmocka_unit_test(test_wrong_kind_or_place),
		cmocka_unit_test(test_checker_names_invariants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
