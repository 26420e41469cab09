/* SPDX-License-Identifier: MIT */
/* launch.h: the last steps before this process becomes the program. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "port/linux/config.h"
#include "problem.h"
#include "target.h"

struct launch {
	struct target target;
	struct qr_linux_config config;
	char library[PATH_MAX]; /* what is preloaded */
	char carrier[PATH_MAX]; /* for a program that is static */
	char **words;           /* the command, NULL at its end */
};

/*
 * Makes what outlives the exec: notes the start in the state directory and
 * sets LD_PRELOAD and, where there is a budget, QUIRE_RUN. False: problem
 * says what failed.
 */
QR_MUST_CHECK bool launch_prepare(struct launch *launch,
    struct problem *problem);

/* Becomes the program. Returns only when that fails. */
void launch_exec(const struct launch *launch, struct problem *problem);

#endif
