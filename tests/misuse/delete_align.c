/* SPDX-License-Identifier: MIT */
/*
 * Delete is told another alignment than new was.
 * expect: mismatched alignment: operator delete
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	_ZdlPvSt11align_val_t(misuse_hide(_ZnwmSt11align_val_t(100, 64)), 32);
	return 0;
}
