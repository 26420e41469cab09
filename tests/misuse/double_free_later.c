/* SPDX-License-Identifier: MIT */
/*
 * A block is freed again after others came and went.
 * guard: double free
 * expect: double free: free
 * expect: allocated by malloc
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(100));
	free(block);
	for (int i = 0; i < 1000; i++)
		free(misuse_hide(malloc(100)));
	free(misuse_hide(block));
	return 0;
}
