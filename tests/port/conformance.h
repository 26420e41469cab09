/* SPDX-License-Identifier: MIT */
/*
 * tests/port/conformance.h: what every port must do, as tests that run
 * against any struct qr_port. A port's runner describes how its program's
 * accesses are made and where its page-table entries live; the suite plays
 * the core.
 */
#ifndef PORT_CONFORMANCE_H
#define PORT_CONFORMANCE_H

#include <qr/port.h>

#include "core/table/pte.h"

/* Pages from base on that a space must have room for. */
#define PORT_FIXTURE_PAGES 256u

/* Every callback takes ctx first. */
struct port_fixture {
	const char *name;
	const struct qr_port *port;
	void *ctx;

	/* A space whose [base, base + PORT_FIXTURE_PAGES) may be mapped. */
	void *(*space_open)(void *ctx);
	void (*space_close)(void *ctx, void *mm);
	qr_vaddr_t base;

	/* A frame that nobody uses, and its return. */
	qr_pfn_t (*frame_take)(void *ctx);
	void (*frame_give)(void *ctx, qr_pfn_t frame);

	/* The page table's entry, where the port's MMU reads it; returns NULL
	 * if the MMU reads no table of the core's. */
	uint64_t *(*entry)(void *ctx, void *mm, qr_vaddr_t address);

	/* Where the host keeps rights by range: what the program's own call
	 * has done before the core maps pages there. NULL: the entries say
	 * it all. */
	void (*area_protect)(void *ctx, void *mm, qr_vaddr_t start,
	    qr_vaddr_t end, unsigned prot);

	/* One access of the program that nobody serves. False: it faulted,
	 * and nothing was read or written. */
	bool (*touch_read)(void *ctx, void *mm, qr_vaddr_t address,
	    unsigned char *byte);
	bool (*touch_write)(void *ctx, void *mm, qr_vaddr_t address,
	    unsigned char byte);
};

/* Runs the suite; returns how many tests failed. */
int port_conformance_run(const struct port_fixture *fixture);

#endif
