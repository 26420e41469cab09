/* SPDX-License-Identifier: MIT */
/*
 * zones.c: `quire zones`: free memory of each zone among its watermarks.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "views.h"

#define PICTURE_CELLS 20
#define OTHERS_MAX    128u

/* A zone while its lines are read; pages. */
struct zone {
	bool open;
	int node;
	char name[32];
	int64_t free, min, low, high, managed, present, spanned, cma;
	int64_t boost, promo;
	int64_t per_cpu, cpu_high, cpu_batch;
	const char *protection;
	struct pair others[OTHERS_MAX]; /* all else that is a number */
	size_t other_count;
};

static const struct {
	const char *key;
	size_t offset;
} zone_keys[] = {
	{ "min", offsetof(struct zone, min) },
	{ "low", offsetof(struct zone, low) },
	{ "high", offsetof(struct zone, high) },
	{ "managed", offsetof(struct zone, managed) },
	{ "present", offsetof(struct zone, present) },
	{ "spanned", offsetof(struct zone, spanned) },
	{ "cma", offsetof(struct zone, cma) },
	{ "boost", offsetof(struct zone, boost) },
	{ "promo", offsetof(struct zone, promo) },
	{ "high:", offsetof(struct zone, cpu_high) },
	{ "batch:", offsetof(struct zone, cpu_batch) },
};

static const char *
standing(const struct zone *zone)
{
	if (zone->free < zone->min)
		return "below min";
	if (zone->free < zone->low)
		return "below low";
	return zone->free < zone->high ? "below high" : "ok";
}

/* Twice the high watermark wide: '#' is free, the marks are m, l, h. */
static void
set_picture(struct table *table, size_t row, const struct zone *zone)
{
	char picture[PICTURE_CELLS + 1];
	int64_t width = zone->high * 2;

	if (width <= 0)
		return;
	int64_t filled = zone->free >= width
			     ? PICTURE_CELLS
			     : zone->free * PICTURE_CELLS / width;
	for (int64_t i = 0; i < PICTURE_CELLS; i++)
		picture[i] = i < filled ? '#' : '.';
	picture[PICTURE_CELLS] = '\0';
	picture[zone->min * PICTURE_CELLS / width] = 'm';
	picture[zone->low * PICTURE_CELLS / width] = 'l';
	picture[zone->high * PICTURE_CELLS / width] = 'h';
	table_set_text(table, row, COL_WATERMARKS, picture);
}

static void
add_zone(struct table *table, const struct zone *zone)
{
	const struct {
		enum column_id id;
		int64_t pages;
	} numbers[] = {
		{ COL_ZONE_FREE, zone->free },
		{ COL_ZONE_MIN, zone->min },
		{ COL_ZONE_LOW, zone->low },
		{ COL_ZONE_HIGH, zone->high },
		{ COL_MANAGED, zone->managed },
		{ COL_PRESENT, zone->present },
		{ COL_SPANNED, zone->spanned },
		{ COL_CMA, zone->cma },
		{ COL_PER_CPU, zone->per_cpu },
		{ COL_ZONE_BOOST, zone->boost },
		{ COL_ZONE_PROMO, zone->promo },
		{ COL_PCP_HIGH, zone->cpu_high },
		{ COL_PCP_BATCH, zone->cpu_batch },
	};
	size_t row;

	if (!zone->open || zone->present == 0)
		return;
	row = table_add_row(table);
	table_set(table, row, COL_NODE, zone->node);
	table_set_text(table, row, COL_ZONE, zone->name);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		table_set(table, row, numbers[i].id,
		    numbers[i].pages * (int64_t)QR_PAGE_SIZE);
	if (zone->protection != NULL)
		table_set_text(table, row, COL_PROTECTION, zone->protection);
	for (size_t i = 0; i < zone->other_count; i++)
		table_add_unknown(table, row, zone->others[i].key,
		    zone->others[i].number, false);
	table_point_text(table, row, COL_STANDING, standing(zone));
	set_picture(table, row, zone);
}

/* "pages free 3840", "min 39", "count: 5". The first of a name counts: those
 * below "pagesets" are of CPUs. */
static void
take_line(struct zone *zone, char *line)
{
	char *key = word_next(&line);

	if (key != NULL && strcmp(key, "protection:") == 0) {
		zone->protection = line;
		return;
	}
	char *value = key != NULL ? word_next(&line) : NULL;
	if (value == NULL || !zone->open)
		return;
	if (strcmp(key, "pages") == 0 && strcmp(value, "free") == 0) {
		value = word_next(&line);
		zone->free = value != NULL ? strtoll(value, NULL, 10) : 0;
		return;
	}
	int64_t number = strtoll(value, NULL, 10);
	if (number < 0 || number > INT64_MAX >> 16)
		return;
	if (strcmp(key, "count:") == 0)
		zone->per_cpu += number;
	for (size_t i = 0; i < sizeof(zone_keys) / sizeof(zone_keys[0]); i++) {
		int64_t *field =
		    (int64_t *)(void *)((char *)zone + zone_keys[i].offset);
		if (strcmp(zone_keys[i].key, key) != 0)
			continue;
		if (*field == 0)
			*field = number;
		return;
	}
	if (zone->other_count < OTHERS_MAX && key[strlen(key) - 1] != ':' &&
	    *value >= '0' && *value <= '9')
		zone->others[zone->other_count++] =
		    (struct pair){ .key = key, .number = number };
}

static bool
fill_zones(struct session *session, struct table *table)
{
	static struct zone zone;
	char *line;
	char *text = session_read(session, "proc/zoneinfo");

	zone.open = false;
	while ((line = line_next(&text)) != NULL) {
		char name[32];
		int node;
		if (sscanf(line, "Node %d, zone %31s", &node, name) == 2) {
			add_zone(table, &zone);
			zone = (struct zone){ .open = true, .node = node };
			memcpy(zone.name, name, sizeof(name));
		} else {
			take_line(&zone, line);
		}
	}
	add_zone(table, &zone);
	if (table->row_count > 0)
		return true;
	problem_what(&session->problem, EXIT_FAILED, "cannot read zoneinfo");
	problem_why(&session->problem, "%s has none",
	    source_name(session->source));
	return false;
}

static const enum column_id zones_columns[] = { COL_NODE, COL_ZONE,
	COL_ZONE_FREE, COL_ZONE_MIN, COL_ZONE_LOW, COL_ZONE_HIGH, COL_MANAGED,
	COL_PRESENT, COL_SPANNED, COL_CMA, COL_ZONE_BOOST, COL_ZONE_PROMO,
	COL_PROTECTION, COL_PER_CPU, COL_PCP_HIGH, COL_PCP_BATCH, COL_STANDING,
	COL_WATERMARKS, COLUMN_NONE };

const struct view zones_view = {
	.name = "zones",
	.command = "zones",
	.columns = zones_columns,
	.preset = "node,zone,free,min,low,high,managed,per_cpu,standing,"
		  "watermarks",
	.narrow = "watermarks,per_cpu,managed",
	.sort = "",
	.totals = true,
	.fill = fill_zones,
	.next = "quire buddy   quire vmstat --paging -w",
};

int
zones_main(const struct options *options)
{
	return view_main(options, &zones_view);
}
