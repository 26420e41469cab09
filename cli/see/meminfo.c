/* SPDX-License-Identifier: MIT */
/*
 * meminfo.c: `quire meminfo`: every field of /proc/meminfo with its meaning,
 * and the parts of RAM that all views reckon with.
 *
 * The parts: programs (AnonPages), shared (Shmem), files (Buffers and Cached
 * less Shmem, which is in Cached), huge (Hugetlb, which nothing else counts),
 * kernel (Slab, KReclaimable beyond it, KernelStack, PageTables, Percpu),
 * free; what is then missing from MemTotal is unaccounted. VmallocUsed is no
 * part: it has the stacks in it, and device memory that is no RAM.
 */
#include "meminfo.h"
#include "field_words.h"

#include <string.h>

#include "cli/proc/pairs.h"
#include "cli/size.h"
#include "meminfo_fields.h"
#include "views.h"

static const struct {
	const char *key;
	size_t offset;
} meminfo_keys[] = {
#define MEMINFO_KEY(name, key) { key, offsetof(struct meminfo, name) },
	MEMINFO_TABLE(MEMINFO_KEY)
#undef MEMINFO_KEY
};

static void
find_parts(struct meminfo *m)
{
	int64_t huge = m->hugetlb;

	/* Older kernels have no Hugetlb, and one size of page. */
	if (huge == 0)
		huge = m->huge_total * m->huge_size;
	m->hugetlb = huge;
	m->files = m->buffers + m->cached - m->shmem;
	m->kernel = m->slab + m->kernel_stack + m->page_tables +
		    m->sec_page_tables + m->percpu;
	if (m->kreclaimable > m->sreclaimable)
		m->kernel += m->kreclaimable - m->sreclaimable;
	m->unaccounted = m->total - m->free - m->anon - m->shmem - m->files -
			 huge - m->kernel;
}

bool
meminfo_read(struct session *session, struct meminfo *meminfo)
{
	struct pair pair;
	size_t count = sizeof(meminfo_keys) / sizeof(meminfo_keys[0]);
	char *text = session_read(session, "proc/meminfo");

	memset(meminfo, 0, sizeof(*meminfo));
	while (pair_next(&text, &pair))
		for (size_t i = 0; i < count; i++)
			if (strcmp(meminfo_keys[i].key, pair.key) == 0)
				memcpy((char *)meminfo + meminfo_keys[i].offset,
				    &pair.number, sizeof(pair.number));
	if (meminfo->total > 0) {
		find_parts(meminfo);
		return true;
	}
	problem_what(&session->problem, EXIT_FAILED, "cannot read meminfo");
	problem_why(&session->problem, "%s has none, or one without MemTotal",
	    source_name(session->source));
	return false;
}

const char *
meminfo_meaning(const char *key)
{
	static const struct {
		const char *key, *meaning;
	} fields[] = {
#define MEMINFO_MEANING(key, meaning) { key, meaning },
		MEMINFO_FIELDS(MEMINFO_MEANING)
#undef MEMINFO_MEANING
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].key, key) == 0)
			return fields[i].meaning;
	return NULL;
}

/* Keeps [see.4]. */
static bool
fill_meminfo(struct session *session, struct table *table)
{
	struct meminfo meminfo;
	struct pair pair;
	char size[SIZE_TEXT_MAX];

	if (!meminfo_read(session, &meminfo))
		return false;
	char *text = session_read(session, "proc/meminfo");
	while (pair_next(&text, &pair)) {
		const char *meaning = meminfo_meaning(pair.key);
		size_t row = table_add_row(table);
		table_set_text(table, row, COL_FIELD, pair.key);
		table_point_text(table, row, COL_H_MEANING,
		    meaning != NULL ? meaning : FIELD_UNKNOWN);
		if (!pair.is_bytes) {
			table_set(table, row, COL_NUMBER, pair.number);
			continue;
		}
		table_set(table, row, COL_BYTES, pair.number);
		if (pair.number <= meminfo.total)
			table_set(table, row, COL_SHARE,
			    (int64_t)((double)pair.number * 10000.0 /
				      (double)meminfo.total));
	}
	table_fact(table, "unaccounted", meminfo.unaccounted);
	if (meminfo.unaccounted >= 0)
		table_note(table,
		    "%s of RAM is unaccounted for: no field tells of it",
		    size_format((uint64_t)meminfo.unaccounted, size));
	return true;
}

static const enum column_id meminfo_columns[] = { COL_FIELD, COL_BYTES,
	COL_NUMBER, COL_SHARE, COL_H_MEANING, COLUMN_NONE };

const struct view meminfo_view = {
	.name = "meminfo",
	.command = "meminfo",
	.columns = meminfo_columns,
	.preset = "field,size,number,share,meaning",
	.narrow = "number,share",
	.sort = "",
	.fill = fill_meminfo,
	.next = "quire free   quire slab   quire vmstat",
};

int
meminfo_main(const struct options *options)
{
	return view_main(options, &meminfo_view);
}
