/* SPDX-License-Identifier: MIT */
/*
 * slab.c: `quire slab`: the kernel's object caches by the RAM they take, and
 * how fast they grow: with --watch since the round before, else over the
 * seconds of --over.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/proc/pairs.h"
#include "cli/size.h"
#include "meminfo.h"
#include "views.h"

struct cache {
	char name[64];
	int64_t active, objects, size, per_slab, pages, active_slabs, slabs;
};

struct caches {
	struct cache *list;
	size_t count;
};

static int64_t
ram_of(const struct cache *cache)
{
	return cache->slabs * cache->pages * (int64_t)QR_PAGE_SIZE;
}

/* "name active objects size perslab pages : tunables ... : slabdata active
 * slabs shared". */
static bool
parse_line(char *line, struct cache *cache)
{
	char *name = word_next(&line);
	char *data = strstr(line, "slabdata");
	int64_t *fields[] = { &cache->active, &cache->objects, &cache->size,
		&cache->per_slab, &cache->pages };

	if (name == NULL || *name == '#' || data == NULL)
		return false;
	(void)snprintf(cache->name, sizeof(cache->name), "%s", name);
	for (size_t i = 0; i < 5; i++) {
		char *word = word_next(&line);
		if (word == NULL || *word < '0' || *word > '9')
			return false;
		*fields[i] = strtoll(word, NULL, 10) & INT32_MAX;
	}
	(void)word_next(&data);
	char *active = word_next(&data);
	char *slabs = active != NULL ? word_next(&data) : NULL;
	if (slabs == NULL)
		return false;
	cache->active_slabs = strtoll(active, NULL, 10) & INT32_MAX;
	cache->slabs = strtoll(slabs, NULL, 10) & INT32_MAX;
	return true;
}

static bool
caches_read(struct session *session, struct caches *caches)
{
	struct cache cache;
	char *line;
	char *text = session_read(session, "proc/slabinfo");

	*caches = (struct caches){ 0 };
	while ((line = line_next(&text)) != NULL) {
		if (!parse_line(line, &cache))
			continue;
		if (caches->count % 64 == 0)
			caches->list = grow(caches->list,
			    (caches->count + 64) * sizeof(*caches->list));
		caches->list[caches->count++] = cache;
	}
	if (caches->count > 0)
		return true;
	free(caches->list);
	problem_what(&session->problem, EXIT_FAILED, "cannot read slabinfo");
	problem_why(&session->problem, "it takes root, or %s has none",
	    source_is_live(session->source) ? "the kernel"
					    : source_name(session->source));
	return false;
}

static void
set_growth(struct table *table, size_t row, const struct cache *cache,
    const struct caches *before, double seconds)
{
	for (size_t i = 0; i < before->count; i++)
		if (strcmp(before->list[i].name, cache->name) == 0) {
			double more =
			    (double)(ram_of(cache) - ram_of(&before->list[i]));
			table_set(table, row, COL_PER_MIN,
			    (int64_t)(more * 60.0 / seconds));
			return;
		}
}

static void
add_cache(struct table *table, const struct cache *cache)
{
	size_t row = table_add_row(table);

	table_set_text(table, row, COL_SLAB, cache->name);
	table_set(table, row, COL_ACTIVE, cache->active);
	table_set(table, row, COL_OBJECTS, cache->objects);
	table_set(table, row, COL_OBJECT_SIZE, cache->size);
	table_set(table, row, COL_PER_SLAB, cache->per_slab);
	table_set(table, row, COL_SLAB_PAGES, cache->pages);
	table_set(table, row, COL_ACTIVE_SLABS, cache->active_slabs);
	table_set(table, row, COL_SLABS, cache->slabs);
	table_set(table, row, COL_SLAB_RAM, ram_of(cache));
	table_set(table, row, COL_SLAB_WASTE,
	    ram_of(cache) - cache->active * cache->size);
	if (cache->objects > 0)
		table_set(table, row, COL_USE,
		    cache->active * 10000 / cache->objects);
}

/* What SLUB tells of a cache, file by file: only of columns that are wanted. */
static void
set_slub(struct session *session, struct table *table, size_t row,
    const char *name)
{
	static const struct {
		enum column_id id;
		const char *file;
	} files[] = {
		{ COL_SLAB_ORDER, "order" },
		{ COL_SLAB_PARTIAL, "partial" },
		{ COL_SLAB_CPU, "cpu_slabs" },
		{ COL_SLAB_ALIASES, "aliases" },
		{ COL_SLAB_TOTAL, "total_objects" },
	};
	char path[256];
	uint64_t number;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!table_wants(table, files[i].id))
			continue;
		(void)snprintf(path, sizeof(path), "sys/kernel/slab/%s/%s",
		    name, files[i].file);
		if (source_number(session->source, path, &number))
			table_set(table, row, files[i].id, (int64_t)number);
	}
}

