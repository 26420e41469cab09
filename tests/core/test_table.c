/* SPDX-License-Identifier: MIT */
/*
 * test_table.c: a page table of any layout answers as a plain array of pages
 * would, is what x86-64's hardware expects, grows under several threads at
 * once, survives each refused node, and gives every frame back.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/table/table.h"
#include "random.h"
#include "rig.h"

#define PAGES      96u
#define STEPS      3000u
#define RAM_BYTES  ((uint64_t)16 << 20)
#define GROWERS    4u
#define GROW_PAGES 600u

static const struct qr_geometry geometry_2level = { .levels = 2,
	.index_bits = { 5, 7 },
	.shift = { 12, 17 } };

/* A table, and beside it what it should say of some pages; the rest of it is
 * none. */
struct bench {
	struct rig rig;
	struct qr_table table;
	qr_vaddr_t end;
	uint64_t free_pages; /* before there was a table */
	struct test_random random;
	qr_vaddr_t address[PAGES]; /* rising, all different */
	uint64_t bits[PAGES];
};

static int
address_compare(const void *a, const void *b)
{
	const qr_vaddr_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* Pages in clusters, at the edges of nodes, and anywhere. */
static void
bench_scatter(struct bench *bench)
{
	const struct qr_geometry *geometry = bench->table.geometry;
	for (size_t i = 0; i < PAGES; i++) {
		unsigned level = (unsigned)test_random_below(&bench->random,
		    geometry->levels);
		uint64_t jump = test_random_below(&bench->random, 3);
		qr_vaddr_t base = i == 0 ? 0 : bench->address[i - 1];
		bench->address[i] =
		    (base + (jump << geometry->shift[level])) % bench->end;
	}
	bench->address[0] = bench->end - QR_PAGE_SIZE;
	qsort(bench->address, PAGES, sizeof(qr_vaddr_t), address_compare);
	for (size_t i = 1; i < PAGES; i++)
		if (bench->address[i] <= bench->address[i - 1])
			bench->address[i] =
			    bench->address[i - 1] + QR_PAGE_SIZE;
	/* The shifting may have pushed the last ones over the end. */
	for (size_t i = PAGES; i-- > 0;)
		if (bench->address[i] > bench->end - QR_PAGE_SIZE * (PAGES - i))
			bench->address[i] =
			    bench->end - QR_PAGE_SIZE * (PAGES - i);
}

static struct bench *
bench_create(const struct qr_geometry *geometry)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	rig_start(&bench->rig, RAM_BYTES, 1, 0);
	bench->free_pages = rig_free_pages(&bench->rig);
	assert_int_equal(qr_table_init(&bench->table, bench->rig.frames,
			     geometry),
	    0);
	bench->end = qr_geometry_end(geometry);
	bench->random = test_random_start("table");
	bench_scatter(bench);
	return bench;
}

static void
bench_set(struct bench *bench, size_t i, uint64_t bits)
{
	qr_pte_word *word = qr_table_find(&bench->table, bench->address[i]);
	assert_non_null(word);
	(void)qr_pte_claim(bench->rig.port, word);
	(void)qr_pte_publish(bench->rig.port, word, (struct qr_pte){ bits });
	bench->bits[i] = bits;
}

static void
bench_destroy(struct bench *bench)
{
	for (size_t i = 0; i < PAGES; i++)
		if (bench->bits[i] != 0)
			bench_set(bench, i, 0);
	qr_table_fini(&bench->table);
	assert_int_equal(rig_free_pages(&bench->rig), bench->free_pages);
	rig_stop(&bench->rig);
	free(bench);
}

/* --- the model --- */

static uint64_t
random_bits(struct bench *bench)
{
	uint64_t number = test_random_below(&bench->random, UINT32_MAX);
	switch (test_random_below(&bench->random, 4)) {
	case 0:
		return qr_pte_swapped(number).bits;
	case 1:
		return qr_pte_of_kind(QR_PTE_ZERO).bits;
	case 2:
		return qr_pte_map(number, QR_PROT_NONE).bits;
	default:
		return qr_pte_map(number, QR_PROT_READ).bits;
	}
}

struct visit {
	const struct bench *bench;
	size_t next; /* page of the model that is due */
};

static void
visit_page(void *ctx, qr_vaddr_t address, struct qr_pte pte)
{
	struct visit *visit = ctx;
	while (visit->next < PAGES && visit->bench->bits[visit->next] == 0)
		visit->next++;
	assert_in_range(visit->next, 0, PAGES - 1);
	assert_int_equal(address, visit->bench->address[visit->next]);
	assert_int_equal(pte.bits, visit->bench->bits[visit->next]);
	visit->next++;
}

