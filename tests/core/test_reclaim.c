/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_reclaim.c: proves when frames are freed and when reclaim
 * gives up: the background thread is woken below low and fills up to high;
 * a thread in need passes over each page once at most before it says that
 * there is no memory, and says why; a full pool moves on to the device; hot
 * pages outlive a scan; soft ageing finds touches where the MMU marks none; what
 * is read once from a file leaves programs alone, and refaults turn the balance
 * between files and programs.
 */
#include <qr/object.h>

#include "core/machine/machine_impl.h"
#include "machine_bed.h"

#define PAGE QR_PAGE_SIZE

/* Bytes that bed_codec can't compress. */
static void
write_noise(const struct bed *bed, struct qr_space *space, qr_vaddr_t page,
    unsigned seed)
{
	unsigned char data[4096];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 + (i >> 8) + seed);
	assert_int_equal(sim_write(bed->sim, space, page, data, sizeof(data)),
	    0);
}

static struct qr_machine_stat
stat_of(const struct bed *bed)
{
	struct qr_machine_stat stat;
	qr_machine_stat(bed->machine, &stat);
	return stat;
}

static void
test_background(void **state)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = 4 << 20,
		.swap_pages = 4096 };
	(void)state;
	bed_make(&bed, &sim_config, NULL);
	struct qr_frames *frames = bed.machine->frames;
	struct qr_space *space = bed_space(&bed);
	qr_vaddr_t at = bed_map(space, 2000);
	unsigned balanced = 0;
	for (unsigned i = 0; i < 2000; i++) {
		write_noise(&bed, space, at + i * PAGE, i);
		if (!sim_reclaim_wanted(bed.sim))
			continue;
		/* Told below low, it brings memory up to high. */
		assert_int_not_equal(qr_frame_want(frames), 0);
		assert_true(qr_machine_balance(bed.machine) > 0);
		assert_int_equal(qr_frame_want(frames), 0);
		assert_false(sim_reclaim_wanted(bed.sim));
		balanced++;
	}
	/* With that nobody had to reclaim for himself. */
	assert_true(balanced > 10);
	assert_int_equal(stat_of(&bed).reclaim_direct, 0);
	assert_int_equal(stat_of(&bed).reclaim_background, balanced);
	qr_space_destroy(space);
	bed_end(&bed);
}

struct oom_note {
	struct bed *bed;
	unsigned calls;
	struct qr_oom_report last;
	bool grow; /* the device, at the first call */
};

static bool
note_oom(void *ctx, struct sim_mm *mm, const struct qr_oom_report *report)
{
	struct oom_note *note = ctx;
	assert_non_null(mm);
	note->calls++;
	note->last = *report;
	if (note->grow && note->calls == 1) {
		sim_disk_resize(note->bed->sim, 4096);
		return true;
	}
	return false;
}

/* No device, nothing compressible: the limit is RAM, and it is said so. */
static void
test_gives_up(void **state)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = 1 << 20,
		.swap_pages = 4096 };
	struct oom_note note = { .bed = &bed };
	unsigned char data[4096];
	unsigned fitted = 0;
	int error = 0;
	(void)state;
	bed_make(&bed, &sim_config, NULL);
	sim_disk_resize(bed.sim, 0);
	sim_set_oom(bed.sim, note_oom, &note);
	struct qr_space *space = bed_space(&bed);
	qr_vaddr_t at = bed_map(space, 2000);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 3);
	while (error == 0)
		error = sim_write(bed.sim, space, at + fitted++ * PAGE, data,
		    sizeof(data));
	assert_int_equal(error, -QR_ENOMEM);
	assert_int_equal(note.calls, 1);
	assert_int_equal(note.last.address, at + (fitted - 1) * PAGE);
	assert_int_equal(note.last.error, -QR_ENOSPC);
	assert_int_equal(note.last.swap_pages, 0);
	assert_true(fitted > 120);
	qr_check_machine(bed.machine);
	/* With help from outside the same touch succeeds. */
	note.calls = 0;
	note.grow = true;
	for (unsigned i = 0; i < 500; i++)
		write_noise(&bed, space, at + i * PAGE, i);
	assert_int_equal(note.calls, 1);
	qr_space_destroy(space);
	bed_end(&bed);
}

