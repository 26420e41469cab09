/* SPDX-License-Identifier: MIT */
/*
 * test_pcp.c: the CPUs' lists are as long as is needed: they grow with refills,
 * shrink when idle and when memory is low; and other CPUs get into the list of
 * one that enters it without an atomic operation, and of no one who is inside.
 */
#include "frame_rig.h"

#include <pthread.h>

#include "random.h"

#define MANY 400u

static struct qr_pcp *
list_of(const struct rig *rig, unsigned cpu)
{
	return &rig->frames->zone[0].pcp[cpu];
}

static size_t
take_many(struct rig *rig, struct qr_page **pages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pages[i] =
		    qr_frame_alloc(rig->frames, QR_GFP_USER, 0, QR_PAGE_USER);
		assert_non_null(pages[i]);
	}
	return count;
}

static void
give_many(struct rig *rig, struct qr_page **pages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		qr_frame_free(rig->frames, pages[i]);
}

/* From a batch to the limit and back, by need. */
static void
test_high_follows_the_need(void **state)
{
	struct rig *rig = rig_create(16384, 2, 0);
	struct qr_pcp *pcp = list_of(rig, 0);
	struct qr_page *pages[MANY];
	uint32_t limit = rig->frames->zone[0].pcp_high;
	uint32_t batch = rig->frames->zone[0].pcp_batch;
	(void)state;
	assert_true(batch < limit && limit <= PCP_MAX);
	assert_int_equal(pcp->high, batch);
	(void)take_many(rig, pages, 1);
	assert_int_equal(pcp->high, 2 * batch);
	(void)take_many(rig, &pages[1], MANY - 1);
	assert_int_equal(pcp->high, limit);
	give_many(rig, pages, MANY);
	assert_in_range(pcp_count(pcp), limit / 2, limit);
	/* Not used between two looks: half of it goes each time. */
	qr_frame_tune(rig->frames);
	uint32_t count = pcp_count(pcp);
	assert_int_equal(pcp->high, limit);
	qr_frame_tune(rig->frames);
	assert_int_equal(pcp_count(pcp), count / 2);
	assert_int_equal(pcp->high, limit / 2);
	while (pcp_count(pcp) != 0)
		qr_frame_tune(rig->frames);
	assert_int_equal(pcp->high, batch);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* Who only frees goes to the zone less and less often, up to a bound. */
static void
test_spills_grow(void **state)
{
	struct rig *rig = rig_create(16384, 2, 0);
	struct qr_pcp *pcp = list_of(rig, 0);
	struct qr_page *pages[MANY];
	uint32_t batch = rig->frames->zone[0].pcp_batch;
	(void)state;
	sim_set_cpu(1);
	(void)take_many(rig, pages, MANY);
	sim_set_cpu(0);
	assert_int_equal(pcp->spill, batch);
	uint32_t last = batch;
	for (size_t i = 0; i < MANY; i++) {
		qr_frame_free(rig->frames, pages[i]);
		assert_true(pcp->spill == last || pcp->spill == 2 * last ||
			    pcp->spill == PCP_MAX / 2);
		last = pcp->spill;
	}
	assert_int_equal(last, PCP_MAX / 2);
	(void)take_many(rig, pages, MANY);
	assert_int_equal(pcp->spill, batch);
	rig_destroy(rig);
}

/* Where memory is low a list is no place to keep it. */
static void
test_low_memory_shortens(void **state)
{
	struct rig *rig = rig_create(16384, 1, 0);
	struct qr_pcp *pcp = list_of(rig, 0);
	(void)state;
	(void)rig_exhaust(rig, 0);
	assert_true(qr_watermark_is_low(&rig->frames->zone[0]));
	assert_int_equal(pcp->high, rig->frames->zone[0].pcp_batch);
	rig_destroy(rig);
}

/* --- the CPU's own --- */

#define WORKERS       3u
#define WORKER_ROUNDS 30000u
#define WORKER_HELD   64u

struct worker {
	struct rig *rig;
	unsigned cpu;
	pthread_t thread;
	const char *trouble;
	_Atomic(bool) *is_over;
};

/* Each writes its own mark into what it has, and finds it there later. */
static void *
worker_run(void *ctx)
{
	struct worker *worker = ctx;
	struct qr_frames *frames = worker->rig->frames;
	struct qr_page *held[WORKER_HELD] = { NULL };
	struct test_random random = { worker->cpu };
	sim_set_cpu(worker->cpu);
	for (unsigned i = 0; i < WORKER_ROUNDS; i++) {
		size_t at = (size_t)test_random_below(&random, WORKER_HELD);
		if (held[at] == NULL) {
			held[at] = qr_frame_alloc(frames, QR_GFP_ATOMIC, 0,
			    QR_PAGE_KERNEL);
			if (held[at] != NULL)
				held[at]->u.user.address = worker->cpu;
			continue;
		}
		if (held[at]->u.user.address != worker->cpu)
			worker->trouble = "a page has two owners";
		qr_frame_free(frames, held[at]);
		held[at] = NULL;
	}
	for (size_t at = 0; at < WORKER_HELD; at++)
		if (held[at] != NULL)
			qr_frame_free(frames, held[at]);
	return NULL;
}

/* Empties the workers' lists under their hands. */
static void *
drainer_run(void *ctx)
{
	struct worker *drainer = ctx;
	sim_set_cpu(drainer->cpu);
	while (!atomic_load(drainer->is_over)) {
		qr_frame_drain(drainer->rig->frames);
		qr_frame_tune(drainer->rig->frames);
	}
	return NULL;
}

static void
test_owned_lists_under_threads(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = 4096 * QR_PAGE_SIZE,
		.cpus = WORKERS + 1,
		.flags = SIM_THREADS | SIM_CPU_OWNED,
	};
	struct worker workers[WORKERS + 1];
	_Atomic(bool) is_over = false;
	struct sim *probe = sim_create(&config);
	(void)state;
	if (probe == NULL)
		skip(); /* the host has no barrier for this */
	sim_destroy(probe);
	struct rig *rig = rig_prepare(&config);
	rig_start(rig, 0);
	assert_true(list_of(rig, 0)->busy.is_owned);
	uint64_t free_at_first = rig_buddy_free(rig);
	for (unsigned i = 0; i <= WORKERS; i++) {
		workers[i] = (struct worker){ .rig = rig,
			.cpu = i,
			.is_over = &is_over };
		assert_int_equal(pthread_create(&workers[i].thread, NULL,
				     i < WORKERS ? worker_run : drainer_run,
				     &workers[i]),
		    0);
	}
	for (unsigned i = 0; i <= WORKERS; i++) {
		if (i == WORKERS)
			atomic_store(&is_over, true);
		(void)pthread_join(workers[i].thread, NULL);
		assert_null(workers[i].trouble);
	}
	qr_frame_drain(rig->frames);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	assert_int_equal(rig_buddy_free(rig), free_at_first);
	rig_destroy(rig);
}

/* While another CPU is in the list, or the CPU itself, nobody else gets in. */
static void
test_owned_is_exclusive(void **state)
{
	const struct qr_port port = { .flags = QR_PORT_CPU_OWNED };
	struct rig *rig = rig_create(1024, 1, 0);
	struct qr_port with = rig->port;
	struct qr_busy busy = { 0 };
	(void)state;
	with.flags |= port.flags;
	qr_busy_init(&busy, &with);
	assert_true(qr_busy_try_enter(&busy));
	assert_false(qr_busy_try_enter(&busy));
	assert_false(qr_busy_try_enter_other(&with, &busy));
	qr_busy_leave(&busy);
	assert_true(qr_busy_try_enter_other(&with, &busy));
	assert_false(qr_busy_try_enter(&busy));
	assert_false(qr_busy_try_enter_other(&with, &busy));
	qr_busy_leave_other(&busy);
	assert_true(qr_busy_try_enter(&busy));
	qr_busy_leave(&busy);
	rig_destroy(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_high_follows_the_need),
		cmocka_unit_test(test_spills_grow),
		cmocka_unit_test(test_low_memory_shortens),
		cmocka_unit_test(test_owned_is_exclusive),
		cmocka_unit_test(test_owned_lists_under_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
