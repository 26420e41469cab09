/* SPDX-License-Identifier: MIT */
/*
 * Delete is told another size than new was.
 * expect: mismatched size: operator delete
 * expect: the block: 40 bytes
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	_ZdlPvm(misuse_hide(_Znwm(40)), 48);
	return 0;
}
