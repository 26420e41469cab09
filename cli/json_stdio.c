/* SPDX-License-Identifier: MIT */
/* json_stdio.c: lets the JSON writer write to a stdio stream. Errors stay in
 * the stream, for whoever closes it. */
#include <stdio.h>

#include "json_stdio.h"

void
json_write_stdio(void *ctx, const char *bytes, size_t length)
{
	(void)fwrite(bytes, 1, length, ctx);
}
