/* SPDX-License-Identifier: MIT */
/*
 * test_cache.c: proves that an index finds what a plain array finds, and that
 * an object is what a plain array of bytes is, however it is read, written,
 * cut, punched, synced, evicted and dropped, with every allocation and every
 * transfer failing once; that what was synced outlives a loss of power, and
 * that a write error is told to everyone who asks.
 */
#include "space_bed.h"

#include "core/cache/cache_impl.h"

#define PAGE ((uint64_t)QR_PAGE_SIZE)

/* --- the index --- */

#define NUMBERS 300u

struct index_bed {
	struct bed *bed;
	struct qr_slab_cache *slab;
	struct qr_index index;
	uint64_t number[NUMBERS]; /* rising */
	uint64_t word[NUMBERS];   /* 0: none */
	bool dirty[NUMBERS];
};

static int
compare_numbers(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;
	return (*left > *right) - (*left < *right);
}

/* Numbers in clusters, from 0 to the last there can be. */
static void
index_numbers(struct index_bed *it)
{
	for (unsigned i = 0; i < NUMBERS; i++) {
		unsigned bits =
		    (unsigned)test_random_below(&it->bed->random, 33);
		it->number[i] =
		    test_random_below(&it->bed->random, ((uint64_t)1 << bits));
	}
	it->number[0] = 0;
	it->number[1] = QR_INDEX_END - 1;
	for (unsigned i = 2; i < NUMBERS / 2; i++)
		it->number[i] = i * 3;
	qsort(it->number, NUMBERS, sizeof(it->number[0]), compare_numbers);
	/* No number twice. */
	for (unsigned i = 1; i < NUMBERS; i++) {
		if (it->number[i] <= it->number[i - 1])
			it->number[i] = it->number[i - 1] + 1;
	}
	assert_true(it->number[NUMBERS - 1] < QR_INDEX_END + NUMBERS);
	while (it->number[NUMBERS - 1] >= QR_INDEX_END)
		it->number[NUMBERS - 1] = QR_INDEX_END - 1;
}

static void
index_insert(struct index_bed *it, unsigned i, uint64_t word)
{
	struct qr_index_spares spares = { NULL };
	for (unsigned k = 0; k < QR_INDEX_LEVELS; k++)
		assert_int_equal(qr_index_spare(&it->index, &spares,
				     QR_GFP_KERNEL),
		    0);
	assert_true(qr_index_set(&it->index, it->number[i], word, &spares));
	qr_index_spares_drop(&it->index, &spares);
	it->word[i] = word;
}

/* What comes from each number on, beside the array. */
static void
index_verify(struct index_bed *it, bool dirty)
{
	uint64_t at = 0;
	for (unsigned i = 0; i < NUMBERS; i++) {
		if (it->word[i] == 0 || (dirty && !it->dirty[i]))
			continue;
		assert_int_equal(qr_index_next(&it->index, &at, dirty),
		    it->word[i]);
		assert_int_equal(at, it->number[i]);
		at++;
	}
	assert_int_equal(qr_index_next(&it->index, &at, dirty), 0);
}

