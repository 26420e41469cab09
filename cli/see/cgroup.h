/* SPDX-License-Identifier: MIT */
/* cgroup.h: the control group that limits whoever looked. */
#ifndef CLI_SEE_CGROUP_H
#define CLI_SEE_CGROUP_H

#include <limits.h>

#include "view.h"

/* Bytes. */
struct cgroup {
	char path[PATH_MAX]; /* its directory */
	int version;
	int64_t limit; /* 0: none that is below RAM */
	int64_t usage;
	int64_t anon;
	int64_t file; /* with shmem */
	int64_t shmem;
	int64_t kernel;
};

/* False: no group has a limit. */
QR_MUST_CHECK bool cgroup_read(struct session *session, struct cgroup *group);

#endif
