/* SPDX-License-Identifier: MIT */
/*
 * A static variable is freed.
 * expect: foreign free: free
 * normal: report
 */
#include "misuse.h"

int
main(void)
{
	static char here[64];
	free(misuse_hide(here));
	return 0;
}
