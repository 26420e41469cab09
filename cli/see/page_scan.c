/* SPDX-License-Identifier: MIT */
/*
 * page_scan.c: PAGEMAP_SCAN sorts pages into categories (Linux 6.7), and
 * PROCMAP_QUERY reads the build id of what is mapped (Linux 6.11).
 */
#include "page_scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* As the kernel's headers have them; those of Debian 12 do not. */
struct scan {
	uint64_t size, flags, start, end, walk_end, regions, region_count,
	    max_pages, inverted, mask, any_of, return_mask;
};

struct region {
	uint64_t start, end, categories;
};

struct query {
	uint64_t size, flags, address;
	uint64_t start, end, vma_flags, page_size, offset, inode;
	uint32_t device_major, device_minor, name_size, build_id_size;
	uint64_t name, build_id;
};

#define SCAN_PAGES  _IOWR('f', 16, struct scan)
#define QUERY_MAP   _IOWR('f', 17, struct query)
#define BUILD_BYTES 20u

_Static_assert(sizeof(struct scan) == 96, "as the kernel has it");
_Static_assert(sizeof(struct query) == 104, "as the kernel has it");

static const struct {
	enum column_id id;
	uint64_t category;
} scanned[] = {
	{ COL_PM_WRITTEN, 1u << 1 },
	{ COL_PM_ZERO, 1u << 5 },
	{ COL_PM_HUGE, 1u << 6 },
};

#define SCANNED (sizeof(scanned) / sizeof(scanned[0]))
#define REGIONS 256u /* a call */

bool
page_scan_wants(const struct table *table)
{
	bool wants = table_wants(table, COL_BUILD_ID);

	for (size_t i = 0; i < SCANNED; i++)
		wants = wants || table_wants(table, scanned[i].id);
	return wants;
}

/* Bytes of [start, end) in a category; -1: the kernel does not say. Each call
 * goes on where the last ended. */
static int64_t
bytes_of(int pagemap, uint64_t start, uint64_t end, uint64_t category)
{
	struct region regions[REGIONS];
	int64_t sum = 0;

	while (start < end) {
		struct scan scan = { .size = sizeof(scan),
			.start = start,
			.end = end,
			.regions = (uint64_t)(uintptr_t)regions,
			.region_count = REGIONS,
			.mask = category,
			.return_mask = category };
		int count = ioctl(pagemap, SCAN_PAGES, &scan);
		if (count < 0 || scan.walk_end <= start)
			return -1;
		for (int i = 0; i < count; i++)
			sum += (int64_t)(regions[i].end - regions[i].start);
		start = scan.walk_end;
	}
	return sum;
}

static void
set_build_id(struct table *table, size_t row, int maps, uint64_t start)
{
	unsigned char id[BUILD_BYTES];
	char text[2 * BUILD_BYTES + 1];
	struct query query = { .size = sizeof(query),
		.address = start,
		.build_id_size = sizeof(id),
		.build_id = (uint64_t)(uintptr_t)id };

	if (ioctl(maps, QUERY_MAP, &query) != 0 ||
	    query.build_id_size > sizeof(id))
		return;
	for (uint32_t i = 0; i < query.build_id_size; i++)
		(void)snprintf(text + (size_t)2 * i, 3, "%02x", id[i]);
	if (query.build_id_size > 0)
		table_set_text(table, row, COL_BUILD_ID, text);
}

void
page_scan(struct table *table, int pid, int pagemap, size_t first)
{
	char path[64];
	int maps = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	if (table_wants(table, COL_BUILD_ID))
		maps = open(path, O_RDONLY | O_CLOEXEC);
	for (size_t row = first; row < table->row_count; row++) {
		uint64_t start =
		    (uint64_t)table_get(table, row, COL_START)->number;
		uint64_t end = (uint64_t)table_get(table, row, COL_END)->number;
		for (size_t i = 0; i < SCANNED; i++) {
			if (!table_wants(table, scanned[i].id))
				continue;
			int64_t bytes =
			    bytes_of(pagemap, start, end, scanned[i].category);
			if (bytes >= 0)
				table_set(table, row, scanned[i].id, bytes);
		}
		if (maps >= 0)
			set_build_id(table, row, maps, start);
	}
	if (maps >= 0)
		(void)close(maps);
}
