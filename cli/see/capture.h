/* SPDX-License-Identifier: MIT */
/* capture.h: a machine's files put into a tar, for capture and record. */
#ifndef CLI_SEE_CAPTURE_H
#define CLI_SEE_CAPTURE_H

#include <stdio.h>

#include "cli/proc/source.h"

struct capture {
	struct source *source;
	FILE *stream;
	int level;      /* of zstd; 0: plain */
	bool anonymous; /* names of users, files and arguments are hidden */
	size_t processes, unreadable; /* results */
};

/* Errors of the stream stay in it. False: zstd failed. */
QR_MUST_CHECK bool capture_write(struct capture *capture);

#endif
