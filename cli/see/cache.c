/* SPDX-License-Identifier: MIT */
/*
 * cache.c: `quire cache`: which files hold the page cache. Files are found by
 * what processes map and have open, or are named; the kernel is asked about
 * each by cachestat (Linux 6.5), or mincore where it has none. Files that
 * nobody has open any more stay in the cache and cannot be found: what the
 * rows leave of it is said.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/size.h"
#include "meminfo.h"
#include "process.h"
#include "views.h"

#define CACHESTAT_CALL 451 /* on every architecture */

/* A file, known by device and inode. */
struct cached {
	uint64_t device, inode;
	size_t row;
	int64_t mapped, opened;
	int last_pid;
};

struct cache {
	struct session *session;
	struct table *table;
	struct cached *files;
	size_t count;
	size_t *slots; /* 1 + index */
	size_t slot_count;
	size_t unreadable;
};

static void
rehash(struct cache *cache)
{
	cache->slot_count = cache->slot_count * 2 + 256;
	cache->slots =
	    grow(cache->slots, cache->slot_count * sizeof(*cache->slots));
	memset(cache->slots, 0, cache->slot_count * sizeof(*cache->slots));
	cache->files =
	    grow(cache->files, cache->slot_count / 2 * sizeof(*cache->files));
	for (size_t i = 0; i < cache->count; i++) {
		size_t slot = (size_t)(cache->files[i].inode * 31 +
				       cache->files[i].device) %
			      cache->slot_count;
		while (cache->slots[slot] != 0)
			slot = (slot + 1) % cache->slot_count;
		cache->slots[slot] = i + 1;
	}
}

/* The entry of a file; *is_new: it was not there. */
static struct cached *
find(struct cache *cache, uint64_t device, uint64_t inode, bool *is_new)
{
	if (cache->count * 2 >= cache->slot_count)
		rehash(cache);
	size_t slot = (size_t)(inode * 31 + device) % cache->slot_count;
	for (; cache->slots[slot] != 0; slot = (slot + 1) % cache->slot_count) {
		struct cached *file = &cache->files[cache->slots[slot] - 1];
		if (file->device == device && file->inode == inode) {
			*is_new = false;
			return file;
		}
	}
	cache->slots[slot] = cache->count + 1;
	struct cached *file = &cache->files[cache->count++];
	*file = (struct cached){ .device = device,
		.inode = inode,
		.row = SIZE_MAX };
	*is_new = true;
	return file;
}

struct cache_counts {
	uint64_t cached, dirty, writeback, evicted,
	    recently_evicted; /* pages */
};

/* Pages in RAM by mincore; false: not told. */
static bool
count_by_mincore(int fd, size_t size, struct cache_counts *counts)
{
	size_t pages = (size + QR_PAGE_SIZE - 1) / QR_PAGE_SIZE;
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	unsigned char *vector = grow(NULL, pages);
	bool told = map != MAP_FAILED && mincore(map, size, vector) == 0;

	*counts = (struct cache_counts){ 0 };
	for (size_t i = 0; told && i < pages; i++)
		counts->cached += vector[i] & 1u;
	if (map != MAP_FAILED)
		(void)munmap(map, size);
	free(vector);
	return told;
}

static bool
count_pages(int fd, size_t size, struct cache_counts *counts)
{
	struct {
		uint64_t offset, length;
	} range = { 0, 0 };

	if (syscall(CACHESTAT_CALL, fd, &range, counts, 0) == 0)
		return true;
	return size > 0 && count_by_mincore(fd, size, counts);
}

/* Asks about an open file, and gives it a row if it is in RAM. */
static void
take_file(struct cache *cache, int fd, const struct stat *status,
    struct cached *file, const char *name)
{
	struct table *table = cache->table;
	struct cache_counts counts;
	int64_t page = (int64_t)QR_PAGE_SIZE;

	if (!count_pages(fd, (size_t)status->st_size, &counts) ||
	    (counts.cached == 0 &&
		cache->session->options->operands[0] == NULL))
		return;
	size_t row = table_add_row(table);
	file->row = row;
	table_set_text(table, row, COL_FILE, name);
	table_set(table, row, COL_FILE_SIZE, status->st_size);
	table_set(table, row, COL_RESIDENT, (int64_t)counts.cached * page);
	table_set(table, row, COL_FILE_DIRTY,
	    (int64_t)(counts.dirty + counts.writeback) * page);
	if (status->st_size > 0) {
		double share = (double)counts.cached * (double)page /
			       (double)status->st_size;
		table_set(table, row, COL_SHARE,
		    share >= 1.0 ? 10000 : (int64_t)(share * 10000.0));
	}
}

/* Opens a path, once for each file, and takes it. */
static struct cached *
take_path(struct cache *cache, const char *path, const char *name)
{
	struct stat status;
	bool is_new;

	if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return NULL;
	struct cached *file =
	    find(cache, status.st_dev, status.st_ino, &is_new);
	if (!is_new)
		return file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOATIME);
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		cache->unreadable++;
		return file;
	}
	take_file(cache, fd, &status, file, name);
	(void)close(fd);
	return file;
}

/* --- what processes map and have open --- */

