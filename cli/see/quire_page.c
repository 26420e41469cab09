/* SPDX-License-Identifier: MIT */
/*
 * quire_page.c: finds and copies statistics pages. A process on Quire has two
 * descriptors whose links tell: its page, and the ledger of its tree, whose
 * inode names the tree.
 */
#include "quire_page.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/size.h"

#define PAGE_LINK   "/memfd:" QR_STAT_PAGE_NAME " "
#define LEDGER_LINK "/memfd:quire-ledger "
#define COPY_TRIES  1000u /* of a page that is being written */

static int64_t
bytes(uint64_t pages)
{
	return pages > INT64_MAX >> QR_PAGE_SHIFT
		   ? INT64_MAX
		   : (int64_t)(pages << QR_PAGE_SHIFT);
}

/* Copies a whole page as its contract has it. */
static bool
copy_page(const void *map, struct qr_stat_page *page)
{
	const struct qr_stat_page *live = map;

	for (unsigned i = 0; i < COPY_TRIES; i++) {
		/* Acquire: pairs with the writer's release of an even
		 * sequence, in port/linux/stat_page.c. */
		uint64_t before =
		    __atomic_load_n(&live->sequence, __ATOMIC_ACQUIRE);
		memcpy(page, map, sizeof(*page));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		uint64_t after =
		    __atomic_load_n(&live->sequence, __ATOMIC_RELAXED);
		if ((before & 1) == 0 && before == after)
			return page->magic == QR_STAT_PAGE_MAGIC &&
			       page->version == QR_STAT_PAGE_VERSION;
	}
	return false;
}

static bool
read_page(const char *path, struct qr_stat_page *page)
{
	struct stat status;
	bool good = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (fstat(fd, &status) == 0 &&
	    (size_t)status.st_size >= sizeof(*page)) {
		void *map =
		    mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED) {
			good = copy_page(map, page);
			(void)munmap(map, sizeof(*page));
		}
	}
	(void)close(fd);
	return good;
}

bool
quire_page_read(int pid, struct quire_page *quire)
{
	char folder[64], path[400], target[128];
	struct dirent *entry;
	bool found = false;

	(void)snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	DIR *directory = opendir(folder);
	if (directory == NULL)
		return false;
	quire->tree = 0;
	while ((entry = readdir(directory)) != NULL) {
		struct stat status;
		(void)snprintf(path, sizeof(path), "%s/%s", folder,
		    entry->d_name);
		ssize_t length = readlink(path, target, sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = '\0';
		if (strncmp(target, PAGE_LINK, strlen(PAGE_LINK)) == 0)
			found = read_page(path, &quire->page) || found;
		else if (strncmp(target, LEDGER_LINK, strlen(LEDGER_LINK)) ==
			     0 &&
			 stat(path, &status) == 0)
			quire->tree = status.st_ino;
	}
	(void)closedir(directory);
	return found;
}

void
quire_page_set(const struct quire_page *quire, struct table *table, size_t row)
{
	const struct qr_stat_page *page = &quire->page;

	table_set(table, row, COL_BUDGET, bytes(page->budget_pages));
	table_set(table, row, COL_BUDGET_USED, bytes(page->used_pages));
	table_set(table, row, COL_CREDIT, bytes(page->credit_pages));
	table_set(table, row, COL_MANAGED_RAM, bytes(page->frames_user));
	table_set(table, row, COL_UNMANAGED, bytes(page->unmanaged_pages));
	table_set(table, row, COL_POOL, bytes(page->frames_pool));
	table_set(table, row, COL_HELD,
	    bytes(page->frames_user + page->swap_slots));
	table_set(table, row, COL_Q_STORED,
	    bytes(page->swap_pooled + page->swap_same_filled));
	table_set(table, row, COL_Q_COMPRESSED,
	    (int64_t)page->swap_pooled_bytes);
	table_set(table, row, COL_ON_DISK, bytes(page->swap_on_device));
	if (page->swap_pooled_bytes > 0)
		table_set(table, row, COL_Q_RATIO,
		    (int64_t)((double)(page->swap_pooled * QR_PAGE_SIZE) *
				  100.0 / (double)page->swap_pooled_bytes +
			      0.5));
	table_set(table, row, COL_FIRST_TOUCH,
	    (int64_t)page->faults_first_touch);
	table_set(table, row, COL_FROM_POOL, (int64_t)page->faults_pool);
	table_set(table, row, COL_FROM_DISK, (int64_t)page->faults_device);
}

void
quire_page_note(struct session *session, struct table *table, int pid)
{
	struct quire_page quire;
	char used[SIZE_TEXT_MAX], budget[SIZE_TEXT_MAX], stored[SIZE_TEXT_MAX],
	    pressed[SIZE_TEXT_MAX], disk[SIZE_TEXT_MAX];

	if (!source_is_live(session->source) || !quire_page_read(pid, &quire))
		return;
	const struct qr_stat_page *page = &quire.page;
	table_note(table,
	    "on Quire: %s of a budget of %s used by its tree; its own: %s "
	    "stored -> %s compressed, %s on disk",
	    size_format((uint64_t)bytes(page->used_pages), used),
	    size_format((uint64_t)bytes(page->budget_pages), budget),
	    size_format((uint64_t)bytes(
			    page->swap_pooled + page->swap_same_filled),
		stored),
	    size_format(page->swap_pooled_bytes, pressed),
	    size_format((uint64_t)bytes(page->swap_on_device), disk));
}

void
quire_pages_each(struct session *session,
    void (*visit)(void *ctx, int pid, const struct quire_page *quire),
    void *ctx)
{
	struct quire_page quire;
	const int *pids;
	size_t count;

	if (!source_is_live(session->source))
		return;
	count = source_pids(session->source, &pids);
	for (size_t i = 0; i < count; i++)
		if (quire_page_read(pids[i], &quire))
			visit(ctx, pids[i], &quire);
}
