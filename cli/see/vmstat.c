/* SPDX-License-Identifier: MIT */
/*
 * vmstat.c: `quire vmstat`: what memory management does, as rates. A line a
 * round; or, with --counters, every counter that the kernel has, known or not.
 * The first round is since boot, the others since the round before.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "counter_words.h"
#include "field_words.h"
#include "meminfo.h"
#include "pressure.h"
#include "processor.h"
#include "quire_page.h"
#include "subject.h"
#include "views.h"

struct counter {
	const char *name; /* of the sample's text */
	int64_t number;
};

/* All counters at one moment. */
struct sample {
	char *text;
	struct counter *counters;
	size_t count;
	double some_us, full_us; /* of pressure; below 0: not told */
	double age_seconds;      /* since the counters were 0 */
	struct processor processor;
};

struct rates {
	struct sample now;
	struct sample before; /* count is 0 at first */
	double seconds;       /* between them */
};

static void
sample_fini(struct sample *sample)
{
	free(sample->text);
	free(sample->counters);
	*sample = (struct sample){ 0 };
}

/* Microseconds; below 0: not told. */
static double
pressure_total(const char *text, const char *kind)
{
	const char *total = pressure_find(text, kind, "total");
	return total != NULL ? strtod(total, NULL) : -1.0;
}

/* The counters of a program on Quire, in the form of the kernel's. */
static bool
page_text(struct session *session, struct sample *sample)
{
	struct quire_page quire;
	struct buffer text = { 0 };
	int pid;

	if (!subject_find(session, &pid))
		return false;
	if (!source_is_live(session->source) || !quire_page_read(pid, &quire)) {
		problem_what(&session->problem, EXIT_FAILED,
		    "process %d shows no counters of its own", pid);
		problem_why(&session->problem,
		    "it does not run in a budget of Quire's, or belongs to "
		    "another user");
		if (pid < 100)
			problem_advise(&session->problem, "quire vmstat -w%d",
			    pid);
		else
			problem_advise(&session->problem, "quire ps --quire");
		return false;
	}
#define PUT_COUNTER(name)                                                      \
	buffer_printf(&text, #name " %llu\n",                                  \
	    (unsigned long long)quire.page.name);
	QR_STAT_PAGE_MACHINE(PUT_COUNTER)
#undef PUT_COUNTER
	sample->text = text.text;
	sample->age_seconds =
	    (double)(quire.page.updated_ns - quire.page.start_ns) / 1e9;
	return true;
}

static bool
sample_text(struct session *session, struct sample *sample)
{
	if (session->options->operands[0] != NULL)
		return page_text(session, sample);
	const char *whole = session_read(session, "proc/vmstat");
	sample->text = grow(NULL, strlen(whole) + 1);
	strcpy(sample->text, whole);
	sample->age_seconds =
	    strtod(session_read(session, "proc/uptime"), NULL);
	return true;
}

static bool
sample_read(struct session *session, struct sample *sample)
{
	struct pair pair;
	const char *pressure = session_read(session, "proc/pressure/memory");

	*sample = (struct sample){
		.some_us = pressure_total(pressure, "some"),
		.full_us = pressure_total(pressure, "full"),
	};
	processor_read(session, &sample->processor);
	if (!sample_text(session, sample))
		return false;
	char *text = sample->text;
	while (pair_next(&text, &pair)) {
		if (sample->count % 64 == 0)
			sample->counters = grow(sample->counters,
			    (sample->count + 64) * sizeof(*sample->counters));
		sample->counters[sample->count++] =
		    (struct counter){ pair.key, pair.number };
	}
	if (sample->count > 0)
		return true;
	problem_what(&session->problem, EXIT_FAILED, "cannot read vmstat");
	problem_why(&session->problem, "%s has none",
	    source_name(session->source));
	sample_fini(sample);
	return false;
}

/* The session's, which end with the process. */
static struct rates *
rates_next(struct session *session)
{
	struct rates *rates = session->state;

	if (rates == NULL) {
		rates = grow(NULL, sizeof(*rates));
		memset(rates, 0, sizeof(*rates));
		session->state = rates;
	}
	sample_fini(&rates->before);
	rates->before = rates->now;
	rates->now = (struct sample){ 0 };
	if (!sample_read(session, &rates->now))
		return NULL;
	rates->seconds = rates->before.count > 0 && session->seconds > 0
			     ? session->seconds
			     : rates->now.age_seconds;
	if (rates->seconds <= 0)
		rates->seconds = 1.0;
	return rates;
}

static void
rates_end(struct session *session)
{
	struct rates *rates = session->state;
	if (rates == NULL)
		return;
	sample_fini(&rates->now);
	sample_fini(&rates->before);
	free(rates);
	session->state = NULL;
}

static int64_t
find(const struct sample *sample, const char *name)
{
	for (size_t i = 0; i < sample->count; i++)
		if (strcmp(sample->counters[i].name, name) == 0)
			return sample->counters[i].number;
	return 0;
}

/* How much the counters whose names begin so have grown; older kernels split
 * them by zone. */
