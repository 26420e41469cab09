/* SPDX-License-Identifier: MIT */
/* mappings.c: mappings N: a process of N mappings, each touched. Says "ready",
 * and stays until its input ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

int
main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	char byte;

	if (count == 0)
		return 2;
	/* Every other page with another protection. */
	char *start = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return 1;
	memset(start, 1, count * PAGE);
	for (size_t i = 0; i < count; i += 2)
		if (mprotect(start + i * PAGE, PAGE, PROT_READ) != 0)
			return 1;
	puts("ready");
	(void)fflush(stdout);
	return read(STDIN_FILENO, &byte, 1) < 0;
}
