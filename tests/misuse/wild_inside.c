/* SPDX-License-Identifier: MIT */
/*
 * The address of a block's middle is freed.
 * guard: wild free
 * expect: wild free: free
 * expect: called by free
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(400));
	free(misuse_hide(block + 64));
	return 0;
}
