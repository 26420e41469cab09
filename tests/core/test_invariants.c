/* SPDX-License-Identifier: MIT */
/*
 * test_invariants.c: each invariant of physical memory and of the core's
 * objects is broken once, on a whole machine that is right but for that, and
 * its checker names it. The table has a row for each assertion of the checkers;
 * the last test reads their sources and fails for one without a row.
 */
#include "invariants_bed.h"

/* --- breaking: boot --- */

static void
boot_empty_range(struct world *world)
{
	world->machine->boot.usable.range[0].end =
	    world->machine->boot.usable.range[0].start;
}

static void
boot_touching_ranges(struct world *world)
{
	world->machine->boot.usable.range[0].end =
	    world->machine->boot.usable.range[1].start;
}

static void
boot_half_page(struct world *world)
{
	world->machine->boot.usable.range[1].end += 8;
}

static void
boot_tail_over_pages(struct world *world)
{
	world->machine->boot.tail_start = QR_PAGE_SIZE - 8;
	world->machine->boot.tail_end = QR_PAGE_SIZE + 8;
}

/* --- breaking: buddies --- */

/* Marks a block as free, with all that goes with it but its unit count. */
static void
set_mark(struct qr_buddy *buddy, unsigned order, uint64_t block)
{
	struct qr_buddy_order *set = &buddy->order[order];
	set->free_blocks++;
	buddy->nonempty |= (uint32_t)1 << order;
	for (unsigned level = 0; level < set->levels; level++) {
		set->level[level][block / 64] |= (uint64_t)1 << (block % 64);
		block /= 64;
	}
}

static uint64_t
unit_of(const struct world *world, const struct qr_page *page)
{
	return page_index(world->frames, page) - world->zone->base;
}

/* A free block of the highest order, by number in that. */
static uint64_t
largest_block(const struct qr_buddy *buddy, unsigned *order)
{
	*order = 31u - (unsigned)__builtin_clz(buddy->nonempty);
	const struct qr_buddy_order *set = &buddy->order[*order];
	for (uint64_t i = 0; i < set->blocks; i++)
		if ((set->level[0][i / 64] >> (i % 64) & 1) != 0)
			return i;
	fail_msg("no free block");
	return 0;
}

static void
buddy_block_in_block(struct world *world)
{
	unsigned order;
	uint64_t block = largest_block(world->buddy, &order);
	set_mark(world->buddy, 0, block << order);
}

static void
buddy_both_halves(struct world *world)
{
	uint64_t unit = unit_of(world, world->block);
	set_mark(world->buddy, 0, unit);
	set_mark(world->buddy, 0, unit + 1);
}

static void
buddy_past_the_end(struct world *world)
{
	struct qr_buddy_order *set = &world->buddy->order[BLOCK_ORDER];
	assert_true(set->blocks < 63);
	set->level[0][0] |= (uint64_t)1 << 63;
}

static void
buddy_summary(struct world *world)
{
	assert_true(world->buddy->order[0].levels > 1);
	world->buddy->order[0].level[1][0] ^= 1;
}

static void
buddy_block_count(struct world *world)
{
	world->buddy->order[0].free_blocks++;
}

static void
buddy_unit_count(struct world *world)
{
	world->buddy->free_units++;
}

static void
buddy_orders(struct world *world)
{
	world->buddy->nonempty ^= 1;
}

/* --- breaking: frames --- */

static void
free_in_use(struct world *world)
{
	(void)qr_buddy_free(world->buddy, unit_of(world, world->page), 0);
	atomic_fetch_add(&world->zone->free_pages, 1);
}

static void
frame_free_and_lent(struct world *world)
{
	free_in_use(world);
	(void)qr_buddy_free(&world->zone->balloon, unit_of(world, world->page),
	    0);
}

static void
frame_long_list(struct world *world)
{
	pcp_store(&world->list->bare, PCP_MAX + 1);
}

static void
frame_busy_list(struct world *world)
{
	atomic_store(&world->list->busy.word, 1);
}

static void
frame_of_another_zone(struct world *world)
{
	world->list->frames[0] = (uint32_t)world->frames->page_count + 1;
}

static void
frame_listed_and_used(struct world *world)
{
	world->frames->pages[world->list->frames[0]].kind = QR_PAGE_KERNEL;
}

