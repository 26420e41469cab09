/* SPDX-License-Identifier: MIT */
/*
 * A block is written to after its free; it goes on.
 * guard: use after free
 * expect: use after free: byte 3 of a block of 500 bytes
 * expect: freed by free
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(500));
	free(block);
	block = misuse_hide(block);
	block[3] = 1;
	/* More than is kept of what was freed. */
	for (int i = 0; i < 100; i++)
		free(misuse_hide(malloc(1000000)));
	return 0;
}
