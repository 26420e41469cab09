/* SPDX-License-Identifier: MIT */
/*
 * test_migrate.c: pages that forks share and pages of files and shared memory
 * are moved from frame to frame like any other: all who map them see the same
 * bytes afterwards, copies on write stay private, what was dirty is written
 * back, and large blocks, contiguous runs and memory that is to go offline come
 * about where such pages were in the way. A port that refuses in the middle
 * loses nothing.
 */
#include "core/frame/frame_impl.h"
#include "core/machine/machine_impl.h"
#include "machine_bed.h"
#include "random.h"

#include <qr/memory.h>
#include <qr/object.h>

#define MIB      ((uint64_t)1 << 20)
#define RAM      (32 * MIB)
#define PAGES    6000u
#define KEPT     4u /* one page in so many stays mapped */
#define FAMILY   5u /* spaces that forks make of one */
#define OBJECT   (PAGES / KEPT)
#define RW       (QR_PROT_READ | QR_PROT_WRITE)
#define VALUE(n) ((n)*0x9e3779b97f4a7c15u + 1)

/* A machine whose memory is in pieces: each fourth page is in use, by an area
 * that count spaces share, and by an object. */
struct family {
	struct bed bed;
	struct qr_frames *frames;
	struct qr_space *space[FAMILY];
	unsigned count;
	qr_vaddr_t base;
	struct qr_object *object;
	struct sim_file *file; /* of the object; NULL: memory */
	qr_vaddr_t shown;      /* where all have it, shared */
};

static const struct sim_config family_sim = { .ram_bytes = RAM };

static uint64_t
value_at(const struct family *family, unsigned who, qr_vaddr_t address)
{
	uint64_t value = 0;
	assert_int_equal(sim_read(family->bed.sim, family->space[who], address,
			     &value, sizeof(value)),
	    0);
	return value;
}

static void
value_set(const struct family *family, unsigned who, qr_vaddr_t address,
    uint64_t value)
{
	assert_int_equal(sim_write(family->bed.sim, family->space[who], address,
			     &value, sizeof(value)),
	    0);
}

static qr_vaddr_t
page_address(const struct family *family, uint64_t page)
{
	return family->base + page * QR_PAGE_SIZE + page % 500 * 8;
}

static void
family_unmap(const struct family *family, uint64_t page)
{
	qr_space_lock(family->space[0]);
	assert_int_equal(qr_space_unmap(family->space[0],
			     family->base + page * QR_PAGE_SIZE, QR_PAGE_SIZE,
			     0),
	    0);
	qr_space_unlock(family->space[0]);
}

static struct family
family_make(const struct sim_config *sim_config)
{
	static const struct qr_machine_config config = { .codec = &bed_codec };
	struct family family = { .count = 1 };
	bed_make(&family.bed, sim_config, &config);
	family.frames = family.bed.machine->frames;
	family.space[0] = bed_space(&family.bed);
	family.base = bed_map(family.space[0], PAGES);
	for (uint64_t i = 0; i < PAGES; i++)
		value_set(&family, 0, page_address(&family, i), VALUE(i));
	return family;
}

static void
family_thin(struct family *family)
{
	for (uint64_t i = 0; i < PAGES; i++)
		if (i % KEPT != 0)
			family_unmap(family, i);
	qr_frame_drain(family->frames);
}

static void
family_fork(struct family *family, unsigned count)
{
	for (; family->count < count; family->count++)
		assert_int_equal(qr_space_fork(family->space[0],
				     &family->space[family->count]),
		    0);
}

static void
family_check(struct family *family)
{
	for (unsigned who = 0; who < family->count; who++)
		for (uint64_t i = 0; i < PAGES; i += KEPT)
			assert_int_equal(value_at(family, who,
					     page_address(family, i)),
			    VALUE(i));
	qr_check_machine(family->bed.machine);
}

static void
family_end(struct family *family)
{
	while (family->count > 0)
		qr_space_destroy(family->space[--family->count]);
	if (family->object != NULL)
		qr_object_put(family->object);
	bed_end(&family->bed);
}

static unsigned
unusable(const struct family *family, unsigned order)
{
	struct qr_zone_types types;
	qr_frame_zone_types(family->frames, 0, &types);
	return qr_zone_unusable_index(&types, order);
}

/* --- shared by forks --- */

/* The score before and after, where all that is in the way has so many
 * mappings. */
