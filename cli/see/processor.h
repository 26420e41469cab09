/* SPDX-License-Identifier: MIT */
/* processor.h: what processors did, out of /proc/stat, for vmstat's users. */
#ifndef CLI_SEE_PROCESSOR_H
#define CLI_SEE_PROCESSOR_H

#include "view.h"

/* Times in ticks, since boot. */
enum processor_time {
	TIME_USER,
	TIME_NICE,
	TIME_SYSTEM,
	TIME_IDLE,
	TIME_WAIT,
	TIME_IRQ,
	TIME_SOFTIRQ,
	TIME_STEAL,
	TIME_COUNT,
};

struct processor {
	bool told;
	int64_t times[TIME_COUNT];
	int64_t interrupts, switches;
	int64_t running, blocked; /* threads, at this moment */
};

void processor_read(struct session *session, struct processor *processor);

/* Sets the row's columns of what happened between two looks; before may be
 * all zero: since boot. */
void processor_set(struct table *table, size_t row,
    const struct processor *before, const struct processor *now,
    double seconds);

#endif
