/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_machine.c: proves that a whole machine keeps every byte of
 * every space right, against a model that is plain arrays: under random
 * mapping, protection, advice, forks and accesses, with little memory, a
 * failing device, a balloon, and with RAM of every size from too little up.
 */
#include "machine_bed.h"
#include "random.h"

#define ARENA       ((qr_vaddr_t)0x10000000u)
#define ARENA_PAGES 160u
#define SPACES_MAX  4u

#define RW (QR_PROT_READ | QR_PROT_WRITE)

/* What a space should be. */
struct model_page {
	bool mapped;
	unsigned prot;
	unsigned char bytes[4096];
};

struct model {
	struct qr_space *space; /* NULL: unused */
	struct model_page page[ARENA_PAGES];
};

/* A machine, its models, and how a random run goes about it. */
struct run {
	struct bed bed;
	struct model *models; /* [SPACES_MAX] */
	struct test_random random;
	bool may_fail; /* -QR_ENOMEM and -QR_EIO are answers, too */
	unsigned check_every;
	uint64_t refused; /* operations that failed so */
};

static uint64_t
draw(struct run *run, uint64_t below)
{
	return test_random_below(&run->random, below);
}

/* Whether the operation was done; if not, it must be allowed to fail. */
static bool
done(struct run *run, int error)
{
	if (error == 0)
		return true;
	if (!run->may_fail || (error != -QR_ENOMEM && error != -QR_EIO))
		fail_msg("error %d", error);
	run->refused++;
	return false;
}

static qr_vaddr_t
arena_page(size_t index)
{
	return ARENA + index * QR_PAGE_SIZE;
}

struct range {
	size_t first;
	size_t count;
	qr_vaddr_t start;
	uint64_t size_bytes;
};

static struct range
draw_range(struct run *run, size_t max)
{
	struct range range;
	range.first = (size_t)draw(run, ARENA_PAGES);
	range.count = 1 + (size_t)draw(run, max);
	if (range.count > ARENA_PAGES - range.first)
		range.count = ARENA_PAGES - range.first;
	range.start = arena_page(range.first);
	range.size_bytes = range.count * QR_PAGE_SIZE;
	return range;
}

/* --- operations, on the space and on its model --- */

static void
op_map(struct run *run, struct model *model)
{
	struct range range = draw_range(run, 60);
	struct qr_map_request request = { .address = range.start,
		.size_bytes = range.size_bytes,
		.prot = draw(run, 4) == 0 ? QR_PROT_READ : RW,
		.flags = QR_MAP_FIXED };
	qr_vaddr_t at = 0;
	qr_space_lock(model->space);
	int error = qr_space_map(model->space, &request, &at);
	qr_space_unlock(model->space);
	if (!done(run, error))
		return;
	assert_int_equal(at, range.start);
	for (size_t i = 0; i < range.count; i++) {
		struct model_page *page = &model->page[range.first + i];
		memset(page, 0, sizeof(*page));
		page->mapped = true;
		page->prot = request.prot;
	}
}

static void
op_unmap(struct run *run, struct model *model)
{
	struct range range = draw_range(run, 20);
	qr_space_lock(model->space);
	int error =
	    qr_space_unmap(model->space, range.start, range.size_bytes, 0);
	qr_space_unlock(model->space);
	if (!done(run, error))
		return;
	for (size_t i = 0; i < range.count; i++)
		model->page[range.first + i].mapped = false;
}

static size_t
mapped_prefix(const struct model *model, const struct range *range)
{
	size_t count = 0;
	while (count < range->count && model->page[range->first + count].mapped)
		count++;
	return count;
}

static void
op_protect(struct run *run, struct model *model)
{
	const unsigned prots[] = { QR_PROT_NONE, QR_PROT_READ, RW, RW, RW };
	struct range range = draw_range(run, 30);
	unsigned prot = prots[draw(run, 5)];
	size_t count = mapped_prefix(model, &range);
	/* Where memory may fail, too, -QR_ENOMEM would not tell a hole. */
	if (run->may_fail && count < range.count)
		return;
	qr_space_lock(model->space);
	int error = qr_space_protect(model->space, range.start,
	    range.size_bytes, prot, 0);
	qr_space_unlock(model->space);
	if (count < range.count)
		assert_int_equal(error, -QR_ENOMEM);
	else if (!done(run, error))
		return;
	for (size_t i = 0; i < count; i++)
		model->page[range.first + i].prot = prot;
}

