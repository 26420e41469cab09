/* SPDX-License-Identifier: MIT */
/*
 * table/pte.h: the one encoding of a page-table entry.
 *
 *  63 62  58    52 51                      12 11 10 9 8 7 6 5 4  3 2 1 0
 *  NX --- K ------ frame number -----------   S  W B - L D A - - U R P    P=1
 *  -- swap slot number, 48 bits ------ 16 --- S  W B - - - - Z kind-- 0   P=0
 *
 * With P = 1 the bits are x86-64's own, so that its hardware can walk the
 * table: P present, R writable, U user, A young, D dirty, L large leaf, NX no
 * execute. With P = 0 bits 1 to 3 are the kind and hardware ignores the rest.
 * B (busy) and W (somebody waits) lie in the low word in both, so that a
 * thread can sleep on it. S: R before the holder of busy took it away. K: the
 * page is locked and may not be evicted; also in resident entries, which hold
 * their frame number where present ones do. Z: the page was put to sleep, and
 * the machine may refuse access here until it is told otherwise.
 *
 * Busy is the entry's lock: whoever sets it, by compare-and-swap, alone may
 * change the entry, and ends it by writing the new value; see table.h.
 */
#ifndef QR_TABLE_PTE_H
#define QR_TABLE_PTE_H

#include <qr/port.h>

struct qr_pte {
	uint64_t bits;
};

#define QR_PTE_PRESENT QR_ENTRY_PRESENT
#define QR_PTE_WRITE   QR_ENTRY_WRITE
#define QR_PTE_USER    QR_ENTRY_USER
#define QR_PTE_ASLEEP  ((uint64_t)1 << 4)
#define QR_PTE_YOUNG   QR_ENTRY_YOUNG
#define QR_PTE_DIRTY   QR_ENTRY_DIRTY
#define QR_PTE_LARGE   ((uint64_t)1 << 7)
#define QR_PTE_BUSY    ((uint64_t)1 << 9)
#define QR_PTE_WAITERS ((uint64_t)1 << 10)
#define QR_PTE_SAVED_W ((uint64_t)1 << 11)
#define QR_PTE_LOCKED  ((uint64_t)1 << 58)
#define QR_PTE_NX      QR_ENTRY_NX
#define QR_PTE_FRAME   QR_ENTRY_FRAME

/* What an entry without the present bit says. */
enum qr_pte_kind {
	QR_PTE_NONE = 0,     /* nothing: a first touch */
	QR_PTE_SWAPPED = 1,  /* contents are in swap slot qr_pte_slot() */
	QR_PTE_ZERO = 2,     /* contents are zero, no slot needed */
	QR_PTE_GUARD = 3,    /* every touch is an error */
	QR_PTE_RESIDENT = 4, /* a frame is there, but may not be touched:
				no access rights, or asleep to be aged */
};

static inline bool
qr_pte_is_none(struct qr_pte pte)
{
	return (pte.bits & ~(QR_PTE_BUSY | QR_PTE_WAITERS)) == 0;
}

static inline bool
qr_pte_is_present(struct qr_pte pte)
{
	return (pte.bits & QR_PTE_PRESENT) != 0;
}

static inline bool
qr_pte_is_busy(struct qr_pte pte)
{
	return (pte.bits & QR_PTE_BUSY) != 0;
}

static inline enum qr_pte_kind
qr_pte_kind(struct qr_pte pte)
{
	return (enum qr_pte_kind)(pte.bits >> 1 & 7);
}

/* Present, or resident without access: a frame belongs to the entry. */
static inline bool
qr_pte_has_frame(struct qr_pte pte)
{
	return qr_pte_is_present(pte) || qr_pte_kind(pte) == QR_PTE_RESIDENT;
}

static inline qr_pfn_t
qr_pte_frame(struct qr_pte pte)
{
	return (pte.bits & QR_PTE_FRAME) >> 12;
}

static inline uint64_t
qr_pte_slot(struct qr_pte pte)
{
	return pte.bits >> 16;
}

/* An entry that maps a frame with the rights of prot; without any right it
 * is resident. The young bit is set: the page is being touched. */
static inline struct qr_pte
qr_pte_map(qr_pfn_t frame, unsigned prot)
{
	uint64_t bits =
	    frame << 12 | QR_PTE_USER | QR_PTE_PRESENT | QR_PTE_YOUNG;
	if (prot == QR_PROT_NONE)
		return (struct qr_pte){ frame << 12 | (uint64_t)QR_PTE_RESIDENT
							  << 1 };
	if ((prot & QR_PROT_WRITE) != 0)
		bits |= QR_PTE_WRITE;
	if ((prot & QR_PROT_EXEC) == 0)
		bits |= QR_PTE_NX;
	return (struct qr_pte){ bits };
}

static inline struct qr_pte
qr_pte_swapped(uint64_t slot)
{
	return (struct qr_pte){ slot << 16 | (uint64_t)QR_PTE_SWAPPED << 1 };
}

static inline struct qr_pte
qr_pte_of_kind(enum qr_pte_kind kind)
{
	return (struct qr_pte){ (uint64_t)kind << 1 };
}

#endif
