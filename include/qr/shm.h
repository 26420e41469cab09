/* SPDX-License-Identifier: MIT */
/*
 * qr/shm.h: shared memory by name and by key: POSIX objects and System V
 * segments, argument for argument and errno for errno as Linux has them, for an
 * embedder that offers them to its programs. Flags have Linux's numbers.
 *
 * Threads as in <qr/machine.h>; the space is that of the process that calls, and
 * says which machine is meant. Who asks is said with each call; the embedder
 * knows its users.
 */
#ifndef QR_SHM_H
#define QR_SHM_H

#include <qr/object.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who asks. */
struct qr_asker {
	uint32_t uid;
	uint32_t gid;
	uint32_t pid;    /* noted, nothing more */
	bool privileged; /* may do what only owners may, and all that modes
			    forbid */
};

/* --- POSIX objects --- */

#define QR_SHM_NAME_MAX 255u /* bytes, the first slash not counted */

#define QR_SHM_O_RDONLY 0x000u
#define QR_SHM_O_RDWR   0x002u
#define QR_SHM_O_CREAT  0x040u
#define QR_SHM_O_EXCL   0x080u
#define QR_SHM_O_TRUNC  0x200u

struct qr_shm_open {
	const char *name; /* "/name" or "name" */
	unsigned flags;   /* QR_SHM_O_* */
	unsigned mode;    /* of one that is created: 0777 of it */
	struct qr_asker asker;
};

/* A reference to the object of that name, of size 0 if it was created.
 * -QR_ENOENT, -QR_EEXIST, -QR_EACCES; -QR_EINVAL: no name; -QR_ENAMETOOLONG;
 * -QR_ENOMEM. */
QR_MUST_CHECK int qr_shm_open(struct qr_space *space,
    const struct qr_shm_open *call, struct qr_object **object);

/* The name goes; the object when nobody has a reference. -QR_EACCES: it is
 * somebody else's. */
QR_MUST_CHECK int qr_shm_unlink(struct qr_space *space, const char *name,
    const struct qr_asker *asker);

/* --- System V segments --- */

#define QR_IPC_PRIVATE 0
#define QR_IPC_CREAT   01000u
#define QR_IPC_EXCL    02000u

struct qr_shmget {
	int32_t key;
	uint64_t size_bytes;
	unsigned flags; /* QR_IPC_*, and a mode */
	struct qr_asker asker;
};

QR_MUST_CHECK int qr_call_shmget(struct qr_space *space,
    const struct qr_shmget *call, int *id);

#define QR_SHM_RDONLY 010000u
#define QR_SHM_RND    020000u
#define QR_SHM_REMAP  040000u
#define QR_SHM_EXEC   0100000u

struct qr_shmat {
	int id;
	uint64_t address; /* 0: anywhere */
	unsigned flags;   /* QR_SHM_* */
	struct qr_asker asker;
};

/* Attached is what the space, and any that forks from it, maps; it is detached
 * where it is unmapped, by qr_call_shmdt or otherwise, and when the space
 * ends. */
QR_MUST_CHECK int qr_call_shmat(struct qr_space *space,
    const struct qr_shmat *call, uint64_t *address);
QR_MUST_CHECK int qr_call_shmdt(struct qr_space *space, uint64_t address,
    const struct qr_asker *asker);

struct qr_shm_segment {
	int id;
	int32_t key; /* QR_IPC_PRIVATE: none, or to be removed */
	uint32_t uid, gid, creator_uid, creator_gid;
	unsigned mode; /* 0777, and QR_SHM_DEST */
	uint64_t size_bytes;
	uint64_t attached; /* areas that map it */
	uint32_t creator_pid, last_pid;
	uint64_t attach_ns, detach_ns, change_ns; /* the port's clock; 0:
						     never */
	uint64_t cached_pages, stored_pages;
};
#define QR_SHM_DEST 01000u /* it goes with the last attachment */

/* IPC_STAT; IPC_SET, which takes uid, gid and the mode; and IPC_RMID: the key
 * is free at once, the memory when nobody is attached. */
QR_MUST_CHECK int qr_call_shm_stat(struct qr_space *space, int id,
    const struct qr_asker *asker, struct qr_shm_segment *segment);
QR_MUST_CHECK int qr_call_shm_set(struct qr_space *space, int id,
    const struct qr_asker *asker, const struct qr_shm_segment *segment);
QR_MUST_CHECK int qr_call_shm_remove(struct qr_space *space, int id,
    const struct qr_asker *asker);

/* Calls visit for each segment, as ipcs shows them. It must not call the
 * core. */
void qr_shm_for_each(struct qr_space *space,
    void (*visit)(void *ctx, const struct qr_shm_segment *segment), void *ctx);

/* kernel.shmmax, shmall and shmmni. At first a segment may have as much as an
 * object, all together likewise, and there may be 4096. */
struct qr_shm_limits {
	uint64_t segment_bytes;
	uint64_t all_pages;
	unsigned segments; /* up to 32768 */
};
void qr_shm_set_limits(struct qr_space *space,
    const struct qr_shm_limits *limits);

#ifdef __cplusplus
}
#endif

#endif
