/* SPDX-License-Identifier: MIT */
/*
 * test_space.c: a touch finds what was written last, zeros before that, and
 * is refused where the areas say so; whatever is mapped, moved, protected,
 * advised, pinned or evicted in between, and whatever memory runs out.
 */
#include "space_bed.h"

#define PROT_RW ((unsigned)(QR_PROT_READ | QR_PROT_WRITE))

static const struct bed_config small = { .ram_bytes = 16u << 20 };

struct scene {
	struct bed *bed;
	struct qr_space *space;
};

static struct scene
scene_open(const struct bed_config *config)
{
	struct scene scene = { .bed = bed_create(config) };
	scene.space = bed_space(scene.bed);
	return scene;
}

static void
scene_close(struct scene *scene)
{
	bed_check(scene->bed);
	qr_space_destroy(scene->space);
	bed_destroy(scene->bed);
}

static uint64_t
count_of(const _Atomic(uint64_t) *counter)
{
	return atomic_load(counter);
}

/* --- kinds of faults --- */

static void
test_first_touch(void **state)
{
	(void)state;
	struct scene s = scene_open(&small);
	bed_map(s.space, 0, 8, PROT_RW);
	assert_int_equal(bed_get(s.bed, s.space, 3), 0);
	assert_int_equal(count_of(&s.bed->spaces.count.first_touch), 1);
	bed_put(s.bed, s.space, 3, 77);
	assert_int_equal(count_of(&s.bed->spaces.count.first_touch), 1);
	assert_int_equal(bed_get(s.bed, s.space, 3), 77);
	/* Asking for what is there already is no error. */
	assert_int_equal(qr_space_fault(s.space, bed_word_at(3),
			     QR_ACCESS_WRITE),
	    0);
	assert_int_equal(count_of(&s.bed->spaces.count.spurious), 1);
	assert_int_equal(bed_stat(s.space).resident_pages, 1);
	scene_close(&s);
}

/* Sequential touches bring neighbours along, random ones do not. */
static void
test_fault_around(void **state)
{
	(void)state;
	struct scene s = scene_open(&small);
	bed_map(s.space, 0, 4096, PROT_RW);
	for (size_t i = 0; i < 512; i++)
		bed_put(s.bed, s.space, i, i + 1);
	struct sim_stat stat;
	sim_stat(s.bed->rig.sim, &stat);
	assert_in_range(stat.faults, 512 / 16, 512 / 16 + 8);
	assert_in_range(bed_stat(s.space).resident_pages, 512, 512 + 16);
	uint64_t before = bed_stat(s.space).resident_pages;
	for (size_t i = 0; i < 64; i++)
		bed_put(s.bed, s.space, 1024 + i * 37 % 64 * 16, i);
	assert_int_equal(bed_stat(s.space).resident_pages, before + 64);
	scene_close(&s);
}

static void
test_refused(void **state)
{
	(void)state;
	static const struct {
		unsigned prot;
		unsigned access;
		int error;
	} cases[] = {
		{ QR_PROT_NONE, QR_ACCESS_READ, -QR_EFAULT },
		{ QR_PROT_READ, QR_ACCESS_READ, 0 },
		{ QR_PROT_READ, QR_ACCESS_WRITE, -QR_EFAULT },
		{ QR_PROT_READ, QR_ACCESS_EXEC, -QR_EFAULT },
		{ PROT_RW, QR_ACCESS_WRITE, 0 },
		{ PROT_RW, QR_ACCESS_EXEC, -QR_EFAULT },
		{ QR_PROT_READ | QR_PROT_EXEC, QR_ACCESS_EXEC, 0 },
	};
	struct scene s = scene_open(&small);
	size_t count = sizeof(cases) / sizeof(cases[0]);
	for (size_t i = 0; i < count; i++) {
		bed_map(s.space, i, 1, cases[i].prot);
		assert_int_equal(sim_touch(s.bed->rig.sim, s.space,
				     bed_word_at(i), cases[i].access),
		    cases[i].error);
	}
	assert_int_equal(sim_touch(s.bed->rig.sim, s.space, bed_word_at(count),
			     QR_ACCESS_READ),
	    -QR_EFAULT);
	assert_int_equal(bed_try_map(s.space, count, 1, PROT_RW,
			     QR_MAP_FOREIGN),
	    0);
	assert_int_equal(sim_touch(s.bed->rig.sim, s.space, bed_word_at(count),
			     QR_ACCESS_READ),
	    -QR_EFAULT);
	assert_int_equal(count_of(&s.bed->spaces.count.bad), 6);
	scene_close(&s);
}

