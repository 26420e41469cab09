/* SPDX-License-Identifier: MIT */
/*
 * The address of a large block's second page is freed.
 * expect: wild free: free
 * normal: report
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(300000));
	free(misuse_hide(block + 8192));
	return 0;
}
