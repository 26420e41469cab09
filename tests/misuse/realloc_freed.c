/* SPDX-License-Identifier: MIT */
/*
 * A block is grown after it was freed.
 * guard: double free
 * expect: double free: realloc
 * expect: freed by free
 * normal: any
 */
#include "misuse.h"

int
main(void)
{
	char *block = misuse_hide(malloc(40));
	free(block);
	block = realloc(misuse_hide(block), 4000);
	misuse_hide(block);
	return 0;
}