/* A dead device costs a transfer a page and round, then it is over. */
static void
test_passes_once(void **state)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = 1 << 20,
		.swap_pages = 1 << 16 };
	struct oom_note note = { .bed = &bed };
	(void)state;
	bed_make(&bed, &sim_config, NULL);
	sim_set_oom(bed.sim, note_oom, &note);
	struct qr_space *space = bed_space(&bed);
	qr_vaddr_t at = bed_map(space, 2000);
	sim_fail_every(bed.sim, SIM_SWAP_WRITE, 1, -QR_EIO);
	unsigned char byte = 1;
	unsigned i = 0;
	while (sim_write(bed.sim, space, at + i * PAGE, &byte, 1) == 0)
		i++;
	uint64_t before = sim_calls(bed.sim, SIM_SWAP_WRITE);
	uint64_t direct = stat_of(&bed).reclaim_direct;
	assert_int_equal(sim_write(bed.sim, space, at + i * PAGE, &byte, 1),
	    -QR_ENOMEM);
	uint64_t transfers = sim_calls(bed.sim, SIM_SWAP_WRITE) - before;
	uint64_t calls = stat_of(&bed).reclaim_direct - direct;
	uint64_t pages = stat_of(&bed).frames_user;
	assert_int_equal(note.last.error, -QR_EIO);
	assert_in_range(calls, 1, 8);
	assert_true(transfers >= pages);
	assert_true(transfers <= calls * (pages + QR_EVICT_MAX));
	sim_fail_never(bed.sim);
	assert_int_equal(sim_write(bed.sim, space, at + i * PAGE, &byte, 1), 0);
	qr_space_destroy(space);
	bed_end(&bed);
}

/* Compressed pages above the pool's share go to the device, oldest first. */
static void
test_pool_moves_on(void **state)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = 2 << 20,
		.swap_pages = 8192 };
	struct qr_machine_config config = { .codec = &bed_codec,
		.pool_pages_max = 40 };
	(void)state;
	bed_make(&bed, &sim_config, &config);
	sim_set_background(bed.sim, bed.machine);
	struct qr_space *space = bed_space(&bed);
	qr_vaddr_t at = bed_map(space, 4000);
	for (unsigned i = 0; i < 4000; i++) {
		unsigned char data[4096];
		memset(data, (int)i, sizeof(data));
		memset(data, (int)(i >> 8), 100);
		assert_int_equal(sim_write(bed.sim, space, at + i * PAGE, data,
				     sizeof(data)),
		    0);
	}
	(void)qr_machine_balance(bed.machine);
	struct qr_machine_stat stat = stat_of(&bed);
	assert_true(stat.pages_written_back > 0);
	assert_true(stat.frames_pool <= 40);
	assert_true(stat.swap_on_device > 0);
	for (unsigned i = 0; i < 4000; i++) {
		unsigned char data[2] = { 0 };
		assert_int_equal(sim_read(bed.sim, space, at + i * PAGE + 99,
				     data, 2),
		    0);
		assert_int_equal(data[0], (unsigned char)(i >> 8));
		assert_int_equal(data[1], (unsigned char)i);
	}
	qr_space_destroy(space);
	bed_end(&bed);
}