static void
op_advise(struct run *run, struct model *model)
{
	const enum qr_advice advices[] = { QR_ADVICE_DONTNEED, QR_ADVICE_COLD,
		QR_ADVICE_PAGEOUT, QR_ADVICE_PAGEOUT, QR_ADVICE_WILLNEED };
	struct range range = draw_range(run, 40);
	enum qr_advice advice = advices[draw(run, 5)];
	bool locked = advice == QR_ADVICE_DONTNEED;
	bool whole = mapped_prefix(model, &range) == range.count;
	if (!whole)
		return;
	if (locked)
		qr_space_lock(model->space);
	int error = qr_space_advise(model->space, range.start, range.size_bytes,
	    advice, 0);
	if (locked)
		qr_space_unlock(model->space);
	if (!done(run, error) || advice != QR_ADVICE_DONTNEED)
		return;
	for (size_t i = 0; i < range.count; i++)
		memset(model->page[range.first + i].bytes, 0, QR_PAGE_SIZE);
}

/* Part of one page. */
struct piece {
	struct model_page *page;
	qr_vaddr_t address;
	size_t offset;
	size_t size_bytes;
};

static struct piece
draw_piece(struct run *run, struct model *model)
{
	struct piece piece;
	size_t index = (size_t)draw(run, ARENA_PAGES);
	piece.page = &model->page[index];
	piece.offset = (size_t)draw(run, QR_PAGE_SIZE);
	piece.size_bytes = 1 + (size_t)draw(run, QR_PAGE_SIZE - piece.offset);
	piece.address = arena_page(index) + piece.offset;
	return piece;
}

static bool
piece_allows(const struct piece *piece, unsigned prot)
{
	return piece->page->mapped && (piece->page->prot & prot) == prot;
}

static void
op_write(struct run *run, struct model *model)
{
	unsigned char data[4096];
	struct piece piece = draw_piece(run, model);
	unsigned char byte = (unsigned char)draw(run, 256);
	bool noise = draw(run, 3) == 0;
	for (size_t i = 0; i < piece.size_bytes; i++)
		data[i] = noise ? (unsigned char)draw(run, 256) : byte;
	int error = sim_write(run->bed.sim, model->space, piece.address, data,
	    piece.size_bytes);
	if (!piece_allows(&piece, QR_PROT_WRITE)) {
		assert_int_equal(error, -QR_EFAULT);
		return;
	}
	if (done(run, error))
		memcpy(piece.page->bytes + piece.offset, data,
		    piece.size_bytes);
}

static void
op_read(struct run *run, struct model *model)
{
	unsigned char data[4096];
	struct piece piece = draw_piece(run, model);
	int error = sim_read(run->bed.sim, model->space, piece.address, data,
	    piece.size_bytes);
	if (!piece_allows(&piece, QR_PROT_READ)) {
		assert_int_equal(error, -QR_EFAULT);
		return;
	}
	if (done(run, error))
		assert_memory_equal(data, piece.page->bytes + piece.offset,
		    piece.size_bytes);
}

static void
op_fork(struct run *run, struct model *model)
{
	for (size_t i = 0; i < SPACES_MAX; i++) {
		struct model *child = &run->models[i];
		struct qr_space *space;
		if (child->space != NULL)
			continue;
		if (!done(run, qr_space_fork(model->space, &space)))
			return;
		memcpy(child->page, model->page, sizeof(child->page));
		child->space = space;
		return;
	}
	qr_space_destroy(model->space);
	memset(model, 0, sizeof(*model));
}

static void
op_create(struct run *run, struct model *model)
{
	memset(model, 0, sizeof(*model));
	if (!done(run, qr_space_create(run->bed.machine, &model->space)))
		model->space = NULL;
}

static void
op_machine(struct run *run, struct model *model)
{
	(void)model;
	struct qr_machine *machine = run->bed.machine;
	switch (draw(run, 3)) {
	case 0:
		(void)qr_machine_balance(machine);
		break;
	case 1:
		qr_machine_age(machine);
		break;
	default:
		(void)qr_machine_give(machine, (size_t)draw(run, 40));
		break;
	}
}

/* --- runs --- */

