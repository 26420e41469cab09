/* SPDX-License-Identifier: MIT */
/*
 * shm.c: `quire shm`: memory that processes share on purpose: segments of
 * System V, files in /dev/shm, memfds; and who maps them. Those that nobody
 * maps stay until they are removed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/proc/pairs.h"
#include "process.h"
#include "views.h"

/* A shared object: known by its inode, since names repeat. */
struct object {
	const char *kind, *name;
	uint64_t inode;
	int64_t size; /* below 0: not told */
	int64_t rss, pss, swap;
	int64_t owner; /* uid; below 0: not told */
	int64_t attached;
	int last_pid;
	struct buffer pids;
};

struct objects {
	struct session *session;
	struct table *table;
	struct object *list;
	size_t count;
};

static struct object *
find(struct objects *objects, const char *kind, uint64_t inode)
{
	for (size_t i = 0; i < objects->count; i++)
		if (objects->list[i].inode == inode &&
		    strcmp(objects->list[i].kind, kind) == 0)
			return &objects->list[i];
	if (objects->count % 32 == 0)
		objects->list = grow(objects->list,
		    (objects->count + 32) * sizeof(*objects->list));
	struct object *object = &objects->list[objects->count++];
	*object = (struct object){ .kind = kind,
		.inode = inode,
		.size = -1,
		.owner = -1 };
	return object;
}

/* "key shmid perms size cpid lpid nattch uid ... rss swap"; the number of the
 * segment is the inode of its mappings. */
static void
read_sysv(struct objects *objects)
{
	char *line;
	char *text = arena_string(&objects->table->arena,
	    session_read(objects->session, "proc/sysvipc/shm"));

	(void)line_next(&text);
	while ((line = line_next(&text)) != NULL) {
		int64_t fields[16] = { 0 };
		size_t count = 0;
		char *word;
		while (count < 16 && (word = word_next(&line)) != NULL)
			fields[count++] = strtoll(word, NULL, 10);
		if (count < 8)
			continue;
		struct object *object =
		    find(objects, "sysv", (uint64_t)fields[1]);
		object->name = arena_format(&objects->table->arena,
		    "key 0x%08x", (unsigned)fields[0]);
		object->size = fields[3];
		object->owner = fields[7];
		object->rss = count > 14 ? fields[14] : 0;
		object->swap = count > 15 ? fields[15] : 0;
	}
}

/* Files of /dev/shm of a live machine, mapped or not. */
static void
read_posix(struct objects *objects)
{
	char **names;
	int count;

	if (!source_is_live(objects->session->source))
		return;
	count = source_list(objects->session->source, "dev/shm",
	    &objects->table->arena, &names);
	for (int i = 0; i < count; i++) {
		struct stat status;
		const char *path = arena_format(&objects->table->arena,
		    "/dev/shm/%s", names[i]);
		if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
			continue;
		struct object *object = find(objects, "posix", status.st_ino);
		object->name = path;
		object->size = status.st_size;
		object->owner = status.st_uid;
		object->rss = (int64_t)status.st_blocks * 512;
	}
}

static void
visit_area(void *ctx, int pid, const struct smaps_area *area)
{
	struct objects *objects = ctx;
	const char *kind = NULL;

	if (strncmp(area->name, "/SYSV", 5) == 0)
		kind = "sysv";
	else if (strncmp(area->name, "/dev/shm/", 9) == 0)
		kind = "posix";
	else if (strncmp(area->name, "/memfd:", 7) == 0)
		kind = "memfd";
	else if (strncmp(area->name, "/dev/zero (deleted)", 19) == 0)
		kind = "anonymous";
	if (kind == NULL)
		return;
	struct object *object = find(objects, kind, area->inode);
	if (object->name == NULL)
		object->name = arena_string(&objects->table->arena, area->name);
	int64_t size = (int64_t)(area->end - area->start + area->offset);
	if (object->owner < 0 && object->size < size)
		object->size = size;
	if (object->rss < area->value[SMAPS_RSS])
		object->rss = area->value[SMAPS_RSS];
	object->pss += area->value[SMAPS_PSS];
	if (object->last_pid == pid)
		return;
	object->last_pid = pid;
	object->attached++;
	buffer_printf(&object->pids, "%s%d", object->attached > 1 ? "," : "",
	    pid);
}

static void
add_row(struct objects *objects, struct object *object)
{
	struct table *table = objects->table;
	size_t row = table_add_row(table);

	table_point_text(table, row, COL_SHM_KIND, object->kind);
	table_set(table, row, COL_SHM_ID, (int64_t)object->inode);
	table_point_text(table, row, COL_SHM_NAME,
	    object->name != NULL ? object->name : "");
	if (object->owner >= 0)
		table_set_text(table, row, COL_USER,
		    source_user(objects->session->source,
			(uint32_t)object->owner));
	if (object->size >= 0)
		table_set(table, row, COL_SHM_SIZE, object->size);
	table_set(table, row, COL_SHM_RSS, object->rss);
	table_set(table, row, COL_SHM_SWAP, object->swap);
	table_set(table, row, COL_ATTACHED, object->attached);
	if (object->pids.length > 0)
		table_set_text(table, row, COL_BY_PIDS, object->pids.text);
	buffer_fini(&object->pids);
}

static bool
fill_shm(struct session *session, struct table *table)
{
	const struct process_query query = { 0 };
	struct objects objects = { .session = session, .table = table };
	size_t unattached = 0;

	read_sysv(&objects);
	read_posix(&objects);
	processes_each_area(session, &query, table, visit_area, &objects);
	for (size_t i = 0; i < objects.count; i++) {
		unattached +=
		    objects.list[i].attached == 0 && objects.list[i].rss > 0;
		add_row(&objects, &objects.list[i]);
	}
	free(objects.list);
	session->may_be_empty = true;
	if (objects.count == 0)
		table_note(table, "nothing is shared on purpose");
	if (unattached > 0)
		table_note(table,
		    "%zu are mapped by nobody, and stay until they are "
		    "removed (ipcrm, rm)",
		    unattached);
	return true;
}

static const enum column_id shm_columns[] = { COL_SHM_KIND, COL_SHM_ID,
	COL_SHM_NAME, COL_USER, COL_SHM_SIZE, COL_SHM_RSS, COL_SHM_SWAP,
	COL_ATTACHED, COL_BY_PIDS, COLUMN_NONE };

const struct view shm_view = {
	.name = "shm",
	.command = "shm",
	.columns = shm_columns,
	.preset = "kind,id,user,size,resident,swap,attached,name,pids",
	.narrow = "pids,id,swap",
	.sort = "resident,size",
	.fill = fill_shm,
	.next = "quire ps -M /dev/shm   quire free",
};

int
shm_main(const struct options *options)
{
	return view_main(options, &shm_view);
}
