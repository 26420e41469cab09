/* SPDX-License-Identifier: MIT */
/*
 * tests/port/test_generic.c: proves that the core as an embedder gets it,
 * with every primitive through the port's table, works like the one that is
 * built with the simulated machine's own inline header.
 */
#include "core/machine_bed.h"
#include "random.h"

#define PAGES 600u

static void
test_pages_come_back(void **state)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = 1 << 20,
		.swap_pages = 2048,
		.cpus = 3 };
	struct test_random random = test_random_start("generic");
	static uint64_t value[PAGES];
	(void)state;
	bed_make(&bed, &sim_config, NULL);
	struct qr_space *space = bed_space(&bed);
	qr_vaddr_t at = bed_map(space, PAGES);
	for (unsigned i = 0; i < 20 * PAGES; i++) {
		size_t page = (size_t)test_random_below(&random, PAGES);
		qr_vaddr_t word = at + page * QR_PAGE_SIZE + 8 * (page % 99);
		uint64_t seen = 1;
		sim_set_cpu(i);
		assert_int_equal(sim_read(bed.sim, space, word, &seen,
				     sizeof(seen)),
		    0);
		assert_int_equal(seen, value[page]);
		value[page] = test_random_next(&random);
		assert_int_equal(sim_write(bed.sim, space, word, &value[page],
				     sizeof(seen)),
		    0);
	}
	struct qr_machine_stat stat;
	qr_machine_stat(bed.machine, &stat);
	assert_true(stat.faults_device > PAGES);
	qr_space_destroy(space);
	bed_end(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
