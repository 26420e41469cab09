/* SPDX-License-Identifier: MIT */
/*
 * An alignment that is no power of two is asked for.
 * expect: invalid alignment: aligned_alloc
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	misuse_hide(aligned_alloc(48, 96));
	return 0;
}
