/* SPDX-License-Identifier: MIT */
/*
 * An address that no block can have is freed.
 * guard: wild free
 * expect: wild free: free
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(400));
	free(misuse_hide(block + 1));
	return 0;
}
