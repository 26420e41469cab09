/* SPDX-License-Identifier: MIT */
/*
 * qr/calls.h: the memory system calls of a kernel, argument for argument and
 * errno for errno as Linux has them, for an embedder that offers them to its
 * programs. Flags and advice have Linux's numbers (x86-64, arm64), so that
 * registers can be passed through. What is below them is <qr/machine.h>.
 *
 * Each call takes the space's lock itself; it may sleep. Files are objects
 * (<qr/object.h>): the embedder finds the object of a descriptor. Addresses
 * that the core chooses are the highest that fit.
 */
#ifndef QR_CALLS_H
#define QR_CALLS_H

#include <qr/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- limits, as setrlimit has them --- */

enum qr_limit {
	QR_LIMIT_AS,      /* bytes of all areas */
	QR_LIMIT_DATA,    /* bytes of writable areas but the stack, and brk */
	QR_LIMIT_STACK,   /* bytes of an area that grows down */
	QR_LIMIT_MEMLOCK, /* bytes that are locked */
	QR_LIMIT_AREAS,   /* how many areas, as vm.max_map_count */
	QR_LIMITS,
};

/* QR_NO_LIMIT is what a space has at first, but for brk; a fork inherits. */
#define QR_NO_LIMIT UINT64_MAX
void qr_call_setrlimit(struct qr_space *space, enum qr_limit which,
    uint64_t limit);

/* As CAP_IPC_LOCK: QR_LIMIT_MEMLOCK does not hold. False at first. */
void qr_call_may_lock(struct qr_space *space, bool may);

/*
 * A space's quota, in pages promised to it: private memory that may be written,
 * touched or not. A call that would pass it fails with -QR_ENOMEM, and a stack
 * does not grow, before anything is taken; so what was promised can always be
 * touched. Behind it lies a reserve that qr_quota_open lets the program use, so
 * that it can clean up: it shuts itself when the space is back within its
 * quota. Shared memory is its object's. A fork inherits quota and reserve, and
 * counts for itself.
 */
struct qr_quota {
	uint64_t pages;         /* QR_NO_LIMIT: none, which is the default */
	uint64_t reserve_pages; /* beyond these */
	/* answers of qr_quota_get */
	uint64_t charged_pages; /* promised now */
	uint64_t balance_pages; /* that a call can still have */
	bool open;              /* the reserve counts as balance */
};

/* A quota below what is promised already only stops what comes. */
void qr_quota_set(struct qr_space *space, const struct qr_quota *quota);
void qr_quota_get(struct qr_space *space, struct qr_quota *quota);
void qr_quota_open(struct qr_space *space);

/* --- mmap and its like --- */

#define QR_MAP_CALL_SHARED    0x000001u
#define QR_MAP_CALL_PRIVATE   0x000002u
#define QR_MAP_CALL_VALIDATE  0x000003u /* as SHARED; flags must be known */
#define QR_MAP_CALL_TYPE      0x00000fu /* of which one is to be set */
#define QR_MAP_CALL_FIXED     0x000010u
#define QR_MAP_CALL_ANONYMOUS 0x000020u
#define QR_MAP_CALL_GROWSDOWN 0x000100u
#define QR_MAP_CALL_LOCKED    0x002000u
#define QR_MAP_CALL_NORESERVE 0x004000u
#define QR_MAP_CALL_POPULATE  0x008000u
#define QR_MAP_CALL_NONBLOCK  0x010000u
#define QR_MAP_CALL_STACK     0x020000u
#define QR_MAP_CALL_NOREPLACE 0x100000u
#define QR_MAP_CALL_KNOWN     0x07f9f3u /* what VALIDATE accepts, with any file */

struct qr_mmap {
	uint64_t address;
	uint64_t length; /* bytes */
	unsigned prot;   /* QR_PROT_* */
	unsigned flags;  /* QR_MAP_CALL_* */
	uint64_t offset; /* bytes, of the object */
	/* Without QR_MAP_CALL_ANONYMOUS: what the descriptor stands for, and
	 * QR_ACCESS_READ and _WRITE as it was opened. */
	struct qr_object *object;
	unsigned access;
};

QR_MUST_CHECK int qr_call_mmap(struct qr_space *space,
    const struct qr_mmap *call, uint64_t *address);
QR_MUST_CHECK int qr_call_munmap(struct qr_space *space, uint64_t address,
    uint64_t length);

#define QR_PROT_CALL_GROWSDOWN 0x01000000u
#define QR_PROT_CALL_GROWSUP   0x02000000u
QR_MUST_CHECK int qr_call_mprotect(struct qr_space *space, uint64_t address,
    uint64_t length, unsigned prot);

#define QR_MREMAP_MAYMOVE   1u
#define QR_MREMAP_FIXED     2u
#define QR_MREMAP_DONTUNMAP 4u

struct qr_mremap {
	uint64_t address;
	uint64_t old_length;
	uint64_t new_length;
	unsigned flags;       /* QR_MREMAP_* */
	uint64_t new_address; /* with FIXED or DONTUNMAP */
};

/* A range of several areas can be moved with FIXED and one length alone, else
 * it is -QR_EFAULT. */
QR_MUST_CHECK int qr_call_mremap(struct qr_space *space,
    const struct qr_mremap *call, uint64_t *address);

/* Where the heap begins; once, before the first brk. The place must be free
 * above. -QR_EINVAL: not a page's beginning. */
QR_MUST_CHECK int qr_call_brk_start(struct qr_space *space, uint64_t start);

/* As the system call: returns where the heap ends now, moved or not. */
uint64_t qr_call_brk(struct qr_space *space, uint64_t end);

/* --- what is and will be in RAM --- */

QR_MUST_CHECK int qr_call_mincore(struct qr_space *space, uint64_t address,
    uint64_t length, unsigned char *vec);

#define QR_MS_ASYNC      1u
#define QR_MS_INVALIDATE 2u
#define QR_MS_SYNC       4u
QR_MUST_CHECK int qr_call_msync(struct qr_space *space, uint64_t address,
    uint64_t length, unsigned flags);

/* Linux's numbers: NORMAL 0, RANDOM 1, SEQUENTIAL 2, WILLNEED 3, DONTNEED 4,
 * FREE 8, REMOVE 9, DONTFORK 10, DOFORK 11, DONTDUMP 16, DODUMP 17,
 * WIPEONFORK 18, KEEPONFORK 19, COLD 20, PAGEOUT 21, POPULATE_READ 22,
 * POPULATE_WRITE 23, DONTNEED_LOCKED 24. Others are -QR_EINVAL, as on a kernel
 * without what they are for. */
QR_MUST_CHECK int qr_call_madvise(struct qr_space *space, uint64_t address,
    uint64_t length, int advice);

#define QR_MLOCK_ONFAULT 1u
QR_MUST_CHECK int qr_call_mlock2(struct qr_space *space, uint64_t address,
    uint64_t length, unsigned flags);
QR_MUST_CHECK int qr_call_munlock(struct qr_space *space, uint64_t address,
    uint64_t length);

#define QR_MCL_CURRENT 1u
#define QR_MCL_FUTURE  2u
#define QR_MCL_ONFAULT 4u
QR_MUST_CHECK int qr_call_mlockall(struct qr_space *space, unsigned flags);
QR_MUST_CHECK int qr_call_munlockall(struct qr_space *space);

#ifdef __cplusplus
}
#endif

#endif
