/* SPDX-License-Identifier: MIT */
/*
 * test_pte.c: an entry says what was put into it; and however many threads
 * claim it while hardware marks it, no change, no mark and no wake-up is
 * lost.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/table/table.h"
#include "random.h"
#include "rig.h"

#define CLAIMERS 4u
#define CLAIMS   20000u

/* Far above what a wake-up takes, a fifth of the simulated machine's longest
 * sleep. */
#define TURN_NS_MAX ((uint64_t)20 * 1000 * 1000)

/* --- encoding --- */

static void
test_map(void **state)
{
	(void)state;
	struct test_random random = test_random_start("pte.map");
	for (unsigned turn = 0; turn < 1000; turn++) {
		qr_pfn_t frame = test_random_below(&random, UINT32_MAX);
		for (unsigned prot = 0; prot < 8; prot++) {
			struct qr_pte pte = qr_pte_map(frame, prot);
			assert_true(qr_pte_has_frame(pte));
			assert_false(qr_pte_is_none(pte));
			assert_false(qr_pte_is_busy(pte));
			assert_int_equal(qr_pte_frame(pte), frame);
			assert_int_equal(qr_pte_is_present(pte), prot != 0);
			bool write = (pte.bits & QR_PTE_WRITE) != 0;
			if (prot != 0)
				assert_int_equal(write,
				    (prot & QR_PROT_WRITE) != 0);
		}
	}
}

static void
test_absent(void **state)
{
	(void)state;
	struct test_random random = test_random_start("pte.absent");
	for (unsigned turn = 0; turn < 1000; turn++) {
		uint64_t slot = test_random_next(&random) >> 16;
		struct qr_pte pte = qr_pte_swapped(slot);
		assert_false(qr_pte_is_present(pte));
		assert_false(qr_pte_has_frame(pte));
		assert_false(qr_pte_is_busy(pte));
		assert_int_equal(qr_pte_kind(pte), QR_PTE_SWAPPED);
		assert_int_equal(qr_pte_slot(pte), slot);
	}
	for (unsigned kind = QR_PTE_NONE; kind <= QR_PTE_RESIDENT; kind++) {
		struct qr_pte pte = qr_pte_of_kind((enum qr_pte_kind)kind);
		assert_int_equal(qr_pte_kind(pte), kind);
		assert_int_equal(qr_pte_is_none(pte), kind == QR_PTE_NONE);
	}
}

/* --- one thread --- */

static void
test_claim(void **state)
{
	const struct rig *rig = *state;
	qr_pte_word word = qr_pte_swapped(77).bits;
	struct qr_pte pte = qr_pte_claim(rig->port, &word);
	assert_int_equal(qr_pte_slot(pte), 77);
	assert_true(qr_pte_is_busy(qr_pte_read(&word)));
	assert_int_equal(qr_pte_slot(qr_pte_read(&word)), 77);
	assert_false(qr_pte_try_claim(&word, pte));
	struct qr_pte mapped = qr_pte_map(5, QR_PROT_READ | QR_PROT_WRITE);
	assert_int_equal(qr_pte_publish(rig->port, &word, mapped), 0);
	assert_int_equal(word, mapped.bits);
	assert_false(qr_pte_try_claim(&word, pte));
	assert_true(qr_pte_try_claim(&word, mapped));
	(void)qr_pte_publish(rig->port, &word, mapped);
	assert_int_equal(qr_pte_settle(rig->port, &word).bits, mapped.bits);
}

static void
test_update(void **state)
{
	const struct rig *rig = *state;
	struct qr_pte mapped = qr_pte_map(5, QR_PROT_READ | QR_PROT_WRITE);
	qr_pte_word word = mapped.bits;
	(void)qr_pte_claim(rig->port, &word);
	struct qr_pte was =
	    qr_pte_update(&word, QR_PTE_WRITE | QR_PTE_YOUNG, QR_PTE_NX);
	assert_int_equal(was.bits, mapped.bits);
	assert_int_equal(word, (mapped.bits & ~(QR_PTE_WRITE | QR_PTE_YOUNG)) |
				   QR_PTE_NX | QR_PTE_BUSY);
	/* Hardware marks the entry that is claimed. */
	word |= QR_PTE_DIRTY;
	assert_int_equal(qr_pte_publish(rig->port, &word, qr_pte_swapped(1)),
	    QR_PTE_DIRTY);
}

