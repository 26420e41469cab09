/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_sim_tlb.c: proves that the simulated machine's TLB hits and
 * misses access by access as a plain model of sets, ways and two levels does;
 * that spaces with the same id push each other out, and others don't; and that
 * a translation that is stale is found in either level.
 */
#include "core/machine/machine_impl.h"
#include "machine_bed.h"

#include "core/space/space_impl.h"
#include "port/sim/sim_impl.h"
#include "tests/random.h"

#define PAGE   QR_PAGE_SIZE
#define PAGES  100u
#define SPACES 2u

struct program {
	struct bed bed;
	struct qr_space *space[SPACES];
	qr_vaddr_t at[SPACES];
};

static void
program_make(struct program *program, const struct sim_config *tlb)
{
	struct qr_machine_config config = { .fault_around = 1 };
	bed_make(&program->bed, tlb, &config);
	for (unsigned i = 0; i < SPACES; i++) {
		program->space[i] = bed_space(&program->bed);
		program->at[i] = bed_map(program->space[i], PAGES);
		for (unsigned k = 0; k < PAGES; k++)
			assert_int_equal(sim_touch(program->bed.sim,
					     program->space[i],
					     program->at[i] + k * PAGE,
					     QR_ACCESS_WRITE),
			    0);
	}
}

static void
program_end(struct program *program)
{
	for (unsigned i = 0; i < SPACES; i++)
		qr_space_destroy(program->space[i]);
	bed_end(&program->bed);
}

static void
program_read(const struct program *program, unsigned space, unsigned page)
{
	assert_int_equal(sim_touch(program->bed.sim, program->space[space],
			     program->at[space] + page * PAGE, QR_ACCESS_READ),
	    0);
}

static struct sim_stat
stat_of(const struct program *program)
{
	struct sim_stat stat;
	sim_stat(program->bed.sim, &stat);
	return stat;
}

/* --- a plain model --- */

/* When each page was put into a level last; 0: it is not there. */
struct plain {
	const struct sim_config *config;
	uint64_t time;
	uint64_t set[SPACES][PAGES]; /* hash */
	uint64_t in[2][SPACES][PAGES];
};

static void plain_put(struct plain *plain, unsigned level, unsigned space,
    unsigned page);

/* If the page's set holds more than it can, its oldest page leaves. */
static void
plain_trim(struct plain *plain, unsigned level, uint64_t hash)
{
	unsigned entries = level == 0 ? plain->config->tlb_entries
				      : plain->config->tlb2_entries;
	unsigned ways =
	    level == 0 ? plain->config->tlb_ways : plain->config->tlb2_ways;
	unsigned sets = entries / ways;
	unsigned count = 0;
	uint64_t *oldest = NULL;
	for (unsigned i = 0; i < SPACES * PAGES; i++) {
		uint64_t *in = &plain->in[level][i / PAGES][i % PAGES];
		if (*in == 0 ||
		    plain->set[i / PAGES][i % PAGES] % sets != hash % sets)
			continue;
		count++;
		if (oldest == NULL || *in < *oldest)
			oldest = in;
	}
	if (count <= ways)
		return;
	*oldest = 0;
	unsigned which = (unsigned)(oldest - &plain->in[level][0][0]);
	if (level == 0 && plain->config->tlb2_entries != 0)
		plain_put(plain, 1, which / PAGES, which % PAGES);
}

static void
plain_put(struct plain *plain, unsigned level, unsigned space, unsigned page)
{
	plain->in[level][space][page] = ++plain->time;
	plain_trim(plain, level, plain->set[space][page]);
}

/* The level that has it; 2: none. */
static unsigned
plain_read(struct plain *plain, unsigned space, unsigned page)
{
	unsigned level = 0;
	while (level < 2 && plain->in[level][space][page] == 0)
		level++;
	if (level < 2)
		plain->in[level][space][page] = 0;
	plain_put(plain, 0, space, page);
	return level;
}

