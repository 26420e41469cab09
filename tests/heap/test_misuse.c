/* SPDX-License-Identifier: MIT */
/*
 * Proves that misuse which can be told without cost ends the program with a
 * report that names it, and that what is no misuse does not.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>

#include "bed.h"

/* Runs body in a child with stderr in text. */
static int
run_captured(void (*body)(void *), char *text, size_t size)
{
	int end[2];
	assert_int_equal(pipe(end), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(end[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		body(NULL);
		_exit(0);
	}
	close(end[1]);
	ssize_t got = read(end[0], text, size - 1);
	text[got > 0 ? got : 0] = '\0';
	close(end[0]);
	int status;
	waitpid(child, &status, 0);
	return status;
}

static void
misuse_stack(void *ctx)
{
	int here = 0;
	(void)ctx;
	qr_heap_free(&here);
}

static void
misuse_literal(void *ctx)
{
	(void)ctx;
	static char text[] = "not from malloc";
	volatile void *moved = qr_heap_realloc(text, 100);
	(void)moved;
}

static void
misuse_twice_large(void *ctx)
{
	(void)ctx;
	void *block = qr_heap_malloc(100000);
	qr_heap_free(block);
	qr_heap_free(block);
}

static void
misuse_inside_large(void *ctx)
{
	(void)ctx;
	char *block = qr_heap_malloc(100000);
	qr_heap_free(block + 16);
}

static void
misuse_inside_large_page(void *ctx)
{
	(void)ctx;
	char *block = qr_heap_malloc(100000);
	qr_heap_free(block + 8192);
}

/* Found when the blocks return to their span. */
static void
misuse_inside_small(void *ctx)
{
	(void)ctx;
	char *block = qr_heap_malloc(96);
	qr_heap_free(block + 16);
	qr_heap_trim(0);
}

static void
misuse_twice_small(void *ctx)
{
	(void)ctx;
	char *one = qr_heap_malloc(96);
	char *two = qr_heap_malloc(96);
	qr_heap_free(one);
	qr_heap_trim(0);
	qr_heap_free(one);
	qr_heap_trim(0);
	qr_heap_free(two);
}

static void
misuse_own_page(void *ctx)
{
	(void)ctx;
	/* The first page of a region is the heap's own. */
	uintptr_t block = (uintptr_t)qr_heap_malloc(10);
	qr_heap_free((void *)(block & ~(((uintptr_t)1 << 21) - 1)));
}

static void
test_reports(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		void (*body)(void *);
		const char *says;
	} cases[] = {
		{ "stack", misuse_stack, "not the address of a block" },
		{ "literal", misuse_literal, "realloc(" },
		{ "twice, large", misuse_twice_large, "it was freed before" },
		{ "inside large", misuse_inside_large, "not the address" },
		{ "inside large, at a page", misuse_inside_large_page,
		    "not the address" },
		{ "inside small", misuse_inside_small, "not its start" },
		{ "twice, small", misuse_twice_small, "freed twice" },
		{ "the heap's own", misuse_own_page, "not the address" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];
		int status = run_captured(cases[i].body, text, sizeof(text));
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT ||
		    strstr(text, cases[i].says) == NULL)
			fail_msg("%s: status 0x%x, \"%s\"", cases[i].name,
			    (unsigned)status, text);
	}
}

static void
test_no_misuse(void **state)
{
	(void)state;
	int here = 0;
	qr_heap_free(NULL);
	assert_int_equal(qr_heap_usable_size(NULL), 0);
	assert_int_equal(qr_heap_usable_size(&here), 0);
	void *one = qr_heap_malloc(0);
	void *two = qr_heap_malloc(0);
	assert_non_null(one);
	assert_ptr_not_equal(one, two);
	void *gone = qr_heap_realloc(one, 0);
	assert_null(gone);
	qr_heap_free(two);
	struct qr_page_source source = *qr_page_source_os();
	assert_int_equal(qr_heap_set_page_source(&source), -QR_EBUSY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_no_misuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
