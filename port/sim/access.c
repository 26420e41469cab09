/* SPDX-License-Identifier: MIT */
/*
 * port/sim/access.c: loads and stores of the simulated program, and what its
 * machine does when one is refused: it asks the core and tries again.
 *
 * This is the only file that calls the core. It stands alone so that a test
 * of the core's lower folders need not link the upper ones.
 */
#include "sim_impl.h"

/* Faults of one access that are answered and yet come again: a mapping that
 * the core made and the MMU refuses. Among threads a page may be taken away
 * again before it was touched, so there it takes more to be sure. */
#define RETRIES_ALONE   4u
#define RETRIES_THREADS 100000u

void
sim_set_background(struct sim *sim, struct qr_machine *machine)
{
	sim->background = machine;
}

static int
access_page(struct sim *sim, struct qr_space *space,
    const struct sim_access *access)
{
	bool threads = (sim->config.flags & SIM_THREADS) != 0;
	unsigned tries = threads ? RETRIES_THREADS : RETRIES_ALONE;
	if (sim->background != NULL && sim_reclaim_wanted(sim))
		(void)qr_machine_balance(sim->background);
	for (unsigned i = 0; i < tries; i++) {
		if (sim_mmu_access(qr_space_mm(space), access) == 0)
			return 0;
		int error =
		    qr_space_fault(space, access->address, access->access);
		if (error != 0)
			return error;
	}
	SIM_PANIC("fault at 0x%llx, access %u, was served %u times in vain",
	    (unsigned long long)access->address, access->access, tries);
}

static int
access_bytes(struct sim *sim, struct qr_space *space, struct sim_access access,
    size_t n)
{
	while (n != 0) {
		size_t room = QR_PAGE_SIZE - access.address % QR_PAGE_SIZE;
		access.size_bytes = n < room ? n : room;
		int error = access_page(sim, space, &access);
		if (error != 0)
			return error;
		access.address += access.size_bytes;
		if (access.to != NULL)
			access.to += access.size_bytes;
		if (access.from != NULL)
			access.from += access.size_bytes;
		n -= access.size_bytes;
	}
	return 0;
}

int
sim_read(struct sim *sim, struct qr_space *space, qr_vaddr_t address, void *to,
    size_t n)
{
	struct sim_access access = { .address = address,
		.access = QR_ACCESS_READ,
		.to = to };
	return access_bytes(sim, space, access, n);
}

int
sim_write(struct sim *sim, struct qr_space *space, qr_vaddr_t address,
    const void *from, size_t n)
{
	struct sim_access access = { .address = address,
		.access = QR_ACCESS_WRITE,
		.from = from };
	return access_bytes(sim, space, access, n);
}

int
sim_touch(struct sim *sim, struct qr_space *space, qr_vaddr_t address,
    unsigned access)
{
	struct sim_access touch = { .address = address, .access = access };
	return access_bytes(sim, space, touch, 1);
}
