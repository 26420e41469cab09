/* SPDX-License-Identifier: MIT */
/*
 * tests/core/machine_bed.h: a machine on the simulated hardware, with the
 * calls that tests make all the time, and the seed they take.
 */
#ifndef MACHINE_BED_H
#define MACHINE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <qr/codec.h>

#include "port/sim/sim.h"

struct bed {
	struct sim *sim;
	struct qr_machine *machine;
};

/* A codec for tests: runs of equal bytes, so that what is compressible is
 * the test's to say. */
static inline size_t
bed_compress(void *work, const void *data, void *out, size_t capacity)
{
	const unsigned char *from = data;
	unsigned char *to = out;
	size_t used = 0;
	(void)work;
	for (size_t at = 0; at < QR_PAGE_SIZE;) {
		size_t run = 1;
		while (run < 255 && at + run < QR_PAGE_SIZE &&
		       from[at + run] == from[at])
			run++;
		if (capacity - used < 2)
			return 0;
		to[used++] = (unsigned char)run;
		to[used++] = from[at];
		at += run;
	}
	return used;
}

static inline int
bed_expand(void *work, const void *in, size_t length, void *data)
{
	const unsigned char *from = in;
	unsigned char *to = data;
	size_t used = 0;
	(void)work;
	for (size_t at = 0; at + 1 < length; at += 2) {
		if (from[at] > QR_PAGE_SIZE - used)
			return -QR_EIO;
		memset(to + used, from[at + 1], from[at]);
		used += from[at];
	}
	return used == QR_PAGE_SIZE ? 0 : -QR_EIO;
}

static const struct qr_codec bed_codec = {
	.name = "runs",
	.compress = bed_compress,
	.expand = bed_expand,
};

static inline void
bed_make(struct bed *bed, const struct sim_config *sim_config,
    const struct qr_machine_config *config)
{
	bed->sim = sim_create(sim_config);
	assert_non_null(bed->sim);
	assert_int_equal(qr_machine_create(sim_port(bed->sim), config,
			     &bed->machine),
	    0);
}

static inline void
bed_end(struct bed *bed)
{
	qr_check_machine(bed->machine);
	qr_machine_destroy(bed->machine);
	sim_destroy(bed->sim);
}

static inline struct qr_space *
bed_space(const struct bed *bed)
{
	struct qr_space *space;
	assert_int_equal(qr_space_create(bed->machine, &space), 0);
	return space;
}

/* An area that can be read and written. */
static inline qr_vaddr_t
bed_map(struct qr_space *space, uint64_t pages)
{
	struct qr_map_request request = { .size_bytes = pages * QR_PAGE_SIZE,
		.prot = QR_PROT_READ | QR_PROT_WRITE };
	qr_vaddr_t at = 0;
	qr_space_lock(space);
	int error = qr_space_map(space, &request, &at);
	qr_space_unlock(space);
	assert_int_equal(error, 0);
	return at;
}

#endif
