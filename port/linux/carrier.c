/* SPDX-License-Identifier: MIT */
/*
 * carrier.c: the program that a statically linked one runs in; see carry.c.
 *
 * It is as small as a dynamic program can be. Under `quire run` it never
 * comes to its main: the library that is preloaded into it enters the other
 * program first.
 */
#include <unistd.h>

int
main(void)
{
	static const char text[] =
	    "quire-static: this is how `quire run -m` starts programs that "
	    "are statically\n  linked; it does nothing by itself\n";
	(void)!write(2, text, sizeof(text) - 1);
	return 125;
}
