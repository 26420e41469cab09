/* SPDX-License-Identifier: MIT */
/* json_stdio.h: the JSON writer, writing to stdio. */
#ifndef CLI_JSON_STDIO_H
#define CLI_JSON_STDIO_H

#include "port/linux/json.h"

/* A sink: ctx is a FILE. */
void json_write_stdio(void *ctx, const char *bytes, size_t length);

#endif