static void
test_index(void **state)
{
	const struct bed_config config = { .ram_bytes = 4 << 20 };
	static struct index_bed it;
	(void)state;
	it.bed = bed_create(&config);
	const struct qr_slab_config slab = { .name = "nodes",
		.size_bytes = sizeof(struct qr_index_node) };
	it.slab = qr_slab_create(it.bed->slabs, &slab);
	assert_non_null(it.slab);
	qr_index_init(&it.index, it.slab);
	index_numbers(&it);
	for (unsigned turn = 0; turn < 6000; turn++) {
		unsigned i =
		    (unsigned)test_random_below(&it.bed->random, NUMBERS);
		unsigned what = (unsigned)test_random_below(&it.bed->random, 4);
		if (what == 0) {
			qr_index_erase(&it.index, it.number[i]);
			it.word[i] = 0;
			it.dirty[i] = false;
		} else if (what == 1 && it.word[i] != 0) {
			it.dirty[i] = !it.dirty[i];
			qr_index_set_dirty(&it.index, it.number[i],
			    it.dirty[i]);
		} else {
			index_insert(&it, i, (uint64_t)turn * 4 + 4);
		}
		assert_int_equal(qr_index_find(&it.index, it.number[i]),
		    it.word[i]);
		assert_int_equal(qr_index_is_dirty(&it.index, it.number[i]),
		    it.dirty[i]);
		if (turn % 50 != 0)
			continue;
		(void)qr_check_index(&it.index);
		index_verify(&it, false);
		index_verify(&it, true);
	}
	/* A node that is missing leaves nothing behind once it is erased. */
	for (unsigned i = 0; i < NUMBERS; i++)
		qr_index_erase(&it.index, it.number[i]);
	assert_null(it.index.root);
	struct qr_index_spares one = { NULL };
	assert_int_equal(qr_index_spare(&it.index, &one, QR_GFP_KERNEL), 0);
	assert_false(qr_index_set(&it.index, 5000, 4, &one));
	qr_index_erase(&it.index, 5000);
	assert_null(it.index.root);
	qr_slab_destroy(it.slab);
	bed_destroy(it.bed);
}

/* --- an object beside a plain array --- */

#define TWIN_PAGES 48u
#define TWIN_BYTES (TWIN_PAGES * QR_PAGE_SIZE)

struct twin {
	struct bed *bed;
	struct sim_file *file; /* NULL: memory */
	struct qr_object *object;
	unsigned char *bytes; /* [TWIN_BYTES] */
	uint64_t size;
	bool failing; /* -QR_EIO and -QR_ENOMEM are right answers */
};

static uint64_t
below(struct twin *twin, uint64_t limit)
{
	return test_random_below(&twin->bed->random, limit);
}

static int
twin_make(struct twin *twin, bool file)
{
	twin->file = NULL;
	if (file)
		twin->file = sim_file_create(twin->bed->rig.sim, TWIN_BYTES);
	const struct qr_object_request request = { .file = twin->file };
	twin->size = 0;
	memset(twin->bytes, 0, TWIN_BYTES);
	return qr_object_new(&twin->bed->spaces.cache, &request, &twin->object);
}

/* An error that a failing machine may give; nothing else is one. */
static void
twin_assert(const struct twin *twin, int error)
{
	if (error == 0)
		return;
	assert_true(twin->failing);
	assert_true(
	    error == -QR_EIO || error == -QR_ENOMEM || error == -QR_ENOSPC);
}

static void
twin_write(struct twin *twin, uint64_t at, uint64_t n)
{
	static unsigned char data[TWIN_BYTES];
	for (uint64_t i = 0; i < n; i++)
		data[i] = (unsigned char)below(twin, 256);
	/* Half of all pages are of one byte: the codec can pack them. */
	if (below(twin, 2) == 0)
		memset(data, (int)below(twin, 256), n);
	struct qr_object_copy copy = { at, n };
	twin_assert(twin, qr_object_write(twin->object, data, &copy));
	if (!twin->failing)
		assert_int_equal(copy.size_bytes, n);
	if (copy.size_bytes > n)
		copy.size_bytes = 0;
	memcpy(twin->bytes + at, data, copy.size_bytes);
	/* It may have grown by the page that then failed. */
	twin->size = qr_object_size(twin->object);
	assert_true(twin->size <= TWIN_BYTES);
}

static void
twin_read(struct twin *twin, uint64_t at, uint64_t n)
{
	static unsigned char data[TWIN_BYTES];
	struct qr_object_copy copy = { at, n };
	uint64_t want = at < twin->size ? twin->size - at : 0;
	want = want < n ? want : n;
	memset(data, 0xee, n);
	int error = qr_object_read(twin->object, data, &copy);
	twin_assert(twin, error);
	if (!twin->failing)
		assert_int_equal(copy.size_bytes, want);
	assert_true(copy.size_bytes <= want);
	if (error == 0)
		assert_memory_equal(data, twin->bytes + at, copy.size_bytes);
}

