/* SPDX-License-Identifier: MIT */
/*
 * base/config.h: the compile-time switches of the core, all of them, each 0
 * or 1. They are used as `if (QR_CONFIG_X)`, never as #ifdef.
 */
#ifndef QR_BASE_CONFIG_H
#define QR_BASE_CONFIG_H

/* Poison, canaries, checksums, checks on every free. */
#ifndef QR_CONFIG_HARD
#define QR_CONFIG_HARD 0
#endif

/* All of HARD, and lock ranks and walkers. */
#ifndef QR_CONFIG_DEBUG
#define QR_CONFIG_DEBUG 0
#endif

_Static_assert(QR_CONFIG_HARD == 0 || QR_CONFIG_HARD == 1, "0 or 1");
_Static_assert(QR_CONFIG_DEBUG == 0 || QR_CONFIG_HARD == 1,
    "a debug build is a hard build too");

#endif
