/* SPDX-License-Identifier: MIT */
/*
 * test_swap_moves.c: contents stay where they are as long as somebody reads
 * them, and slots may be shared and dropped while they are on their way to
 * the device: rule by rule with the order of events forced, then by threads
 * that do all of it at once.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "codec/codec.h"
#include "core/swap/swap_impl.h"
#include "swap_bed.h"

#define SLOTS_MAX 3000u

static struct bed bed;

/* A page that is out, and how often it is referred to. */
struct out {
	uint64_t slot;
	uint64_t seed;
	uint32_t refs;
	uint32_t shadow;
};

static struct out out[SLOTS_MAX];
static size_t out_count;

static void
out_add(uint64_t slot, uint64_t seed)
{
	assert_int_equal(0, qr_swap_shadow(bed.swap, slot));
	out[out_count++] = (struct out){ slot, seed, 1, (uint32_t)seed };
	qr_swap_set_shadow(bed.swap, slot, (uint32_t)seed);
}

static void
out_drop(size_t i)
{
	qr_swap_put(bed.swap, out[i].slot);
	if (--out[i].refs == 0)
		out[i] = out[--out_count];
}

static void
out_drop_all(void)
{
	while (out_count > 0)
		out_drop(out_count - 1);
}

static uint64_t pinned;

static void
pinned_write_back(void)
{
	(void)qr_swap_write_back(bed.swap, 3);
}

static void
test_pin_stops_write_back(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 64,
		.swap = { .codec = &toy_codec } };
	uint64_t slot[3];
	bed_start(&bed, &config);
	for (size_t i = 0; i < 3; i++)
		slot[i] = bed_store(&bed, 200, i);
	toy_hook = pinned_write_back;
	bed_expect(&bed, slot[1], 200, 1);
	assert_false(qr_swap_is_near(bed.swap, slot[0]));
	assert_true(qr_swap_is_near(bed.swap, slot[1]));
	assert_false(qr_swap_is_near(bed.swap, slot[2]));
	bed_check(&bed);
	for (size_t i = 0; i < 3; i++) {
		bed_expect(&bed, slot[i], 200, i);
		qr_swap_put(bed.swap, slot[i]);
	}
	bed_stop(&bed);
}

/* Frees so many that packing wants the pinned one's run, then writes over
 * what has become free. */
static void
pinned_pack(void)
{
	while (out_count > 0) {
		if (out[out_count - 1].slot == pinned)
			out_count--;
		else
			out_drop(out_count - 1);
		if (out_count == 22)
			break;
	}
	for (size_t i = 0; i < 60; i++) {
		uint64_t seed = 1000 + i;
		unsigned char page[PAGE];
		toy_fill(page, 1480, seed);
		uint64_t slot;
		assert_int_equal(0, qr_swap_store(bed.swap, page, &slot));
		out_add(slot, seed);
	}
}

static void
test_pin_stops_packing(void **state)
{
	(void)state;
	const struct bed_config config = { .swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	/* 11 to a run of 4 frames; the last alone in its run at first. */
	for (size_t i = 0; i < 111; i++)
		out_add(bed_store(&bed, 1480, i), i);
	pinned = out[110].slot;
	toy_hook = pinned_pack;
	bed_expect(&bed, pinned, 1480, 110);
	bed_check(&bed);
	for (size_t i = 0; i < out_count; i++)
		bed_expect(&bed, out[i].slot, 1480, out[i].seed);
	qr_swap_put(bed.swap, pinned);
	out_drop_all();
	bed_stop(&bed);
}

/* While a batch is being written, another thread does what act says. */
struct meanwhile {
	pthread_barrier_t begin;
	pthread_barrier_t end;
	void (*act)(void);
	bool once;
};

static struct meanwhile meanwhile;
static uint64_t transit_slot[5];

static void
meanwhile_hook(void *ctx, enum sim_call call)
{
	(void)ctx;
	if (call != SIM_SWAP_WRITE || meanwhile.once)
		return;
	meanwhile.once = true;
	pthread_barrier_wait(&meanwhile.begin);
	pthread_barrier_wait(&meanwhile.end);
}

static void *
meanwhile_thread(void *ctx)
{
	(void)ctx;
	pthread_barrier_wait(&meanwhile.begin);
	meanwhile.act();
	pthread_barrier_wait(&meanwhile.end);
	return NULL;
}

static void
act_load_and_put(void)
{
	static unsigned char page[PAGE], back[PAGE];
	/* In transit they can be loaded from the pool, … */
	for (size_t i = 0; i < 5; i++) {
		toy_fill(page, 1000, i);
		assert_true(qr_swap_is_near(bed.swap, transit_slot[i]));
		assert_int_equal(0,
		    qr_swap_load(bed.swap, transit_slot[i], back));
		assert_memory_equal(page, back, PAGE);
	}
	/* … shared, and dropped for good or not. */
	qr_swap_put(bed.swap, transit_slot[0]);
	qr_swap_get(bed.swap, transit_slot[1]);
	qr_swap_put(bed.swap, transit_slot[2]);
}

static void
test_put_in_transit(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 100,
		.cpus = 2,
		.flags = SIM_THREADS,
		.swap = { .codec = &toy_codec } };
	pthread_t thread;
	bed_start(&bed, &config);
	for (size_t i = 0; i < 5; i++)
		transit_slot[i] = bed_store(&bed, 1000, i);
	pthread_barrier_init(&meanwhile.begin, NULL, 2);
	pthread_barrier_init(&meanwhile.end, NULL, 2);
	meanwhile.act = act_load_and_put;
	meanwhile.once = false;
	sim_set_hook(bed.rig.sim, meanwhile_hook, NULL);
	pthread_create(&thread, NULL, meanwhile_thread, NULL);
	(void)qr_swap_write_back(bed.swap, 5);
	pthread_join(thread, NULL);
	sim_set_hook(bed.rig.sim, NULL, NULL);
	bed_check(&bed);

	struct qr_swap_stat stat = bed_stat(&bed);
	assert_int_equal(3, stat.slots);
	assert_int_equal(3, stat.on_device);
	assert_int_equal(0, stat.pooled);
	qr_swap_put(bed.swap, transit_slot[1]);
	static const size_t left[] = { 1, 3, 4 };
	for (size_t k = 0; k < 3; k++) {
		bed_expect(&bed, transit_slot[left[k]], 1000, left[k]);
		qr_swap_put(bed.swap, transit_slot[left[k]]);
	}
	bed_stop(&bed);
}

