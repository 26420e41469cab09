/* SPDX-License-Identifier: MIT */
/*
 * test_words.c: the two ways of codec/words.c to move bytes, the CPU's and
 * the portable one, make the same result of each page and read it alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Its functions, which are nobody's else, are what is tested. */
#include "codec/words.c"

#define ROUNDS 2000u

static uint64_t random_state;

static uint64_t
random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Words with a random set of bytes that are not zero, fewer in some pages
 * than in others. */
static void
fill(unsigned char *page)
{
	unsigned density = (unsigned)(random_next() % 9);
	for (size_t i = 0; i < QR_PAGE_SIZE; i++) {
		uint64_t random = random_next();
		page[i] =
		    random % 8 < density ? (unsigned char)(random >> 8) : 0;
	}
}

static void
test_both_ways_agree(void **state)
{
	(void)state;
	static unsigned char page[QR_PAGE_SIZE];
	static unsigned char slow[2 * QR_PAGE_SIZE];
	static unsigned char fast[2 * QR_PAGE_SIZE];
	static uint64_t back[WORDS];
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t row = rows[random_next() % sizeof(rows)];
		fill(page);
		size_t length =
		    words_pack(page, row, slow, sizeof(slow), false);
		assert_in_range(length, HEAD_BYTES, HEAD_BYTES + QR_PAGE_SIZE);
		assert_int_equal(words_unpack(slow, length, back, false), 0);
		assert_memory_equal(back, page, QR_PAGE_SIZE);
		assert_int_equal(words_unpack(slow, length - 1, back, false),
		    -QR_EIO);
		if (!has_bmi2())
			continue;
		assert_int_equal(words_pack(page, row, fast, sizeof(fast),
				     true),
		    length);
		assert_memory_equal(fast, slow, length);
		assert_int_equal(words_unpack(slow, length, back, true), 0);
		assert_memory_equal(back, page, QR_PAGE_SIZE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways_agree),
	};
	const char *text = getenv("QUIRE_SEED");
	random_state = text == NULL ? 1 : strtoull(text, NULL, 0) | 1;
	printf("QUIRE_SEED=%llu\n", (unsigned long long)random_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
