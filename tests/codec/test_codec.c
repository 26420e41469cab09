/* SPDX-License-Identifier: MIT */
/*
 * test_codec.c: every codec gives back each page that it took, keeps within
 * the output and the work memory that it was given, takes no memory of its
 * own, and meets malformed input with an error, never with a stray access.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "codec/codec.h"

#define PAGE QR_PAGE_SIZE

/* The linker sends the codecs' calls of malloc and the like here. */
static unsigned long mallocs;
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_malloc(size_t size)
{
	mallocs++;
	return __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	mallocs++;
	return __real_calloc(count, size);
}

static uint64_t seed;
static uint64_t random_state;

static uint64_t
random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A page with an untouchable one on either side of it. */
struct fenced {
	unsigned char *page;
};

static struct fenced
fenced_map(size_t pages)
{
	unsigned char *start = mmap(NULL, (pages + 2) * PAGE, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(start != MAP_FAILED);
	assert_int_equal(0,
	    mprotect(start + PAGE, pages * PAGE, PROT_READ | PROT_WRITE));
	return (struct fenced){ start + PAGE };
}

/* --- kinds of pages --- */

static void
fill_zero(unsigned char *page)
{
	memset(page, 0, PAGE);
}

static void
fill_word(unsigned char *page)
{
	for (size_t i = 0; i < PAGE; i++)
		page[i] = (unsigned char)(i % 8 + 1);
}

static void
fill_ramp(unsigned char *page)
{
	for (size_t i = 0; i < PAGE / 4; i++) {
		uint32_t value = (uint32_t)(i * 3);
		memcpy(page + i * 4, &value, 4);
	}
}

/* Pointers, small numbers and text, as in a heap. */
static void
fill_heap(unsigned char *page)
{
	static const char *const words[] = { "name", "value", "user", "key" };
	memset(page, 0, PAGE);
	for (size_t i = 0; i < PAGE / 32; i++) {
		uint64_t pointer = 0x7f3a5c000000 + (random_next() & 0xfffff0);
		uint64_t small = random_next() % 100;
		memcpy(page + i * 32, &pointer, 8);
		memcpy(page + i * 32 + 8, &small, 8);
		memcpy(page + i * 32 + 16, words[i % 4], 4);
	}
}

static void
fill_text(unsigned char *page)
{
	for (size_t i = 0; i < PAGE; i++)
		page[i] = (unsigned char)"etaoin shrdlu"[random_next() % 13];
}

static void
fill_random(unsigned char *page)
{
	for (size_t i = 0; i < PAGE; i++)
		page[i] = (unsigned char)(random_next() >> 32);
}

static void
fill_half(unsigned char *page)
{
	fill_random(page);
	memset(page + PAGE / 4, 0, PAGE / 2);
}

static void
fill_sparse(unsigned char *page)
{
	memset(page, 0, PAGE);
	for (unsigned i = 0; i < 20; i++)
		page[random_next() % PAGE] = (unsigned char)random_next();
}

static const struct kind {
	const char *name;
	void (*fill)(unsigned char *page);
	bool compressible; /* to 3/4 by every codec */
} kinds[] = {
	{ "zero", fill_zero, true },
	{ "word", fill_word, true },
	{ "ramp", fill_ramp, false },
	{ "heap", fill_heap, true },
	{ "text", fill_text, false },
	{ "random", fill_random, false },
	{ "half", fill_half, true },
	{ "sparse", fill_sparse, true },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* --- one codec under test --- */

struct bench {
	const struct qr_codec *codec;
	void *compress_work;
	void *expand_work;
	struct fenced data; /* the page that goes out */
	struct fenced out;  /* two pages */
	struct fenced back; /* the page that comes in */
};

/* Work memory at the end of its mapping, so that an overrun is seen. */
static void *
work_map(size_t size_bytes)
{
	size_t pages = (size_bytes + PAGE - 1) / PAGE;
	struct fenced work = fenced_map(pages + 1);
	assert_true(size_bytes % 64 == 0);
	return work.page + (pages + 1) * PAGE - size_bytes;
}

static void
bench_init(struct bench *bench, const struct qr_codec *codec)
{
	bench->codec = codec;
	bench->compress_work = work_map(codec->compress_bytes);
	bench->expand_work =
	    codec->expand_bytes == 0 ? NULL : work_map(codec->expand_bytes);
	bench->data = fenced_map(1);
	bench->out = fenced_map(2);
	bench->back = fenced_map(1);
	mallocs = 0;
	if (codec->compress_init != NULL)
		codec->compress_init(bench->compress_work);
	if (codec->expand_init != NULL)
		codec->expand_init(bench->expand_work);
}

/* Compresses into exactly capacity bytes before an untouchable page. */
static size_t
bench_compress(struct bench *bench, size_t capacity)
{
	unsigned char *out = bench->out.page + 2 * PAGE - capacity;
	size_t length = bench->codec->compress(bench->compress_work,
	    bench->data.page, out, capacity);
	assert_true(length <= capacity);
	memmove(bench->out.page, out, length);
	return length;
}

/* Expands what is in out, moved up to an untouchable page. */
static int
bench_expand(struct bench *bench, size_t length)
{
	unsigned char *in = bench->out.page + 2 * PAGE - length;
	memmove(in, bench->out.page, length);
	return bench->codec->expand(bench->expand_work, in, length,
	    bench->back.page);
}

static void
test_round_trip(void **state)
{
	struct bench *bench = *state;
	for (unsigned round = 0; round < 50; round++) {
		const struct kind *kind = &kinds[round % KINDS];
		kind->fill(bench->data.page);
		size_t length = bench_compress(bench, PAGE * 3 / 4);
		if (kind->compressible)
			assert_true(length > 0);
		if (length == 0)
			continue;
		memset(bench->back.page, 0xa5, PAGE);
		assert_int_equal(0, bench_expand(bench, length));
		assert_memory_equal(bench->data.page, bench->back.page, PAGE);
	}
	assert_int_equal(0, mallocs);
}

static void
test_random_does_not_fit(void **state)
{
	struct bench *bench = *state;
	fill_random(bench->data.page);
	assert_int_equal(0, bench_compress(bench, PAGE * 3 / 4));
	/* And the codec is as good as before. */
	fill_heap(bench->data.page);
	size_t length = bench_compress(bench, PAGE);
	assert_true(length > 0);
	assert_int_equal(0, bench_expand(bench, length));
	assert_memory_equal(bench->data.page, bench->back.page, PAGE);
}

/* All capacities round the length that it takes: fits or 0, nothing else. */
static void
test_capacity_edge(void **state)
{
	struct bench *bench = *state;
	fill_heap(bench->data.page);
	size_t length = bench_compress(bench, PAGE);
	assert_true(length > 64);
	for (size_t capacity = 0; capacity < length + 64; capacity++) {
		size_t fit = bench_compress(bench, capacity);
		assert_true(fit == 0 || fit <= capacity);
		if (capacity >= length + 32)
			assert_int_equal(length, fit);
		if (fit == 0)
			continue;
		assert_int_equal(0, bench_expand(bench, fit));
		assert_memory_equal(bench->data.page, bench->back.page, PAGE);
	}
}

/* A damaged page is an error or another page; the fences tell the rest. */
static void
test_malformed(void **state)
{
	struct bench *bench = *state;
	static unsigned char good[QR_PAGE_SIZE];
	fill_heap(bench->data.page);
	size_t length = bench_compress(bench, PAGE);
	memcpy(good, bench->out.page, length);

	for (size_t cut = 0; cut < length; cut++) {
		memcpy(bench->out.page, good, length);
		assert_int_equal(-QR_EIO, bench_expand(bench, cut));
	}
	for (unsigned round = 0; round < 3000; round++) {
		memcpy(bench->out.page, good, length);
		for (uint64_t n = random_next() % 4; n < 4; n++)
			bench->out.page[random_next() % length] ^=
			    (unsigned char)(1 + random_next() % 255);
		int error = bench_expand(bench, length);
		assert_true(error == 0 || error == -QR_EIO);
	}
	for (unsigned round = 0; round < 3000; round++) {
		size_t n = random_next() % (PAGE + 1);
		fill_random(bench->out.page);
		int error = bench_expand(bench, n);
		assert_true(error == 0 || error == -QR_EIO);
	}
	memset(bench->out.page, 0, 2 * PAGE);
	assert_int_equal(-QR_EIO, bench_expand(bench, 2 * PAGE));

	/* And the codec is as good as before. */
	memcpy(bench->out.page, good, length);
	assert_int_equal(0, bench_expand(bench, length));
	assert_memory_equal(bench->data.page, bench->back.page, PAGE);
	assert_int_equal(0, mallocs);
}

static void
test_find(void **state)
{
	(void)state;
	assert_ptr_equal(&qr_codec_lz4, qr_codec_find("lz4"));
	assert_ptr_equal(&qr_codec_zstd, qr_codec_find("zstd"));
	assert_ptr_equal(&qr_codec_auto, qr_codec_find("auto"));
	assert_ptr_equal(&qr_codec_words, qr_codec_find("words"));
	assert_null(qr_codec_find("lz"));
	assert_null(qr_codec_find(""));
}

typedef size_t (
    *compress_fn)(void *work, const void *data, void *out, size_t capacity);

/* Another way of a codec's as a codec of its own. */
static struct qr_codec
by_way(const struct qr_codec *codec, compress_fn way)
{
	struct qr_codec other = *codec;
	other.compress = way;
	return other;
}

/* A dense auto is dense where zstd is, and no larger than lz4 and its byte. */
static void
test_auto_chooses(void **state)
{
	static struct bench lz4, zstd, both;
	(void)state;
	bench_init(&lz4, &qr_codec_lz4);
	bench_init(&zstd, &qr_codec_zstd);
	const struct qr_codec codec =
	    by_way(&qr_codec_auto, qr_codec_auto.compress_dense);
	bench_init(&both, &codec);
	size_t chosen_zstd = 0, chosen_lz4 = 0;
	for (unsigned round = 0; round < 80; round++) {
		kinds[round % KINDS].fill(lz4.data.page);
		memcpy(zstd.data.page, lz4.data.page, PAGE);
		memcpy(both.data.page, lz4.data.page, PAGE);
		size_t by_lz4 = bench_compress(&lz4, PAGE);
		size_t by_zstd = bench_compress(&zstd, PAGE);
		size_t by_both = bench_compress(&both, PAGE);
		bool as_zstd = by_both > 0 && by_both - 1 == by_zstd;
		bool as_lz4 = by_both > 0 && by_both - 1 == by_lz4;
		assert_true(as_zstd || as_lz4 || by_both == 0);
		chosen_zstd += as_zstd;
		chosen_lz4 += as_lz4;
	}
	assert_true(chosen_zstd >= 20);
	assert_true(chosen_lz4 >= 10);
}

/* Two threads' work memory is enough for two: contexts share nothing. */
static void
test_works_are_apart(void **state)
{
	struct bench *bench = *state;
	static struct bench other;
	bench_init(&other, bench->codec);
	for (unsigned round = 0; round < 20; round++) {
		fill_heap(bench->data.page);
		fill_half(other.data.page);
		size_t length = bench_compress(bench, PAGE);
		size_t length_other = bench_compress(&other, PAGE);
		assert_int_equal(0, bench_expand(bench, length));
		assert_int_equal(0, bench_expand(&other, length_other));
		assert_memory_equal(bench->data.page, bench->back.page, PAGE);
		assert_memory_equal(other.data.page, other.back.page, PAGE);
	}
}

static int
run(struct bench *bench)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_round_trip, bench),
		cmocka_unit_test_prestate(test_random_does_not_fit, bench),
		cmocka_unit_test_prestate(test_capacity_edge, bench),
		cmocka_unit_test_prestate(test_malformed, bench),
		cmocka_unit_test_prestate(test_works_are_apart, bench),
	};
	return cmocka_run_group_tests_name(bench->codec->name, tests, NULL,
	    NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_auto_chooses),
	};
	const char *text = getenv("QUIRE_SEED");
	seed = text != NULL ? strtoull(text, NULL, 0) : 20260101;
	random_state = seed | 1;
	printf("seed %llu\n", (unsigned long long)seed);

	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; qr_codecs[i] != NULL; i++) {
		static struct bench bench;
		bench_init(&bench, qr_codecs[i]);
		failed += run(&bench);
		const compress_fn ways[] = { qr_codecs[i]->compress_quick,
			qr_codecs[i]->compress_dense };
		for (size_t way = 0; way < 2; way++) {
			if (ways[way] == NULL)
				continue;
			const struct qr_codec codec =
			    by_way(qr_codecs[i], ways[way]);
			bench_init(&bench, &codec);
			failed += run(&bench);
		}
	}
	return failed;
}