static void
frame_listed_twice(struct world *world)
{
	world->list->frames[1] = world->list->frames[0];
}

static void
frame_bad_order(struct world *world)
{
	world->page->order = QR_FRAME_ORDERS;
}

static void
frame_used_tail(struct world *world)
{
	world->block[1].kind = QR_PAGE_KERNEL;
}

static void
frame_kind_count(struct world *world)
{
	atomic_fetch_add(&world->frames->kind_pages[QR_PAGE_TABLE], 1);
}

static void
frame_balloon_count(struct world *world)
{
	atomic_fetch_add(&world->frames->balloon_pages, 1);
}

static void
frame_total_count(struct world *world)
{
	atomic_fetch_add(&world->frames->total_pages, 1);
}

static void
frame_zone_count(struct world *world)
{
	atomic_fetch_add(&world->zone->free_pages, 1);
}

static void
frame_home_above(struct world *world)
{
	uint64_t index = atomic_load(&world->frames->home_end);
	atomic_fetch_or(&world->frames->pages[index].flags, QR_PAGE_HOME);
}

static void
frame_home_count(struct world *world)
{
	atomic_fetch_add(&world->frames->home_pages, 1);
}

static void
frame_home_on_low_stack(struct world *world)
{
	atomic_fetch_or(&world->frames->pages[world->list->frames[0]].flags,
	    QR_PAGE_HOME);
}

static void
sparse_slot_of_another(struct world *world)
{
	atomic_fetch_add(&world->frames->section[0], 1);
}

static void
sparse_slot_without_section(struct world *world)
{
	atomic_store(&world->frames->section[world->frames->slot_count - 1], 5);
}

static void
sparse_descriptors(struct world *world)
{
	world->frames->page_count = SECTION_PAGES;
}

static void
block_no_type(struct world *world)
{
	world->zone->block_type[unit_of(world, world->page) >> BLOCK_ORDER] =
	    QR_MIGRATE_TYPES;
}

static void
block_other_type(struct world *world)
{
	unsigned order;
	uint64_t block = largest_block(world->buddy, &order);
	uint64_t unit = block << order;
	uint8_t *type = &world->zone->block_type[unit >> BLOCK_ORDER];
	*type = *type == QR_MIGRATE_MOVABLE ? QR_MIGRATE_UNMOVABLE
					    : QR_MIGRATE_MOVABLE;
}

static struct qr_page *
offline_page(const struct world *world)
{
	return &world->frames->pages[(uint64_t)world->offline << SECTION_SHIFT];
}

static void
plug_going(struct world *world)
{
	atomic_store(&world->frames->slot_state[world->offline],
	    QR_BLOCK_GOING);
}

static void
plug_absent(struct world *world)
{
	atomic_store(&world->frames->slot_state[world->offline],
	    QR_BLOCK_ABSENT);
}

static void
plug_of_another(struct world *world)
{
	atomic_store(&world->frames->section[world->offline], 0);
}

static void
plug_in_use(struct world *world)
{
	offline_page(world)->kind = QR_PAGE_KERNEL;
}

/* Zones that lie where plugged memory does come first. */
static void
plug_free(struct world *world)
{
	uint64_t index = page_index(world->frames, offline_page(world));
	struct qr_zone *zone = world->frames->zone;
	while (index < zone->base || index >= zone->end)
		zone++;
	(void)qr_buddy_free(zone_buddy(zone, index - zone->base),
	    index - zone->base, 0);
}

/* --- breaking: slabs --- */

static struct qr_page *
slab_of_list(const struct world *world, enum slab_list list)
{
	return qr_frame_page(world->frames, world->cache->first[list]);
}

static void
slab_taken(struct world *world)
{
	world->cache->taken++;
}

/* All that is taken lies in magazines, and one object many times in another. */
static void
slab_more_stock_than_taken(struct world *world)
{
	struct qr_slab_cache *cache = world->cache;
	struct qr_slab_cpu *cpu = &cache->cpu[1];
	for (unsigned i = OBJECTS - 100; i < OBJECTS; i++)
		qr_slab_free(cache, world->object[i]);
	cpu->loaded = cache->cpu[0].loaded;
	cpu->previous = cache->cpu[0].loaded;
	cpu->room = cache->rounds;
	cpu->previous_count = cache->rounds;
	for (uint32_t i = 0; i < cache->rounds; i++)
		cpu->previous->rounds[i] = cpu->previous->rounds[0];
}