static void
test_score_with_shared_pages(void **state)
{
	(void)state;
	for (unsigned count = 2; count <= FAMILY; count += 3) {
		struct family family = family_make(&family_sim);
		struct qr_compact_stat stat;
		family_thin(&family);
		family_fork(&family, count);
		unsigned before = unusable(&family, 9);
		size_t made = qr_frame_compact(family.frames, 9, 100);
		unsigned after = unusable(&family, 9);
		qr_frame_compact_stat(family.frames, &stat);
		printf("pages of %u spaces: unusable for order 9: %u before, "
		       "%u after; %zu blocks for %llu pages moved\n",
		    count, before, after, made, (unsigned long long)stat.moved);
		assert_true(before > 700);
		assert_true(after < 300);
		assert_true(made >= 5);
		assert_int_equal(stat.pinned + stat.busy, 0);
		family_check(&family);
		family_end(&family);
	}
}

/* After a move a write still makes a copy, and the last one needs none. */
static void
test_copies_stay_private(void **state)
{
	struct family family = family_make(&family_sim);
	(void)state;
	family_thin(&family);
	family_fork(&family, 3);
	assert_true(qr_frame_compact(family.frames, 9, 100) > 0);
	for (uint64_t i = 0; i < PAGES; i += KEPT)
		value_set(&family, (unsigned)(i / KEPT % 3),
		    page_address(&family, i), i);
	qr_check_machine(family.bed.machine);
	for (uint64_t i = 0; i < PAGES; i += KEPT)
		for (unsigned who = 0; who < 3; who++)
			assert_int_equal(value_at(&family, who,
					     page_address(&family, i)),
			    who == i / KEPT % 3 ? i : VALUE(i));
	qr_space_destroy(family.space[2]);
	qr_space_destroy(family.space[1]);
	family.count = 1;
	assert_int_equal(qr_frame_compact(family.frames, 10, 100) > 0, true);
	for (uint64_t i = 0; i < PAGES; i += KEPT)
		value_set(&family, 0, page_address(&family, i), VALUE(i));
	family_check(&family);
	family_end(&family);
}

/* The rights that differ between the spaces, and marks, stay. */
static void
test_rights_stay(void **state)
{
	struct family family = family_make(&family_sim);
	struct qr_compact_stat stat;
	(void)state;
	family_thin(&family);
	family_fork(&family, 3);
	for (unsigned who = 1; who < 3; who++) {
		unsigned prot = who == 1 ? QR_PROT_READ : QR_PROT_NONE;
		for (uint64_t i = 0; i < PAGES; i += KEPT) {
			qr_space_lock(family.space[who]);
			assert_int_equal(qr_space_protect(family.space[who],
					     family.base + i * QR_PAGE_SIZE,
					     QR_PAGE_SIZE, prot, 0),
			    0);
			qr_space_unlock(family.space[who]);
		}
	}
	assert_true(qr_frame_compact(family.frames, 9, 100) > 0);
	qr_frame_compact_stat(family.frames, &stat);
	assert_true(stat.moved > 0);
	uint64_t value = 0;
	for (uint64_t i = 0; i < PAGES; i += KEPT) {
		qr_vaddr_t at = page_address(&family, i);
		assert_int_equal(value_at(&family, 1, at), VALUE(i));
		assert_int_equal(sim_write(family.bed.sim, family.space[1], at,
				     &value, sizeof(value)),
		    -QR_EFAULT);
		assert_int_equal(sim_read(family.bed.sim, family.space[2], at,
				     &value, sizeof(value)),
		    -QR_EFAULT);
	}
	qr_check_machine(family.bed.machine);
	family.count = 1;
	family_check(&family);
	family.count = 3;
	family_end(&family);
}

/* One pin in one of the spaces keeps the page for all. */
static void
test_one_pin_keeps_all(void **state)
{
	struct family family = family_make(&family_sim);
	struct qr_compact_stat stat;
	struct qr_pin pins[PAGES / 64 + 1];
	size_t count = 0;
	(void)state;
	memset(pins, 0, sizeof(pins));
	family_thin(&family);
	family_fork(&family, 2);
	for (uint64_t i = 0; i < PAGES; i += 64) {
		qr_space_pin_register(family.space[1], &pins[count]);
		assert_int_equal(qr_space_pin(family.space[1], &pins[count],
				     family.base + i * QR_PAGE_SIZE, 1,
				     QR_ACCESS_READ),
		    0);
		count++;
	}
	assert_int_equal(qr_frame_compact(family.frames, 10, 100), 0);
	qr_frame_compact_stat(family.frames, &stat);
	assert_true(stat.pinned > 0);
	family_check(&family);
	while (count > 0) {
		qr_space_unpin(&pins[--count]);
		qr_space_pin_unregister(family.space[1], &pins[count]);
	}
	assert_true(qr_frame_compact(family.frames, 10, 100) > 0);
	family_check(&family);
	family_end(&family);
}

/* Every n-th call that a move needs is refused, with a window for contents and
 * without. */