static size_t
model_count(const struct bench *bench, qr_vaddr_t start, qr_vaddr_t end)
{
	size_t count = 0;
	for (size_t i = 0; i < PAGES; i++)
		count += bench->bits[i] != 0 && bench->address[i] >= start &&
			 bench->address[i] < end;
	return count;
}

/* Every run lies in one node, in the range, behind the last; together they
 * hold what the model has there. */
static void
compare_range(struct bench *bench, qr_vaddr_t start, qr_vaddr_t end)
{
	size_t found = 0, count;
	qr_vaddr_t at = start, before = start;
	const qr_pte_word *word;
	while (
	    (word = qr_table_next(&bench->table, &at, end, &count)) != NULL) {
		assert_true(at >= before);
		assert_in_range(count, 1, 512);
		assert_ptr_equal(word, qr_table_find(&bench->table, at));
		before = at + count * QR_PAGE_SIZE;
		assert_true(before <= end);
		assert_ptr_equal(word + count - 1,
		    qr_table_find(&bench->table, before - QR_PAGE_SIZE));
		for (size_t i = 0; i < count; i++)
			found += !qr_pte_is_none(qr_pte_read(&word[i]));
		at = before;
	}
	assert_int_equal(found, model_count(bench, start, end));
}

static void
compare(struct bench *bench)
{
	qr_check_table(&bench->table, QR_CHECK_CHILDREN);
	for (size_t i = 0; i < PAGES; i++) {
		const qr_pte_word *word =
		    qr_table_find(&bench->table, bench->address[i]);
		uint64_t bits = word == NULL ? 0 : qr_pte_read(word).bits;
		assert_int_equal(bits, bench->bits[i]);
	}
	struct visit visit = { bench, 0 };
	qr_table_for_each(&bench->table, visit_page, &visit);
	while (visit.next < PAGES)
		assert_int_equal(bench->bits[visit.next++], 0);
	compare_range(bench, 0, bench->end);
}

static void
random_range(struct bench *bench, qr_vaddr_t *start, qr_vaddr_t *end)
{
	uint64_t a = test_random_below(&bench->random, PAGES);
	uint64_t b = test_random_below(&bench->random, PAGES);
	*start = bench->address[a < b ? a : b];
	*end = bench->address[a < b ? b : a] + QR_PAGE_SIZE;
}

static void
step(struct bench *bench)
{
	size_t i = test_random_below(&bench->random, PAGES);
	qr_vaddr_t start, end;
	switch (test_random_below(&bench->random, 8)) {
	case 0:
		random_range(bench, &start, &end);
		compare_range(bench, start, end);
		break;
	case 1:
		random_range(bench, &start, &end);
		qr_table_prune(&bench->table, start, end);
		break;
	case 2:
	case 3:
	case 4:
		if (bench->bits[i] != 0)
			bench_set(bench, i, 0);
		break;
	default:
		assert_non_null(qr_table_ensure(&bench->table,
		    bench->address[i], QR_GFP_KERNEL));
		bench_set(bench, i, random_bits(bench));
		break;
	}
}

static void
test_model(void **state)
{
	struct bench *bench = bench_create(*state);
	for (unsigned turn = 0; turn < STEPS; turn++) {
		step(bench);
		if (turn % 50 == 0)
			compare(bench);
	}
	compare(bench);
	bench_destroy(bench);
}

/* --- growing and pruning --- */

/* A page costs a node a level; pruning gives all but the root back, and only
 * once the last entry of a node is none. */
static void
test_nodes(void **state)
{
	struct bench *bench = bench_create(*state);
	struct qr_table *table = &bench->table;
	unsigned levels = table->geometry->levels;
	qr_vaddr_t last = bench->end - QR_PAGE_SIZE;
	bench->address[0] = 0;
	bench->address[1] = last;
	assert_int_equal(table->nodes, 1);
	assert_null(qr_table_find(table, 0));
	assert_non_null(qr_table_ensure(table, 0, QR_GFP_KERNEL));
	assert_int_equal(table->nodes, levels);
	assert_non_null(qr_table_ensure(table, last, QR_GFP_KERNEL));
	assert_int_equal(table->nodes, 2 * levels - 1);
	bench_set(bench, 0, qr_pte_of_kind(QR_PTE_GUARD).bits);
	qr_table_prune(table, 0, bench->end);
	assert_int_equal(table->nodes, levels);
	assert_null(qr_table_find(table, last));
	bench_set(bench, 0, 0);
	qr_table_prune(table, bench->end / 2, bench->end);
	assert_int_equal(table->nodes, levels);
	qr_table_prune(table, 0, QR_PAGE_SIZE);
	assert_int_equal(table->nodes, 1);
	/* Two pages that meet where all their nodes but the root end. */
	qr_vaddr_t edge = (qr_vaddr_t)1 << table->geometry->shift[levels - 1];
	qr_vaddr_t before = edge - QR_PAGE_SIZE;
	assert_non_null(qr_table_ensure(table, before, QR_GFP_KERNEL));
	assert_non_null(qr_table_ensure(table, edge, QR_GFP_KERNEL));
	assert_int_equal(table->nodes, 2 * levels - 1);
	qr_table_prune(table, before, edge + QR_PAGE_SIZE);
	assert_int_equal(table->nodes, 1);
	bench_destroy(bench);
}