static void
visit_area(void *ctx, int pid, const struct smaps_area *area)
{
	struct cache *cache = ctx;
	char path[64];

	if (area->inode == 0 || area->name[0] != '/')
		return;
	/* By its map, so that deleted and hidden files are found. */
	(void)snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
	    (unsigned long long)area->start, (unsigned long long)area->end);
	struct cached *file = take_path(cache, path, area->name);
	if (file == NULL)
		file = take_path(cache, area->name, area->name);
	if (file == NULL)
		return;
	file->mapped += file->last_pid != pid;
	file->last_pid = pid;
}

static void
visit_descriptors(struct cache *cache, int pid)
{
	char directory[64], path[400], target[PATH_MAX];
	struct dirent *entry;

	(void)snprintf(directory, sizeof(directory), "/proc/%d/fd", pid);
	DIR *descriptors = opendir(directory);
	if (descriptors == NULL)
		return;
	while ((entry = readdir(descriptors)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", directory,
		    entry->d_name);
		ssize_t length = readlink(path, target, sizeof(target) - 1);
		if (length <= 0 || target[0] != '/')
			continue;
		target[length] = '\0';
		struct cached *file = take_path(cache, path, target);
		if (file != NULL)
			file->opened++;
	}
	(void)closedir(descriptors);
}

static void
visit_processes(struct cache *cache)
{
	const struct process_query query = { 0 };
	const int *pids;

	processes_each_area(cache->session, &query, cache->table, visit_area,
	    cache);
	size_t count = source_pids(cache->session->source, &pids);
	for (size_t i = 0; i < count; i++)
		visit_descriptors(cache, pids[i]);
}

/* --- files that are named --- */

/* A file, or all below a folder; links are not followed within it. */
static bool
visit_path(struct cache *cache, char *path)
{
	char *paths[] = { path, NULL };
	FTSENT *entry;
	FTS *walk =
	    fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);

	if (walk == NULL)
		return false;
	int error = 0;
	while ((entry = fts_read(walk)) != NULL) {
		if (entry->fts_info == FTS_F)
			(void)take_path(cache, entry->fts_path,
			    entry->fts_path);
		else if (entry->fts_info == FTS_NS && entry->fts_level == 0)
			error = entry->fts_errno;
		else if (entry->fts_info == FTS_DNR)
			cache->unreadable++;
	}
	(void)fts_close(walk);
	errno = error;
	return error == 0;
}

static void
note_rest(struct session *session, struct cache *cache)
{
	struct meminfo meminfo;
	char found[SIZE_TEXT_MAX], all[SIZE_TEXT_MAX];
	int64_t sum = 0;

	for (size_t row = 0; row < cache->table->row_count; row++)
		sum += table_get(cache->table, row, COL_RESIDENT)->number;
	if (cache->unreadable > 0) {
		session->is_partial = true;
		table_note(cache->table, "%zu files could not be opened",
		    cache->unreadable);
	}
	if (session->options->operands[0] != NULL ||
	    !meminfo_read(session, &meminfo))
		return;
	table_note(cache->table,
	    "%s of %s in files and shared memory are found here; the rest "
	    "nobody has open",
	    size_format((uint64_t)sum, found),
	    size_format((uint64_t)(meminfo.files + meminfo.shmem), all));
}

static bool
fill_cache(struct session *session, struct table *table)
{
	struct cache cache = { .session = session, .table = table };

	if (!source_is_live(session->source)) {
		problem_what(&session->problem, EXIT_FAILED,
		    "a capture does not hold the page cache");
		problem_advise(&session->problem, "quire cache");
		return false;
	}
	table->columns[table_find(table, COL_RESIDENT)].wanted = true;
	char **operand = session->options->operands;
	for (; *operand != NULL; operand++)
		if (!visit_path(&cache, *operand)) {
			problem_what(&session->problem, EXIT_FAILED,
			    "cannot look at %s", *operand);
			problem_why(&session->problem, "%s", strerror(errno));
			free(cache.files);
			free(cache.slots);
			return false;
		}
	if (session->options->operands[0] == NULL)
		visit_processes(&cache);
	for (size_t i = 0; i < cache.count; i++) {
		if (cache.files[i].row == SIZE_MAX)
			continue;
		table_set(table, cache.files[i].row, COL_MAPPED,
		    cache.files[i].mapped);
		table_set(table, cache.files[i].row, COL_OPENED,
		    cache.files[i].opened);
	}
	note_rest(session, &cache);
	free(cache.files);
	free(cache.slots);
	return true;
}

static const enum column_id cache_columns[] = { COL_FILE, COL_FILE_SIZE,
	COL_RESIDENT, COL_SHARE, COL_FILE_DIRTY, COL_MAPPED, COL_OPENED,
	COLUMN_NONE };

const struct view cache_view = {
	.name = "cache",
	.command = "cache",
	.columns = cache_columns,
	.preset = "resident,size,share,dirty,mapped,opened,file",
	.narrow = "dirty,opened",
	.sort = "resident,file",
	.fill = fill_cache,
	.next = "quire cache DIR   quire free",
};

int
cache_main(const struct options *options)
{
	return view_main(options, &cache_view);
}