static double
growth(const struct rates *rates, const char *name)
{
	return (double)(find(&rates->now, name) - find(&rates->before, name));
}

static double
growth_of_all(const struct rates *rates, const char *prefix)
{
	double sum = 0;
	size_t length = strlen(prefix);
	for (size_t i = 0; i < rates->now.count; i++) {
		const char *name = rates->now.counters[i].name;
		if (strncmp(name, prefix, length) == 0 &&
		    strstr(name, "throttle") == NULL)
			sum += growth(rates, name);
	}
	return sum;
}

static void
set_rate(struct table *table, size_t row, enum column_id id, double count,
    const struct rates *rates)
{
	table_set(table, row, id,
	    (int64_t)(count / rates->seconds * 100.0 + 0.5));
}

/* Milliseconds a second, in hundredths, of what the kernel counts in us. */
static void
set_stall(struct table *table, const struct rates *rates)
{
	double before = rates->before.count > 0 ? rates->before.some_us : 0;
	double us = rates->seconds * 10.0; /* by which a rate is divided */

	if (rates->now.some_us < 0)
		return;
	table_set(table, 0, COL_STALL,
	    (int64_t)((rates->now.some_us - before) / us + 0.5));
	before = rates->before.count > 0 ? rates->before.full_us : 0;
	table_set(table, 0, COL_THRASH,
	    (int64_t)((rates->now.full_us - before) / us + 0.5));
}

static void
set_rates(struct table *table, size_t row, const struct rates *rates)
{
	double kswapd = growth_of_all(rates, "pgscan_kswapd");
	double direct = growth_of_all(rates, "pgscan_direct");
	double steal = growth_of_all(rates, "pgsteal_kswapd") +
		       growth_of_all(rates, "pgsteal_direct");

	set_rate(table, row, COL_SWAP_IN, growth(rates, "pswpin"), rates);
	set_rate(table, row, COL_SWAP_OUT, growth(rates, "pswpout"), rates);
	set_rate(table, row, COL_PGPGIN, growth(rates, "pgpgin"), rates);
	set_rate(table, row, COL_PGPGOUT, growth(rates, "pgpgout"), rates);
	set_rate(table, row, COL_FAULT_S, growth(rates, "pgfault"), rates);
	set_rate(table, row, COL_MAJFLT_S, growth(rates, "pgmajfault"), rates);
	set_rate(table, row, COL_PGFREE_S, growth(rates, "pgfree"), rates);
	set_rate(table, row, COL_PGSCANK_S, kswapd, rates);
	set_rate(table, row, COL_PGSCAND_S, direct, rates);
	set_rate(table, row, COL_PGSTEAL_S, steal, rates);
	set_rate(table, row, COL_REFAULT_S,
	    growth_of_all(rates, "workingset_refault"), rates);
	if (kswapd + direct > 0)
		table_set(table, row, COL_VMEFF,
		    (int64_t)(steal * 10000.0 / (kswapd + direct)));
	set_stall(table, rates);
}

static bool
fill_vmstat(struct session *session, struct table *table)
{
	struct meminfo meminfo;

	if (!meminfo_read(session, &meminfo))
		return false;
	struct rates *rates = rates_next(session);
	if (rates == NULL)
		return false;
	size_t row = table_add_row(table);
	table_set(table, row, COL_FREE, meminfo.free);
	table_set(table, row, COL_FILES, meminfo.files);
	table_set(table, row, COL_PROGRAMS, meminfo.anon);
	table_set(table, row, COL_AVAILABLE, meminfo.available);
	table_set(table, row, COL_BUFFERS, meminfo.buffers);
	table_set(table, row, COL_CACHE, meminfo.cached + meminfo.sreclaimable);
	table_set(table, row, COL_ACTIVE_PAGES, meminfo.active);
	table_set(table, row, COL_INACTIVE_PAGES, meminfo.inactive);
	table_set(table, row, COL_SWAP_USED,
	    meminfo.swap_total - meminfo.swap_free);
	set_rates(table, row, rates);
	processor_set(table, row, &rates->before.processor,
	    &rates->now.processor, rates->seconds);
	if (session->round == 0 && rates->now.full_us < 0 &&
	    (table_wants(table, COL_THRASH) || table_wants(table, COL_STALL)))
		table_note(table, "stall_s and thrash_s are not told: this "
				  "kernel keeps no pressure (psi=1)");
	return true;
}

/* --- --counters --- */

/* Keeps [see.4]. */
static bool
fill_counters(struct session *session, struct table *table)
{
	struct rates *rates = rates_next(session);

	if (rates == NULL)
		return false;
	for (size_t i = 0; i < rates->now.count; i++) {
		const char *name = rates->now.counters[i].name;
		size_t row = table_add_row(table);
		table_set_text(table, row, COL_COUNTER, name);
		const struct counter_words *words = counter_words_find(name);
		table_point_text(table, row, COL_AREA, words->area);
		table_point_text(table, row, COL_H_MEANING,
		    words->meaning != NULL ? words->meaning : FIELD_UNKNOWN);
		table_set(table, row, COL_NUMBER,
		    rates->now.counters[i].number);
		if (strncmp(name, "nr_", 3) != 0 || rates->before.count > 0)
			set_rate(table, row, COL_PER_S, growth(rates, name),
			    rates);
	}
	return true;
}