/* Each node of a walk is refused in turn; what was made stays usable. */
static void
test_no_memory(void **state)
{
	struct bench *bench = bench_create(*state);
	struct qr_table *table = &bench->table;
	unsigned levels = table->geometry->levels;
	for (size_t allowed = 0; allowed + 1 < levels; allowed++) {
		rig_starve(&bench->rig, allowed);
		assert_null(qr_table_ensure(table, 0, 0));
		qr_check_table(table, QR_CHECK_CHILDREN);
		assert_int_equal(table->nodes, 1 + allowed);
		rig_feed(&bench->rig);
		qr_table_prune(table, 0, bench->end);
		assert_int_equal(table->nodes, 1);
	}
	rig_starve(&bench->rig, levels - 1);
	assert_non_null(qr_table_ensure(table, 0, 0));
	struct qr_table other;
	assert_int_equal(qr_table_init(&other, bench->rig.frames,
			     table->geometry),
	    -QR_ENOMEM);
	rig_feed(&bench->rig);
	bench_destroy(bench);
}

/* --- as hardware sees it --- */

static uint64_t
physical_read(const struct bench *bench, uint64_t address)
{
	const unsigned char *frame =
	    sim_frame(bench->rig.sim, address >> QR_PAGE_SHIFT);
	uint64_t value;
	memcpy(&value, frame + address % QR_PAGE_SIZE, sizeof(value));
	return value;
}

/* The walk of the Intel manual, from the root's physical address, by hand. */
static void
test_hardware_walk(void **state)
{
	(void)state;
	struct bench *bench = bench_create(&qr_geometry_4level);
	for (size_t i = 0; i < PAGES; i++) {
		qr_vaddr_t address = bench->address[i];
		assert_non_null(
		    qr_table_ensure(&bench->table, address, QR_GFP_KERNEL));
		bench_set(bench, i,
		    qr_pte_map(1000 + i, QR_PROT_READ | QR_PROT_EXEC).bits);
		uint64_t entry =
		    qr_frame_pfn(bench->rig.frames, bench->table.root) << 12;
		for (int shift = 39; shift >= 12; shift -= 9) {
			uint64_t index = address >> shift & 511;
			entry = physical_read(bench,
			    (entry & 0x000ffffffffff000) + index * 8);
			assert_int_equal(entry & 0x85, 0x5); /* P, U, no PS */
			assert_int_equal((entry & 2) != 0, shift > 12);
			assert_int_equal(entry >> 52, 0);
		}
		assert_int_equal(entry >> 12, 1000 + i);
	}
	bench_destroy(bench);
}

/* --- several threads --- */

struct grower {
	struct qr_table *table;
	const struct qr_port *port;
	uint64_t seed;
};

/* Every thread adds one to each page's entry, in an order of its own. */
static void *
grow(void *ctx)
{
	struct grower *grower = ctx;
	for (uint64_t i = 0; i < GROW_PAGES; i++) {
		uint64_t page = (i * 7 + grower->seed) % GROW_PAGES;
		qr_pte_word *word = qr_table_ensure(grower->table,
		    page * 130 * QR_PAGE_SIZE, QR_GFP_KERNEL);
		if (word == NULL)
			abort();
		struct qr_pte pte = qr_pte_claim(grower->port, word);
		uint64_t slot = qr_pte_slot(pte) + 1;
		(void)qr_pte_publish(grower->port, word, qr_pte_swapped(slot));
	}
	return NULL;
}

