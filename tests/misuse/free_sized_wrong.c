/* SPDX-License-Identifier: MIT */
/*
 * free_sized is told another size than malloc was.
 * expect: mismatched size: free_sized
 * expect: the block: 40 bytes
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	free_sized(misuse_hide(malloc(40)), 41);
	return 0;
}
