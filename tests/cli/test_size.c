/* SPDX-License-Identifier: MIT */
/*
 * test_size.c: sizes mean what people mean by them, every wrong one is named
 * for what is wrong with it, and what is printed reads back as nearly the
 * same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/size.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "4096", 4096 },
		{ "7B", 7 },
		{ "1K", KIB },
		{ "1k", KIB },
		{ "256M", 256 * MIB },
		{ "1.5G", GIB + GIB / 2 },
		{ "0.5m", MIB / 2 },
		{ "64KiB", 64 * KIB },
		{ "2gib", 2 * GIB },
		{ "3T", 3 * TIB },
		{ "0.25T", TIB / 4 },
		{ "1.000000001K", KIB },
		{ "0.1G", 107374182 },
		{ "1.9", 1 },
		{ "8388607T", 8388607 * TIB },
		{ "0.0000000001234567890123456789G", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 1234567;
		if (size_parse(cases[i].text, &bytes) != SIZE_OK ||
		    bytes != cases[i].bytes)
			fail_msg("%s: %llu", cases[i].text,
			    (unsigned long long)bytes);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text;
		enum size_error error;
	} cases[] = {
		{ "", SIZE_NOT_A_NUMBER },
		{ "M", SIZE_NOT_A_NUMBER },
		{ "-1", SIZE_NOT_A_NUMBER },
		{ "+1", SIZE_NOT_A_NUMBER },
		{ ".5G", SIZE_NOT_A_NUMBER },
		{ " 1", SIZE_NOT_A_NUMBER },
		{ "12Q", SIZE_UNKNOWN_UNIT },
		{ "12MB", SIZE_UNKNOWN_UNIT },
		{ "1 M", SIZE_UNKNOWN_UNIT },
		{ "1.M", SIZE_UNKNOWN_UNIT },
		{ "1.5.5", SIZE_UNKNOWN_UNIT },
		{ "50%", SIZE_UNKNOWN_UNIT },
		{ "1e3", SIZE_UNKNOWN_UNIT },
		{ "1KiBs", SIZE_UNKNOWN_UNIT },
		{ "8388608T", SIZE_TOO_LARGE },
		{ "9223372036854775808", SIZE_TOO_LARGE },
		{ "99999999999999999999999", SIZE_TOO_LARGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 1234567;
		enum size_error error = size_parse(cases[i].text, &bytes);
		if (error != cases[i].error || bytes != 1234567)
			fail_msg("'%s': %d", cases[i].text, (int)error);
	}
}

static void
test_percent(void **state)
{
	uint64_t milli = 0;

	(void)state;
	assert_true(size_parse_percent("50%", &milli));
	assert_int_equal(50000, milli);
	assert_true(size_parse_percent("12.5%", &milli));
	assert_int_equal(12500, milli);
	assert_false(size_parse_percent("50", &milli));
	assert_false(size_parse_percent("%", &milli));
	assert_false(size_parse_percent("5%%", &milli));
	assert_int_equal(12500, milli);
	assert_int_equal(GIB / 8, size_percent_of(GIB, 12500));
	assert_int_equal(99999, size_percent_of(99999, 100000));
	assert_true(size_percent_of(UINT64_MAX, 100000) == UINT64_MAX);
}

static void
test_format(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1, "1 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 K" },
		{ 1024, "1.0 K" },
		{ 1536, "1.5 K" },
		{ 99 * KIB, "99.0 K" },
		{ 100 * KIB, "100 K" },
		{ 100 * KIB - 1, "100 K" },
		{ 999 * KIB + 1023, "1000 K" },
		{ 1000 * KIB, "1.0 M" },
		{ 256 * MIB, "256 M" },
		{ GIB + GIB / 2, "1.5 G" },
		{ 16 * TIB, "16.0 T" },
		{ UINT64_MAX, "16777216 T" },
	};
	static const struct {
		uint64_t bytes;
		const char *text;
	} si_cases[] = {
		{ 0, "0" },
		{ 999, "999 B" },
		{ 1000, "1.0 KB" },
		{ 1536, "1.5 KB" },
		{ 99949, "99.9 KB" },
		{ 99950, "100 KB" },
		{ 1000000, "1.0 MB" },
		{ GIB, "1.1 GB" },
		{ 16 * TIB, "17.6 TB" },
		{ UINT64_MAX, "18446744 TB" },
	};
	char text[SIZE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(si_cases) / sizeof(si_cases[0]); i++)
		assert_string_equal(si_cases[i].text,
		    size_format_si(si_cases[i].bytes, text));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(cases[i].text,
		    size_format(cases[i].bytes, text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