/* Touches of a hot set that miss while a long scan goes on. */
static uint64_t
misses_beside_scan(const char *policy, unsigned flags, bool age)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = 4 << 20,
		.swap_pages = 16384,
		.flags = flags };
	struct qr_machine_config config = { .policy = policy,
		.age_softly = age,
		.fault_around = 1 };
	const unsigned hot_pages = 300;
	bed_make(&bed, &sim_config, &config);
	sim_set_background(bed.sim, bed.machine);
	struct qr_space *space = bed_space(&bed);
	qr_vaddr_t hot = bed_map(space, hot_pages);
	qr_vaddr_t scan = bed_map(space, 10000);
	uint64_t misses = 0;
	for (unsigned i = 0; i < 10000; i++) {
		qr_vaddr_t at = hot + i * 7 % hot_pages * PAGE;
		uint64_t in = stat_of(&bed).pages_in;
		assert_int_equal(sim_touch(bed.sim, space, at, QR_ACCESS_WRITE),
		    0);
		if (i >= 2000)
			misses += stat_of(&bed).pages_in - in;
		write_noise(&bed, space, scan + i * PAGE, i);
		if (i % 32 == 0)
			qr_machine_age(bed.machine);
	}
	qr_space_destroy(space);
	bed_end(&bed);
	return misses;
}

static void
test_hot_pages_stay(void **state)
{
	(void)state;
	uint64_t fifo = misses_beside_scan("fifo", 0, false);
	uint64_t marked = misses_beside_scan(NULL, 0, false);
	uint64_t unseen = misses_beside_scan(NULL, SIM_NO_YOUNG_BIT, false);
	uint64_t blind = misses_beside_scan("clock", SIM_NO_YOUNG_BIT, false);
	uint64_t aged = misses_beside_scan("clock", SIM_NO_YOUNG_BIT, true);
	printf("misses: fifo %llu, default %llu, unseen %llu; clock, unseen "
	       "%llu, aged %llu\n",
	    (unsigned long long)fifo, (unsigned long long)marked,
	    (unsigned long long)unseen, (unsigned long long)blind,
	    (unsigned long long)aged);
	assert_true(fifo > 1000);
	assert_true(marked < fifo / 4);
	assert_true(unseen < fifo / 2);
	/* How often depends on where the rounds of ageing happen to fall. */
	assert_true(aged < blind / 2);
}

static void
test_give(void **state)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = 4 << 20,
		.swap_pages = 4096 };
	(void)state;
	bed_make(&bed, &sim_config, NULL);
	struct qr_space *space = bed_space(&bed);
	qr_vaddr_t at = bed_map(space, 900);
	for (unsigned i = 0; i < 900; i++)
		write_noise(&bed, space, at + i * PAGE, i);
	struct qr_watermarks marks = qr_frame_watermarks(bed.machine->frames);
	size_t spare = qr_machine_give(bed.machine, 500);
	assert_true(spare >= 500);
	assert_true(stat_of(&bed).frames_free >= 500 + marks.low_pages);
	assert_true(qr_machine_give(bed.machine, 100000) < 100000);
	qr_check_machine(bed.machine);
	for (unsigned i = 0; i < 900; i++) {
		unsigned char byte = 0;
		assert_int_equal(sim_read(bed.sim, space, at + i * PAGE, &byte,
				     1),
		    0);
		assert_int_equal(byte, (unsigned char)i);
	}
	qr_space_destroy(space);
	bed_end(&bed);
}

/* --- active and inactive lists --- */

#define FILE_PAGES 2000u

struct lists {
	struct bed bed;
	struct qr_space *space;
	struct qr_object *object;
	qr_vaddr_t at; /* anonymous pages */
};

/* About 900 frames to be had; a file twice as large. */
static void
lists_make(struct lists *lists, const char *policy)
{
	struct sim_config sim_config = { .ram_bytes = 4 << 20,
		.swap_pages = 4096 };
	struct qr_machine_config config = { .policy = policy,
		.fault_around = 1 };
	bed_make(&lists->bed, &sim_config, &config);
	sim_set_background(lists->bed.sim, lists->bed.machine);
	lists->space = bed_space(&lists->bed);
	lists->at = bed_map(lists->space, 2000);
	struct sim_file *file =
	    sim_file_create(lists->bed.sim, FILE_PAGES * PAGE);
	assert_non_null(file);
	assert_int_equal(qr_file_open(lists->bed.machine, file,
			     FILE_PAGES * PAGE, &lists->object),
	    0);
}