#define THREADS      4u
#define THREAD_SLOTS 150u
#define SHARED_SLOTS 40u

/* Slots that all threads load, held by the test. */
static uint64_t shared[SHARED_SLOTS];

static void
thread_expect(unsigned char *pages, uint64_t slot, uint64_t seed)
{
	fill_page(pages, seed);
	assert_int_equal(0, qr_swap_load(bed.swap, slot, pages + PAGE));
	assert_memory_equal(pages, pages + PAGE, PAGE);
}

static void *
thread_run(void *ctx)
{
	struct test_random random = { (uint64_t)(uintptr_t)ctx };
	uint64_t slot[THREAD_SLOTS], seed[THREAD_SLOTS];
	unsigned char *pages = malloc(2 * PAGE);
	size_t count = 0;
	sim_set_cpu((unsigned)(uintptr_t)ctx);
	for (unsigned step = 0; step < 3000; step++) {
		uint64_t turn = test_random_below(&random, 100);
		uint64_t pick = test_random_next(&random);
		size_t i = count == 0 ? 0 : pick % count;
		if (turn < 40 && count < THREAD_SLOTS) {
			seed[count] = pick;
			fill_page(pages, pick);
			if (qr_swap_store(bed.swap, pages, &slot[count]) == 0)
				count++;
		} else if (turn < 60) {
			size_t k = pick % SHARED_SLOTS;
			qr_swap_get(bed.swap, shared[k]);
			thread_expect(pages, shared[k], k * 8 + k % 4);
			qr_swap_put(bed.swap, shared[k]);
		} else if (turn < 95 && count > 0) {
			thread_expect(pages, slot[i], seed[i]);
			qr_swap_put(bed.swap, slot[i]);
			slot[i] = slot[--count];
			seed[i] = seed[count];
		} else {
			(void)qr_swap_write_back(bed.swap, 5);
		}
	}
	while (count-- > 0) {
		thread_expect(pages, slot[count], seed[count]);
		qr_swap_put(bed.swap, slot[count]);
	}
	free(pages);
	return NULL;
}

static void
test_threads(void **state)
{
	struct qr_codec *const *codec = *state;
	const struct bed_config config = { .ram_bytes = (uint64_t)32 << 20,
		.swap_pages = 2000,
		.cpus = 2,
		.flags = SIM_THREADS | SIM_JITTER,
		.swap = { .codec = *codec } };
	pthread_t thread[THREADS];
	bed_start(&bed, &config);
	for (size_t i = 0; i < SHARED_SLOTS; i++)
		assert_int_equal(0,
		    bed_store_page(&bed, i * 8 + i % 4, &shared[i]));
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, thread_run, (void *)(i + 1));
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	bed_check(&bed);
	assert_int_equal(SHARED_SLOTS, bed_stat(&bed).slots);
	for (size_t i = 0; i < SHARED_SLOTS; i++)
		qr_swap_put(bed.swap, shared[i]);
	bed_stop(&bed);
}

/*
 * A reader comes while its object is being moved, and is slow: it must have
 * waited for the move, or it would read a place that has been written over.
 */
static struct {
	pthread_t thread;
	uint64_t seed;
	uint64_t slot;       /* the reader's */
	_Atomic(bool) armed; /* the next move of it starts the reader */
	_Atomic(bool) inside;
	_Atomic(bool) written_over;
} late;

