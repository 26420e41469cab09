/* SPDX-License-Identifier: MIT */
/* origin.h: which machine a source is of, and when. */
#ifndef CLI_PROC_ORIGIN_H
#define CLI_PROC_ORIGIN_H

#include "source.h"

/* "" where it is not told. */
struct origin {
	char host[72];
	char kernel[72];
	char machine[72];
	char time[32]; /* RFC 3339, UTC */
};

void origin_find(struct source *source, struct origin *origin);

#endif
