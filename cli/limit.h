/* SPDX-License-Identifier: MIT */
/* limit.h: how much memory there is, and how much of it we may have. */
#ifndef CLI_LIMIT_H
#define CLI_LIMIT_H

#include <limits.h>

#include <qr/types.h>

struct limits {
	uint64_t ram_bytes;    /* of the machine */
	uint64_t cgroup_bytes; /* the tightest of our cgroups; 0: no limit */
	int cgroup_version;    /* 1 or 2, whose limit it is; 0: no limit */
	char group[PATH_MAX];  /* the directory of that cgroup */
};

/* Reads /proc and the cgroup file systems below root ("" but in tests).
 * False: not even the machine's RAM can be told. */
QR_MUST_CHECK bool limits_read(const char *root, struct limits *limits);

/* The same by somebody else's reading: the length of the file's text, or
 * -errno. Paths begin with a slash. */
QR_MUST_CHECK bool limits_read_with(int (*read)(void *ctx, const char *path,
					char *text, size_t capacity),
    void *ctx, struct limits *limits);

/* The smaller of RAM and the cgroup's limit. */
uint64_t limits_usable(const struct limits *limits);

#endif