static void
test_protect(void **state)
{
	(void)state;
	struct scene s = scene_open(&small);
	struct sim *sim = s.bed->rig.sim;
	bed_map(s.space, 0, 16, PROT_RW);
	for (size_t i = 0; i < 16; i++)
		bed_put(s.bed, s.space, i, i + 100);
	assert_int_equal(bed_protect(s.space, 4, 8, QR_PROT_NONE), 0);
	assert_int_equal(bed_stat(s.space).areas, 3);
	assert_int_equal(sim_touch(sim, s.space, bed_word_at(5),
			     QR_ACCESS_READ),
	    -QR_EFAULT);
	assert_int_equal(bed_protect(s.space, 4, 8, QR_PROT_READ), 0);
	assert_int_equal(bed_get(s.bed, s.space, 5), 105);
	assert_int_equal(sim_touch(sim, s.space, bed_word_at(5),
			     QR_ACCESS_WRITE),
	    -QR_EFAULT);
	assert_int_equal(bed_protect(s.space, 4, 8, PROT_RW), 0);
	assert_int_equal(bed_stat(s.space).areas, 1);
	bed_put(s.bed, s.space, 5, 205);
	/* A hole stops it; what lies before has changed. */
	assert_int_equal(bed_unmap(s.space, 8, 1), 0);
	assert_int_equal(bed_protect(s.space, 6, 4, QR_PROT_READ), -QR_ENOMEM);
	assert_int_equal(bed_write(s.bed, s.space, 7, 1), -QR_EFAULT);
	bed_put(s.bed, s.space, 9, 1);
	scene_close(&s);
}

/* A port that refuses leaves the rights as they were. */
static void
test_protect_refused(void **state)
{
	(void)state;
	struct scene s = scene_open(&small);
	struct sim *sim = s.bed->rig.sim;
	bed_map(s.space, 0, 200, QR_PROT_READ);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(bed_get(s.bed, s.space, i), 0);
	for (uint64_t n = 1; n <= 4; n++) {
		sim_fail_after(sim, SIM_MMU_PROTECT, n, -QR_ENOMEM);
		assert_int_equal(bed_protect(s.space, 0, 200, PROT_RW),
		    -QR_ENOMEM);
		bed_check(s.bed);
		assert_int_equal(bed_write(s.bed, s.space, 3, 1), -QR_EFAULT);
	}
	sim_fail_every(sim, SIM_MMU_PROTECT, 1, -QR_ENOMEM);
	assert_int_equal(bed_protect(s.space, 0, 200, PROT_RW), -QR_ENOMEM);
	sim_fail_never(sim);
	bed_check(s.bed);
	assert_int_equal(bed_protect(s.space, 0, 200, PROT_RW), 0);
	bed_put(s.bed, s.space, 3, 1);
	scene_close(&s);
}

static void
test_advice(void **state)
{
	(void)state;
	struct scene s = scene_open(&small);
	bed_map(s.space, 0, 64, PROT_RW);
	for (size_t i = 0; i < 64; i++)
		bed_put(s.bed, s.space, i, i + 1);
	assert_int_equal(bed_advise(s.space, 8, 8, QR_ADVICE_DONTNEED), 0);
	assert_int_equal(bed_stat(s.space).resident_pages, 56);
	assert_int_equal(bed_get(s.bed, s.space, 9), 0);
	assert_int_equal(bed_get(s.bed, s.space, 16), 17);

	assert_int_equal(bed_advise(s.space, 16, 16, QR_ADVICE_PAGEOUT), 0);
	assert_int_equal(bed_stat(s.space).swapped_pages, 16);
	unsigned char vec[64];
	qr_space_lock(s.space);
	assert_int_equal(qr_space_mincore(s.space, BED_BASE, 64 * QR_PAGE_SIZE,
			     vec),
	    0);
	qr_space_unlock(s.space);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(vec[i], i == 9 || i < 8 || i >= 32);
	assert_int_equal(bed_advise(s.space, 0, 64, QR_ADVICE_WILLNEED), 0);
	assert_int_equal(bed_stat(s.space).swapped_pages, 0);
	assert_int_equal(bed_stat(s.space).resident_pages, 57);
	for (size_t i = 16; i < 32; i++)
		assert_int_equal(bed_get(s.bed, s.space, i), i + 1);

	assert_int_equal(bed_advise(s.space, 0, 64, QR_ADVICE_COLD), 0);
	assert_int_equal(bed_advise(s.space, 32, 4, QR_ADVICE_LOCK), 0);
	assert_int_equal(bed_advise(s.space, 30, 4, QR_ADVICE_DONTNEED),
	    -QR_EINVAL);
	assert_int_equal(bed_advise(s.space, 60, 8, QR_ADVICE_DONTNEED),
	    -QR_ENOMEM);
	assert_int_equal(bed_get(s.bed, s.space, 61), 0);
	scene_close(&s);
}