#define VMSTAT_COLUMNS                                                         \
	COL_FREE, COL_FILES, COL_PROGRAMS, COL_AVAILABLE, COL_SWAP_USED,       \
	    COL_SWAP_IN, COL_SWAP_OUT, COL_PGPGIN, COL_PGPGOUT, COL_FAULT_S,   \
	    COL_MAJFLT_S, COL_PGFREE_S, COL_PGSCANK_S, COL_PGSCAND_S,          \
	    COL_PGSTEAL_S, COL_VMEFF, COL_REFAULT_S, COL_STALL, COL_THRASH,    \
	    COL_BUFFERS, COL_CACHE, COL_ACTIVE_PAGES, COL_INACTIVE_PAGES,      \
	    COL_RUNNING, COL_BLOCKED, COL_INTERRUPTS, COL_SWITCHES,            \
	    COL_CPU_USER, COL_CPU_SYSTEM, COL_CPU_IDLE, COL_CPU_WAIT,          \
	    COL_CPU_STEAL, COLUMN_NONE

static const enum column_id vmstat_columns[] = { VMSTAT_COLUMNS };
static const enum column_id counter_columns[] = { COL_COUNTER, COL_NUMBER,
	COL_PER_S, COL_AREA, COL_H_MEANING, COLUMN_NONE };

const struct view vmstat_view = {
	.name = "vmstat",
	.command = "vmstat",
	.columns = vmstat_columns,
	.preset = "free,files,programs,swap_used,in_s,out_s,fault_s,majflt_s,"
		  "refault_s,thrash_s",
	.machine = "all",
	.narrow = "files,fault_s",
	.sort = "",
	.streams = true,
	.fill = fill_vmstat,
	.end = rates_end,
	.next = "quire vmstat -w   quire vmstat --counters   quire swap",
};

const struct view paging_view = {
	.name = "vmstat-paging",
	.command = "vmstat",
	.columns = vmstat_columns,
	.preset = "pgpgin_s,pgpgout_s,fault_s,majflt_s,pgfree_s,pgscank_s,"
		  "pgscand_s,pgsteal_s,vmeff",
	.sort = "",
	.streams = true,
	.fill = fill_vmstat,
	.end = rates_end,
	.next = "quire vmstat --paging -w",
};

const struct view classic_view = {
	.name = "vmstat-classic",
	.command = "vmstat",
	.columns = vmstat_columns,
	.preset = "running,blocked,swap_used,free,buffers,cache,in_s,out_s,"
		  "pgpgin_s,pgpgout_s,irq_s,switch_s,user,system,idle,wait,"
		  "steal",
	.narrow = "steal,irq_s,switch_s,buffers,swap_used,pgpgout_s,"
		  "pgpgin_s,cache,wait,blocked,running",
	.sort = "",
	.streams = true,
	.fill = fill_vmstat,
	.end = rates_end,
	.next = "quire vmstat --classic -w   quire vmstat --paging -w",
};

const struct view counters_view = {
	.name = "vmstat-counters",
	.command = "vmstat",
	.columns = counter_columns,
	.preset = "counter,number,per_s,area,meaning",
	.narrow = "area",
	.sort = "",
	.fill = fill_counters,
	.end = rates_end,
	.next = "quire vmstat --counters -w -s per_s -n 20",
};

static bool
is_number(const char *word)
{
	return word != NULL && *word != '\0' &&
	       word[strspn(word, "0123456789")] == '\0' && strlen(word) < 10;
}

/* "vmstat 1 5", as it has always been typed: every second, five times. A
 * number alone is a process. False: it is something else. */
static bool
take_delay_and_count(const struct options *options, struct options *typed)
{
	static char *none[] = { NULL };
	char **words = options->operands;

	if (words[0] == NULL || words[1] == NULL || words[2] != NULL ||
	    !is_number(words[0]) || !is_number(words[1]))
		return false;
	*typed = *options;
	typed->operands = none;
	typed->text[OPTION_WATCH] = words[0];
	typed->number[OPTION_WATCH] = strtoull(words[0], NULL, 10) * 1000;
	typed->text[OPTION_TIMES] = words[1];
	typed->number[OPTION_TIMES] = strtoull(words[1], NULL, 10);
	return true;
}

int
vmstat_main(const struct options *options)
{
	struct options typed;

	if (take_delay_and_count(options, &typed))
		options = &typed;
	if (options->text[OPTION_PAGING] != NULL)
		return view_main(options, &paging_view);
	if (options->text[OPTION_PRESSURE] != NULL)
		return view_main(options, &pressure_view);
	if (options->text[OPTION_CLASSIC] != NULL)
		return view_main(options, &classic_view);
	bool counts = options->text[OPTION_COUNTERS] != NULL ||
		      options->operands[0] != NULL;
	return view_main(options, counts ? &counters_view : &vmstat_view);
}
