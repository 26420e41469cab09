/* SPDX-License-Identifier: MIT */
/* processor.c: /proc/stat, as columns. */
#include "processor.h"

#include <string.h>

#include "cli/proc/pairs.h"

/* "cpu  user nice system idle iowait irq softirq steal ..." */
static void
take_times(struct processor *processor, const char *text)
{
	for (int i = 0; i < TIME_COUNT && *text != '\0'; i++) {
		processor->times[i] = number_next(&text);
		text += strspn(text, " ");
	}
}

void
processor_read(struct session *session, struct processor *processor)
{
	struct pair pair;
	char *text = session_read(session, "proc/stat");

	*processor = (struct processor){ .told = *text != '\0' };
	while (pair_next(&text, &pair)) {
		if (strcmp(pair.key, "cpu") == 0)
			take_times(processor, pair.text);
		else if (strcmp(pair.key, "intr") == 0)
			processor->interrupts = pair.number;
		else if (strcmp(pair.key, "ctxt") == 0)
			processor->switches = pair.number;
		else if (strcmp(pair.key, "procs_running") == 0)
			processor->running = pair.number;
		else if (strcmp(pair.key, "procs_blocked") == 0)
			processor->blocked = pair.number;
	}
}

void
processor_set(struct table *table, size_t row, const struct processor *before,
    const struct processor *now, double seconds)
{
	/* Which times a column sums up; idle ones may go back by a tick. */
	static const struct {
		enum column_id id;
		enum processor_time times[4];
		size_t count;
	} shares[] = {
		{ COL_CPU_USER, { TIME_USER, TIME_NICE }, 2 },
		{ COL_CPU_SYSTEM, { TIME_SYSTEM, TIME_IRQ, TIME_SOFTIRQ }, 3 },
		{ COL_CPU_IDLE, { TIME_IDLE }, 1 },
		{ COL_CPU_WAIT, { TIME_WAIT }, 1 },
		{ COL_CPU_STEAL, { TIME_STEAL }, 1 },
	};
	double passed[TIME_COUNT], all = 0;

	if (!now->told)
		return;
	for (int i = 0; i < TIME_COUNT; i++) {
		passed[i] = (double)now->times[i] - (double)before->times[i];
		passed[i] = passed[i] > 0 ? passed[i] : 0;
		all += passed[i];
	}
	table_set(table, row, COL_RUNNING, now->running);
	table_set(table, row, COL_BLOCKED, now->blocked);
	table_set(table, row, COL_INTERRUPTS,
	    (int64_t)((double)(now->interrupts - before->interrupts) * 100.0 /
		      seconds));
	table_set(table, row, COL_SWITCHES,
	    (int64_t)((double)(now->switches - before->switches) * 100.0 /
		      seconds));
	for (size_t i = 0; all > 0 && i < sizeof(shares) / sizeof(shares[0]);
	     i++) {
		double part = 0;
		for (size_t j = 0; j < shares[i].count; j++)
			part += passed[shares[i].times[j]];
		table_set(table, row, shares[i].id,
		    (int64_t)(part * 10000.0 / all + 0.5));
	}
}
