/* SPDX-License-Identifier: MIT */
/*
 * cases.c: `cases NAME` runs a case, `cases` lists them.
 */
#define _GNU_SOURCE
#include "case.h"

#include <time.h>

void *volatile nowhere = (void *)16;

void
show(const char *what, long result)
{
	if (result < 0)
		printf("%s: %ld %s\n", what, result, strerror(errno));
	else
		printf("%s: %ld\n", what, result);
}

void
handle(int signal, void (*handler)(int), int flags, int mask)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	sigemptyset(&action.sa_mask);
	if (mask != 0)
		sigaddset(&action.sa_mask, mask);
	if (sigaction(signal, &action, NULL) != 0)
		perror("sigaction");
}

uint64_t
mask_now(void)
{
	sigset_t set;
	uint64_t bits = 0;
	sigprocmask(SIG_BLOCK, NULL, &set);
	for (int i = 1; i < 65; i++)
		bits |= (uint64_t)(sigismember(&set, i) == 1) << (i - 1);
	return bits;
}

void
sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&time, &time) != 0)
		;
}

static const struct test_case *const lists[] = { signal_cases, thread_cases,
	process_cases, memory_cases, patch_cases };

int
main(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct test_case *c = lists[i]; c->name; c++) {
			if (argc < 2)
				printf("%s\n", c->name);
			else if (strcmp(argv[1], c->name) == 0)
				return c->run();
		}
	}
	return argc < 2 ? 0 : 127;
}