struct misuse {
	const struct rig *rig;
	qr_pte_word word;
};

static void
publish_unclaimed(void *ctx)
{
	struct misuse *misuse = ctx;
	(void)qr_pte_publish(misuse->rig->port, &misuse->word,
	    qr_pte_swapped(1));
}

static void
update_unclaimed(void *ctx)
{
	struct misuse *misuse = ctx;
	(void)qr_pte_update(&misuse->word, QR_PTE_WRITE, 0);
}

static void
publish_busy(void *ctx)
{
	struct misuse *misuse = ctx;
	(void)qr_pte_claim(misuse->rig->port, &misuse->word);
	(void)qr_pte_publish(misuse->rig->port, &misuse->word,
	    (struct qr_pte){ QR_PTE_BUSY });
}

/* Nobody else runs, so the simulated machine calls this a deadlock. */
static void
claim_twice(void *ctx)
{
	struct misuse *misuse = ctx;
	(void)qr_pte_claim(misuse->rig->port, &misuse->word);
	(void)qr_pte_claim(misuse->rig->port, &misuse->word);
}

static void
test_misuse(void **state)
{
	void (*const bodies[])(void *) = { publish_unclaimed, update_unclaimed,
		publish_busy, claim_twice };
	const char *const words[] = { "published without", "updated without",
		"as a locked one", "deadlock" };
	for (size_t i = 0; i < 4; i++) {
		struct misuse misuse = { *state, 0 };
		const char *message = sim_expect_panic(bodies[i], &misuse);
		assert_non_null(message);
		assert_non_null(strstr(message, words[i]));
	}
}

/* --- several threads --- */

struct crowd {
	const struct qr_port *port;
	qr_pte_word word;        /* frame number: how often it was claimed */
	unsigned inside;         /* under the claim */
	uint64_t marks_seen;     /* under the claim: dirty bits taken off */
	_Atomic(uint64_t) marks; /* dirty bits set by hardware, less those
				    that a publish returned */
	_Atomic(unsigned) running;
};

static void
crowd_turn(struct crowd *crowd, bool slow)
{
	struct qr_pte pte = qr_pte_claim(crowd->port, &crowd->word);
	assert_int_equal(crowd->inside++, 0);
	if (slow)
		sched_yield();
	qr_pfn_t frame = qr_pte_frame(pte) + 1;
	/* One mark is taken off here, one that comes later by the publish. */
	crowd->marks_seen +=
	    (qr_pte_update(&crowd->word, QR_PTE_DIRTY, 0).bits &
		QR_PTE_DIRTY) != 0;
	crowd->inside--;
	uint64_t marks = qr_pte_publish(crowd->port, &crowd->word,
	    qr_pte_map(frame, QR_PROT_READ | QR_PROT_WRITE));
	if ((marks & QR_PTE_DIRTY) != 0)
		atomic_fetch_sub(&crowd->marks, 1);
}

static void *
claimer(void *ctx)
{
	struct crowd *crowd = ctx;
	for (unsigned turn = 0; turn < CLAIMS; turn++) {
		crowd_turn(crowd, turn % 64 == 0);
		if (turn % 16 == 0)
			assert_false(qr_pte_is_busy(
			    qr_pte_settle(crowd->port, &crowd->word)));
	}
	atomic_fetch_sub(&crowd->running, 1);
	return NULL;
}

/* Marks the entry while it is present, as an MMU does: by compare-and-swap,
 * busy or not. */
