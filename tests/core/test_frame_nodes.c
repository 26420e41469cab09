/* SPDX-License-Identifier: MIT */
/*
 * test_frame_nodes.c: each allocation is tried in the zones that its flags
 * allow, the nearest node's first; frames that the core can't touch go to
 * mapped pages only; what is set aside for movable pages stays theirs; and
 * who was promised frames gets them.
 */
#define _POSIX_C_SOURCE 200809L /* sigsetjmp */
#include <signal.h>

#include "machine_bed.h"

#include "frame_rig.h"
#include "random.h"

#define MIB       ((uint64_t)1 << 20)
#define GIB       ((uint64_t)1 << 30)
#define MIB_PAGES (MIB / QR_PAGE_SIZE)

/* --- flags --- */

/* What Linux calls the GFP zone table: which flags mean which zone. */
static void
test_gfp_zone_table(void **state)
{
	static const struct {
		qr_gfp_t gfp;
		const char *flags;
		const char *zone;
	} table[] = {
		{ 0, "0", "Normal" },
		{ QR_GFP_DMA, "DMA", "DMA" },
		{ QR_GFP_DMA32, "DMA32", "DMA32" },
		{ QR_GFP_DMA | QR_GFP_DMA32, "DMA32|DMA", "DMA" },
		{ QR_GFP_HIGHMEM, "HIGHMEM", "HighMem" },
		{ QR_GFP_HIGHMEM | QR_GFP_DMA, "DMA|HIGHMEM", "DMA" },
		{ QR_GFP_HIGHMEM | QR_GFP_DMA32, "DMA32|HIGHMEM", "DMA32" },
		{ QR_GFP_MOVABLE, "MOVABLE", "Normal" },
		{ QR_GFP_MOVABLE | QR_GFP_DMA, "DMA|MOVABLE", "DMA" },
		{ QR_GFP_MOVABLE | QR_GFP_DMA32, "DMA32|MOVABLE", "DMA32" },
		{ QR_GFP_HIGHMEM | QR_GFP_MOVABLE, "HIGHMEM|MOVABLE",
		    "Movable" },
		{ QR_GFP_PAGE, "RECLAIM|USER", "Movable" },
		{ QR_GFP_USER | QR_GFP_DMA32, "USER|DMA32", "DMA32" },
		{ QR_GFP_KERNEL | QR_GFP_ZERO | QR_GFP_NORETRY,
		    "RECLAIM|ZERO|NORETRY", "Normal" },
		{ QR_GFP_ATOMIC | QR_GFP_RESERVE | QR_GFP_THISNODE,
		    "ATOMIC|RESERVE|THISNODE", "Normal" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[80];
		size_t size = qr_gfp_describe(table[i].gfp, text, sizeof(text));
		printf("%-28s %s\n", text,
		    qr_zone_name(qr_gfp_zone(table[i].gfp)));
		assert_string_equal(text, table[i].flags);
		assert_int_equal(size, strlen(text) + 1);
		assert_string_equal(qr_zone_name(qr_gfp_zone(table[i].gfp)),
		    table[i].zone);
		char cut[6] = "?????";
		assert_int_equal(qr_gfp_describe(table[i].gfp, cut, 5), size);
		assert_int_equal(strncmp(cut, text, 4), 0);
		assert_true(strlen(cut) <= 4);
		assert_int_equal(qr_gfp_describe(table[i].gfp, NULL, 0), size);
	}
	assert_string_equal(qr_zone_name(QR_ZONE_CLASSES), "none");
}

/* --- zonelists --- */

static const struct qr_ram_region banks[] = {
	{ 0, 64 * MIB, QR_RAM_USABLE, 0 },
	{ 4 * GIB, 32 * MIB, QR_RAM_USABLE, 0 },
	{ 8 * GIB, 32 * MIB, QR_RAM_USABLE, 1 },
	{ 12 * GIB, 32 * MIB, QR_RAM_USABLE, 2 },
};

/* 0 and 2 are neighbours, 1 is far from both. */
static const uint8_t distances[QR_NODES_MAX * QR_NODES_MAX] = {
	10, 40, 20, 40, /* from 0 */
	40, 10, 30, 40, /* from 1 */
	20, 30, 10, 40, /* from 2 */
	20, 20, 20, 10, /* from 3 */
};

static const uint8_t cpu_nodes[] = { 0, 1, 2, 2 };

static struct rig *
banks_rig(uint64_t movable_pages)
{
	static const struct sim_config config = {
		.regions = banks,
		.region_count = 4,
		.cpus = 4,
		.direct_bytes = 4 * GIB + 16 * MIB,
		.cpu_node = cpu_nodes,
		.node_distance = distances,
	};
	const struct qr_frame_config frame_config = {
		.movable_pages = movable_pages,
	};
	struct rig *rig = rig_prepare(&config);
	rig->port.flags |= QR_PORT_DMA_ZONES;
	assert_int_equal(qr_frame_create(&rig->port, &rig->boot, &frame_config,
			     &rig->frames),
	    0);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	return rig;
}

/* "0 HighMem, 0 Normal, ..." */
static const char *
list_text(struct rig *rig, uint32_t node, enum qr_zone_class class)
{
	static char text[200];
	uint8_t list[ZONES_MAX];
	size_t at = 0;
	unsigned count = qr_frame_zonelist(rig->frames, node, class, list);
	text[0] = '\0';
	for (unsigned i = 0; i < count; i++) {
		struct qr_zone_stat stat;
		qr_frame_zone_stat(rig->frames, list[i], &stat);
		at += (size_t)snprintf(&text[at], sizeof(text) - at, "%s%u %s",
		    i != 0 ? ", " : "", stat.node, stat.name);
	}
	return text;
}

static void
test_zonelists_by_distance(void **state)
{
	struct rig *rig = banks_rig(0);
	(void)state;
	assert_int_equal(qr_frame_zone_count(rig->frames), 6);
	assert_string_equal(list_text(rig, 0, QR_ZONE_MOVABLE),
	    "0 HighMem, 0 Normal, 0 DMA32, 0 DMA, 2 HighMem, 1 HighMem");
	assert_string_equal(list_text(rig, 1, QR_ZONE_MOVABLE),
	    "1 HighMem, 2 HighMem, 0 HighMem, 0 Normal, 0 DMA32, 0 DMA");
	assert_string_equal(list_text(rig, 2, QR_ZONE_HIGHMEM),
	    "2 HighMem, 0 HighMem, 0 Normal, 0 DMA32, 0 DMA, 1 HighMem");
	/* A node without memory, all others as far: in a circle from it on. */
	assert_string_equal(list_text(rig, 3, QR_ZONE_HIGHMEM),
	    "0 HighMem, 0 Normal, 0 DMA32, 0 DMA, 1 HighMem, 2 HighMem");
	assert_string_equal(list_text(rig, 1, QR_ZONE_NORMAL),
	    "0 Normal, 0 DMA32, 0 DMA");
	assert_string_equal(list_text(rig, 2, QR_ZONE_DMA32), "0 DMA32, 0 DMA");
	assert_string_equal(list_text(rig, 0, QR_ZONE_DMA), "0 DMA");
	rig_destroy(rig);
}

/* Each CPU has its own node's frames as long as there are any, then the
 * nearest one's, and such are counted. */
static void
test_fallback(void **state)
{
	struct rig *rig = banks_rig(0);
	struct qr_frames *frames = rig->frames;
	(void)state;
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		sim_set_cpu(cpu);
		struct qr_page *page =
		    qr_frame_alloc(frames, QR_GFP_PAGE, 0, QR_PAGE_USER);
		assert_int_equal(frames->zone[page->zone].node, cpu_nodes[cpu]);
		qr_frame_free(frames, page);
		page = qr_frame_alloc(frames, 0, 2, QR_PAGE_KERNEL);
		assert_int_equal(frames->zone[page->zone].class,
		    QR_ZONE_NORMAL);
		(void)qr_frame_data(frames, page);
		qr_frame_free(frames, page);
	}
	sim_set_cpu(1);
	uint32_t before = 1;
	static const uint32_t turns[] = { 1, 2, 0 };
	size_t turn = 0;
	uint64_t missed = 0;
	for (size_t got = rig_exhaust(rig, QR_GFP_USER), i = 0; i < got; i++) {
		uint32_t node = frames->zone[rig->hoard[i]->zone].node;
		missed += node != 1;
		/* At last come those that other CPUs had on their lists. */
		if (node == before || turn == 2)
			continue;
		assert_int_equal(node, turns[++turn]);
		before = node;
	}
	assert_int_equal(turn, 2);
	for (unsigned i = 0; i < frames->zone_count; i++) {
		struct qr_zone_stat stat;
		qr_frame_zone_stat(frames, i, &stat);
		missed -= stat.missed;
		if (stat.node == 1)
			assert_int_equal(stat.missed, 0);
	}
	/* The core's own that CPUs 1, 2 and 3 had of node 0. */
	assert_int_equal(missed, (uint64_t)-3);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

static void
test_node_asked_for(void **state)
{
	struct rig *rig = banks_rig(0);
	struct qr_frames *frames = rig->frames;
	(void)state;
	for (uint32_t node = 0; node < 3; node++) {
		struct qr_page *page = qr_frame_alloc_node(frames, QR_GFP_USER,
		    node, QR_PAGE_USER, node);
		assert_int_equal(frames->zone[page->zone].node, node);
		qr_frame_free(frames, page);
	}
	/* The core's own can't be in banks out of the direct map. */
	assert_null(
	    qr_frame_alloc_node(frames, QR_GFP_THISNODE, 0, QR_PAGE_KERNEL, 1));
	assert_null(qr_frame_alloc_node(frames, QR_GFP_THISNODE | QR_GFP_USER,
	    0, QR_PAGE_USER, 3));
	struct qr_page *page =
	    qr_frame_alloc_node(frames, 0, 0, QR_PAGE_KERNEL, 1);
	assert_int_equal(frames->zone[page->zone].node, 0);
	qr_frame_free(frames, page);
	/* All of one node, and then no more. */
	sim_set_cpu(2);
	size_t got = rig_exhaust(rig, QR_GFP_USER | QR_GFP_THISNODE);
	assert_in_range(got, 31 * MIB_PAGES, 32 * MIB_PAGES);
	for (size_t i = 0; i < got; i++)
		assert_int_equal(frames->zone[rig->hoard[i]->zone].node, 2);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* --- zones that are not for all --- */

static void
test_zone_figures(void **state)
{
	struct rig *rig = banks_rig(40 * MIB_PAGES);
	struct qr_frames *frames = rig->frames;
	uint64_t present = 0;
	uint64_t free_pages = 0;
	uint64_t kept = 0;
	(void)state;
	for (unsigned i = 0; i < qr_frame_zone_count(frames); i++) {
		struct qr_zone_stat stat;
		qr_frame_zone_stat(frames, i, &stat);
		printf("node %u, zone %-8s start %8llu spanned %6llu present "
		       "%6llu free %6llu min %4llu low %4llu high %4llu\n",
		    stat.node, stat.name, (unsigned long long)stat.pfn_start,
		    (unsigned long long)stat.spanned,
		    (unsigned long long)stat.present,
		    (unsigned long long)stat.free,
		    (unsigned long long)stat.marks.min_pages,
		    (unsigned long long)stat.marks.low_pages,
		    (unsigned long long)stat.marks.high_pages);
		assert_true(stat.present <= stat.spanned);
		assert_true(stat.marks.min_pages <= stat.marks.low_pages &&
			    stat.marks.low_pages <= stat.marks.high_pages);
		present += stat.present;
		free_pages += stat.free + stat.listed;
		uint64_t most = stat.reserve[QR_ZONE_MOVABLE];
		for (unsigned class = 1; class < QR_ZONE_CLASSES; class ++)
			assert_true(
			    stat.reserve[class] >= stat.reserve[class - 1] ||
			    stat.reserve[class] == 0);
		kept += most + stat.marks.high_pages < stat.present
			    ? most + stat.marks.high_pages
			    : stat.present;
	}
	struct qr_frame_stat sum;
	qr_frame_stat(frames, &sum);
	assert_int_equal(present, sum.total);
	assert_int_equal(free_pages, sum.free);
	assert_int_equal(kept, qr_frame_total_reserve(frames));
	rig_destroy(rig);
}

/* The lowmem reserve: mapped pages that could be elsewhere leave one frame in
 * 32 of the wider zones to the core itself. */
static void
test_normal_is_kept_for_the_core(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = 128 * MIB,
		.direct_bytes = 32 * MIB,
	};
	(void)state;
	struct rig *rig = rig_prepare(&config);
	rig_start(rig, 0);
	const struct qr_zone *zone = rig->frames->zone;
	assert_int_equal(rig->frames->zone_count, 2);
	assert_int_equal(zone[0].class, QR_ZONE_HIGHMEM);
	assert_int_equal(zone[1].reserve[QR_ZONE_MOVABLE], 96 * MIB_PAGES / 32);
	(void)rig_exhaust(rig, QR_GFP_USER);
	assert_int_equal(zone[0].free_pages, zone[0].min_pages);
	assert_int_equal(zone[1].free_pages,
	    zone[1].min_pages + 96 * MIB_PAGES / 32);
	assert_int_equal(rig_exhaust(rig, 0), 96 * MIB_PAGES / 32);
	rig_destroy(rig);
}

static void
test_movable_zone(void **state)
{
	struct rig *rig = banks_rig(40 * MIB_PAGES);
	struct qr_frames *frames = rig->frames;
	uint64_t movable = 0;
	(void)state;
	for (unsigned i = 0; i < frames->zone_count; i++)
		if (frames->zone[i].class == QR_ZONE_MOVABLE)
			movable += frames->zone[i].pages;
	/* A quarter of each bank's memory; whole blocks. */
	assert_in_range(movable, 24 * MIB_PAGES, 40 * MIB_PAGES);

	(void)rig_exhaust(rig, QR_GFP_RESERVE);
	(void)rig_exhaust(rig, QR_GFP_RESERVE | QR_GFP_HIGHMEM);
	for (size_t i = 0; i < rig->hoard_count; i++)
		assert_int_not_equal(frames->zone[rig->hoard[i]->zone].class,
		    QR_ZONE_MOVABLE);
	uint64_t taken = rig->hoard_count;
	assert_int_equal(rig_exhaust(rig,
			     QR_GFP_RESERVE | QR_GFP_HIGHMEM | QR_GFP_MOVABLE),
	    movable);
	assert_int_equal(taken + movable + frames->boot_pages, 160 * MIB_PAGES);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

struct touch {
	struct rig *rig;
	struct qr_page *page;
};

static void
do_data(void *ctx)
{
	struct touch *touch = ctx;
	(void)qr_frame_data(touch->rig->frames, touch->page);
}

static sigjmp_buf touch_back;

static void
on_fault(int number)
{
	siglongjmp(touch_back, number);
}

/* Whether the byte can be read. */
static bool
is_reachable(const volatile unsigned char *byte)
{
	struct sigaction action = { .sa_handler = on_fault };
	struct sigaction segv, bus;
	volatile bool is_read = false;
	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	if (sigsetjmp(touch_back, 1) == 0) {
		(void)*byte;
		is_read = true;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return is_read;
}

static void
test_highmem_is_out_of_reach(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = 64 * MIB,
		.direct_bytes = 16 * MIB,
	};
	(void)state;
	struct rig *rig = rig_prepare(&config);
	rig_start(rig, 0);
	struct touch touch = { rig, NULL };
	touch.page =
	    qr_frame_alloc(rig->frames, QR_GFP_HIGHMEM, 0, QR_PAGE_KERNEL);
	assert_non_null(touch.page);
	qr_pfn_t pfn = qr_frame_pfn(rig->frames, touch.page);
	assert_true(pfn >= 16 * MIB_PAGES);
	const char *message = sim_expect_panic(do_data, &touch);
	assert_non_null(message);
	assert_non_null(strstr(message, "no place in the direct map"));
	unsigned char *direct = rig->port.ops->direct_map(rig->port.ctx);
	assert_true(is_reachable(&direct[QR_PAGE_SIZE]));
	assert_false(is_reachable(&direct[pfn * QR_PAGE_SIZE]));
	assert_true(is_reachable(sim_frame(rig->sim, pfn)));
	qr_frame_free(rig->frames, touch.page);
	rig_destroy(rig);
}

/* A whole machine three quarters of whose RAM the core can't touch: programs
 * use it, page it out and get it back. */
static void
test_machine_with_highmem(void **state)
{
	static const struct sim_config sim_config = {
		.ram_bytes = 8 * MIB,
		.direct_bytes = 2 * MIB,
		.swap_pages = 4096,
	};
	static const struct qr_machine_config config = { .codec = &bed_codec };
	const uint64_t pages = 9 * MIB_PAGES;
	struct bed bed;
	(void)state;
	bed_make(&bed, &sim_config, &config);
	struct qr_space *space = bed_space(&bed);
	qr_vaddr_t at = bed_map(space, pages);
	for (unsigned round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < pages; i++) {
			uint64_t value = i * 2654435761u + round;
			qr_vaddr_t to = at + i * QR_PAGE_SIZE + i % 4000;
			uint64_t old = 0;
			assert_int_equal(sim_read(bed.sim, space, to, &old, 8),
			    0);
			if (round != 0)
				assert_int_equal(old, value - 1);
			assert_int_equal(sim_write(bed.sim, space, to, &value,
					     8),
			    0);
		}
		qr_check_machine(bed.machine);
	}
	struct qr_machine_stat stat;
	qr_machine_stat(bed.machine, &stat);
	assert_true(stat.frames_user > 4 * MIB_PAGES);
	qr_space_destroy(space);
	bed_end(&bed);
}

/* --- promises --- */

static void
test_promises_are_kept(void **state)
{
	struct rig *rig = rig_create(1024, 1, 10);
	struct qr_frames *frames = rig->frames;
	struct qr_frame_promise promise = { 0, 0 };
	struct qr_page *got[20];
	(void)state;
	assert_int_equal(qr_frame_promise(frames, &promise, 0, 20), 0);
	assert_int_equal(qr_frame_promise(frames, &promise, 0, 5), 0);
	assert_int_equal(promise.count, 20);
	(void)rig_exhaust(rig, QR_GFP_RESERVE);
	/* Nothing is left for anybody, and yet: */
	for (size_t i = 0; i < 20; i++) {
		enum qr_page_kind kind =
		    i % 2 == 0 ? QR_PAGE_USER : QR_PAGE_TABLE;
		got[i] = qr_frame_redeem_nofail(frames, &promise, kind);
		assert_int_equal(got[i]->kind, kind);
		assert_int_equal(got[i]->refs, 1);
		assert_int_equal(got[i]->next, QR_PFN_NIL);
	}
	qr_check_frames(frames, QR_CHECK_CHILDREN);

	/* A promise that can't be kept changes nothing. */
	for (size_t i = 0; i < 20; i++)
		qr_frame_free(frames, got[i]);
	struct qr_frame_stat before, after;
	bool failed = false;
	qr_frame_stat(frames, &before);
	for (uint32_t more = 3; more < 40; more++) {
		assert_int_equal(qr_frame_promise(frames, &promise, 0, 2), 0);
		int error = qr_frame_promise(frames, &promise, 0, more);
		assert_true(error == -QR_ENOMEM || (error == 0 && !failed));
		failed = error != 0;
		assert_int_equal(promise.count, error == 0 ? more : 2);
		qr_frame_forgo(frames, &promise);
		assert_int_equal(promise.count, 0);
		qr_frame_stat(frames, &after);
		assert_int_equal(before.free, after.free);
	}
	assert_true(failed);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

static void
do_redeem(void *ctx)
{
	struct rig *rig = ctx;
	struct qr_frame_promise promise = { 0, 0 };
	(void)qr_frame_redeem_nofail(rig->frames, &promise, QR_PAGE_USER);
}

static void
test_more_than_was_promised(void **state)
{
	struct rig *rig = rig_create(1024, 1, 10);
	(void)state;
	const char *message = sim_expect_panic(do_redeem, rig);
	assert_non_null(message);
	assert_non_null(strstr(message, "more is redeemed"));
	rig_destroy(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gfp_zone_table),
		cmocka_unit_test(test_zonelists_by_distance),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_node_asked_for),
		cmocka_unit_test(test_zone_figures),
		cmocka_unit_test(test_normal_is_kept_for_the_core),
		cmocka_unit_test(test_movable_zone),
		cmocka_unit_test(test_highmem_is_out_of_reach),
		cmocka_unit_test(test_machine_with_highmem),
		cmocka_unit_test(test_promises_are_kept),
		cmocka_unit_test(test_more_than_was_promised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
