/* SPDX-License-Identifier: MIT */
/*
 * One byte behind a block is written, and it is grown.
 * guard: overflow
 * expect: overflow: byte 10 of a block of 10 bytes
 * expect: allocated by calloc
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(calloc(1, 10));
	block[10] = 1;
	misuse_hide(realloc(misuse_hide(block), 100));
	return 0;
}