/* What unmapping leaves of the tables is nothing. */
static void
test_tables_go(void **state)
{
	(void)state;
	struct scene s = scene_open(&small);
	uint64_t nodes = s.space->table.nodes;
	for (size_t i = 0; i < 8; i++) {
		bed_map(s.space, i << 18, 2, PROT_RW);
		bed_put(s.bed, s.space, i << 18, 1);
	}
	assert_int_equal(bed_move(s.space, 0, 2, 9u << 18), 0);
	assert_in_range(s.space->table.nodes, nodes + 8, nodes + 24);
	for (size_t i = 1; i < 10; i++)
		assert_int_equal(bed_unmap(s.space, i << 18, 2), 0);
	assert_int_equal(s.space->table.nodes, nodes);
	scene_close(&s);
}

static void
test_move(void **state)
{
	(void)state;
	struct scene s = scene_open(&small);
	bed_map(s.space, 0, 64, PROT_RW);
	for (size_t i = 0; i < 32; i++)
		bed_put(s.bed, s.space, i, i + 1);
	assert_int_equal(bed_advise(s.space, 8, 8, QR_ADVICE_PAGEOUT), 0);
	/* Across leaf nodes, to an odd place. */
	assert_int_equal(bed_move(s.space, 4, 28, 1024 + 500), 0);
	for (size_t i = 4; i < 32; i++) {
		uint64_t word;
		qr_vaddr_t at = bed_word_at(i) + 1520 * QR_PAGE_SIZE;
		assert_int_equal(sim_read(s.bed->rig.sim, s.space, at, &word,
				     8),
		    0);
		assert_int_equal(word, i + 1);
	}
	assert_int_equal(bed_get(s.bed, s.space, 3), 4);
	assert_int_equal(qr_space_fault(s.space, bed_word_at(4),
			     QR_ACCESS_READ),
	    -QR_EFAULT);
	bed_check(s.bed);
	/* The pages can still be evicted from where they are. */
	int error;
	while (bed_evict(s.bed, 16, &error) > 0)
		bed_check(s.bed);
	assert_int_equal(bed_move(s.space, 1524, 28, 4), 0);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(bed_get(s.bed, s.space, i), i + 1);
	assert_int_equal(bed_move(s.space, 0, 8, 4), -QR_EEXIST);
	assert_int_equal(bed_move(s.space, 62, 8, 1024), -QR_EFAULT);
	scene_close(&s);
}

/* --- sleep --- */

static struct qr_page *
page_at(struct scene *s, size_t index)
{
	qr_vaddr_t address = BED_BASE + index * QR_PAGE_SIZE;
	for (uint32_t at = s->bed->oldest; at != QR_PFN_NIL;
	     at = bed_page(s->bed, at)->next) {
		if (bed_page(s->bed, at)->u.user.address == address)
			return bed_page(s->bed, at);
	}
	fail();
	return NULL;
}

static bool
test_young(struct scene *s, size_t index)
{
	qr_lock_acquire(s->bed->rig.port, &s->bed->spaces.page_lock);
	bool young = qr_spaces_test_young(&s->bed->spaces, page_at(s, index));
	qr_lock_release(s->bed->rig.port, &s->bed->spaces.page_lock);
	return young;
}

static void
put_to_sleep(struct scene *s, size_t index)
{
	qr_lock_acquire(s->bed->rig.port, &s->bed->spaces.page_lock);
	qr_spaces_put_to_sleep(&s->bed->spaces, page_at(s, index));
}

