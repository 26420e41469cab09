/* SPDX-License-Identifier: MIT */
/*
 * pressure.c: `quire vmstat --pressure`: how long tasks waited for memory, of
 * the machine and of the control group that limits us: the kernel's averages
 * over 10, 60 and 300 seconds, and all of it since boot.
 */
#include "pressure.h"

#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "cli/proc/pairs.h"
#include "views.h"

const char *
pressure_find(const char *text, const char *kind, const char *key)
{
	size_t length = strlen(kind);

	while (text != NULL && *text != '\0') {
		const char *end = text + strcspn(text, "\n");
		const char *found = strstr(text, key);
		if (strncmp(text, kind, length) == 0 && text[length] == ' ')
			return found != NULL && found < end &&
				       found[strlen(key)] == '='
				   ? found + strlen(key) + 1
				   : NULL;
		text = *end != '\0' ? end + 1 : end;
	}
	return NULL;
}

/* In hundredths. */
bool
pressure_share(const char *text, const char *kind, const char *key,
    int64_t *share)
{
	const char *at = pressure_find(text, kind, key);

	if (at == NULL)
		return false;
	*share = (int64_t)(strtod(at, NULL) * 100.0 + 0.5);
	return true;
}

static void
add_kinds(struct table *table, const char *of, const char *text)
{
	static const char *const kinds[] = { "some", "full" };
	static const struct {
		const char *key;
		enum column_id id;
	} averages[] = {
		{ "avg10", COL_AVG10 },
		{ "avg60", COL_AVG60 },
		{ "avg300", COL_AVG300 },
	};
	int64_t share;

	for (size_t i = 0; i < 2; i++) {
		const char *total = pressure_find(text, kinds[i], "total");
		if (total == NULL)
			continue;
		size_t row = table_add_row(table);
		table_set_text(table, row, COL_OF, of);
		table_point_text(table, row, COL_PRESSURE_KIND, kinds[i]);
		table_set(table, row, COL_STALLED,
		    (int64_t)(strtod(total, NULL) / 10.0));
		for (size_t j = 0; j < 3; j++)
			if (pressure_share(text, kinds[i], averages[j].key,
				&share))
				table_set(table, row, averages[j].id, share);
	}
}

static bool
fill_pressure(struct session *session, struct table *table)
{
	struct cgroup group;
	char path[PATH_MAX + 32];

	add_kinds(table, "machine",
	    session_read(session, "proc/pressure/memory"));
	if (cgroup_read(session, &group)) {
		(void)snprintf(path, sizeof(path), "%.4000s/memory.pressure",
		    group.path + 1);
		add_kinds(table, group.path, session_read(session, path));
	}
	if (table->row_count > 0)
		return true;
	problem_what(&session->problem, EXIT_FAILED, "no pressure is told");
	problem_why(&session->problem,
	    "the kernel keeps none, or was started without psi=1");
	return false;
}

static const enum column_id pressure_columns[] = { COL_OF, COL_PRESSURE_KIND,
	COL_AVG10, COL_AVG60, COL_AVG300, COL_STALLED, COLUMN_NONE };

const struct view pressure_view = {
	.name = "vmstat-pressure",
	.command = "vmstat",
	.columns = pressure_columns,
	.preset = "of,kind,avg10,avg60,avg300,stalled",
	.narrow = "avg300",
	.sort = "",
	.fill = fill_pressure,
	.next = "quire vmstat -w   quire limits   quire cgroups",
};
