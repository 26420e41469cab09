/* SPDX-License-Identifier: MIT */
/*
 * One byte behind a large block is written.
 * expect: overflow: byte 300000 of a block of 300000 bytes
 * expect: allocated by malloc
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(300000));
	block[300000] = 1;
	free(misuse_hide(block));
	return 0;
}