static void
test_sleep(void **state)
{
	(void)state;
	struct bed_config config = small;
	config.sim_flags = SIM_NO_YOUNG_BIT;
	struct scene s = scene_open(&config);
	bed_map(s.space, 0, 64, PROT_RW);
	for (size_t i = 0; i < 64; i++)
		bed_put(s.bed, s.space, i, i + 1);
	struct qr_pin pin = { 0 };
	qr_space_pin_register(s.space, &pin);
	assert_int_equal(qr_space_pin(s.space, &pin, bed_word_at(50), 8,
			     QR_ACCESS_WRITE),
	    0);
	put_to_sleep(&s, 10);
	bed_check(s.bed);
	assert_false(test_young(&s, 10));
	assert_int_equal(bed_stat(s.space).resident_pages, 64);
	uint64_t before = count_of(&s.bed->spaces.count.soft);
	assert_int_equal(bed_get(s.bed, s.space, 10), 11);
	assert_int_equal(count_of(&s.bed->spaces.count.soft), before + 1);
	assert_int_equal(s.bed->touched, 1);
	assert_true(test_young(&s, 10));
	assert_false(test_young(&s, 10));
	assert_false(test_young(&s, 11));
	/* The pinned page did not sleep. */
	assert_int_equal(bed_get(s.bed, s.space, 50), 51);
	assert_int_equal(count_of(&s.bed->spaces.count.soft), before + 1);
	/* A port that refuses to wake it: the touch fails, then succeeds. */
	sim_fail_after(s.bed->rig.sim, SIM_MMU_PROTECT, 1, -QR_ENOMEM);
	uint64_t word;
	assert_int_equal(bed_read(s.bed, s.space, 12, &word), -QR_ENOMEM);
	assert_int_equal(bed_get(s.bed, s.space, 12), 13);
	int error;
	while (bed_evict(s.bed, 64, &error) > 0)
		bed_check(s.bed);
	qr_space_unpin(&pin);
	qr_space_pin_unregister(s.space, &pin);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(bed_get(s.bed, s.space, i), i + 1);
	scene_close(&s);
}

/* A host that keeps rights by range hears of a page's rights before the page
 * comes back to where it slept, or before it is forgotten. */
static void
test_sleep_outlasts_eviction(void **state)
{
	(void)state;
	struct bed_config config = small;
	config.sim_flags = SIM_NO_YOUNG_BIT;
	struct scene s = scene_open(&config);
	struct sim *sim = s.bed->rig.sim;
	bed_map(s.space, 0, 64, PROT_RW);
	for (size_t i = 0; i < 64; i++)
		bed_put(s.bed, s.space, i, i);
	put_to_sleep(&s, 10);
	assert_int_equal(bed_advise(s.space, 0, 40, QR_ADVICE_PAGEOUT), 0);
	uint64_t calls = sim_calls(sim, SIM_MMU_PROTECT);
	assert_int_equal(bed_get(s.bed, s.space, 5), 5);
	assert_int_equal(bed_get(s.bed, s.space, 0), 0);
	assert_int_equal(sim_calls(sim, SIM_MMU_PROTECT), calls + 2);
	sim_fail_after(sim, SIM_MMU_PROTECT, 1, -QR_ENOMEM);
	uint64_t word;
	assert_int_equal(bed_read(s.bed, s.space, 20, &word), -QR_ENOMEM);
	assert_int_equal(bed_get(s.bed, s.space, 20), 20);
	/* What is dropped is told of too: swapped, asleep, or neither. */
	calls = sim_calls(sim, SIM_MMU_PROTECT);
	assert_int_equal(bed_advise(s.space, 20, 1, QR_ADVICE_DONTNEED), 0);
	assert_int_equal(bed_advise(s.space, 30, 1, QR_ADVICE_DONTNEED), 0);
	assert_int_equal(bed_advise(s.space, 50, 1, QR_ADVICE_DONTNEED), 0);
	assert_int_equal(sim_calls(sim, SIM_MMU_PROTECT), calls + 2);
	assert_int_equal(bed_advise(s.space, 0, 64, QR_ADVICE_PAGEOUT), 0);
	/* Rights that the host has given to a range need not be repeated. */
	qr_space_lock(s.space);
	assert_int_equal(qr_space_protect(s.space, BED_BASE, 64 * QR_PAGE_SIZE,
			     QR_PROT_READ, QR_HOST_DONE),
	    0);
	qr_space_unlock(s.space);
	calls = sim_calls(sim, SIM_MMU_PROTECT);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(bed_get(s.bed, s.space, i),
		    i == 20 || i == 30 || i == 50 ? 0 : i);
	assert_int_equal(sim_calls(sim, SIM_MMU_PROTECT), calls);
	scene_close(&s);
}

