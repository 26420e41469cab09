/* SPDX-License-Identifier: MIT */
/* target.h: the program that is to be run: where it is, and whether Quire
 * can come into it. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <limits.h>

#include "problem.h"

struct target {
	char path[PATH_MAX];  /* what execve gets */
	char image[PATH_MAX]; /* the ELF file that becomes the process: path
				 itself, or its last interpreter */
	bool by_shell;        /* no ELF and no #!: /bin/sh reads path */
	bool is_static;       /* to be started in the carrier */
	bool by_env;          /* a script's `env` starts image */
};

/* Finds a program as execvp does. False: problem says why not. */
QR_MUST_CHECK bool target_find(const char *name, struct target *target,
    struct problem *problem);

/*
 * Follows the interpreters of a script and looks whether what is run in the
 * end will load a preloaded library, or can be carried by a program that does.
 * False: problem names the reason.
 */
QR_MUST_CHECK bool target_check(struct target *target, struct problem *problem);

#endif
