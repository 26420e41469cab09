/* SPDX-License-Identifier: MIT */
/* process.h: rows of processes, for all views that have some. */
#ifndef CLI_SEE_PROCESS_H
#define CLI_SEE_PROCESS_H

#include <regex.h>

#include "cli/proc/smaps.h"
#include "view.h"

struct sums_cache;

/* Which processes, and what of them. */
struct process_query {
	bool all;     /* kernel threads and dead ones, too */
	bool no_pss;  /* without the walk through their pages */
	bool numeric; /* users as numbers */
	regex_t *process;
	regex_t *mapping;
	regex_t *user;
	char **targets;           /* numbers or names, NULL-ended; NULL: all */
	struct sums_cache *cache; /* of earlier looks; NULL: look always */
	regex_t regexes[3];       /* what the pointers above point to */
};

/* Reads the options of ps. False: session->problem. */
QR_MUST_CHECK bool process_query_init(struct session *session,
    struct process_query *query);
void process_query_fini(struct process_query *query);

/* Adds a row for each process; says in the table's notes what could not be
 * read. */
void processes_fill(struct session *session, const struct process_query *query,
    struct table *table);

/* Whether the targets name a process. */
bool process_is_wanted(const struct process_query *query, int pid,
    const char *comm);

/* Calls visit for the areas of each process of the query. */
void processes_each_area(struct session *session,
    const struct process_query *query, struct table *notes,
    void (*visit)(void *ctx, int pid, const struct smaps_area *area),
    void *ctx);

/* All columns that a process has. */
extern const enum column_id process_columns[];

/* Sums of areas; has is of what any of them told. */
struct area_sums {
	int64_t value[SMAPS_KEYS];
	uint32_t has;
	int64_t count;
	int64_t virtual_bytes;
};

void area_sums_add(struct area_sums *sums, const struct smaps_area *area);
/* Sets the row's columns of what was told, and uss, epss. */
void area_sums_set(const struct area_sums *sums, struct table *table,
    size_t row);
void area_unknown_set(const struct smaps_area *area, struct table *table,
    size_t row);

/* What a mapping without a name is called, else its name. */
const char *area_name(const struct smaps_area *area);

#endif
