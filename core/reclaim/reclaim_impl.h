/* SPDX-License-Identifier: MIT */
/* reclaim/reclaim_impl.h: what the files of this folder share. */
#ifndef QR_RECLAIM_IMPL_H
#define QR_RECLAIM_IMPL_H

#include "../base/bits.h"
#include "reclaim.h"

#define QR_RECLAIM_SIGNATURE QR_SIGNATURE('R', 'E', 'C', 'L')

/* age.c: a touch of the page was seen. (page lock) */
void qr_reclaim_mark_awake(struct qr_page *page);

#endif
