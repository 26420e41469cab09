/* SPDX-License-Identifier: MIT */
/*
 * gate/stub.c: one stub for each place that makes system calls.
 *
 * A stub is two instructions in the range that dispatch lets through:
 *
 *      qr_stub_first + 8 n:   syscall
 *                         2:  jmp *qr_stub_returns[n]
 *
 * The code is the same for ever and read-only; what makes stub n the stub of
 * a place is qr_stub_returns[n], the address behind that place's own
 * `syscall`. It is written once, from 0, so a stub stays right when its
 * library is gone and a thread still sleeps in it, and a fork's child can't
 * find half of an entry. The array is a hash table by that address.
 *
 * The gate never shows a stub to the program: an instruction pointer in one
 * is moved to the place it serves before a handler sees it.
 */
#include "gate_impl.h"

extern unsigned char qr_stub_first[];
extern unsigned char qr_stub_end[];
extern _Atomic(uintptr_t) qr_stub_returns[QR_STUB_COUNT];

#define STUB_SIZE    8u
#define STUB_AFTER   2u  /* offset of the jump */
#define STUB_PROBES  64u /* then the place goes without */
#define SYSCALL_SIZE 2u  /* bytes of the instruction */

_Static_assert((QR_STUB_COUNT & (QR_STUB_COUNT - 1)) == 0, "a power of two");

uintptr_t
stub_for(uintptr_t return_address)
{
	/* Fibonacci hashing: the upper half of the product is well mixed. */
	uint64_t hash = return_address * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	for (unsigned probe = 0; probe < STUB_PROBES; probe++) {
		size_t slot = (hash + probe) & (QR_STUB_COUNT - 1);
		/* Relaxed: the entry is all there is to see. */
		uintptr_t entry = atomic_load_explicit(&qr_stub_returns[slot],
		    memory_order_relaxed);
		if (entry == 0 &&
		    atomic_compare_exchange_strong(&qr_stub_returns[slot],
			&entry, return_address))
			entry = return_address;
		if (entry == return_address)
			return (uintptr_t)qr_stub_first + slot * STUB_SIZE;
	}
	return 0;
}

bool
stub_settle(uintptr_t *rip)
{
	if (*rip < (uintptr_t)qr_stub_first || *rip >= (uintptr_t)qr_stub_end)
		return false;
	size_t offset = *rip - (uintptr_t)qr_stub_first;
	uintptr_t after =
	    atomic_load_explicit(&qr_stub_returns[offset / STUB_SIZE],
		memory_order_relaxed);
	*rip = offset % STUB_SIZE == 0 ? after - SYSCALL_SIZE : after;
	return true;
}