/* The MMU's own bit, with a TLB that may hold it back. */
static void
test_hardware_young(void **state)
{
	(void)state;
	struct scene s = scene_open(&small);
	bed_map(s.space, 0, 1024, PROT_RW);
	for (size_t i = 0; i < 1024; i++)
		bed_put(s.bed, s.space, i, 1);
	assert_true(test_young(&s, 0));
	assert_false(test_young(&s, 0));
	(void)bed_get(s.bed, s.space, 0);
	assert_true(test_young(&s, 0));
	/* What only came along is not young. */
	assert_true(test_young(&s, 1023));
	assert_int_equal(bed_advise(s.space, 0, 8, QR_ADVICE_PAGEOUT), 0);
	for (size_t i = 0; i < 5; i++)
		(void)bed_get(s.bed, s.space, i);
	assert_int_equal(bed_stat(s.space).swapped_pages, 0);
	assert_true(test_young(&s, 4));
	assert_false(test_young(&s, 7));
	scene_close(&s);
}

/* --- limits --- */

static void
test_user_limit(void **state)
{
	(void)state;
	struct bed_config config = small;
	config.machine.user_pages_max = 100;
	struct scene s = scene_open(&config);
	bed_map(s.space, 0, 400, PROT_RW);
	for (size_t i = 0; i < 400; i++) {
		bed_put(s.bed, s.space, i, i + 1);
		assert_in_range(s.bed->spaces.user_pages, 1, 100);
	}
	for (size_t i = 0; i < 400; i++)
		assert_int_equal(bed_get(s.bed, s.space, i), i + 1);
	scene_close(&s);
}

static bool
oom_says_no(void *ctx, struct sim_mm *mm, const struct qr_oom_report *report)
{
	unsigned *asked = ctx;
	(void)mm;
	assert_true(report->frames_total > 0);
	return ++*asked == 1;
}

static void
test_oom(void **state)
{
	(void)state;
	struct bed_config config = small;
	config.machine.user_pages_max = 4;
	struct scene s = scene_open(&config);
	unsigned asked = 0;
	sim_set_oom(s.bed->rig.sim, oom_says_no, &asked);
	assert_int_equal(bed_try_map(s.space, 0, 8, PROT_RW, QR_MAP_LOCKED), 0);
	for (size_t i = 0; i < 4; i++)
		bed_put(s.bed, s.space, i, 1);
	assert_int_equal(bed_write(s.bed, s.space, 4, 1), -QR_ENOMEM);
	assert_int_equal(asked, 2);
	assert_int_equal(bed_unmap(s.space, 0, 1), 0);
	bed_put(s.bed, s.space, 4, 1);
	scene_close(&s);
}

/* --- everything at random, against an array --- */

#define PAGES 640u
#define STEPS 6000u

struct model {
	bool mapped[PAGES];
	bool writable[PAGES];
	uint64_t word[PAGES];
};

static void
random_touch(struct scene *s, struct model *model, size_t index)
{
	uint64_t word;
	if (!model->mapped[index]) {
		assert_int_equal(bed_read(s->bed, s->space, index, &word),
		    -QR_EFAULT);
		return;
	}
	assert_int_equal(bed_get(s->bed, s->space, index), model->word[index]);
	word = test_random_next(&s->bed->random);
	int error = bed_write(s->bed, s->space, index, word);
	assert_int_equal(error, model->writable[index] ? 0 : -QR_EFAULT);
	if (error == 0)
		model->word[index] = word;
}

