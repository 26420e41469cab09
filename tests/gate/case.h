/* SPDX-License-Identifier: MIT */
/*
 * case.h: small programs, one a case, that print what they see. A case
 * proves something when it prints the same with and without the gate.
 */
#ifndef QR_TEST_CASE_H
#define QR_TEST_CASE_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test_case {
	const char *name;
	int (*run)(void);
};

/* Each ends with a row of zeros. */
extern const struct test_case signal_cases[];
extern const struct test_case thread_cases[];
extern const struct test_case process_cases[];
extern const struct test_case memory_cases[];
extern const struct test_case patch_cases[];

/* Prints a call's result, and errno if it failed. */
void show(const char *what, long result);

/* Sets a handler with flags; mask: of one more signal, or 0. */
void handle(int signal, void (*handler)(int), int flags, int mask);

/* The thread's mask as bits. */
uint64_t mask_now(void);

void sleep_ms(long ms);

/* An address where nothing is. */
extern void *volatile nowhere;

#endif