static void
slab_bad_link(struct world *world)
{
	struct qr_page *slab = slab_of_list(world, SLAB_FULL);
	slab->u.slab.free_first = (uint16_t)world->cache->capacity;
}

static void
slab_links_and_count(struct world *world)
{
	uint16_t *used = &slab_of_list(world, SLAB_PARTIAL)->u.slab.used;
	*used = (uint16_t)(*used > 1 ? *used - 1 : *used + 1);
}

static void
slab_back_link(struct world *world)
{
	slab_of_list(world, SLAB_FULL)->prev = 12345;
}

static void
slab_on_wrong_list(struct world *world)
{
	slab_of_list(world, SLAB_FULL)->u.slab.used = 0;
}

static void
slab_count(struct world *world)
{
	world->cache->slab_count++;
}

static void
slab_empty_count(struct world *world)
{
	world->cache->empty_count++;
}

static void
slab_of_another_cache(struct world *world)
{
	slab_of_list(world, SLAB_FULL)->u.slab.cache = world;
}

static void
magazine_room(struct world *world)
{
	world->cache->cpu[0].room++;
}

static void
magazine_loaded(struct world *world)
{
	world->cache->cpu[0].count = world->cache->cpu[0].room + 1;
}

static void
magazine_previous(struct world *world)
{
	world->cache->cpu[0].previous_count = 1;
}

static void
depot_one_less(struct world *world)
{
	world->cache->depot_full_count--;
}

static void
depot_one_more(struct world *world)
{
	world->cache->depot_full_count++;
}

static void
depot_too_many(struct world *world)
{
	world->cache->depot_full_max = 0;
}

/* --- breaking: what is free in a hard build --- */

static unsigned char *
free_object(const struct world *world)
{
	return world->cache->cpu[0].loaded->rounds[0];
}

static void
guard_state(struct world *world)
{
	free_object(world)[world->cache->guard_offset] ^= 1;
}

static void
guard_red_zone(struct world *world)
{
	assert_true(world->cache->size_bytes < world->cache->guard_offset);
	free_object(world)[world->cache->size_bytes] ^= 1;
}

static void
guard_contents(struct world *world)
{
	free_object(world)[100] ^= 1;
}

/* --- breaking: addresses --- */

static void
arena_gap(struct world *world)
{
	world->segment[QR_FIT_FIRST][1].gap++;
}

static void
arena_largest_below(struct world *world)
{
	world->segment[QR_FIT_FIRST][1].gap_max++;
}

static void
arena_used(struct world *world)
{
	world->arena[QR_FIT_NEXT].used++;
}

/* The second gap becomes smaller than the first, which grows by as much. */
static void
arena_order_of_sizes(struct world *world)
{
	struct qr_segment *segment = world->segment[QR_FIT_BEST];
	segment[0].start += 20;
	segment[0].gap += 20;
	segment[1].gap -= 20;
}

static void
arena_no_index(struct world *world)
{
	world->arena[QR_FIT_INSTANT].nonempty = 0;
}

static struct vmap_area *
area_at(const struct world *world, bool is_freed)
{
	uint64_t at = world->vmap->window_segment.start +
		      world->vmap->window_segment.size;
	for (;;) {
		struct qr_segment *segment =
		    qr_arena_next(&world->vmap->arena, at);
		assert_non_null(segment);
		struct vmap_area *area = (struct vmap_area *)(void *)segment;
		if (area->is_freed == is_freed)
			return area;
		at = segment->start + segment->size;
	}
}

static void
vmap_frame_of_others(struct world *world)
{
	qr_frame_page(world->vmap->frames, area_at(world, false)->first)->kind =
	    QR_PAGE_TABLE;
}

static void
vmap_page_count(struct world *world)
{
	area_at(world, false)->pages++;
}

static void
vmap_not_waiting(struct world *world)
{
	area_at(world, true)->is_freed = false;
}

static void
vmap_sums(struct world *world)
{
	world->vmap->mapped_pages++;
}

static void
vmap_window_without_frame(struct world *world)
{
	world->vmap->window[3].users = 1;
}

static void
vmap_two_windows(struct world *world)
{
	for (unsigned i = 3; i < 5; i++) {
		world->vmap->window[i].is_mapped = true;
		world->vmap->window[i].pfn = 100;
	}
}