static void
lists_end(struct lists *lists)
{
	qr_object_put(lists->object);
	qr_space_destroy(lists->space);
	bed_end(&lists->bed);
}

static void
lists_read(const struct lists *lists, unsigned page)
{
	unsigned char byte;
	struct qr_object_copy copy = { .offset = page * PAGE, .size_bytes = 1 };
	assert_int_equal(qr_object_read(lists->object, &byte, &copy), 0);
	assert_int_equal(copy.size_bytes, 1);
}

static void
lists_touch(const struct lists *lists, unsigned page)
{
	assert_int_equal(sim_touch(lists->bed.sim, lists->space,
			     lists->at + page * PAGE, QR_ACCESS_WRITE),
	    0);
}

/* Pages of a program that uses 500, seldom, that went while a file was read
 * once from its beginning to its end. */
static uint64_t
out_beside_reading(const char *policy)
{
	struct lists lists;
	lists_make(&lists, policy);
	for (unsigned i = 0; i < 500; i++)
		write_noise(&lists.bed, lists.space, lists.at + i * PAGE, i);
	for (unsigned i = 0; i < FILE_PAGES; i++) {
		lists_read(&lists, i);
		lists_touch(&lists, i / 4 % 500);
	}
	uint64_t out = stat_of(&lists.bed).pages_out;
	lists_end(&lists);
	return out;
}

/* What is read once does not drive out what programs use, even if they use it
 * more seldom than the file's pages pass. */
static void
test_lists_keep_programs(void **state)
{
	(void)state;
	uint64_t fifo = out_beside_reading("fifo");
	uint64_t lists = out_beside_reading("two-lists");
	printf("pages out beside a file that is read once: fifo %llu, "
	       "two-lists %llu\n",
	    (unsigned long long)fifo, (unsigned long long)lists);
	assert_true(fifo > 500);
	assert_true(lists < fifo / 50);
}

/* How many pages the last of ten rounds over so many pages of the file has to
 * read from the device. */
static uint64_t
reads_of_round(struct lists *lists, unsigned pages)
{
	struct sim_stat before;
	struct sim_stat after;
	for (unsigned round = 0; round < 10; round++) {
		sim_stat(lists->bed.sim, &before);
		for (unsigned i = 0; i < pages; i++)
			lists_read(lists, i * 7 % pages);
	}
	sim_stat(lists->bed.sim, &after);
	return after.file_reads - before.file_reads;
}

/* A file that is read again and again, and would fit beside what of the
 * program is in use: its refaults say so, by their distance, and the balance
 * turns: idle anonymous pages go. And the other way round. */
static void
test_lists_balance(void **state)
{
	struct lists lists;
	(void)state;
	lists_make(&lists, "two-lists");
	for (unsigned i = 0; i < 700; i++)
		write_noise(&lists.bed, lists.space, lists.at + i * PAGE, i);
	uint64_t left = reads_of_round(&lists, 600);
	uint64_t out = stat_of(&lists.bed).pages_out;
	uint64_t refaulted = stat_of(&lists.bed).pages_refaulted;
	printf("file of 600 pages beside 700 idle ones: %llu read in the tenth "
	       "round, %llu went, %llu refaults\n",
	    (unsigned long long)left, (unsigned long long)out,
	    (unsigned long long)refaulted);
	assert_int_equal(left, 0);
	assert_in_range(out, 350, 699);
	/* The program is back, the file is not read any more. */
	uint64_t in = 0;
	for (unsigned round = 0; round < 10; round++) {
		in = stat_of(&lists.bed).pages_in;
		for (unsigned i = 0; i < 800; i++)
			lists_touch(&lists, i);
	}
	assert_int_equal(stat_of(&lists.bed).pages_in - in, 0);
	lists_end(&lists);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_passes_once),
		cmocka_unit_test(test_pool_moves_on),
		cmocka_unit_test(test_hot_pages_stay),
		cmocka_unit_test(test_give),
		cmocka_unit_test(test_lists_keep_programs),
		cmocka_unit_test(test_lists_balance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
