/* SPDX-License-Identifier: MIT */
/*
 * base/lock.h: a mutual-exclusion lock and a shared/exclusive lock, both of
 * one 32-bit word that waiters sleep on through the port.
 *
 * qr_lock.word is 0 when free, else the owner's qr_port_self(), with
 * QR_LOCK_WAITERS set if somebody may sleep on it. So a dead owner can be
 * told from a slow one: a waiter that has slept for long asks the port.
 *
 * Cost, uncontended: one compare-and-swap to take, one exchange to drop.
 * None of this is safe in a handler that interrupts a holder: a port keeps
 * handlers of its program out while a thread is inside the core.
 */
#ifndef QR_BASE_LOCK_H
#define QR_BASE_LOCK_H

#include <qr/port.h>

#include "lock_rank.h"

/* clang's thread-safety analysis, on prototypes. */
#if defined(__clang__) && defined(QR_THREAD_SAFETY)
#define QR_CAPABILITY(name) __attribute__((capability(name)))
#define QR_REQUIRES(...)    __attribute__((requires_capability(__VA_ARGS__)))
#define QR_ACQUIRES(...)    __attribute__((acquire_capability(__VA_ARGS__)))
#define QR_RELEASES(...)    __attribute__((release_capability(__VA_ARGS__)))
#else
#define QR_CAPABILITY(name)
#define QR_REQUIRES(...)
#define QR_ACQUIRES(...)
#define QR_RELEASES(...)
#endif

#define QR_LOCK_WAITERS ((uint32_t)1 << 31)

struct qr_lock {
	_Atomic(uint32_t) word; /* owner | QR_LOCK_WAITERS, or 0 */
	uint32_t rank;          /* enum qr_rank (c) */
};

/*
 * Shared by many or held by one. word counts the sharers;
 * QR_RWLOCK_EXCLUSIVE is set while one holder or would-be holder keeps new
 * sharers out, so writers don't starve. Not recursive, also not for sharing.
 */
struct qr_rwlock {
	_Atomic(uint32_t) word; /* sharers | QR_RWLOCK_EXCLUSIVE */
	uint32_t rank;          /* enum qr_rank (c) */
	struct qr_lock writer;  /* held by the exclusive holder */
};

#define QR_RWLOCK_EXCLUSIVE ((uint32_t)1 << 30)

void qr_lock_init(struct qr_lock *lock, enum qr_rank rank);
void qr_lock_acquire(const struct qr_port *port, struct qr_lock *lock);
QR_MUST_CHECK bool qr_lock_try_acquire(const struct qr_port *port,
    struct qr_lock *lock);
void qr_lock_release(const struct qr_port *port, struct qr_lock *lock);

/* This thread holds the lock; else the machine ends with a report. */
void qr_lock_assert_held(const struct qr_port *port,
    const struct qr_lock *lock);

void qr_rwlock_init(struct qr_rwlock *lock, enum qr_rank rank);
void qr_rwlock_share(const struct qr_port *port, struct qr_rwlock *lock);
QR_MUST_CHECK bool qr_rwlock_try_share(const struct qr_port *port,
    struct qr_rwlock *lock);
void qr_rwlock_unshare(const struct qr_port *port, struct qr_rwlock *lock);
void qr_rwlock_acquire(const struct qr_port *port, struct qr_rwlock *lock);
void qr_rwlock_release(const struct qr_port *port, struct qr_rwlock *lock);
void qr_rwlock_assert_exclusive(const struct qr_port *port,
    const struct qr_rwlock *lock);

#endif
