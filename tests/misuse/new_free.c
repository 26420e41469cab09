/* SPDX-License-Identifier: MIT */
/*
 * A block of new is given to free.
 * expect: mismatched free: free
 * expect: allocated by operator new
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	free(misuse_hide(_Znwm(40)));
	return 0;
}
