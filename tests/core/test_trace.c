/* SPDX-License-Identifier: MIT */
/*
 * test_trace.c: who follows the events knows which frames are in use and for
 * what, without looking; a ring that went round says what it still has; and what
 * is read while it is written is an event or none.
 */
#include "frame_rig.h"

#include <pthread.h>

#include "core/slab/slab.h"
#include "random.h"

#define EVENTS 65536u
#define PAGES  8192u
#define HELD   200u

static struct qr_trace_event events[EVENTS];

static void
trace_start(struct rig *rig, struct qr_trace *trace, size_t count)
{
	qr_trace_init(trace, events, count);
	atomic_store(qr_frame_trace(rig->frames), trace);
}

/* --- replay --- */

/* What the events say of each frame. */
struct twin {
	bool is_used[PAGES];
	uint64_t order[PAGES];
	uint64_t kind[PAGES];
	uint64_t seen[QR_TRACE_TYPES];
};

static void
twin_apply(struct twin *twin, const struct qr_trace_event *event)
{
	uint64_t pfn = event->a;
	twin->seen[event->type]++;
	if (event->type > QR_TRACE_FRAME_KIND)
		return;
	assert_true(pfn < PAGES);
	if (event->type == QR_TRACE_FRAME_ALLOC) {
		assert_false(twin->is_used[pfn]);
		twin->is_used[pfn] = true;
		twin->order[pfn] = event->b;
		twin->kind[pfn] = event->c;
		return;
	}
	assert_true(twin->is_used[pfn]);
	if (event->type == QR_TRACE_FRAME_KIND) {
		assert_int_equal(twin->kind[pfn], event->b);
		twin->kind[pfn] = event->c;
		return;
	}
	assert_int_equal(twin->order[pfn], event->b);
	assert_int_equal(twin->kind[pfn], event->c);
	twin->is_used[pfn] = false;
}

static void
twin_compare(const struct twin *twin, const struct rig *rig)
{
	for (uint64_t pfn = 0; pfn < PAGES; pfn++) {
		const struct qr_page *page = qr_frame_page(rig->frames, pfn);
		assert_int_equal(twin->is_used[pfn],
		    page->kind != QR_PAGE_FREE);
		if (!twin->is_used[pfn])
			continue;
		assert_int_equal(twin->order[pfn], page->order);
		assert_int_equal(twin->kind[pfn], page->kind);
	}
}

static int
move_none(void *ctx, struct qr_page *page, struct qr_page *to)
{
	(void)ctx;
	(void)page;
	(void)to;
	return -QR_EPERM;
}

static void
random_step(struct rig *rig, struct qr_page **held, struct test_random *random)
{
	struct qr_frames *frames = rig->frames;
	struct qr_page *pages[20];
	struct qr_page **page = &held[test_random_below(random, HELD)];
	size_t got;
	switch (test_random_below(random, 8)) {
	case 0:
		got = qr_frame_alloc_bulk(frames, QR_GFP_USER, 20, QR_PAGE_USER,
		    pages);
		qr_frame_free_bulk(frames, pages, got);
		break;
	case 1:
		if (*page != NULL)
			qr_frame_set_kind(frames, *page, QR_PAGE_POOL);
		break;
	case 2:
		(void)qr_frame_balloon(frames, test_random_below(random, 100));
		break;
	case 3:
		pages[0] =
		    qr_frame_alloc_contig(frames, 0, 5, 0, QR_PAGE_KERNEL);
		if (pages[0] != NULL)
			qr_frame_free_contig(frames, pages[0], 5);
		break;
	default:
		if (*page != NULL) {
			qr_frame_free(frames, *page);
			*page = NULL;
		} else {
			*page = qr_frame_alloc(frames, QR_GFP_ATOMIC,
			    (unsigned)test_random_below(random, 3),
			    QR_PAGE_KERNEL);
		}
	}
}

static void
test_replay(void **state)
{
	struct rig *rig = rig_create(PAGES, 2, 0);
	struct qr_frame_ops ops = rig_frame_ops;
	struct test_random random = test_random_start("trace");
	struct qr_page *held[HELD] = { NULL };
	struct qr_trace trace;
	struct qr_trace_event event;
	static struct twin twin;
	uint64_t number = 1;
	uint64_t clock = 0;
	(void)state;
	ops.migrate = move_none;
	qr_frame_set_ops(rig->frames, &ops, rig);
	trace_start(rig, &trace, EVENTS);
	memset(&twin, 0, sizeof(twin));
	for (unsigned step = 0; step < 3000; step++) {
		sim_set_cpu((unsigned)test_random_below(&random, 2));
		random_step(rig, held, &random);
		while (qr_trace_read(&trace, &number, &event) == 0) {
			assert_int_equal(event.number, number);
			assert_true(event.clock_ns >= clock && event.cpu < 2);
			clock = event.clock_ns;
			twin_apply(&twin, &event);
			number++;
		}
		if (step % 50 == 0)
			twin_compare(&twin, rig);
	}
	twin_compare(&twin, rig);
	assert_true(twin.seen[QR_TRACE_LIST_REFILL] != 0);
	assert_true(twin.seen[QR_TRACE_LIST_SPILL] != 0);
	assert_true(
	    twin.seen[QR_TRACE_BLOCK_CLAIM] + twin.seen[QR_TRACE_BLOCK_MIX] !=
	    0);
	assert_true(twin.seen[QR_TRACE_RUN_TAKE] != 0);
	assert_true(twin.seen[QR_TRACE_BALLOON] != 0);
	rig_destroy(rig);
}