/* --- breaking: between the parts --- */

static void
machine_page_of_no_space(struct world *world)
{
	assert_non_null(
	    qr_frame_alloc(world->frames, QR_GFP_USER, 0, QR_PAGE_USER));
}

static void
machine_page_of_no_pool(struct world *world)
{
	assert_non_null(qr_frame_alloc(world->frames, 0, 0, QR_PAGE_POOL));
}

/* --- checking --- */

static void
check_machine(struct world *world)
{
	qr_check_machine(world->machine);
}

static void
check_hotplug(struct world *world)
{
	qr_check_hotplug(world->frames);
}

static void
check_vmap(struct world *world)
{
	qr_check_vmap(world->vmap);
}

static void
check_arenas(struct world *world)
{
	for (unsigned fit = 0; fit < QR_FITS; fit++)
		qr_check_arena(&world->arena[fit]);
}

/* words: as in the source, and in the report but for what they stand for. */
struct invariant {
	const char *words;
	void (*break_it)(struct world *world);
	void (*check)(struct world *world);
	bool is_hard; /* only hard builds have it */
};

/* Most are what a walk over the whole machine finds. */
#define WALK(words, break_it)                                                  \
	{                                                                      \
		words, break_it, check_machine, false                          \
	}
#define WALK_HARD(words, break_it)                                             \
	{                                                                      \
		words, break_it, check_machine, true                           \
	}
#define ALONE(words, break_it, check)                                          \
	{                                                                      \
		words, break_it, check, false                                  \
	}

