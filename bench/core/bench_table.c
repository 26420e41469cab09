/* SPDX-License-Identifier: MIT */
/*
 * bench_table.c: a four-level page table of 256 MiB: random look-ups, the
 * claim and publish of an entry, stepping over all entries, and growing and
 * pruning it, a page being the operation.
 */
#include "bench.h"
#include "core/table/table.h"

#define PAGES   65536u
#define LOOKUPS 2000000u
#define START   ((qr_vaddr_t)0x7f0000000000)
#define END     (START + PAGES * QR_PAGE_SIZE)

struct bench {
	const struct qr_port *port;
	struct qr_table table;
	uint64_t sum; /* of what was read, so that it is read */
};

static qr_pte_word *
random_entry(const struct bench *bench, uint64_t *random)
{
	uint64_t page = bench_random(random) % PAGES;
	return bench_need(
	    qr_table_find(&bench->table, START + page * QR_PAGE_SIZE));
}

static double
run_find(void *ctx)
{
	struct bench *bench = ctx;
	uint64_t random = 88172645463325252u;
	double start = bench_now_ns();
	for (unsigned i = 0; i < LOOKUPS; i++)
		bench->sum += qr_pte_read(random_entry(bench, &random)).bits;
	return bench_now_ns() - start;
}

static double
run_claim(void *ctx)
{
	struct bench *bench = ctx;
	qr_pte_word *word = bench_need(qr_table_find(&bench->table, START));
	double start = bench_now_ns();
	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct qr_pte pte = qr_pte_claim(bench->port, word);
		(void)qr_pte_publish(bench->port, word, pte);
	}
	return bench_now_ns() - start;
}

static double
run_step(void *ctx)
{
	struct bench *bench = ctx;
	double start = bench_now_ns();
	for (unsigned turn = 0; turn < LOOKUPS / PAGES; turn++) {
		qr_vaddr_t at = START;
		size_t count;
		const qr_pte_word *word;
		while ((word = qr_table_next(&bench->table, &at, END,
			    &count)) != NULL) {
			for (size_t i = 0; i < count; i++)
				bench->sum += qr_pte_read(&word[i]).bits;
			at += count * QR_PAGE_SIZE;
		}
	}
	return bench_now_ns() - start;
}

static double
run_grow(void *ctx)
{
	struct bench *bench = ctx;
	double start = bench_now_ns();
	for (unsigned i = 0; i < PAGES; i++)
		bench_need(qr_table_ensure(&bench->table,
		    START + i * QR_PAGE_SIZE, QR_GFP_KERNEL));
	qr_table_prune(&bench->table, START, END);
	return bench_now_ns() - start;
}

int
main(void)
{
	static struct bench bench;
	struct sim *sim;
	struct qr_frames *frames = bench_frames(&sim, (uint64_t)16 << 20);
	bench.port = sim_port(sim);
	if (qr_table_init(&bench.table, frames, &qr_geometry_4level) != 0)
		return 1;
	bench_report("table: grow and prune", run_grow, &bench, PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		bench_need(qr_table_ensure(&bench.table,
		    START + i * QR_PAGE_SIZE, QR_GFP_KERNEL));
	bench_report("table: random find", run_find, &bench, LOOKUPS);
	bench_report("table: claim, publish", run_claim, &bench, LOOKUPS);
	bench_report("table: step", run_step, &bench, LOOKUPS / PAGES * PAGES);
	qr_table_fini(&bench.table);
	sim_destroy(sim);
	return bench.sum != 0;
}