/* The head of slabtop, in a line. */
static void
note_caches(struct table *table, const struct caches *caches)
{
	int64_t used = 0, objects = 0, bytes = 0, least = INT64_MAX, most = 0;
	char small[SIZE_TEXT_MAX], average[SIZE_TEXT_MAX], large[SIZE_TEXT_MAX];

	for (size_t i = 0; i < caches->count; i++) {
		const struct cache *cache = &caches->list[i];
		used += cache->active > 0;
		objects += cache->objects;
		bytes += cache->objects * cache->size;
		least = cache->size < least ? cache->size : least;
		most = cache->size > most ? cache->size : most;
	}
	if (objects > 0)
		table_note(table,
		    "%lld of %zu caches are in use; objects of %s to %s, %s "
		    "on average",
		    (long long)used, caches->count,
		    size_format((uint64_t)least, small),
		    size_format((uint64_t)most, large),
		    size_format((uint64_t)(bytes / objects), average));
}

/* What meminfo counts as Slab and no cache shows. */
static void
note_rest(struct session *session, struct table *table,
    const struct caches *caches)
{
	struct meminfo meminfo;
	struct problem kept = session->problem;
	int64_t sum = 0;

	for (size_t i = 0; i < caches->count; i++)
		sum += ram_of(&caches->list[i]);
	if (!meminfo_read(session, &meminfo)) {
		session->problem = kept;
		return;
	}
	table_note(table, "meminfo counts %lld K of slabs, which is %lld K %s",
	    (long long)meminfo.slab / 1024,
	    (long long)llabs(meminfo.slab - sum) / 1024,
	    meminfo.slab >= sum ? "more" : "less");
}

static bool
fill_slab(struct session *session, struct table *table)
{
	struct caches *before = session->state;
	struct caches now;
	double seconds = session->seconds;

	if (before == NULL) {
		before = grow(NULL, sizeof(*before));
		*before = (struct caches){ 0 };
		session->state = before;
	}
	if (session->round == 0 && session_has(session, OPTION_OVER) &&
	    source_is_live(session->source)) {
		uint64_t ms = session->options->number[OPTION_OVER];
		const struct timespec pause = { (time_t)(ms / 1000),
			(long)(ms % 1000) * 1000000 };
		if (!caches_read(session, before))
			return false;
		(void)nanosleep(&pause, NULL);
		seconds = (double)ms / 1000.0;
	}
	if (!caches_read(session, &now))
		return false;
	for (size_t i = 0; i < now.count; i++) {
		add_cache(table, &now.list[i]);
		set_slub(session, table, i, now.list[i].name);
		if (before->count > 0 && seconds > 0)
			set_growth(table, i, &now.list[i], before, seconds);
	}
	note_caches(table, &now);
	note_rest(session, table, &now);
	free(before->list);
	*before = now;
	return true;
}

static void
end_slab(struct session *session)
{
	struct caches *caches = session->state;
	if (caches != NULL)
		free(caches->list);
	free(caches);
}

static const enum column_id slab_columns[] = { COL_SLAB, COL_ACTIVE,
	COL_OBJECTS, COL_USE, COL_OBJECT_SIZE, COL_PER_SLAB, COL_SLAB_PAGES,
	COL_ACTIVE_SLABS, COL_SLABS, COL_SLAB_RAM, COL_SLAB_WASTE, COL_PER_MIN,
	COL_SLAB_ORDER, COL_SLAB_PARTIAL, COL_SLAB_CPU, COL_SLAB_ALIASES,
	COL_SLAB_TOTAL, COLUMN_NONE };

const struct view slab_view = {
	.name = "slab",
	.command = "slab",
	.columns = slab_columns,
	.preset = "cache,active,objects,use,objsize,perslab,slabs,ram,waste,"
		  "per_min",
	.narrow = "perslab,slabs,objects,objsize",
	.sort = "ram,cache",
	.totals = true,
	.fill = fill_slab,
	.end = end_slab,
	.next = "quire slab --over=10 -s per_min -n 10   quire vmalloc",
};

int
slab_main(const struct options *options)
{
	return view_main(options, &slab_view);
}
