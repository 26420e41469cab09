/* SPDX-License-Identifier: MIT */
/*
 * symbols.c: `quire map PID --symbols`: the static objects of a program and
 * its libraries: what .data, .bss and .rodata are made of. One that is linked
 * in under several names counts once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/proc/elf_symbols.h"
#include "map.h"
#include "subject.h"
#include "views.h"

struct symbols {
	struct session *session;
	struct table *table;
	int pid;
	const char *image; /* that is being read */
	uint64_t *inodes;  /* of those that were */
	size_t inode_count;
	size_t stripped;                  /* images without any symbols */
	uint64_t last_address, last_size; /* of the object before */
};

static void
add_object(void *ctx, const struct elf_object *object)
{
	struct symbols *symbols = ctx;
	struct table *table = symbols->table;

	if (object->address == symbols->last_address &&
	    object->size == symbols->last_size)
		return;
	symbols->last_address = object->address;
	symbols->last_size = object->size;
	if (object->size > INT64_MAX >> 16)
		return;
	size_t row = table_add_row(table);
	table_set_text(table, row, COL_SYMBOL, object->name);
	table_set_text(table, row, COL_SECTION, object->section);
	table_point_text(table, row, COL_IMAGE, symbols->image);
	table_set(table, row, COL_SYMBOL_SIZE, (int64_t)object->size);
	table_set(table, row, COL_START, (int64_t)object->address);
}

static void
read_image(struct symbols *symbols, int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
	    status.st_size <= 0)
		return;
	size_t size = (size_t)status.st_size;
	void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	if (!elf_objects(map, size, add_object, symbols))
		symbols->stripped++;
	(void)munmap(map, size);
}

/* Each file once, by what is mapped and not by what has its name now. */
static void
visit_area(void *ctx, const struct smaps_area *area)
{
	struct symbols *symbols = ctx;
	char path[96];

	if (area->inode == 0 || area->name[0] != '/' || area->perms[2] != 'x')
		return;
	for (size_t i = 0; i < symbols->inode_count; i++)
		if (symbols->inodes[i] == area->inode)
			return;
	symbols->inodes = grow(symbols->inodes,
	    (symbols->inode_count + 1) * sizeof(*symbols->inodes));
	symbols->inodes[symbols->inode_count++] = area->inode;
	(void)snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx",
	    symbols->pid, (unsigned long long)area->start,
	    (unsigned long long)area->end);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = open(area->name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		symbols->session->is_partial = true;
		table_note(symbols->table, "%s could not be read: %s",
		    area->name, strerror(errno));
		return;
	}
	symbols->image = arena_string(&symbols->table->arena, area->name);
	read_image(symbols, fd);
	(void)close(fd);
}

static bool
fill_symbols(struct session *session, struct table *table)
{
	struct symbols symbols = { .session = session, .table = table };
	char path[64];

	if (!source_is_live(session->source)) {
		problem_what(&session->problem, EXIT_FAILED,
		    "a capture does not hold programs");
		return false;
	}
	if (!subject_find(session, &symbols.pid))
		return false;
	(void)snprintf(path, sizeof(path), "proc/%d/maps", symbols.pid);
	int error = smaps_read(session->source, path, visit_area, &symbols);
	free(symbols.inodes);
	if (error != 0)
		return subject_unreadable(session, symbols.pid, error);
	if (symbols.stripped > 0)
		table_note(table, "%zu images have no symbols",
		    symbols.stripped);
	session->may_be_empty = true;
	return true;
}

static const enum column_id symbol_columns[] = { COL_SYMBOL, COL_SECTION,
	COL_SYMBOL_SIZE, COL_START, COL_IMAGE, COLUMN_NONE };

const struct view map_symbols_view = {
	.name = "map-symbols",
	.command = "map",
	.columns = symbol_columns,
	.preset = "size,section,symbol,image",
	.narrow = "image",
	.sort = "size,symbol",
	.totals = true,
	.fill = fill_symbols,
	.next = "quire map PID --symbols -n 20   quire map PID",
};
