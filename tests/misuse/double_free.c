/* SPDX-License-Identifier: MIT */
/*
 * A block is freed twice.
 * guard: double free
 * expect: double free: free
 * expect: freed by free
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(40));
	free(block);
	free(misuse_hide(block));
	return 0;
}
