/* SPDX-License-Identifier: MIT */
/*
 * test_samples.c: however long a run is, its samples stay in order, keep the
 * peak of each interval, and fit; and a chart of them is as wide and as high
 * as it should be, with the line where it belongs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/chart.h"

static struct samples samples;

static void
test_short(void **state)
{
	(void)state;
	samples_init(&samples, 10);
	samples_add(&samples, 0, 5);
	samples_add(&samples, 3, 7);
	samples_add(&samples, 9, 6);
	samples_add(&samples, 35, 2);
	assert_int_equal(4, samples.count);
	assert_int_equal(7, samples.bytes[0]);
	assert_int_equal(7, samples.bytes[1]); /* not measured: as before */
	assert_int_equal(2, samples.bytes[3]);
	assert_int_equal(7, samples.peak);
	assert_int_equal(35, samples.end_ns);
}

static void
test_long(void **state)
{
	(void)state;
	samples_init(&samples, 10);
	for (uint64_t time = 0; time < 400000; time += 10)
		samples_add(&samples, time, time == 123450 ? 1000000 : time);
	assert_true(samples.count <= SAMPLES_MAX);
	assert_int_equal(160, samples.interval_ns);
	assert_int_equal(1000000, samples.peak);
	assert_int_equal(1000000, samples.bytes[123450 / 160]);
	assert_int_equal(399990, samples.bytes[samples.count - 1]);
	/* A gap that alone fills it. */
	samples_add(&samples, 4000000, 1);
	assert_true(samples.count <= SAMPLES_MAX);
	assert_int_equal(1, samples.bytes[samples.count - 1]);
}

static void
test_chart(void **state)
{
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);
	const struct term term = { .stream = stream, .width = 49 };
	const struct chart chart = {
		.samples = &samples,
		.top_bytes = 4000,
		.line_bytes = 2000,
		.span_ns = 4000000000u,
		.height = 4,
	};

	(void)state;
	assert_non_null(stream);
	samples_init(&samples, 100000000u);
	samples_add(&samples, 0, 4000);
	samples_add(&samples, 1900000000u, 4000);
	samples_add(&samples, 2000000000u, 1000);
	samples_add(&samples, 3999999999u, 1000);
	chart_draw(&term, &chart);
	assert_int_equal(0, fclose(stream));
	assert_string_equal(
	    "  3.9 K |####################                    \n"
	    "  2.0 K |####################--------------------\n"
	    "        |####################                    \n"
	    "        |########################################\n"
	    "        +----------------------------------------\n"
	    "         0                                  4.0 s\n",
	    text);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_chart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
