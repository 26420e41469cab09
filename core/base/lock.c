/* SPDX-License-Identifier: MIT */
/*
 * base/lock.c: the slow ways of the two locks, and the rank check.
 *
 * A waiter spins a little, then sets QR_LOCK_WAITERS and sleeps while the
 * word stays as it saw it. The one who drops the lock wakes a single sleeper
 * if the bit was set; a woken waiter takes the lock with the bit set again,
 * since others may still sleep, at the price of one needless wake at the end.
 */
#include "lock.h"

#include <stdatomic.h>

#include "check.h"
#include "pause.h"
#include "port_inline.h"

/* Turns of a spin before sleeping: about as long as a short hold takes. */
#define LOCK_SPINS 100u

/* After so long a wait the owner is asked for: 1 s, in ns. */
#define LOCK_PATIENCE_NS ((uint64_t)1000 * 1000 * 1000)

/*
 * Ranks held by this thread are bits of a mask, so two locks of one rank are
 * never held at once.
 */
static void
rank_enter(const struct qr_port *port, uint32_t rank)
{
	if (!QR_CONFIG_DEBUG)
		return;
	uint32_t *held = qr_port_held_ranks(port);
	if (held == NULL)
		return;
	QR_ASSERT(*held >> rank == 0,
	    "lock order: rank %u wanted, mask 0x%x held", rank, *held);
	*held |= (uint32_t)1 << rank;
}

static void
rank_leave(const struct qr_port *port, uint32_t rank)
{
	if (!QR_CONFIG_DEBUG)
		return;
	uint32_t *held = qr_port_held_ranks(port);
	if (held == NULL)
		return;
	*held &= ~((uint32_t)1 << rank);
}

void
qr_lock_init(struct qr_lock *lock, enum qr_rank rank)
{
	atomic_init(&lock->word, 0);
	lock->rank = (uint32_t)rank;
}

static bool
lock_try(struct qr_lock *lock, uint32_t self, uint32_t extra)
{
	uint32_t expect = 0;
	/* Acquire pairs with the release in qr_lock_release. */
	return atomic_compare_exchange_strong_explicit(&lock->word, &expect,
	    self | extra, memory_order_acquire, memory_order_relaxed);
}

static QR_NOINLINE void
lock_acquire_slow(const struct qr_port *port, struct qr_lock *lock,
    uint32_t self)
{
	for (unsigned turn = 0; turn < LOCK_SPINS; turn++) {
		if (lock_try(lock, self, 0))
			return;
		qr_pause();
	}
	while (!lock_try(lock, self, QR_LOCK_WAITERS)) {
		uint32_t seen =
		    atomic_load_explicit(&lock->word, memory_order_relaxed);
		if (seen == 0)
			continue;
		uint32_t owner = seen & ~QR_LOCK_WAITERS;
		QR_ASSERT(owner != self, "lock of rank %u taken twice",
		    lock->rank);
		if ((seen & QR_LOCK_WAITERS) == 0 &&
		    !atomic_compare_exchange_strong_explicit(&lock->word, &seen,
			seen | QR_LOCK_WAITERS, memory_order_relaxed,
			memory_order_relaxed))
			continue;
		uint64_t before = port->ops->clock(port->ctx);
		port->ops->wait(port->ctx, &lock->word, owner | QR_LOCK_WAITERS,
		    LOCK_PATIENCE_NS);
		uint64_t waited = port->ops->clock(port->ctx) - before;
		QR_ASSERT(waited < LOCK_PATIENCE_NS ||
			      port->ops->alive(port->ctx, owner),
		    "thread %u died holding a lock of rank %u", owner,
		    lock->rank);
	}
}

void
qr_lock_acquire(const struct qr_port *port, struct qr_lock *lock)
{
	uint32_t self = qr_port_self(port);
	rank_enter(port, lock->rank);
	if (QR_UNLIKELY(!lock_try(lock, self, 0)))
		lock_acquire_slow(port, lock, self);
}

bool
qr_lock_try_acquire(const struct qr_port *port, struct qr_lock *lock)
{
	if (!lock_try(lock, qr_port_self(port), 0))
		return false;
	rank_enter(port, lock->rank);
	return true;
}

