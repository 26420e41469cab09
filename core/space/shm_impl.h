/* SPDX-License-Identifier: MIT */
/*
 * space/shm_impl.h: names and keys of shared memory, for the files of this
 * folder. The essays are in shm.c and sysv.c.
 */
#ifndef QR_SPACE_SHM_IMPL_H
#define QR_SPACE_SHM_IMPL_H

#include <qr/shm.h>

#include "space_impl.h"

/* A name, and the reference that it is. (spaces->shm.lock) */
struct qr_shm_name {
	struct qr_list link;
	struct qr_object *object; /* (c) */
	uint32_t uid;             /* (c) */
	uint32_t gid;             /* (c) */
	unsigned mode;            /* (c) */
	char name[QR_SHM_NAME_MAX + 1];
};

/* A segment. (spaces->shm.lock) */
struct qr_segment {
	struct qr_list link;
	struct qr_object *object; /* (c) with a reference until it is removed */
	struct qr_spaces *spaces; /* (c) */
	uint64_t pages;           /* (c) */
	struct qr_shm_segment is; /* what is shown of it */
};

void qr_shm_init(struct qr_spaces *spaces);

void qr_check_shm(struct qr_spaces *spaces);

/* Whether the mode of what (uid, gid) own, or made, lets the asker do what is
 * wanted: bits of 07. */
struct qr_shm_owner {
	uint32_t uid[2];
	uint32_t gid[2];
	unsigned mode;
};
bool qr_shm_allows(const struct qr_shm_owner *owner,
    const struct qr_asker *asker, unsigned wanted);

#endif