static void
twin_resize(struct twin *twin, uint64_t size)
{
	int error = qr_object_resize(twin->object, size);
	twin_assert(twin, error);
	if (error != 0)
		return;
	if (size < twin->size)
		memset(twin->bytes + size, 0, twin->size - size);
	twin->size = size;
	/* A file system that cuts a file gives its blocks back. */
	if (twin->file != NULL)
		memset(sim_file_bytes(twin->file) + size, 0, TWIN_BYTES - size);
}

static void
twin_punch(struct twin *twin, uint64_t at, uint64_t n)
{
	uint64_t end = at + n < twin->size ? at + n : twin->size;
	if (twin->file != NULL)
		return;
	int error = qr_object_punch(twin->object, at, n);
	twin_assert(twin, error);
	if (at < end && error == 0)
		memset(twin->bytes + at, 0, end - at);
	/* Of a punch that failed some may have been done. */
	if (error != 0 && at < end) {
		struct qr_object_copy copy = { at, end - at };
		twin->failing = false;
		alloc_fail_in = 0;
		sim_fail_never(twin->bed->rig.sim);
		assert_int_equal(qr_object_read(twin->object, twin->bytes + at,
				     &copy),
		    0);
	}
}

static void
twin_sync(struct twin *twin)
{
	int error = qr_object_sync(twin->object, 0, UINT64_MAX, NULL);
	twin_assert(twin, error);
	if (error != 0 || twin->file == NULL)
		return;
	struct qr_object_stat stat;
	qr_object_stat(twin->object, &stat);
	assert_int_equal(stat.dirty_pages, 0);
	assert_memory_equal(sim_file_bytes(twin->file), twin->bytes,
	    twin->size);
}

static void
twin_evict(struct twin *twin)
{
	int error;
	(void)bed_evict(twin->bed, 1 + below(twin, 40), &error);
	if (!twin->failing)
		assert_int_equal(error, 0);
}

static void
twin_step(struct twin *twin)
{
	uint64_t at = below(twin, TWIN_BYTES - 1);
	uint64_t room = TWIN_BYTES - at;
	uint64_t n = 1 + below(twin, below(twin, 3) == 0 ? room : 3 * PAGE);
	n = n < room ? n : room;
	if (below(twin, 4) == 0) {
		at &= ~(PAGE - 1);
		n = below(twin, 2) == 0 && room > PAGE ? PAGE : n;
	}
	switch (below(twin, 12)) {
	case 0:
		twin_resize(twin, below(twin, 3) == 0 ? 0 : at);
		break;
	case 1:
		twin_punch(twin, at, n);
		break;
	case 2:
		twin_sync(twin);
		break;
	case 3:
	case 4:
		twin_evict(twin);
		break;
	case 5:
		(void)qr_object_drop(twin->object);
		(void)qr_cache_shrink(&twin->bed->spaces.cache);
		break;
	case 6:
	case 7:
	case 8:
		twin_write(twin, at, n);
		break;
	default:
		twin_read(twin, at, n);
		break;
	}
}

static struct bed *
twin_bed(void)
{
	const struct bed_config config = { .ram_bytes = 2 << 20,
		.swap_pages = 200 };
	return bed_create(&config);
}

static void
run_twin(bool file)
{
	static unsigned char bytes[TWIN_BYTES];
	struct twin twin = { .bed = twin_bed(), .bytes = bytes };
	assert_int_equal(twin_make(&twin, file), 0);
	for (unsigned turn = 0; turn < 1500; turn++) {
		twin_step(&twin);
		if (turn % 10 == 0)
			bed_check(twin.bed);
	}
	twin_read(&twin, 0, TWIN_BYTES);
	qr_object_put(twin.object);
	if (file)
		assert_memory_equal(sim_file_bytes(twin.file), bytes,
		    twin.size);
	bed_check(twin.bed);
	bed_destroy(twin.bed);
}

static void
test_file_beside_array(void **state)
{
	(void)state;
	run_twin(true);
}