static void *
marker(void *ctx)
{
	struct crowd *crowd = ctx;
	while (atomic_load(&crowd->running) > 0) {
		uint64_t bits = atomic_load(&crowd->word);
		bool clean = (bits & QR_PTE_DIRTY) == 0;
		if (clean && atomic_compare_exchange_strong(&crowd->word, &bits,
				 bits | QR_PTE_DIRTY | QR_PTE_YOUNG))
			atomic_fetch_add(&crowd->marks, 1);
	}
	return NULL;
}

static void
test_crowd(void **state)
{
	(void)state;
	struct rig rig;
	rig_start(&rig, (uint64_t)4 << 20, 2, SIM_THREADS);
	struct crowd crowd = { .port = rig.port,
		.word = qr_pte_map(0, QR_PROT_READ | QR_PROT_WRITE).bits,
		.running = CLAIMERS };
	pthread_t threads[CLAIMERS + 1];
	for (size_t i = 0; i <= CLAIMERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
				     i < CLAIMERS ? claimer : marker, &crowd),
		    0);
	for (size_t i = 0; i <= CLAIMERS; i++)
		pthread_join(threads[i], NULL);
	struct qr_pte last = qr_pte_read(&crowd.word);
	assert_false(qr_pte_is_busy(last));
	assert_int_equal(last.bits & QR_PTE_WAITERS, 0);
	assert_int_equal(qr_pte_frame(last), CLAIMERS * CLAIMS);
	uint64_t left = (last.bits & QR_PTE_DIRTY) != 0;
	assert_int_equal(crowd.marks_seen + left, crowd.marks);
	rig_stop(&rig);
}

struct sleeper {
	const struct qr_port *port;
	qr_pte_word word;
	bool claims; /* else it settles */
};

static void *
sleeper(void *ctx)
{
	struct sleeper *sleeper = ctx;
	if (!sleeper->claims) {
		struct qr_pte pte =
		    qr_pte_settle(sleeper->port, &sleeper->word);
		assert_int_equal(qr_pte_slot(pte), 9);
		return NULL;
	}
	struct qr_pte pte = qr_pte_claim(sleeper->port, &sleeper->word);
	assert_int_equal(qr_pte_slot(pte), 9);
	(void)qr_pte_publish(sleeper->port, &sleeper->word, pte);
	return NULL;
}

/* All who sleep on an entry go on at once when it is published, not when
 * their sleep has taken its full time. */
static void
test_wake(void **state)
{
	(void)state;
	struct rig rig;
	rig_start(&rig, (uint64_t)4 << 20, 2, SIM_THREADS);
	struct sleeper shared = { .port = rig.port };
	uint64_t start = rig.port->ops->clock(rig.port->ctx);
	for (unsigned turn = 0; turn < 20; turn++) {
		pthread_t threads[CLAIMERS];
		(void)qr_pte_claim(rig.port, &shared.word);
		shared.claims = turn % 2 == 0;
		for (size_t i = 0; i < CLAIMERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
					     sleeper, &shared),
			    0);
		while ((qr_pte_read(&shared.word).bits & QR_PTE_WAITERS) == 0)
			sched_yield();
		(void)qr_pte_publish(rig.port, &shared.word, qr_pte_swapped(9));
		for (size_t i = 0; i < CLAIMERS; i++)
			pthread_join(threads[i], NULL);
	}
	uint64_t took = rig.port->ops->clock(rig.port->ctx) - start;
	assert_in_range(took, 0, TURN_NS_MAX * 20);
	rig_stop(&rig);
}

static int
setup(void **state)
{
	static struct rig rig;
	rig_start(&rig, (uint64_t)4 << 20, 1, 0);
	*state = &rig;
	return 0;
}

static int
teardown(void **state)
{
	rig_stop(*state);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_absent),
		cmocka_unit_test_setup_teardown(test_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_update, setup, teardown),
		cmocka_unit_test_setup_teardown(test_misuse, setup, teardown),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_wake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
