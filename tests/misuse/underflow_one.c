/* SPDX-License-Identifier: MIT */
/*
 * The byte before a block is written.
 * guard: underflow
 * expect: underflow
 * expect: allocated by malloc
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(24));
	char *before = misuse_hide(block - 1);
	*before = 1;
	free(misuse_hide(block));
	return 0;
}