static void
run_step(struct run *run)
{
	static const struct {
		unsigned weight;
		void (*op)(struct run *run, struct model *model);
	} ops[] = {
		{ 400, op_write },
		{ 400, op_read },
		{ 30, op_map },
		{ 15, op_unmap },
		{ 25, op_protect },
		{ 40, op_advise },
		{ 6, op_fork },
		{ 6, op_machine },
	};
	struct model *model = &run->models[draw(run, SPACES_MAX)];
	if (model->space == NULL) {
		if (draw(run, 8) == 0)
			op_create(run, model);
		return;
	}
	unsigned total = 0;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		total += ops[i].weight;
	unsigned at = (unsigned)draw(run, total);
	for (size_t i = 0;; i++) {
		if (at < ops[i].weight) {
			ops[i].op(run, model);
			return;
		}
		at -= ops[i].weight;
	}
}

/* Every byte of every space, once the trouble is over. */
static void
run_verify(struct run *run)
{
	static unsigned char data[4096];
	run->may_fail = false;
	for (size_t i = 0; i < SPACES_MAX; i++) {
		const struct model *model = &run->models[i];
		for (size_t k = 0; model->space != NULL && k < ARENA_PAGES;
		     k++) {
			const struct model_page *page = &model->page[k];
			int error = sim_read(run->bed.sim, model->space,
			    arena_page(k), data, sizeof(data));
			if (!page->mapped || page->prot == QR_PROT_NONE) {
				assert_int_equal(error, -QR_EFAULT);
				continue;
			}
			assert_int_equal(error, 0);
			assert_memory_equal(data, page->bytes, sizeof(data));
		}
	}
}

static void
run_make(struct run *run, const struct sim_config *sim_config,
    const struct qr_machine_config *config)
{
	*run = (struct run){ .random = test_random_start("machine"),
		.check_every = 100 };
	bed_make(&run->bed, sim_config, config);
	run->models = calloc(SPACES_MAX, sizeof(*run->models));
	assert_non_null(run->models);
}

static void
run_steps(struct run *run, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		run_step(run);
		if (i % run->check_every == run->check_every - 1)
			qr_check_machine(run->bed.machine);
	}
}

static void
run_end(struct run *run)
{
	for (size_t i = 0; i < SPACES_MAX; i++) {
		if (run->models[i].space != NULL)
			qr_space_destroy(run->models[i].space);
	}
	free(run->models);
	struct qr_machine_stat stat;
	qr_machine_stat(run->bed.machine, &stat);
	assert_int_equal(stat.frames_user, 0);
	assert_int_equal(stat.swap_slots, 0);
	assert_int_equal(stat.commit_pages, 0);
	bed_end(&run->bed);
}

/* --- tests --- */