/* Slabs come and go in events too. */
static void
test_slab_events(void **state)
{
	static const struct qr_slab_config config = { .name = "traced",
		.size_bytes = 1000 };
	struct rig *rig = rig_create(PAGES, 1, 0);
	struct qr_slabs *slabs = qr_slab_start(rig->frames);
	struct qr_trace trace;
	struct qr_trace_event event;
	uint64_t slabs_now = 0;
	uint64_t number = 1;
	(void)state;
	assert_non_null(slabs);
	struct qr_slab_cache *cache = qr_slab_create(slabs, &config);
	void *objects[100];
	trace_start(rig, &trace, EVENTS);
	assert_int_equal(qr_slab_alloc_bulk(cache, 0, 100, objects), 0);
	for (size_t i = 0; i < 100; i++)
		qr_slab_free(cache, objects[i]);
	(void)qr_slab_shrink(cache);
	for (; qr_trace_read(&trace, &number, &event) == 0; number++) {
		if (event.a != (uintptr_t)cache)
			continue;
		slabs_now += event.type == QR_TRACE_SLAB_GROW;
		slabs_now -= event.type == QR_TRACE_SLAB_FREE;
		assert_int_equal(event.c, slabs_now);
	}
	assert_int_equal(slabs_now, 0);
	qr_slab_destroy(cache);
	qr_slab_stop(slabs);
	rig_destroy(rig);
}

/* --- the ring --- */

static void
test_ring_goes_round(void **state)
{
	struct rig *rig = rig_create(PAGES, 1, 0);
	struct qr_trace trace;
	struct qr_trace_event event;
	uint64_t number = 1;
	(void)state;
	trace_start(rig, &trace, 16);
	assert_int_equal(qr_trace_read(&trace, &number, &event), -QR_ENOENT);
	for (unsigned i = 0; i < 20; i++)
		FRAME_TRACE(rig->frames, FRAME_KIND, i, 0, 0);
	assert_int_equal(qr_trace_read(&trace, &number, &event), -QR_ENOSPC);
	assert_int_equal(number, 5);
	for (; number <= 20; number++) {
		assert_int_equal(qr_trace_read(&trace, &number, &event), 0);
		assert_int_equal(event.a, number - 1);
	}
	assert_int_equal(qr_trace_read(&trace, &number, &event), -QR_ENOENT);
	/* Off: nothing more. */
	atomic_store(qr_frame_trace(rig->frames), NULL);
	FRAME_TRACE(rig->frames, FRAME_KIND, 1, 0, 0);
	assert_int_equal(qr_trace_read(&trace, &number, &event), -QR_ENOENT);
	rig_destroy(rig);
}

static void
test_text(void **state)
{
	struct qr_trace_event event = { .number = 1,
		.clock_ns = 1234567,
		.a = 0xabc,
		.b = 3,
		.c = 1,
		.type = QR_TRACE_FRAME_ALLOC,
		.cpu = 2 };
	static const char expect[] =
	    "1234567 cpu 2 frame_alloc pfn 0xabc order 0x3 kind 0x1";
	char text[100];
	(void)state;
	assert_int_equal(qr_trace_describe(&event, text, sizeof(text)),
	    sizeof(expect));
	assert_string_equal(text, expect);
	assert_int_equal(qr_trace_describe(&event, text, 10), sizeof(expect));
	assert_string_equal(text, "1234567 c");
	assert_int_equal(qr_trace_describe(&event, NULL, 0), sizeof(expect));
	for (unsigned type = 0; type < QR_TRACE_TYPES; type++)
		assert_non_null(strchr("fslbprmv",
		    qr_trace_name((enum qr_trace_type)type)[0]));
	assert_string_equal(qr_trace_name(QR_TRACE_TYPES), "none");
}

/* --- threads --- */

struct writer {
	struct rig *rig;
	unsigned cpu;
	pthread_t thread;
};

static void *
writer_run(void *ctx)
{
	struct writer *writer = ctx;
	sim_set_cpu(writer->cpu);
	for (uint64_t i = 0; i < 20000; i++)
		FRAME_TRACE(writer->rig->frames, FRAME_KIND, i, ~i,
		    (uint32_t)i ^ 0x5a5au);
	return NULL;
}

static void
test_read_while_written(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = 1024 * QR_PAGE_SIZE,
		.cpus = 2,
		.flags = SIM_THREADS,
	};
	struct rig *rig = rig_prepare(&config);
	struct writer writers[2];
	struct qr_trace trace;
	struct qr_trace_event event;
	uint64_t number = 1;
	uint64_t got = 0;
	(void)state;
	rig_start(rig, 0);
	trace_start(rig, &trace, 1024);
	for (unsigned i = 0; i < 2; i++) {
		writers[i] = (struct writer){ .rig = rig, .cpu = i };
		assert_int_equal(pthread_create(&writers[i].thread, NULL,
				     writer_run, &writers[i]),
		    0);
	}
	while (number <= 40000) {
		if (qr_trace_read(&trace, &number, &event) != 0)
			continue;
		assert_int_equal(event.b, ~event.a);
		assert_int_equal(event.c, (uint32_t)event.a ^ 0x5a5au);
		assert_int_equal(event.type, QR_TRACE_FRAME_KIND);
		number++;
		got++;
	}
	for (unsigned i = 0; i < 2; i++)
		(void)pthread_join(writers[i].thread, NULL);
	assert_true(got != 0);
	rig_destroy(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_slab_events),
		cmocka_unit_test(test_ring_goes_round),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_read_while_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