static const struct invariant invariants[] = {
	WALK("[boot.1] %s %zu: 0x%llx to 0x%llx", boot_empty_range),
	WALK("[boot.1] %s %zu: 0x%llx follows 0x%llx", boot_touching_ranges),
	WALK("[boot.2] 0x%llx to 0x%llx", boot_half_page),
	WALK("[boot.3] 0x%llx to 0x%llx", boot_tail_over_pages),
	WALK("[buddy.1] block %llu of order %u lies in order %u",
	    buddy_block_in_block),
	WALK("[buddy.2] block %llu of order %u and its buddy",
	    buddy_both_halves),
	WALK("[buddy.3] level %u has bits past %llu", buddy_past_the_end),
	WALK("[buddy.3] level %u word %llu: 0x%llx", buddy_summary),
	WALK("[buddy.4] order %u: %llu bits, %llu counted", buddy_block_count),
	WALK("[buddy.4] %llu units free, %llu counted", buddy_unit_count),
	WALK("[buddy.4] orders 0x%x, 0x%x noted", buddy_orders),
	WALK("[frame.1] frame 0x%llx is free and in the balloon",
	    frame_free_and_lent),
	WALK("[frame.1] a list of %u frames, %u of them bare", frame_long_list),
	WALK("[frame.1] somebody is inside a list of %u frames",
	    frame_busy_list),
	WALK("[frame.1] index 0x%x on a list of zone %u",
	    frame_of_another_zone),
	WALK("[frame.1] index 0x%x is on a list, and of kind %u or free",
	    frame_listed_and_used),
	WALK("[frame.1] index 0x%x is twice on a list", frame_listed_twice),
	WALK("[frame.1] frame 0x%llx + %llu is in use and free", free_in_use),
	WALK("[frame.2] frame 0x%llx: kind %u, order %u, zone %u",
	    frame_bad_order),
	WALK("[frame.2] frame 0x%llx + %llu is of kind %u", frame_used_tail),
	WALK("[frame.3] kind %u: %llu found, %llu counted", frame_kind_count),
	WALK("[frame.3] balloon: %llu found, %llu counted",
	    frame_balloon_count),
	WALK("[frame.3] %llu in all, of %llu", frame_total_count),
	WALK("[frame.4] zone %u: %llu free, the buddies have %llu",
	    frame_zone_count),
	WALK("[frame.5] frame 0x%llx has home bytes", frame_home_above),
	WALK("[frame.5] home bytes: %llu found, %llu counted",
	    frame_home_count),
	WALK("[frame.6] index 0x%x is on the wrong stack",
	    frame_home_on_low_stack),
	WALK("[frame.7] section %u has slot %u of %u", sparse_slot_of_another),
	WALK("[frame.7] %u sections have a slot, of %u",
	    sparse_slot_without_section),
	WALK("[frame.7] %llu descriptors in %u slots", sparse_descriptors),
	WALK("[frame.8] pageblock %llu is of type %u", block_no_type),
	WALK("[frame.8] pageblocks of type %u have %llu free, the buddy %llu",
	    block_other_type),
	WALK("[frame.9] slot %u is going", plug_going),
	WALK("[frame.9] slot %u is %s, and of section 0x%x", plug_absent),
	/* [frame.7] finds that first. */
	ALONE("[frame.9] slot %u is not that of section 0x%x", plug_of_another,
	    check_hotplug),
	WALK("[frame.9] a frame of slot %u, which is %s, is of kind %u",
	    plug_in_use),
	WALK("[frame.9] a frame of slot %u, which is %s, is free", plug_free),
	WALK("slab.1: cache %s: %llu taken", slab_taken),
	WALK("slab.1: cache %s: %llu objects in magazines, %llu taken",
	    slab_more_stock_than_taken),
	WALK("slab.2: cache %s: link %u of a slab of %u objects",
	    slab_bad_link),
	WALK("slab.2: cache %s: %u free and %u taken of %u",
	    slab_links_and_count),
	WALK("slab.3: cache %s: slab at pfn %u after %u, not %u",
	    slab_back_link),
	WALK("slab.3: cache %s: slab at pfn %u with %u taken on list %u",
	    slab_on_wrong_list),
	WALK("slab.3: cache %s: %llu slabs", slab_count),
	WALK("slab.3: cache %s: %llu empty", slab_empty_count),
	WALK("slab.4: cache %s: slab at pfn %u of another",
	    slab_of_another_cache),
	WALK("slab.5: cache %s: room for %u rounds of %u", magazine_room),
	WALK("slab.5: cache %s: %u rounds loaded of %u", magazine_loaded),
	WALK("slab.5: cache %s: previous has %u rounds of %u",
	    magazine_previous),
	WALK("slab.5: cache %s: more than %u full magazines", depot_one_less),
	WALK("slab.5: cache %s: %u full magazines, not %u", depot_one_more),
	WALK("slab.5: cache %s: %u full magazines", depot_too_many),
	WALK_HARD("slab.6: cache %s: free object %p has state 0x%llx",
	    guard_state),
	WALK_HARD("slab.6: cache %s: object %p of %u bytes was written past ",
	    guard_red_zone),
	WALK_HARD(
	    "slab.6: cache %s: object %p was written to after its free; taken ",
	    guard_contents),
	ALONE("[arena.1] segment at 0x%llx with a gap of 0x%llx follows ",
	    arena_gap, check_arenas),
	ALONE("[arena.2] segment at 0x%llx: 0x%llx, not 0x%llx",
	    arena_largest_below, check_arenas),
	ALONE("[arena.3] %llu used of %llu, %llu segments of %llu", arena_used,
	    check_arenas),
	ALONE("[arena.4] a gap of %llu is out of order", arena_order_of_sizes,
	    check_arenas),
	ALONE("[arena.4] the gap below 0x%llx is in no index", arena_no_index,
	    check_arenas),
	ALONE("[vmap.1] frame 0x%x of the range at page 0x%llx is of ",
	    vmap_frame_of_others, check_vmap),
	ALONE("[vmap.1] the range at page 0x%llx has %llu frames of %llu",
	    vmap_page_count, check_vmap),
	ALONE("[vmap.2] the range at page 0x%llx waits, or not",
	    vmap_not_waiting, check_vmap),
	ALONE("[vmap.2] %llu and %llu pages, %llu and %llu counted", vmap_sums,
	    check_vmap),
	ALONE("[vmap.3] window %u has %u users and no frame",
	    vmap_window_without_frame, check_vmap),
	ALONE("[vmap.3] frame 0x%llx has windows %u and %u", vmap_two_windows,
	    check_vmap),
	WALK("machine.1: %llu frames are mapped, spaces count %llu",
	    machine_page_of_no_space),
	WALK("machine.1: %llu frames are the pool's, swap counts %llu",
	    machine_page_of_no_pool),
};

#define INVARIANTS (sizeof(invariants) / sizeof(invariants[0]))

