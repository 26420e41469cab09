/* SPDX-License-Identifier: MIT */
/*
 * A large block is freed twice.
 * expect: double free: free
 * expect: the block: 300000 bytes
 * normal: report
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(300000));
	free(block);
	free(misuse_hide(block));
	return 0;
}
