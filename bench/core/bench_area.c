/* SPDX-License-Identifier: MIT */
/*
 * bench_area.c: ns of CPU time of looking an area up at a random address, of taking one out
 * and putting it back, and of finding the highest hole, by the number of areas.
 * Areas of one page with holes between them, so that none are joined.
 */
#include "bench.h"

#include "core/machine/machine_impl.h"
#include "core/space/space_impl.h"
#include "tests/random.h"

#define BASE  ((qr_vaddr_t)1 << 32)
#define TURNS 200000u

/* Of the processor, so that what else runs matters less. */
static double
seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void
need(int error)
{
	if (error != 0)
		(void)bench_need(NULL);
}

/* Of the areas' pages every second one is used. */
static qr_vaddr_t
place(uint64_t index)
{
	return BASE + index * 2 * QR_PAGE_SIZE;
}

static void
map_at(struct qr_space *space, qr_vaddr_t address)
{
	struct qr_map_request request = { .address = address,
		.size_bytes = QR_PAGE_SIZE,
		.prot = QR_PROT_READ,
		.flags = QR_MAP_NOREPLACE };
	need(qr_space_map(space, &request, &address));
}

static double
bench_lookup(struct qr_space *space, uint64_t count, struct test_random *random)
{
	uint64_t found = 0;
	double start = seconds();
	for (unsigned i = 0; i < TURNS; i++)
		found += qr_area_find(space,
			     place(test_random_below(random, count))) != NULL;
	double ns = (seconds() - start) * 1e9 / TURNS;
	need(found == TURNS ? 0 : 1);
	return ns;
}

static double
bench_update(struct qr_space *space, uint64_t count, struct test_random *random)
{
	double start = seconds();
	for (unsigned i = 0; i < TURNS; i++) {
		qr_vaddr_t at = place(test_random_below(random, count));
		need(qr_space_unmap(space, at, QR_PAGE_SIZE, 0));
		map_at(space, at);
	}
	return (seconds() - start) * 1e9 / TURNS;
}

/* A hole of two pages is at the top only. */
static double
bench_gap(struct qr_space *space)
{
	qr_vaddr_t at;
	double start = seconds();
	for (unsigned i = 0; i < TURNS; i++)
		need(qr_area_find_gap(space, 2 * QR_PAGE_SIZE, &at));
	return (seconds() - start) * 1e9 / TURNS;
}

int
main(void)
{
	static const uint64_t counts[] = { 16, 1000, 100000, 1000000 };
	struct sim_config config = { .ram_bytes = (uint64_t)512 << 20 };
	struct sim *sim = bench_need(sim_create(&config));
	struct qr_machine *machine;
	struct qr_space *space;
	struct test_random random = test_random_start("bench_area");
	need(qr_machine_create(sim_port(sim), NULL, &machine));
	need(qr_space_create(machine, &space));
	printf("areas     lookup  unmap+map  gap   ns\n");
	uint64_t made = 0;
	qr_space_lock(space);
	for (size_t i = 0; i < QR_COUNT_OF(counts); i++) {
		while (made < counts[i])
			map_at(space, place(made++));
		double lookup = bench_lookup(space, made, &random);
		double update = bench_update(space, made, &random);
		printf("%-8llu %7.1f %10.1f %4.1f\n", (unsigned long long)made,
		    lookup, update, bench_gap(space));
	}
	qr_space_unlock(space);
	qr_space_destroy(space);
	qr_machine_destroy(machine);
	sim_destroy(sim);
	return 0;
}
