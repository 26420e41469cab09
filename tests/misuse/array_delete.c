/* SPDX-License-Identifier: MIT */
/*
 * A block of new[] is given to delete.
 * expect: mismatched free: operator delete
 * expect: allocated by operator new
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	_ZdlPv(misuse_hide(_Znam(40)));
	return 0;
}