static void
random_range(struct scene *s, struct model *model, size_t first, size_t count)
{
	unsigned what = (unsigned)test_random_below(&s->bed->random, 6);
	unsigned prot = what == 0 ? QR_PROT_READ : PROT_RW;
	enum qr_advice advice =
	    what == 4 ? QR_ADVICE_PAGEOUT : QR_ADVICE_WILLNEED;
	switch (what) {
	case 0:
	case 1:
		bed_map(s->space, first, count, prot);
		break;
	case 2:
		assert_int_equal(bed_unmap(s->space, first, count), 0);
		break;
	case 3:
		(void)bed_advise(s->space, first, count, QR_ADVICE_DONTNEED);
		break;
	default:
		(void)bed_advise(s->space, first, count, advice);
		return;
	}
	for (size_t i = first; i < first + count; i++) {
		model->word[i] = 0;
		if (what == 3)
			continue;
		model->mapped[i] = what != 2;
		model->writable[i] = what == 1;
	}
}

static void
random_step(struct scene *s, struct model *model)
{
	struct test_random *random = &s->bed->random;
	size_t count = 1 + (size_t)test_random_below(random, 60);
	size_t first = (size_t)test_random_below(random, PAGES - count + 1);
	int error;
	alloc_bulk_max = (size_t)test_random_below(random, 20);
	switch (test_random_below(random, 8)) {
	case 0:
		random_range(s, model, first, count);
		break;
	case 1:
		(void)bed_evict(s->bed, count, &error);
		break;
	case 2:
		if (s->bed->oldest != QR_PFN_NIL) {
			qr_lock_acquire(s->bed->rig.port,
			    &s->bed->spaces.page_lock);
			qr_spaces_put_to_sleep(&s->bed->spaces,
			    bed_page(s->bed, s->bed->oldest));
		}
		break;
	case 3:
		for (size_t i = first; i < first + count; i++)
			random_touch(s, model, i);
		break;
	default:
		random_touch(s, model, first);
		break;
	}
}

static void
random_run(const struct bed_config *config)
{
	struct scene s = scene_open(config);
	struct model model = { 0 };
	for (unsigned i = 0; i < STEPS; i++) {
		random_step(&s, &model);
		if (i % 8 == 0)
			bed_check(s.bed);
	}
	scene_close(&s);
}

static void
test_random_steps(void **state)
{
	(void)state;
	random_run(&small);
}

static void
test_random_steps_in_little_memory(void **state)
{
	(void)state;
	struct bed_config config = small;
	config.sim_flags = SIM_NO_YOUNG_BIT | SIM_STAGE_WINDOW;
	config.machine.user_pages_max = 150;
	random_run(&config);
}

/* --- no memory --- */

static int
touch_by_number(struct scene *s, unsigned number)
{
	uint64_t word;
	struct qr_pin pin = { 0 };
	int error;
	switch (number) {
	case 0:
		return bed_write(s->bed, s->space, 40, 1);
	case 1:
		return bed_read(s->bed, s->space, 1, &word);
	default:
		qr_space_pin_register(s->space, &pin);
		error = qr_space_pin(s->space, &pin, BED_BASE,
		    64 * QR_PAGE_SIZE, QR_ACCESS_WRITE);
		qr_space_pin_unregister(s->space, &pin);
		return error;
	}
}

/* Every allocation of a touch fails once: the touch says so, and nothing is
 * lost. */
static void
test_no_memory(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 3; number++) {
		unsigned failures = 0;
		do {
			struct scene s = scene_open(&small);
			bed_map(s.space, 0, 64, PROT_RW);
			for (size_t i = 0; i < 8; i++)
				bed_put(s.bed, s.space, i, i + 1);
			assert_int_equal(bed_advise(s.space, 0, 8,
					     QR_ADVICE_PAGEOUT),
			    0);
			alloc_failed = false;
			alloc_fail_in = ++failures;
			int error = touch_by_number(&s, number);
			alloc_fail_in = 0;
			bed_check(s.bed);
			assert_int_equal(error, alloc_failed ? -QR_ENOMEM : 0);
			for (size_t i = 0; i < 8; i++)
				assert_int_equal(bed_get(s.bed, s.space, i),
				    i + 1);
			scene_close(&s);
		} while (alloc_failed && failures < 100);
		assert_in_range(failures, 2, 99);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_touch),
		cmocka_unit_test(test_fault_around),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_protect),
		cmocka_unit_test(test_protect_refused),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_tables_go),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_sleep),
		cmocka_unit_test(test_sleep_outlasts_eviction),
		cmocka_unit_test(test_hardware_young),
		cmocka_unit_test(test_user_limit),
		cmocka_unit_test(test_oom),
		cmocka_unit_test(test_random_steps),
		cmocka_unit_test(test_random_steps_in_little_memory),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
