/* SPDX-License-Identifier: MIT */
/*
 * One byte behind a block is written.
 * guard: overflow
 * expect: overflow: byte 24 of a block of 24 bytes
 * expect: allocated by malloc
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(24));
	memset(block, 0, 25);
	free(misuse_hide(block));
	return 0;
}