static void
test_memory_beside_array(void **state)
{
	(void)state;
	run_twin(false);
}

/* The same with an allocation, or a transfer, that fails now and then: wrong
 * answers are errors, never other bytes. */
static void
run_failing(bool file)
{
	static const enum sim_call calls[] = { SIM_FILE_READ, SIM_FILE_WRITE,
		SIM_FILE_SYNC, SIM_SWAP_READ, SIM_SWAP_WRITE };
	static unsigned char bytes[TWIN_BYTES];
	struct twin twin = { .bed = twin_bed(), .bytes = bytes };
	assert_int_equal(twin_make(&twin, file), 0);
	for (unsigned turn = 0; turn < 2500; turn++) {
		twin.failing = true;
		if (below(&twin, 2) == 0)
			alloc_fail_in = 1 + (long)below(&twin, 6);
		else
			sim_fail_after(twin.bed->rig.sim,
			    calls[below(&twin, 5)], 1 + below(&twin, 4),
			    below(&twin, 3) == 0 ? -QR_ENOSPC : -QR_EIO);
		twin_step(&twin);
		alloc_fail_in = 0;
		sim_fail_never(twin.bed->rig.sim);
		twin.failing = false;
		if (turn % 10 == 0) {
			bed_check(twin.bed);
			twin_read(&twin, 0, TWIN_BYTES);
		}
	}
	qr_object_put(twin.object);
	if (file)
		assert_memory_equal(sim_file_bytes(twin.file), bytes,
		    twin.size);
	bed_check(twin.bed);
	bed_destroy(twin.bed);
}

static void
test_failing_file(void **state)
{
	(void)state;
	run_failing(true);
}

static void
test_failing_memory(void **state)
{
	(void)state;
	run_failing(false);
}

/* --- single facts --- */

static struct qr_object *
file_of_pages(struct bed *bed, uint64_t pages, struct sim_file **file)
{
	struct qr_object *object;
	*file = sim_file_create(bed->rig.sim, pages * PAGE);
	for (uint64_t i = 0; i < pages * PAGE; i++)
		sim_file_bytes(*file)[i] = (unsigned char)(i / PAGE + 1);
	const struct qr_object_request request = { .file = *file,
		.size_bytes = pages * PAGE };
	assert_int_equal(qr_object_new(&bed->spaces.cache, &request, &object),
	    0);
	return object;
}

static int
read_byte(struct qr_object *object, uint64_t page, unsigned char *byte)
{
	struct qr_object_copy copy = { page * PAGE, 1 };
	return qr_object_read(object, byte, &copy);
}

static int
write_byte(struct qr_object *object, uint64_t page, unsigned char byte)
{
	struct qr_object_copy copy = { page * PAGE, 1 };
	return qr_object_write(object, &byte, &copy);
}

/* A sequential reader waits for the device a few times; a random one reads
 * what it asks for. */
static void
test_read_ahead(void **state)
{
	struct bed *bed = twin_bed();
	struct sim_file *file;
	struct qr_object *object = file_of_pages(bed, 100, &file);
	struct qr_cache_stat stat;
	unsigned char byte;
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(read_byte(object, i, &byte), 0);
		assert_int_equal(byte, i + 1);
	}
	qr_cache_stat(&bed->spaces.cache, &stat);
	assert_int_equal(stat.read_pages, 100);
	/* 4, 8, 16, 32, then to the end of the index's node, 32, 4 */
	assert_int_equal(stat.read_calls, 7);
	assert_int_equal(stat.misses, 7);
	assert_int_equal(stat.ahead_pages, 93);
	assert_int_equal(qr_object_drop(object), 100);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(read_byte(object, 97 - 7 * i, &byte), 0);
	qr_cache_stat(&bed->spaces.cache, &stat);
	assert_int_equal(stat.read_pages, 110);
	qr_object_put(object);
	bed_destroy(bed);
}

