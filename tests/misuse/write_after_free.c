/* SPDX-License-Identifier: MIT */
/*
 * A block is written to after its free; the program ends.
 * guard: use after free
 * expect: use after free: byte 7 of a block of 64 bytes
 * expect: freed by free
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(64));
	free(block);
	block = misuse_hide(block);
	block[7] = 1;
	return 0;
}
