/* SPDX-License-Identifier: MIT */
/* pressure.h: lines "some avg10=0.00 avg60=0.00 avg300=0.00 total=0". */
#ifndef CLI_SEE_PRESSURE_H
#define CLI_SEE_PRESSURE_H

#include "cli/table/table.h"

/* What follows "KEY=" in the line of a kind; NULL: there is none. */
const char *pressure_find(const char *text, const char *kind, const char *key);

/* An average, in hundredths of a percent. False: it is not told. */
QR_MUST_CHECK bool pressure_share(const char *text, const char *kind,
    const char *key, int64_t *share);

#endif