static void
test_read_error(void **state)
{
	struct bed *bed = twin_bed();
	struct sim_file *file;
	struct qr_object *object = file_of_pages(bed, 20, &file);
	struct qr_object_stat stat;
	unsigned char byte;
	(void)state;
	/* Ahead of need an error is none. */
	assert_int_equal(read_byte(object, 10, &byte), 0);
	sim_fail_after(bed->rig.sim, SIM_FILE_READ, 1, -QR_EIO);
	assert_int_equal(read_byte(object, 11, &byte), 0);
	assert_int_equal(byte, 12);
	qr_object_stat(object, &stat);
	assert_int_equal(stat.cached_pages, 2);
	/* Where it is needed, it is one, and no page stays. */
	sim_fail_every(bed->rig.sim, SIM_FILE_READ, 1, -QR_EIO);
	assert_int_equal(read_byte(object, 5, &byte), -QR_EIO);
	sim_fail_never(bed->rig.sim);
	qr_object_stat(object, &stat);
	assert_int_equal(stat.cached_pages, 2);
	assert_int_equal(read_byte(object, 5, &byte), 0);
	assert_int_equal(byte, 6);
	qr_object_put(object);
	bed_check(bed);
	bed_destroy(bed);
}

/* An error of the background is told once to each who asks, and the data is
 * still there to be written. */
static void
test_errors_kept(void **state)
{
	struct bed *bed = twin_bed();
	struct sim_file *file;
	struct qr_object *object = file_of_pages(bed, 4, &file);
	uint32_t seen[2] = { 0, 0 };
	(void)state;
	assert_int_equal(write_byte(object, 1, 99), 0);
	sim_fail_after(bed->rig.sim, SIM_FILE_WRITE, 1, -QR_EIO);
	assert_int_equal(qr_cache_write_back(&bed->spaces.cache, UINT64_MAX),
	    1);
	struct qr_object_stat stat;
	qr_object_stat(object, &stat);
	assert_int_equal(stat.dirty_pages, 1);
	assert_int_equal(qr_object_sync(object, 0, UINT64_MAX, &seen[0]),
	    -QR_EIO);
	assert_int_equal(sim_file_bytes(file)[PAGE], 99);
	assert_int_equal(qr_object_sync(object, 0, UINT64_MAX, &seen[0]), 0);
	assert_int_equal(qr_object_sync(object, 0, UINT64_MAX, &seen[1]),
	    -QR_EIO);
	assert_int_equal(qr_object_sync(object, 0, UINT64_MAX, &seen[1]), 0);
	/* The device may fail to make it last. */
	assert_int_equal(write_byte(object, 1, 100), 0);
	sim_fail_after(bed->rig.sim, SIM_FILE_SYNC, 1, -QR_EIO);
	assert_int_equal(qr_object_sync(object, 0, UINT64_MAX, &seen[0]),
	    -QR_EIO);
	qr_object_put(object);
	bed_destroy(bed);
}

static void
test_power(void **state)
{
	struct bed *bed = twin_bed();
	struct sim_file *file;
	struct qr_object *object = file_of_pages(bed, 8, &file);
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(write_byte(object, i, 200), 0);
	/* Pages 2 to 4, and the device. */
	assert_int_equal(qr_object_sync(object, 2 * PAGE, 3 * PAGE, NULL), 0);
	assert_int_equal(qr_cache_write_back(&bed->spaces.cache, UINT64_MAX),
	    5);
	assert_int_equal(sim_file_bytes(file)[0], 200);
	sim_file_lose_power(file);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(sim_file_bytes(file)[i * PAGE],
		    i >= 2 && i < 5 ? 200 : i + 1);
	qr_object_put(object);
	bed_destroy(bed);
}