static void
test_port_refuses(void **state)
{
	static const enum sim_call calls[] = { SIM_MMU_FREEZE, SIM_MMU_DROP,
		SIM_MMU_MAP };
	static const uint64_t every[] = { 1, 2, 3, 7 };
	(void)state;
	for (size_t i = 0; i < 12; i++) {
		const struct sim_config config = {
			.ram_bytes = RAM,
			.flags = i % 2 == 0 ? SIM_STAGE_WINDOW : 0,
		};
		struct family family = family_make(&config);
		struct qr_compact_stat stat;
		family_thin(&family);
		family_fork(&family, 2 + (unsigned)i % 2);
		sim_fail_every(family.bed.sim, calls[i / 4], every[i % 4],
		    -QR_EAGAIN);
		size_t made = qr_frame_compact(family.frames, 9, 100);
		sim_fail_never(family.bed.sim);
		qr_frame_compact_stat(family.frames, &stat);
		if (every[i % 4] == 1)
			assert_int_equal(made + stat.moved, 0);
		else
			assert_true(stat.busy + stat.moved > 0);
		family_check(&family);
		for (uint64_t j = 0; j < PAGES; j += KEPT)
			value_set(&family, 1, page_address(&family, j), j);
		family.count--;
		qr_space_destroy(family.space[family.count]);
		qr_check_machine(family.bed.machine);
		family_end(&family);
	}
}

/* --- of objects --- */

static qr_vaddr_t
show_object(const struct family *family, unsigned who)
{
	const struct qr_map_request request = {
		.address = family->shown,
		.size_bytes = OBJECT * QR_PAGE_SIZE,
		.prot = RW,
		.flags =
		    QR_MAP_SHARED | (family->shown != 0 ? QR_MAP_FIXED : 0),
		.object = family->object,
	};
	qr_vaddr_t at = 0;
	qr_space_lock(family->space[who]);
	assert_int_equal(qr_space_map(family->space[who], &request, &at), 0);
	qr_space_unlock(family->space[who]);
	return at;
}

/* Each space maps the object, whose pages the first has written. They come in
 * among pages that go, so that memory is in pieces. */
static void
family_show(struct family *family, bool is_file)
{
	if (is_file) {
		family->file =
		    sim_file_create(family->bed.sim, OBJECT * QR_PAGE_SIZE);
		assert_non_null(family->file);
		assert_int_equal(qr_file_open(family->bed.machine, family->file,
				     OBJECT * QR_PAGE_SIZE, &family->object),
		    0);
	} else {
		assert_int_equal(qr_memory_create(family->bed.machine,
				     OBJECT * QR_PAGE_SIZE, 0, &family->object),
		    0);
	}
	for (unsigned who = 0; who < family->count; who++)
		family->shown = show_object(family, who);
}

static void
object_fill(struct family *family)
{
	for (uint64_t i = 0; i < OBJECT; i++)
		value_set(family, 0, family->shown + i * QR_PAGE_SIZE,
		    ~VALUE(i));
}

static void
object_check(const struct family *family)
{
	for (unsigned who = 0; who < family->count; who++)
		for (uint64_t i = 0; i < OBJECT; i++)
			assert_int_equal(value_at(family, who,
					     family->shown + i * QR_PAGE_SIZE),
			    ~VALUE(i));
	qr_check_machine(family->bed.machine);
}

static uint64_t
frames_of_kind(const struct family *family, qr_pfn_t from, qr_pfn_t to,
    enum qr_page_kind kind)
{
	uint64_t count = 0;
	for (qr_pfn_t pfn = from; pfn < to; pfn++)
		count += qr_frame_page(family->frames, pfn)->kind == kind;
	return count;
}

/* A run that is so long that some of the object's pages must be in it; all of
 * them move, and are the same from everywhere, on the device too. */