static void
late_linger(void)
{
	late.inside = true;
	while (!late.written_over)
		sched_yield();
}

static void *
late_read(void *ctx)
{
	static unsigned char page[PAGE], back[PAGE];
	(void)ctx;
	toy_fill(page, 1000, late.seed);
	toy_hook = late_linger;
	assert_int_equal(0, qr_swap_load(bed.swap, late.slot, back));
	assert_memory_equal(page, back, PAGE);
	return NULL;
}

bool __real_qr_swap_pool_move(struct qr_swap *swap, struct pool_object from,
    struct pool_object *to);
bool __wrap_qr_swap_pool_move(struct qr_swap *swap, struct pool_object from,
    struct pool_object *to);

bool
__wrap_qr_swap_pool_move(struct qr_swap *swap, struct pool_object from,
    struct pool_object *to)
{
	struct timespec ms = { 0, 1000000 };
	if (late.armed) {
		late.armed = false;
		pthread_create(&late.thread, NULL, late_read, NULL);
		for (unsigned i = 0; i < 30 && !late.inside; i++)
			nanosleep(&ms, NULL);
	}
	return __real_qr_swap_pool_move(swap, from, to);
}

static void
test_reader_meets_a_move(void **state)
{
	(void)state;
	const struct bed_config config = { .cpus = 2,
		.flags = SIM_THREADS,
		.swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	/* 4 to a frame: of the last but one run, one is left; of the others
	 * all but one. */
	for (size_t i = 0; i < 40; i++)
		out_add(bed_store(&bed, 1000, i), i);
	late.seed = out[36].seed;
	late.slot = out[36].slot;
	for (size_t i = 37; i < 40; i++)
		qr_swap_put(bed.swap, out[i].slot);
	late.armed = true;
	for (size_t i = 0; i < 36 && late.armed; i += 4) {
		qr_swap_put(bed.swap, out[i].slot);
		out[i].refs = 0;
	}
	assert_false(late.armed);
	for (size_t i = 0; i < 36; i++)
		if (out[i].refs == 0)
			out[i].slot = bed_store(&bed, 1000, out[i].seed);
	for (size_t i = 37; i < 40; i++)
		out[i].slot = bed_store(&bed, 1000, out[i].seed);
	late.written_over = true;
	pthread_join(late.thread, NULL);
	bed_check(&bed);
	for (size_t i = 0; i < 40; i++) {
		bed_expect(&bed, out[i].slot, 1000, out[i].seed);
		qr_swap_put(bed.swap, out[i].slot);
	}
	out_count = 0;
	bed_stop(&bed);
}

/* Objects of one size move while others of them are read: each thread loads
 * its own slots, and drops and stores so many that runs come to be packed. */
static void *
pack_run(void *ctx)
{
	struct test_random random = { (uint64_t)(uintptr_t)ctx };
	uint64_t slot[36], seed[36];
	unsigned char *pages = malloc(2 * PAGE);
	size_t count = 0;
	sim_set_cpu((unsigned)(uintptr_t)ctx);
	for (unsigned step = 0; step < 20000; step++) {
		uint64_t pick = test_random_next(&random);
		if (step % 8 != 0 && count > 0) {
			size_t i = pick % count;
			toy_fill(pages, 1000, seed[i]);
			assert_int_equal(0,
			    qr_swap_load(bed.swap, slot[i], pages + PAGE));
			assert_memory_equal(pages, pages + PAGE, PAGE);
		} else if (step / 128 % 2 == 0 && count < 36) {
			toy_fill(pages, 1000, pick);
			assert_int_equal(0,
			    qr_swap_store(bed.swap, pages, &slot[count]));
			seed[count++] = pick;
		} else if (count > 0) {
			size_t i = pick % count;
			qr_swap_put(bed.swap, slot[i]);
			slot[i] = slot[--count];
			seed[i] = seed[count];
		}
	}
	while (count-- > 0)
		qr_swap_put(bed.swap, slot[count]);
	free(pages);
	return NULL;
}

static void
test_readers_while_packing(void **state)
{
	(void)state;
	const struct bed_config config = { .cpus = 2,
		.flags = SIM_THREADS | SIM_JITTER,
		.swap = { .codec = &toy_codec } };
	pthread_t thread[3];
	bed_start(&bed, &config);
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, pack_run, (void *)(i + 1));
	for (size_t i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(0, bed_stat(&bed).pool_frames);
	bed_stop(&bed);
}

int
main(void)
{
	static const struct qr_codec *codec[] = { &qr_codec_lz4,
		&qr_codec_zstd };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin_stops_write_back),
		cmocka_unit_test(test_pin_stops_packing),
		cmocka_unit_test(test_put_in_transit),
		cmocka_unit_test(test_reader_meets_a_move),
		cmocka_unit_test(test_readers_while_packing),
		cmocka_unit_test_prestate(test_threads, &codec[0]),
		cmocka_unit_test_prestate(test_threads, &codec[1]),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