/* Who dirties more than a fifth of memory writes it back itself, in rows. */
static void
test_throttle(void **state)
{
	struct bed *bed = twin_bed();
	struct sim_file *file;
	struct qr_object *object = file_of_pages(bed, 400, &file);
	struct qr_cache_stat stat;
	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		assert_int_equal(write_byte(object, i, 7), 0);
		qr_cache_stat(&bed->spaces.cache, &stat);
		assert_true(stat.dirty_pages <= stat.dirty_limit + 1);
	}
	assert_true(stat.throttled > 0);
	assert_true(stat.written_pages > 200);
	assert_true(stat.write_calls * 8 < stat.written_pages);
	/* The background goes on to half of that. */
	while (qr_cache_balance(&bed->spaces.cache) != 0)
		continue;
	qr_cache_stat(&bed->spaces.cache, &stat);
	assert_true(stat.dirty_pages <= stat.dirty_limit / 2 + 1);
	qr_object_put(object);
	assert_int_equal(sim_file_bytes(file)[399 * PAGE], 7);
	bed_destroy(bed);
}

/* Pages that come back soon are known by their shadows. */
static void
test_shadows(void **state)
{
	struct bed *bed = twin_bed();
	struct sim_file *file;
	struct qr_object *object = file_of_pages(bed, 30, &file);
	unsigned char byte;
	int error;
	(void)state;
	assert_int_equal(read_byte(object, 20, &byte), 0);
	assert_int_equal(bed->distance_last, UINT64_MAX);
	assert_int_equal(bed_evict(bed, 1, &error), 1);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(read_byte(object, 2 * i + 1, &byte), 0);
		assert_int_equal(bed_evict(bed, 1, &error), 1);
	}
	assert_int_equal(read_byte(object, 20, &byte), 0);
	assert_int_equal(bed->distance_last, 6);
	assert_int_equal(qr_cache_shrink(&bed->spaces.cache), 5);
	assert_int_equal(read_byte(object, 3, &byte), 0);
	assert_int_equal(bed->distance_last, UINT64_MAX);
	qr_object_put(object);
	bed_destroy(bed);
}

/* A device that fails for good costs memory, not data. */
static void
test_stuck_device(void **state)
{
	struct bed *bed = twin_bed();
	struct sim_file *file;
	struct qr_object *object = file_of_pages(bed, 10, &file);
	int error;
	(void)state;
	assert_int_equal(write_byte(object, 4, 77), 0);
	sim_fail_every(bed->rig.sim, SIM_FILE_WRITE, 1, -QR_EIO);
	assert_int_equal(bed_evict(bed, 10, &error), 0);
	assert_int_equal(error, -QR_EIO);
	assert_int_equal(qr_object_drop(object), 0);
	bed_check(bed);
	sim_fail_never(bed->rig.sim);
	assert_int_equal(bed_evict(bed, 10, &error), 1);
	assert_int_equal(sim_file_bytes(file)[4 * PAGE], 77);
	qr_object_put(object);
	bed_destroy(bed);
}

static void
test_refused(void **state)
{
	const struct bed_config config = { .ram_bytes = 2 << 20 };
	struct bed *bed = bed_create(&config);
	struct qr_object *object;
	struct qr_object_request request = { .size_bytes =
						 QR_OBJECT_BYTES_MAX + 1 };
	(void)state;
	assert_int_equal(qr_object_new(&bed->spaces.cache, &request, &object),
	    -QR_EINVAL);
	request.size_bytes = 5;
	alloc_fail_in = 1;
	assert_int_equal(qr_object_new(&bed->spaces.cache, &request, &object),
	    -QR_ENOMEM);
	assert_int_equal(qr_object_new(&bed->spaces.cache, &request, &object),
	    0);
	assert_int_equal(qr_object_resize(object, QR_OBJECT_BYTES_MAX + 1),
	    -QR_EINVAL);
	struct qr_object_copy copy = { QR_OBJECT_BYTES_MAX, 1 };
	assert_int_equal(qr_object_write(object, "x", &copy), -QR_ENOSPC);
	qr_object_put(object);
	bed_destroy(bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_file_beside_array),
		cmocka_unit_test(test_memory_beside_array),
		cmocka_unit_test(test_failing_file),
		cmocka_unit_test(test_failing_memory),
		cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_read_error),
		cmocka_unit_test(test_errors_kept),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_throttle),
		cmocka_unit_test(test_shadows),
		cmocka_unit_test(test_stuck_device),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