/* Whether a report has what words say, a number or name for each conversion. */
static bool
report_has(const char *report, const char *words)
{
	const char *at = strstr(report, "");
	char first[64];
	size_t length = strcspn(words, "%");
	assert_true(length < sizeof(first));
	memcpy(first, words, length);
	first[length] = '\0';
	for (at = strstr(report, first); at != NULL && *words != '\0';) {
		if (*words != '%') {
			if (*at++ != *words++)
				return false;
			continue;
		}
		words += strcspn(words, "diuxspc") + 1;
		while (*at != '\0' && *at != *words)
			at++;
	}
	return at != NULL;
}

static struct case_run {
	struct world world;
	void (*check)(struct world *world);
} run;

static void
do_check(void *ctx)
{
	struct case_run *now = ctx;
	now->check(&now->world);
}

static void
test_each_is_named(void **state)
{
	unsigned named = 0;
	(void)state;
	for (size_t i = 0; i < INVARIANTS; i++) {
		const struct invariant *one = &invariants[i];
		if (one->is_hard && !QR_CONFIG_HARD)
			continue;
		world_make(&run.world);
		run.check = one->check;
		one->break_it(&run.world);
		const char *report = sim_expect_panic(do_check, &run);
		if (report == NULL || !report_has(report, one->words))
			fail_msg("\"%s\" broken: %s", one->words,
			    report == NULL ? "not found" : report);
		sim_destroy(run.world.bed.sim);
		sim_destroy(run.world.mapped.sim);
		named++;
	}
	printf("%u assertions of the checkers broken and named\n", named);
}

/* --- none is left out --- */

/* What checkers say, in the source from a line on. */
static const struct {
	const char *path;
	const char *from;
} sources[] = {
	{ "core/boot/boot.c", "check_set(" },
	{ "core/frame/buddy.c", "--- checking ---" },
	{ "core/frame/check.c", "" },
	{ "core/frame/sparse.c", "qr_check_sparse" },
	{ "core/frame/hotplug.c", "--- checking ---" },
	{ "core/slab/carve.c", "--- checking ---" },
	{ "core/slab/magazine.c", "check_rounds(" },
	{ "core/slab/slab.c", "cache_check(" },
	{ "core/slab/guard.c", "qr_guard_check_free(" },
	{ "core/vmap/arena.c", "check_sizes(" },
	{ "core/vmap/vmap.c", "check_area(" },
	{ "core/vmap/kmap.c", "qr_check_kmap_locked(" },
	{ "core/machine/machine.c", "qr_check_machine(" },
};

static char *
file_text(const char *path)
{
	char whole[512];
	char *text = calloc(1, 1 << 18);
	assert_non_null(text);
	(void)snprintf(whole, sizeof(whole), "%s/%s", QUIRE_SOURCE_DIR, path);
	FILE *file = fopen(whole, "r");
	assert_non_null(file);
	(void)!fread(text, 1, (1 << 18) - 1, file);
	(void)fclose(file);
	return text;
}

/* Whether a literal names an invariant, as "[frame.1] ..." or "slab.1: ...". */
static bool
is_report(const char *literal)
{
	literal += *literal == '[';
	size_t word = strspn(literal, "abcdefghijklmnopqrstuvwxyz");
	return word != 0 && literal[word] == '.' &&
	       strspn(literal + word + 1, "0123456789") != 0;
}

static bool
has_row(const char *literal, size_t length)
{
	for (size_t i = 0; i < INVARIANTS; i++)
		if (strlen(invariants[i].words) == length &&
		    memcmp(invariants[i].words, literal, length) == 0)
			return true;
	return false;
}

static void
test_none_is_left_out(void **state)
{
	unsigned found = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		char *text = file_text(sources[i].path);
		const char *at = strstr(text, sources[i].from);
		assert_non_null(at);
		while ((at = strchr(at, '"')) != NULL) {
			size_t length = strcspn(++at, "\"");
			if (is_report(at) && !has_row(at, length))
				fail_msg("%s: nothing breaks \"%.*s\"",
				    sources[i].path, (int)length, at);
			found += is_report(at);
			at += length + 1;
		}
		free(text);
	}
	printf("%u assertions in the sources of the checkers\n", found);
	assert_in_range(found, INVARIANTS - 2, INVARIANTS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_named),
		cmocka_unit_test(test_none_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