void
qr_lock_release(const struct qr_port *port, struct qr_lock *lock)
{
	rank_leave(port, lock->rank);
	/* Release pairs with the acquire in lock_try. */
	uint32_t was =
	    atomic_exchange_explicit(&lock->word, 0, memory_order_release);
	QR_ASSERT(was != 0, "free lock of rank %u released", lock->rank);
	if (QR_UNLIKELY((was & QR_LOCK_WAITERS) != 0))
		port->ops->wake(port->ctx, &lock->word, 1);
}

void
qr_lock_assert_held(const struct qr_port *port, const struct qr_lock *lock)
{
	uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
	uint32_t self = qr_port_self(port);
	QR_ASSERT((word & ~QR_LOCK_WAITERS) == self,
	    "lock of rank %u: owner %u, here %u", lock->rank,
	    word & ~QR_LOCK_WAITERS, self);
}

void
qr_rwlock_init(struct qr_rwlock *lock, enum qr_rank rank)
{
	atomic_init(&lock->word, 0);
	lock->rank = (uint32_t)rank;
	qr_lock_init(&lock->writer, rank);
}

static bool
rwlock_try_share(struct qr_rwlock *lock)
{
	uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
	while ((seen & QR_RWLOCK_EXCLUSIVE) == 0) {
		/* Acquire pairs with the release in qr_rwlock_release. */
		if (atomic_compare_exchange_weak_explicit(&lock->word, &seen,
			seen + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	}
	return false;
}

void
qr_rwlock_share(const struct qr_port *port, struct qr_rwlock *lock)
{
	rank_enter(port, lock->rank);
	while (QR_UNLIKELY(!rwlock_try_share(lock))) {
		uint32_t seen =
		    atomic_load_explicit(&lock->word, memory_order_relaxed);
		if ((seen & QR_RWLOCK_EXCLUSIVE) != 0)
			port->ops->wait(port->ctx, &lock->word, seen,
			    LOCK_PATIENCE_NS);
	}
}

bool
qr_rwlock_try_share(const struct qr_port *port, struct qr_rwlock *lock)
{
	if (!rwlock_try_share(lock))
		return false;
	rank_enter(port, lock->rank);
	return true;
}

void
qr_rwlock_unshare(const struct qr_port *port, struct qr_rwlock *lock)
{
	rank_leave(port, lock->rank);
	/* Release pairs with the acquire in qr_rwlock_acquire. */
	uint32_t was =
	    atomic_fetch_sub_explicit(&lock->word, 1, memory_order_release);
	QR_ASSERT((was & ~QR_RWLOCK_EXCLUSIVE) != 0,
	    "rwlock of rank %u has no sharer", lock->rank);
	if (was == (QR_RWLOCK_EXCLUSIVE | 1))
		port->ops->wake(port->ctx, &lock->word, UINT32_MAX);
}

void
qr_rwlock_acquire(const struct qr_port *port, struct qr_rwlock *lock)
{
	/* The writer lock has this lock's rank and stands for it. */
	qr_lock_acquire(port, &lock->writer);
	/* Acquire pairs with the release in qr_rwlock_unshare. */
	uint32_t seen = QR_RWLOCK_EXCLUSIVE |
			atomic_fetch_or_explicit(&lock->word,
			    QR_RWLOCK_EXCLUSIVE, memory_order_acquire);
	while (seen != QR_RWLOCK_EXCLUSIVE) {
		port->ops->wait(port->ctx, &lock->word, seen, LOCK_PATIENCE_NS);
		seen = atomic_load_explicit(&lock->word, memory_order_acquire);
	}
}

void
qr_rwlock_release(const struct qr_port *port, struct qr_rwlock *lock)
{
	/* Release pairs with the acquire in rwlock_try_share. */
	atomic_store_explicit(&lock->word, 0, memory_order_release);
	port->ops->wake(port->ctx, &lock->word, UINT32_MAX);
	qr_lock_release(port, &lock->writer);
}

void
qr_rwlock_assert_exclusive(const struct qr_port *port,
    const struct qr_rwlock *lock)
{
	qr_lock_assert_held(port, &lock->writer);
	QR_ASSERT(atomic_load_explicit(&lock->word, memory_order_relaxed) ==
		      QR_RWLOCK_EXCLUSIVE,
	    "rwlock of rank %u is not exclusive", lock->rank);
}
