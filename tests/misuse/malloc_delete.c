/* SPDX-License-Identifier: MIT */
/*
 * A block of malloc is deleted.
 * expect: mismatched free: operator delete
 * expect: allocated by malloc
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	_ZdlPv(misuse_hide(malloc(40)));
	return 0;
}