static void
expect_equal(const struct sim_config *config, struct test_random *random)
{
	static struct plain plain;
	struct program program;
	program_make(&program, config);
	memset(&plain, 0, sizeof(plain));
	plain.config = config;
	for (unsigned i = 0; i < SPACES * PAGES; i++) {
		const struct sim_mm *mm = qr_space_mm(program.space[i / PAGES]);
		plain.set[i / PAGES][i % PAGES] =
		    (program.at[i / PAGES] >> QR_PAGE_SHIFT) + i % PAGES +
		    (uint64_t)mm->tag * 0x9e3779b1u;
	}
	/* All that the machine did before was in this order. */
	for (unsigned i = 0; i < SPACES * PAGES; i++)
		(void)plain_read(&plain, i / PAGES, i % PAGES);
	for (unsigned step = 0; step < 6000; step++) {
		unsigned space = (unsigned)test_random_below(random, SPACES);
		unsigned span = step % 3 == 0 ? PAGES : 12;
		unsigned page = (unsigned)test_random_below(random, span);
		struct sim_stat before = stat_of(&program);
		program_read(&program, space, page);
		struct sim_stat after = stat_of(&program);
		unsigned level = plain_read(&plain, space, page);
		assert_int_equal(after.tlb_hits - before.tlb_hits, level != 2);
		assert_int_equal(after.tlb2_hits - before.tlb2_hits,
		    level == 1);
		assert_int_equal(after.tlb_misses - before.tlb_misses,
		    level == 2);
	}
	program_end(&program);
}

static void
test_equals_plain(void **state)
{
	static const struct sim_config configs[] = {
		{ .tlb_entries = 16, .tlb_ways = 1 },
		{ .tlb_entries = 16, .tlb_ways = 4 },
		{ .tlb_entries = 16, .tlb_ways = 16 },
		{ .tlb_entries = 12, .tlb_ways = 3 },
		{ .tlb_entries = 8,
		    .tlb_ways = 2,
		    .tlb2_entries = 32,
		    .tlb2_ways = 4 },
		{ .tlb_entries = 4,
		    .tlb_ways = 4,
		    .tlb2_entries = 64,
		    .tlb2_ways = 1 },
	};
	struct test_random random = test_random_start("tlb");
	(void)state;
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		expect_equal(&configs[i], &random);
}

/* Misses of two spaces that run in turn, in a TLB with room for all. */
static uint64_t
misses_in_turn(unsigned ids)
{
	struct sim_config config = { .tlb_entries = 1024,
		.tlb_ways = 16,
		.tlb_ids = ids };
	struct program program;
	program_make(&program, &config);
	uint64_t before = 0;
	for (unsigned turn = 0; turn < 11; turn++) {
		if (turn == 1)
			before = stat_of(&program).tlb_misses;
		for (unsigned space = 0; space < SPACES; space++) {
			for (unsigned page = 0; page < 10; page++)
				program_read(&program, space, page);
		}
	}
	uint64_t misses = stat_of(&program).tlb_misses - before;
	program_end(&program);
	return misses;
}

/* With one id each switch starts anew; with two, or any number, none does. */
static void
test_ids(void **state)
{
	(void)state;
	assert_int_equal(misses_in_turn(1), 10 * SPACES * 10);
	assert_int_equal(misses_in_turn(2), 0);
	assert_int_equal(misses_in_turn(0), 0);
}

static void
read_first(void *ctx)
{
	program_read(ctx, 0, 0);
}

/* The entry of a page changes without a flush; between is read others pages,
 * so that its translation is in the level to be looked at. */
static void
expect_stale(unsigned others)
{
	struct sim_config config = { .tlb_entries = 4,
		.tlb_ways = 4,
		.tlb2_entries = 16,
		.tlb2_ways = 16 };
	struct program program;
	program_make(&program, &config);
	for (unsigned page = 0; page <= others; page++)
		program_read(&program, 0, page);
	qr_pte_word *word =
	    qr_table_find(&program.space[0]->table, program.at[0]);
	uint64_t bits = atomic_exchange(word, 0);
	const char *message = sim_expect_panic(read_first, &program);
	assert_non_null(message);
	assert_non_null(strstr(message, "sim.1"));
	/* The access was refused before the core heard of it. */
	atomic_store(word, bits);
	program_end(&program);
}

static void
test_stale(void **state)
{
	(void)state;
	expect_stale(0);
	expect_stale(8);
}

/* A config that makes no sets is refused. */
static void
test_config(void **state)
{
	static const struct sim_config configs[] = {
		{ .tlb_entries = 12, .tlb_ways = 4 },
		{ .tlb_entries = 16, .tlb_ways = 3 },
		{ .tlb2_entries = 24, .tlb2_ways = 2 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		assert_null(sim_create(&configs[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equals_plain),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_config),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
