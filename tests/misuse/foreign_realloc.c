/* SPDX-License-Identifier: MIT */
/*
 * A string literal is grown.
 * expect: foreign free: realloc
 * normal: report
 */
#include "misuse.h"

int
main(void)
{
	static char here[64] = "not from malloc";
	misuse_hide(realloc(misuse_hide(here), 100));
	return 0;
}
