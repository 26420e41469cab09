/* SPDX-License-Identifier: MIT */
/* space/commit_impl.h: promises of memory, for the files of this folder; see
 * commit.c. */
#ifndef QR_COMMIT_IMPL_H
#define QR_COMMIT_IMPL_H

#include "space.h"

/* Whether an area like this is charged. */
bool qr_commit_counts(const struct qr_spaces *spaces, unsigned prot,
    unsigned flags);
QR_MUST_CHECK int qr_commit_charge(struct qr_spaces *spaces, uint64_t pages);
void qr_commit_uncharge(struct qr_spaces *spaces, uint64_t pages);

/* The same for an area, against the space's quota, too. Its lock is held
 * exclusively. */
QR_MUST_CHECK int qr_space_charge(struct qr_space *space, uint64_t pages);
void qr_space_uncharge(struct qr_space *space, uint64_t pages);

#endif