/* Each policy, codec or none, each flavour of the hardware. */
static void
test_model(void **state)
{
	static const struct {
		const char *policy;
		bool codec;
		unsigned flags;
		unsigned levels;
		bool age;
		bool touchers; /* only they evict */
	} cases[] = {
		{ "s3fifo", true, 0, 4, false, false },
		{ "s3fifo", true,
		    SIM_NO_YOUNG_BIT | SIM_STAGE_WINDOW | SIM_DEAR_MMU, 4,
		    false, true },
		{ "sieve", false, SIM_STAGE_WINDOW | SIM_DEAR_MMU, 4, false,
		    true },
		{ "clock", true, SIM_NO_YOUNG_BIT, 5, true, false },
		{ "lru", false, SIM_NO_YOUNG_BIT | SIM_STAGE_WINDOW, 3, true,
		    true },
		{ "fifo", true, SIM_STAGE_WINDOW, 3, false, false },
		{ "nru", true, 0, 4, false, false },
		{ "ageing", false, 0, 4, false, false },
		{ "wsclock", true, 0, 4, false, false },
		{ "2q", true, SIM_DEAR_MMU, 4, false, true },
		{ "arc", false, SIM_NO_YOUNG_BIT, 4, true, false },
		{ "arc", true, SIM_DEAR_MMU | SIM_STAGE_WINDOW, 4, false,
		    true },
		{ "lirs", true, 0, 4, false, false },
		{ "lirs", true, SIM_NO_YOUNG_BIT, 3, true, false },
		{ "two-lists", true, 0, 4, false, false },
		{ "two-lists", true, SIM_NO_YOUNG_BIT, 4, true, false },
		{ "generations", false, SIM_STAGE_WINDOW, 4, false, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sim_config sim_config = { .ram_bytes = 600 << 10,
			.swap_pages = 4096,
			.seed = i,
			.cpus = 2,
			.levels = cases[i].levels,
			.tlb_ways = i % 2 == 0 ? 0 : 4,
			.tlb2_entries = i % 3 == 0 ? 256 : 0,
			.tlb2_ways = 8,
			.tlb_ids = i % 4 == 0 ? 1 : 0,
			.flags = cases[i].flags };
		struct qr_machine_config config = { .policy = cases[i].policy,
			.levels = cases[i].levels,
			.codec = cases[i].codec ? &bed_codec : NULL,
			.age_softly = cases[i].age,
			.evict_by_touchers = cases[i].touchers };
		struct run run;
		struct qr_machine_stat stat;
		run_make(&run, &sim_config, &config);
		sim_set_background(run.bed.sim, run.bed.machine);
		run_steps(&run, 5000);
		qr_machine_stat(run.bed.machine, &stat);
		assert_true(stat.pages_out > 20);
		assert_true(stat.pages_in > 20);
		assert_int_equal(stat.oom, 0);
		run_verify(&run);
		run_end(&run);
	}
}

/* With less and less memory the policy's history finds none at some size, and
 * the machine is then not made. */
static void
test_no_room_for_history(void **state)
{
	struct qr_machine_config config = { .policy = "lirs" };
	struct sim_config sim_config = { .ram_bytes = 1 << 20 };
	int error = 0;
	(void)state;
	for (; error == 0; sim_config.ram_bytes -= QR_PAGE_SIZE) {
		struct bed bed;
		bed.sim = sim_create(&sim_config);
		assert_non_null(bed.sim);
		error =
		    qr_machine_create(sim_port(bed.sim), &config, &bed.machine);
		if (error == 0)
			qr_machine_destroy(bed.machine);
		sim_destroy(bed.sim);
	}
	assert_int_equal(error, -QR_ENOMEM);
}

/* Transfers fail once in a while, then all of them, then the device is full,
 * then all is well. Pages of the device that failed are not used again, so it
 * is a large one. */
static void
test_failing_device(void **state)
{
	struct sim_config sim_config = { .ram_bytes = 600 << 10,
		.swap_pages = 1 << 16 };
	struct qr_machine_config config = { .policy = NULL };
	struct run run;
	struct qr_machine_stat stat;
	(void)state;
	run_make(&run, &sim_config, &config);
	struct sim *sim = run.bed.sim;
	run.may_fail = true;
	sim_disk_resize(sim, 1 << 15);
	sim_fail_every(sim, SIM_SWAP_WRITE, 7, -QR_EIO);
	sim_fail_every(sim, SIM_SWAP_READ, 5, -QR_EIO);
	sim_fail_every(sim, SIM_MMU_MAP, 9, -QR_EAGAIN);
	run_steps(&run, 3000);
	sim_fail_every(sim, SIM_SWAP_READ, 1, -QR_EIO);
	sim_fail_every(sim, SIM_SWAP_WRITE, 1, -QR_EIO);
	run_steps(&run, 300);
	sim_fail_never(sim);
	sim_disk_set_room(sim, 100);
	run_steps(&run, 1000);
	qr_machine_stat(run.bed.machine, &stat);
	assert_true(stat.swap_io_errors > 10);
	assert_true(run.refused > 0);
	/* A device that was full is asked again once it has grown. */
	sim_disk_set_room(sim, UINT64_MAX);
	sim_disk_resize(sim, 1 << 16);
	run_verify(&run);
	run_end(&run);
}

/* Somebody else takes memory away and gives it back all the time. */
static void
test_balloon(void **state)
{
	struct sim_config sim_config = { .ram_bytes = 2 << 20,
		.swap_pages = 4096 };
	struct qr_machine_config config = { .codec = &bed_codec };
	struct run run;
	struct qr_machine_stat stat;
	(void)state;
	run_make(&run, &sim_config, &config);
	run.may_fail = true;
	for (unsigned i = 0; i < 40; i++) {
		uint64_t target = draw(&run, 420);
		uint64_t reached = qr_machine_balloon(run.bed.machine, target);
		qr_machine_stat(run.bed.machine, &stat);
		assert_int_equal(stat.frames_balloon, reached);
		assert_true(reached <= target);
		run_steps(&run, 50);
	}
	assert_true(qr_machine_balloon(run.bed.machine, 200) == 200);
	assert_int_equal(qr_machine_balloon(run.bed.machine, 0), 0);
	run_verify(&run);
	run_end(&run);
}

/*
 * From a few pages up: a machine is made or is refused for memory, works or
 * says that it can't, and never hangs, panics or confuses a byte.
 */
static void
test_every_size(void **state)
{
	bool made = false;
	(void)state;
	for (uint64_t pages = 4; pages < 320; pages += pages < 100 ? 1 : 13) {
		struct sim_config sim_config = { .ram_bytes =
						     pages * QR_PAGE_SIZE,
			.swap_pages = 64 };
		struct qr_machine_config config = { .codec = &bed_codec };
		struct run run = { .random = { pages },
			.may_fail = true,
			.check_every = 64 };
		run.bed.sim = sim_create(&sim_config);
		int error = qr_machine_create(sim_port(run.bed.sim), &config,
		    &run.bed.machine);
		if (error != 0) {
			assert_int_equal(error, -QR_ENOMEM);
			assert_false(made);
			sim_destroy(run.bed.sim);
			continue;
		}
		made = true;
		run.models = calloc(SPACES_MAX, sizeof(*run.models));
		run_steps(&run, 400);
		run_end(&run);
	}
	assert_true(made);
}

static void
test_refuses_bad_config(void **state)
{
	struct sim_config sim_config = { .ram_bytes = 1 << 20 };
	struct qr_machine_config bad[] = { { .policy = "nonesuch" },
		{ .levels = 2 }, { .levels = 6 } };
	struct qr_machine *machine = NULL;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sim *sim = sim_create(&sim_config);
		assert_int_equal(qr_machine_create(sim_port(sim), &bad[i],
				     &machine),
		    -QR_EINVAL);
		assert_null(machine);
		sim_destroy(sim);
	}
}