static void
test_pages_of_objects_move(void **state)
{
	(void)state;
	for (unsigned is_file = 0; is_file < 2; is_file++) {
		struct family family = family_make(&family_sim);
		struct qr_compact_stat stat;
		struct qr_object_stat dirty;
		family_thin(&family);
		family_fork(&family, 2);
		family_show(&family, is_file != 0);
		object_fill(&family);
		object_check(&family);
		uint64_t cached =
		    frames_of_kind(&family, 0, 4096, QR_PAGE_CACHED);
		struct qr_page *run = qr_frame_alloc_contig(family.frames, 0,
		    4096, 10, QR_PAGE_KERNEL);
		assert_non_null(run);
		qr_pfn_t pfn = qr_frame_pfn(family.frames, run);
		qr_frame_compact_stat(family.frames, &stat);
		printf("%s: %llu of %u pages lay in the lower half; a run of "
		       "4096 from frame %llu on, %llu pages moved\n",
		    is_file != 0 ? "file" : "memory",
		    (unsigned long long)cached, OBJECT, (unsigned long long)pfn,
		    (unsigned long long)stat.moved);
		assert_true(stat.moved > 0);
		qr_object_stat(family.object, &dirty);
		assert_int_equal(dirty.cached_pages, OBJECT);
		assert_int_equal(dirty.dirty_pages, OBJECT);
		for (uint64_t i = 0; i < 4096; i++)
			memset(qr_frame_data(family.frames, &run[i]), 0x5a,
			    QR_PAGE_SIZE);
		object_check(&family);
		family_check(&family);
		if (is_file != 0) {
			assert_int_equal(qr_object_sync(family.object, 0,
					     UINT64_MAX, NULL),
			    0);
			for (uint64_t i = 0; i < OBJECT; i++)
				assert_memory_equal(sim_file_bytes(
							family.file) +
							i * QR_PAGE_SIZE,
				    &(uint64_t){ ~VALUE(i) }, 8);
		}
		qr_frame_free_contig(family.frames, run, 4096);
		family_end(&family);
	}
}

/* A page that is locked or pinned where an object is mapped stays. */
static void
test_pinned_pages_of_objects_stay(void **state)
{
	struct family family = family_make(&family_sim);
	struct qr_compact_stat stat;
	struct qr_pin pin = { 0 };
	(void)state;
	family_thin(&family);
	family_fork(&family, 2);
	family_show(&family, true);
	object_fill(&family);
	object_check(&family);
	qr_space_pin_register(family.space[1], &pin);
	assert_int_equal(qr_space_pin(family.space[1], &pin, family.shown,
			     OBJECT * QR_PAGE_SIZE, QR_ACCESS_READ),
	    0);
	unsigned tried = 0;
	for (uint64_t at = 0; at + 64 <= family.frames->page_count; at += 64) {
		if (frames_of_kind(&family, at, at + 64, QR_PAGE_CACHED) == 0)
			continue;
		tried++;
		assert_int_equal(qr_contig_take(family.frames,
				     family.frames->zone, at, 64),
		    -QR_EPERM);
	}
	assert_true(tried > 20);
	qr_frame_compact_stat(family.frames, &stat);
	assert_true(stat.pinned > 0);
	object_check(&family);
	qr_space_unpin(&pin);
	qr_space_pin_unregister(family.space[1], &pin);
	family_check(&family);
	family_end(&family);
}

/* --- memory that goes --- */

/* A block goes offline although forks share all that is in it. */
static void
test_offline_with_shared_pages(void **state)
{
	static const struct sim_config sim_config = {
		.ram_bytes = 64 * MIB,
		.plug_bytes = 128 * MIB,
	};
	static const struct qr_machine_config config = {
		.codec = &bed_codec,
		.plug_slots = 1,
		.plug_end = 128 * MIB,
	};
	struct family family = { .count = 1 };
	struct qr_compact_stat stat;
	uint32_t slot;
	(void)state;
	bed_make(&family.bed, &sim_config, &config);
	family.frames = family.bed.machine->frames;
	sim_plug(family.bed.sim, 96 * MIB, QR_MEMORY_BLOCK_BYTES);
	assert_int_equal(qr_machine_block_add(family.bed.machine, 96 * MIB,
			     &slot),
	    0);
	assert_int_equal(qr_machine_block_online(family.bed.machine, slot), 0);
	family.space[0] = bed_space(&family.bed);
	family.base = bed_map(family.space[0], PAGES);
	for (uint64_t i = 0; i < PAGES; i++)
		value_set(&family, 0, page_address(&family, i), VALUE(i));
	family_fork(&family, 3);
	assert_int_equal(qr_machine_block_offline(family.bed.machine, slot), 0);
	qr_frame_compact_stat(family.frames, &stat);
	assert_true(stat.moved >= PAGES);
	assert_int_equal(stat.pinned, 0);
	family_check(&family);
	assert_int_equal(qr_machine_block_remove(family.bed.machine, slot), 0);
	sim_unplug(family.bed.sim, 96 * MIB, QR_MEMORY_BLOCK_BYTES);
	family_check(&family);
	family_end(&family);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_score_with_shared_pages),
		cmocka_unit_test(test_copies_stay_private),
		cmocka_unit_test(test_rights_stay),
		cmocka_unit_test(test_one_pin_keeps_all),
		cmocka_unit_test(test_port_refuses),
		cmocka_unit_test(test_pages_of_objects_move),
		cmocka_unit_test(test_pinned_pages_of_objects_stay),
		cmocka_unit_test(test_offline_with_shared_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
