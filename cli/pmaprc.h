/* SPDX-License-Identifier: MIT */
/* pmaprc.h: pmap's files that say which columns it shows. */
#ifndef CLI_PMAPRC_H
#define CLI_PMAPRC_H

#include "problem.h"

#define PMAPRC_LIST_MAX 1024u

/* Reads a file, by default ~/.pmaprc, into a list of our columns, commas
 * between. False: problem. */
QR_MUST_CHECK bool pmaprc_read(const char *file, char list[PMAPRC_LIST_MAX],
    struct problem *problem);

/* Writes a file that names every column there is, none of them chosen; one
 * that is there already stays. False: problem. */
QR_MUST_CHECK bool pmaprc_write(const char *file, struct problem *problem);

#endif
