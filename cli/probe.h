/* SPDX-License-Identifier: MIT */
/* probe.h: what this kernel lets this process do, tried rather than read
 * from version numbers. */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include <limits.h>

#include "problem.h"

/* Features of userfaultfd that Quire asks about. */
struct probe_uffd {
	int error;    /* 0: faults of this process can be had; else errno */
	bool sigbus;  /* they can come as a signal to the thread */
	bool protect; /* pages can be write-protected */
	bool move;    /* UFFDIO_MOVE, Linux 6.8 */
	bool kernel;  /* faults of system calls can be had too */
};

void probe_uffd(struct probe_uffd *uffd);

/* Whether system calls can be dispatched to the process itself. 0 or errno */
int probe_dispatch(void);

/* What a budget needs and the kernel lacks or forbids. */
QR_MUST_CHECK bool probe_can_budget(struct problem *problem);

/* What --delivery=handler needs and this user may not have. */
QR_MUST_CHECK bool probe_can_handle(struct problem *problem);

/* A directory for the swap file. */
struct probe_swap {
	char path[PATH_MAX]; /* absolute, without links */
	const char *type;    /* of its file system; "other" */
	uint64_t free_bytes; /* that this user may have */
};

/* False: it is no place for a swap file, problem says why. */
QR_MUST_CHECK bool probe_swap(const char *directory, struct probe_swap *swap,
    struct problem *problem);

/* $QUIRE_SWAP_DIR, else /var/tmp. */
const char *probe_swap_default(void);

/* Finds libquire.so or libquire-run.so: beside the command, or where an
 * installation has it. */
QR_MUST_CHECK bool probe_library(const char *name, char *path,
    struct problem *problem);

#endif
