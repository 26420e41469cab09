/* SPDX-License-Identifier: MIT */
/*
 * A local variable is freed.
 * expect: foreign free: free
 * normal: report
 */
#include "misuse.h"

int
main(void)
{
	char here[64];
	free(misuse_hide(here + 16));
	return 0;
}