/* Holes, overlaps and reserved parts, one of them where the machine would
 * go first. */
static void
test_ram_with_holes(void **state)
{
	const struct qr_ram_region regions[] = {
		{ 4 << 20, 1 << 20, QR_RAM_USABLE, 0 },
		{ 0x100, 0x9f000, QR_RAM_USABLE, 0 },
		{ 0, 0x5123, QR_RAM_RESERVED, 0 },
		{ 0x8000, 0x1800, QR_RAM_RESERVED, 0 },
		{ (4 << 20) + 0x80000, 0x1000, QR_RAM_RESERVED, 0 },
		{ 1 << 20, 0, QR_RAM_RESERVED, 0 },
		{ (4 << 20) + 0x70000, 0x90000, QR_RAM_USABLE, 0 },
	};
	struct sim_config sim_config = { .regions = regions,
		.region_count = sizeof(regions) / sizeof(regions[0]),
		.swap_pages = 2048 };
	struct run run;
	(void)state;
	run_make(&run, &sim_config, NULL);
	unsigned char *byte = sim_frame(run.bed.sim, 4);
	*byte = 0x77;
	run_steps(&run, 2000);
	run_verify(&run);
	assert_int_equal(*byte, 0x77);
	run_end(&run);
}

/* Two machines in one process know nothing of each other. */
static void
test_two_machines(void **state)
{
	struct sim_config sim_config = { .ram_bytes = 1 << 20,
		.swap_pages = 2048 };
	struct qr_machine_config config = { .codec = &bed_codec,
		.policy = "clock" };
	struct run a;
	struct run b;
	(void)state;
	run_make(&a, &sim_config, NULL);
	run_make(&b, &sim_config, &config);
	b.random.state++;
	for (unsigned i = 0; i < 20; i++) {
		run_steps(&a, 100);
		run_steps(&b, 100);
	}
	run_verify(&a);
	run_end(&a);
	run_verify(&b);
	run_end(&b);
}

/* user_pages_max bounds what is mapped, however much RAM there is. */
static void
test_user_limit(void **state)
{
	struct sim_config sim_config = { .ram_bytes = 8 << 20,
		.swap_pages = 2048 };
	struct qr_machine_config config = { .user_pages_max = 50,
		.codec = &bed_codec };
	struct run run;
	struct qr_machine_stat stat;
	(void)state;
	run_make(&run, &sim_config, &config);
	run_steps(&run, 3000);
	qr_machine_stat(run.bed.machine, &stat);
	assert_true(stat.frames_user_peak <= 50 + 32);
	assert_true(stat.frames_user <= 50);
	assert_true(stat.pages_out > 100);
	run_verify(&run);
	run_end(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_no_room_for_history),
		cmocka_unit_test(test_failing_device),
		cmocka_unit_test(test_balloon),
		cmocka_unit_test(test_every_size),
		cmocka_unit_test(test_refuses_bad_config),
		cmocka_unit_test(test_ram_with_holes),
		cmocka_unit_test(test_two_machines),
		cmocka_unit_test(test_user_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
