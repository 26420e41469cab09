/* SPDX-License-Identifier: MIT */
/*
 * test_option.c: each way to write an option is understood, where options end
 * is found, and what is wrong is named with its remedy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/nearest.h"
#include "cli/option.h"

static struct options options;
static struct problem problem;

#define WORDS_MAX 8

/* Parses the words of a line, which blanks part. */
static bool
parse(const char *command, const char *line)
{
	static char text[256];
	static char *words[WORDS_MAX + 1];
	size_t count = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word != NULL;
	     word = strtok(NULL, " ")) {
		assert_true(count < WORDS_MAX);
		words[count++] = word;
	}
	words[count] = NULL;
	return options_parse(command, words, EXIT_OURS, &options, &problem);
}

static void
test_forms(void **state)
{
	static const char *const lines[] = {
		"-m64M x",
		"-m 64M x",
		"-m=64M x",
		"--memory=64M x",
		"--memory 64M x",
		"-q -m 64M x",
		"-qvm64M -- x",
		"-m 1G -m 64M x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!parse("run", lines[i]))
			fail_msg("%s: %s", lines[i], problem.what);
		assert_int_equal(64 << 20, options.number[OPTION_MEMORY]);
		assert_string_equal("x", options.operands[0]);
		assert_null(options.operands[1]);
	}
}

static void
test_end_of_options(void **state)
{
	(void)state;
	assert_true(parse("run", "prog -m 64M"));
	assert_null(options.text[OPTION_MEMORY]);
	assert_string_equal("prog", options.operands[0]);
	assert_string_equal("-m", options.operands[1]);
	assert_true(parse("run", "-q -- -m"));
	assert_string_equal("-m", options.operands[0]);
	assert_true(parse("run", "- -m"));
	assert_string_equal("-", options.operands[0]);
	assert_true(parse("run", ""));
	assert_null(options.operands[0]);
}

static void
test_values(void **state)
{
	(void)state;
	assert_true(parse("run", "--codec=zstd --swap-max 1.5K -m 12.5%"));
	assert_int_equal(QR_LINUX_CODEC_ZSTD, options.number[OPTION_CODEC]);
	assert_int_equal(1536, options.number[OPTION_SWAP_MAX]);
	assert_int_equal(12500, options.number[OPTION_MEMORY]);
	assert_true(parse("run", "--swap /a,b=c"));
	assert_string_equal("/a,b=c", options.text[OPTION_SWAP]);
	assert_true(parse("version", "--json"));
	assert_non_null(options.text[OPTION_VERSION_JSON]);
	assert_null(options.text[OPTION_JSON_FILE]);
	assert_true(parse("run", "--json out"));
	assert_string_equal("out", options.text[OPTION_JSON_FILE]);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *line, *what, *why, *advice;
	} cases[] = {
		{ "--polcy=lru", "unknown option --polcy", "", "--policy" },
		{ "--mem=1", "unknown option --mem", "", "--memory" },
		{ "--zzzzzz", "unknown option --zzzzzz", "",
		    "quire run --help" },
		{ "-x", "unknown option -x", "", "quire run --help" },
		{ "-qx", "unknown option -x", "", "quire run --help" },
		{ "-m", "--memory: value missing", "", "--memory=SIZE|N%" },
		{ "-m 12Q", "bad value '12Q'", "not a unit", "1024" },
		{ "-m x", "bad value 'x'", "number", "256M" },
		{ "--swap-max 5%", "bad value '5%'", "not a unit", "1.5G" },
		{ "--swap=", "bad value ''", "empty", "" },
		{ "--codec=gzip", "bad value 'gzip'", "not one",
		    "auto|lz4|zstd" },
		{ "--quiet=yes", "bad value 'yes'", "no value", "" },
		{ "--width=0", "bad value '0'", "above 0", "" },
		{ "--width=8x", "bad value '8x'", "above 0", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (parse("run", cases[i].line))
			fail_msg("accepted: %s", cases[i].line);
		assert_int_equal(EXIT_OURS, problem.code);
		if (strstr(problem.what, cases[i].what) == NULL ||
		    strstr(problem.why, cases[i].why) == NULL ||
		    strstr(problem.advice, cases[i].advice) == NULL)
			fail_msg("%s: %s, %s, %s", cases[i].line, problem.what,
			    problem.why, problem.advice);
	}
}

static void
test_nearest(void **state)
{
	struct nearest nearest;

	(void)state;
	assert_int_equal(0, nearest_distance("abc", "abc"));
	assert_int_equal(3, nearest_distance("", "abc"));
	assert_int_equal(3, nearest_distance("abc", ""));
	assert_int_equal(1, nearest_distance("abc", "acb"));
	assert_int_equal(1, nearest_distance("abc", "abcd"));
	assert_int_equal(2, nearest_distance("kitten", "mittens"));
	assert_int_equal(3, nearest_distance("kitten", "sitting"));
	nearest_init(&nearest, "dotcor");
	nearest_offer(&nearest, "demo");
	assert_null(nearest.best);
	nearest_offer(&nearest, "doctor");
	nearest_offer(&nearest, "version");
	assert_string_equal("doctor", nearest.best);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_end_of_options),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
