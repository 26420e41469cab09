/* SPDX-License-Identifier: MIT */
/*
 * Proves that every size gets the smallest class that holds it, and every
 * size and alignment the smallest aligned one, against a plain search.
 */
#include "bed.h"

#include "core/base/size_class.h"
#include "heap/calls_impl.h"

static void
test_every_size(void **state)
{
	(void)state;
	unsigned want = 0;
	for (size_t size = 0; size <= QR_SIZE_MAX; size++) {
		if (size > qr_size_of_class(want))
			want++;
		assert_int_equal(qr_size_class_of(size), want);
		assert_true(qr_size_of_class(want) >= size);
	}
	assert_int_equal(want, QR_SIZE_CLASSES - 1);
	assert_int_equal(qr_size_of_class(want), QR_SIZE_MAX);
}

static void
test_waste(void **state)
{
	(void)state;
	for (size_t size = QR_SIZE_STEP_MAX + 1; size <= QR_SIZE_MAX; size++) {
		size_t waste = qr_size_of_class(qr_size_class_of(size)) - size;
		assert_true(waste * 8 < size);
	}
}

/* Bytes that a size costs where its class has spans of full length. */
static double
cost(size_t size)
{
	unsigned k = qr_size_class_of(size);
	unsigned order = qr_span_order_max(k);
	size_t blocks = (QR_PAGE_SIZE << order) / qr_size_of_class(k);
	return (double)(qr_span_pages(k, order) * QR_PAGE_SIZE) /
	       (double)blocks;
}

/* Over all sizes of 24 bytes to 32 KiB less than 4 % go to rounding and to the
 * ends of spans. */
static void
test_average(void **state)
{
	(void)state;
	double asked = 0;
	double taken = 0;
	for (size_t size = 24; size <= QR_SIZE_MAX; size++) {
		asked += (double)size;
		taken += cost(size);
	}
	print_message("%.2f %% on average\n", (taken / asked - 1) * 100);
	assert_true(taken < asked * 1.04);
}

static unsigned
search_aligned(size_t size, size_t align)
{
	unsigned k = 0;
	while (k < QR_SIZE_CLASSES &&
	       (qr_size_of_class(k) < size || qr_size_of_class(k) % align != 0))
		k++;
	return k;
}

static void
test_aligned(void **state)
{
	(void)state;
	for (size_t align = 1; align <= 2 * QR_SIZE_MAX; align *= 2) {
		for (size_t size = 0; size <= QR_SIZE_MAX + 9; size += 7)
			assert_int_equal(qr_size_class_aligned(size, align),
			    search_aligned(size, align));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size),
		cmocka_unit_test(test_waste),
		cmocka_unit_test(test_average),
		cmocka_unit_test(test_aligned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
