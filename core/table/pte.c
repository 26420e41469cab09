/* SPDX-License-Identifier: MIT */
/*
 * table/pte.c: an entry as a lock: claim, settle, update, publish.
 *
 * A waiter spins a little, then sets QR_PTE_WAITERS in the busy entry and
 * sleeps on the half of the word that holds both bits. The exchange that
 * publishes the new value takes the bit away and sees it, so a waiter that
 * set it is woken, and one that came too late finds its compare-and-swap or
 * its sleep refused [table.5]. All sleepers are woken: those that only settle
 * go on together, those that claim race anew.
 *
 * Hardware takes no notice of busy and may set young and dirty in a present
 * entry at any time. No change here is a plain store, so such a bit is either
 * kept or handed to the caller [table.6]. A sleeper whose word changes that
 * way is refused or woken early, and looks again.
 */
#include "../base/check.h"
#include "../base/pause.h"
#include "port_inline.h"
#include "table.h"

/* Turns of a spin before sleeping: a claim that only writes is over by then,
 * one that compresses or reads a page is not. */
#define PTE_SPINS 100u

#define PTE_LOCK_BITS (QR_PTE_BUSY | QR_PTE_WAITERS)

_Static_assert(PTE_LOCK_BITS <= UINT32_MAX, "both bits are in the low half");
_Static_assert(sizeof(qr_pte_word) == 8, "an entry is a plain word");

/* The half of the word that holds busy and waiters. */
static const void *
pte_low_half(const qr_pte_word *word)
{
	size_t offset = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
	return (const void *)((uintptr_t)word + offset);
}

/* Sleeps until the entry changes, if it still is pte, which is busy. */
static void
pte_wait(const struct qr_port *port, qr_pte_word *word, struct qr_pte pte)
{
	uint64_t bits = pte.bits;
	/* Relaxed: the bit carries no data; the value that ends the wait is
	 * read with acquire. */
	if ((bits & QR_PTE_WAITERS) == 0 &&
	    !atomic_compare_exchange_strong_explicit(word, &bits,
		bits | QR_PTE_WAITERS, memory_order_relaxed,
		memory_order_relaxed))
		return;
	port->ops->wait(port->ctx, pte_low_half(word),
	    (uint32_t)(bits | QR_PTE_WAITERS), UINT64_MAX);
}

static QR_NOINLINE struct qr_pte
pte_settle_slow(const struct qr_port *port, qr_pte_word *word)
{
	/* Unbounded: as long as others hold the entry. */
	for (unsigned turn = 0;; turn++) {
		struct qr_pte pte = qr_pte_read(word);
		if (!qr_pte_is_busy(pte))
			return pte;
		if (turn < PTE_SPINS)
			qr_pause();
		else
			pte_wait(port, word, pte);
	}
}

struct qr_pte
qr_pte_settle(const struct qr_port *port, qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	if (QR_LIKELY(!qr_pte_is_busy(pte)))
		return pte;
	return pte_settle_slow(port, word);
}

struct qr_pte
qr_pte_claim(const struct qr_port *port, qr_pte_word *word)
{
	struct qr_pte pte;
	/* Each turn that fails is one in which another got it, or one of the
	 * two bits that hardware may set once. */
	do {
		pte = qr_pte_settle(port, word);
	} while (!qr_pte_try_claim(word, pte));
	return pte;
}

uint64_t
qr_pte_publish(const struct qr_port *port, qr_pte_word *word, struct qr_pte pte)
{
	QR_ASSERT((pte.bits & PTE_LOCK_BITS) == 0,
	    "entry 0x%llx published as a locked one",
	    (unsigned long long)pte.bits);
	/* Release pairs with the acquire in qr_pte_read. */
	uint64_t was =
	    atomic_exchange_explicit(word, pte.bits, memory_order_release);
	QR_ASSERT((was & QR_PTE_BUSY) != 0,
	    "entry 0x%llx published without a claim", (unsigned long long)was);
	if (QR_UNLIKELY((was & QR_PTE_WAITERS) != 0))
		port->ops->wake(port->ctx, pte_low_half(word), UINT32_MAX);
	return was & (QR_PTE_YOUNG | QR_PTE_DIRTY);
}

struct qr_pte
qr_pte_update(qr_pte_word *word, uint64_t clear, uint64_t set)
{
	QR_ASSERT(((clear | set) & PTE_LOCK_BITS) == 0,
	    "update clears 0x%llx, sets 0x%llx", (unsigned long long)clear,
	    (unsigned long long)set);
	/* Relaxed: the claim orders what its holder does, and hardware obeys
	 * the port's flush that follows. */
	uint64_t was =
	    atomic_fetch_and_explicit(word, ~clear, memory_order_relaxed);
	if (set != 0)
		atomic_fetch_or_explicit(word, set, memory_order_relaxed);
	QR_ASSERT((was & QR_PTE_BUSY) != 0,
	    "entry 0x%llx updated without a claim", (unsigned long long)was);
	return (struct qr_pte){ was & ~PTE_LOCK_BITS };
}