static void
test_growers(void **state)
{
	(void)state;
	struct rig rig;
	struct qr_table table;
	rig_start(&rig, RAM_BYTES, 2, SIM_THREADS);
	uint64_t free_pages = rig_free_pages(&rig);
	assert_int_equal(qr_table_init(&table, rig.frames, &qr_geometry_5level),
	    0);
	pthread_t threads[GROWERS];
	struct grower growers[GROWERS];
	for (size_t i = 0; i < GROWERS; i++) {
		growers[i] = (struct grower){ &table, rig.port, i % 2 };
		assert_int_equal(pthread_create(&threads[i], NULL, grow,
				     &growers[i]),
		    0);
	}
	for (size_t i = 0; i < GROWERS; i++)
		pthread_join(threads[i], NULL);
	qr_check_table(&table, QR_CHECK_CHILDREN);
	for (uint64_t page = 0; page < GROW_PAGES; page++) {
		qr_pte_word *word =
		    qr_table_find(&table, page * 130 * QR_PAGE_SIZE);
		assert_non_null(word);
		assert_int_equal(qr_pte_slot(qr_pte_read(word)), GROWERS);
		(void)qr_pte_claim(rig.port, word);
		(void)qr_pte_publish(rig.port, word, (struct qr_pte){ 0 });
	}
	qr_table_fini(&table);
	qr_frame_drain(rig.frames);
	assert_int_equal(rig_free_pages(&rig), free_pages);
	rig_stop(&rig);
}

/* --- misuse --- */

static void
fini_full(void *ctx)
{
	struct bench *bench = ctx;
	assert_non_null(qr_table_ensure(&bench->table, 0x7000, QR_GFP_KERNEL));
	bench->address[0] = 0x7000;
	bench_set(bench, 0, qr_pte_swapped(3).bits);
	qr_table_fini(&bench->table);
}

static void
find_beyond(void *ctx)
{
	const struct bench *bench = ctx;
	(void)qr_table_find(&bench->table, bench->end);
}

static void
check_leaf_in_interior(void *ctx)
{
	struct bench *bench = ctx;
	bench->table.root_entries[3] = qr_pte_swapped(3).bits;
	qr_check_table(&bench->table, QR_CHECK_CHILDREN);
}

static void
check_foreign_node(void *ctx)
{
	struct bench *bench = ctx;
	bench->table.root_entries[3] =
	    (qr_frame_pfn(bench->rig.frames, bench->table.root) << 12) | 7;
	qr_check_table(&bench->table, QR_CHECK_SELF);
	qr_check_table(&bench->table, QR_CHECK_CHILDREN);
}

static void
check_awaited(void *ctx)
{
	struct bench *bench = ctx;
	qr_pte_word *word =
	    qr_table_ensure(&bench->table, 0x7000, QR_GFP_KERNEL);
	assert_non_null(word);
	atomic_store(word, QR_PTE_WAITERS);
	qr_check_table(&bench->table, QR_CHECK_CHILDREN);
}

static void
init_gap(void *ctx)
{
	struct bench *bench = ctx;
	static const struct qr_geometry gap = { .levels = 2,
		.index_bits = { 9, 9 },
		.shift = { 12, 22 } };
	(void)!qr_table_init(&bench->table, bench->rig.frames, &gap);
}

static void
test_misuse(void **state)
{
	(void)state;
	static const struct {
		void (*body)(void *ctx);
		const char *words;
	} cases[] = {
		{ fini_full, "address 0x7000 left" },
		{ find_beyond, "beyond the table" },
		{ check_leaf_in_interior, "table.2" },
		{ check_foreign_node, "table.2" },
		{ check_awaited, "table.4" },
		{ init_gap, "table.1" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *bench = bench_create(&qr_geometry_4level);
		const char *message = sim_expect_panic(cases[i].body, bench);
		assert_non_null(message);
		if (strstr(message, cases[i].words) == NULL)
			fail_msg("%s: not %s", message, cases[i].words);
		rig_stop(&bench->rig);
		free(bench);
	}
}

#define FOR_LAYOUT(test, layout)                                               \
	{                                                                      \
		.name = #test " " #layout, .test_func = test,                  \
		.initial_state = (void *)(uintptr_t)&layout                    \
	}
#define FOR_LAYOUTS(test)                                                      \
	FOR_LAYOUT(test, geometry_2level),                                     \
	    FOR_LAYOUT(test, qr_geometry_3level),                              \
	    FOR_LAYOUT(test, qr_geometry_4level),                              \
	    FOR_LAYOUT(test, qr_geometry_5level)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FOR_LAYOUTS(test_model),
		FOR_LAYOUTS(test_nodes),
		FOR_LAYOUTS(test_no_memory),
		cmocka_unit_test(test_hardware_walk),
		cmocka_unit_test(test_growers),
		cmocka_unit_test(test_misuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
