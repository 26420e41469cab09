/* SPDX-License-Identifier: MIT */
/*
 * bench_swap.c: storing a page, and loading and putting it, by the page's
 * kind and the codec, on one thread; and what share of its size a page then
 * takes. Heap: pointers, small numbers and short text in 48-byte objects.
 */
#include <string.h>

#include "bench.h"
#include "codec/codec.h"
#include "core/swap/swap.h"

#define PAGES 4000u

struct bench {
	struct qr_swap *swap;
	unsigned char (*pages)[QR_PAGE_SIZE];
	uint64_t slots[PAGES];
	double load_ns;
};

static void
fill_zero(unsigned char *page, uint64_t *random)
{
	(void)random;
	memset(page, 0, QR_PAGE_SIZE);
}

static void
fill_heap(unsigned char *page, uint64_t *random)
{
	memset(page, 0, QR_PAGE_SIZE);
	for (size_t at = 0; at + 48 <= QR_PAGE_SIZE; at += 48) {
		uint64_t draw = bench_random(random);
		uint64_t pointer = 0x7f3a5c000000 + (draw & 0x3fffff0);
		uint64_t number = draw >> 40 & 0x3ff;
		memcpy(page + at, &pointer, 8);
		memcpy(page + at + 8, &number, 8);
		memcpy(page + at + 16, "\x01\0\0\0\0\0\0\0user", 12);
		for (size_t i = 0; i < 10; i++)
			page[at + 28 + i] =
			    (unsigned char)"0123456789abcdef"[draw >> 4 * i &
							      15];
	}
}

static void
fill_random(unsigned char *page, uint64_t *random)
{
	for (size_t at = 0; at < QR_PAGE_SIZE; at += 8) {
		uint64_t draw = bench_random(random);
		memcpy(page + at, &draw, 8);
	}
}

static double
run_store(void *ctx)
{
	struct bench *bench = ctx;
	double start = bench_now_ns();
	for (size_t i = 0; i < PAGES; i++)
		if (qr_swap_store(bench->swap, bench->pages[i],
			&bench->slots[i]) != 0)
			return (double)(size_t)bench_need(NULL);
	double took = bench_now_ns() - start;

	static unsigned char page[QR_PAGE_SIZE];
	start = bench_now_ns();
	for (size_t i = 0; i < PAGES; i++) {
		if (qr_swap_load(bench->swap, bench->slots[i], page) != 0)
			return (double)(size_t)bench_need(NULL);
		qr_swap_put(bench->swap, bench->slots[i]);
	}
	bench->load_ns = bench_now_ns() - start;
	return took;
}

static double
run_load(void *ctx)
{
	(void)run_store(ctx);
	return ((struct bench *)ctx)->load_ns;
}

static void
bench_kind(struct bench *bench, const char *codec, const char *kind)
{
	char name[64];
	snprintf(name, sizeof(name), "%s %s store", codec, kind);
	bench_report(name, run_store, bench, PAGES);
	snprintf(name, sizeof(name), "%s %s load", codec, kind);
	bench_report(name, run_load, bench, PAGES);

	struct qr_swap_stat stat;
	for (size_t i = 0; i < PAGES; i++)
		if (qr_swap_store(bench->swap, bench->pages[i],
			&bench->slots[i]) != 0)
			bench_need(NULL);
	qr_swap_stat(bench->swap, &stat);
	printf("%-24s %7.1f %% of its size in frames, %.1f %% compressed\n", "",
	    100.0 * (double)stat.pool_frames / PAGES,
	    100.0 * (double)stat.pooled_bytes / PAGES / QR_PAGE_SIZE);
	for (size_t i = 0; i < PAGES; i++)
		qr_swap_put(bench->swap, bench->slots[i]);
}

int
main(void)
{
	static const struct {
		const char *name;
		void (*fill)(unsigned char *page, uint64_t *random);
	} kinds[] = { { "zero", fill_zero }, { "heap", fill_heap },
		{ "random", fill_random } };
	static struct bench bench;
	struct sim *sim;
	struct qr_frames *frames = bench_frames(&sim, (uint64_t)64 << 20);
	struct qr_slabs *slabs = bench_need(qr_slab_start(frames));
	bench.pages = bench_need(calloc(PAGES, QR_PAGE_SIZE));
	for (size_t c = 0; qr_codecs[c] != NULL; c++) {
		const struct qr_swap_config config = { .codec = qr_codecs[c],
			.keep_raw = true };
		if (qr_swap_create(frames, slabs, &config, &bench.swap) != 0)
			bench_need(NULL);
		for (size_t k = 0; k < 3; k++) {
			uint64_t random = 88172645463325252u;
			for (size_t i = 0; i < PAGES; i++)
				kinds[k].fill(bench.pages[i], &random);
			bench_kind(&bench, qr_codecs[c]->name, kinds[k].name);
		}
		qr_swap_destroy(bench.swap);
	}
	free(bench.pages);
	sim_destroy(sim);
	return 0;
}
