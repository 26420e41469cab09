/* SPDX-License-Identifier: MIT */
/*
 * pages_of.c: mappings page by page, out of PID/pagemap: a word for each page,
 * whose upper bits say where it is. Sums of them are columns, and so is a
 * picture. A cell of it stands for as many pages as it must; braille dots show
 * how many of its eight parts are mostly in RAM, a shade that it is out in
 * swap.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "map.h"
#include "page_scan.h"

#define CELLS_MAX   32u
#define DOTS        8u             /* parts of a cell */
#define BATCH       ((size_t)8192) /* pages a read */
#define BIT_PRESENT ((uint64_t)1 << 63)
#define BIT_SWAPPED ((uint64_t)1 << 62)

/* The bits that are summed up. */
static const struct {
	enum column_id id;
	uint64_t bit;
} sums[] = {
	{ COL_PM_PRESENT, BIT_PRESENT },
	{ COL_PM_SWAPPED, BIT_SWAPPED },
	{ COL_PM_FILE, (uint64_t)1 << 61 },
	{ COL_PM_PROTECTED, (uint64_t)1 << 57 },
	{ COL_PM_EXCLUSIVE, (uint64_t)1 << 56 },
	{ COL_PM_DIRTY, (uint64_t)1 << 55 },
};

#define SUM_COUNT (sizeof(sums) / sizeof(sums[0]))

/* A part of a mapping: counts of its pages. */
struct part {
	size_t pages, present, swapped;
};

/* All of a mapping. */
struct counted {
	size_t by_bit[SUM_COUNT];
	struct part parts[CELLS_MAX * DOTS]; /* of the picture */
	size_t part_count;
};

/* Takes words of the pages from done on, out of count. */
static void
count_words(struct counted *counted, const uint64_t *words, size_t pages,
    size_t done, size_t count)
{
	for (size_t i = 0; i < pages; i++) {
		struct part *part =
		    &counted->parts[(done + i) * counted->part_count / count];
		part->pages++;
		part->present += (words[i] & BIT_PRESENT) != 0;
		part->swapped += (words[i] & BIT_SWAPPED) != 0;
		for (size_t j = 0; j < SUM_COUNT; j++)
			counted->by_bit[j] += (words[i] & sums[j].bit) != 0;
	}
}

/* Reads [first, first + count) pages. */
static bool
read_pages(int fd, uint64_t first, size_t count, struct counted *counted)
{
	uint64_t *words = grow(NULL, BATCH * sizeof(*words));
	size_t done = 0;

	while (done < count) {
		size_t want = count - done < BATCH ? count - done : BATCH;
		ssize_t got = pread(fd, words, want * sizeof(*words),
		    (off_t)((first + done) * sizeof(*words)));
		if (got <= 0)
			break;
		size_t pages = (size_t)got / sizeof(*words);
		count_words(counted, words, pages, done, count);
		done += pages;
	}
	free(words);
	return done == count;
}

/* The dots of a braille cell from the top, left and right column in turn. */
static unsigned
dot_bit(size_t index)
{
	static const unsigned bits[DOTS] = { 0x01, 0x08, 0x02, 0x10, 0x04, 0x20,
		0x40, 0x80 };
	return bits[index];
}

static void
put_cell(struct buffer *picture, const struct part *parts, bool utf8)
{
	struct part sum = { 0, 0, 0 };
	unsigned dots = 0;

	for (size_t i = 0; i < DOTS; i++) {
		sum.pages += parts[i].pages;
		sum.present += parts[i].present;
		sum.swapped += parts[i].swapped;
		if (parts[i].present * 2 >= parts[i].pages &&
		    parts[i].present > 0)
			dots |= dot_bit(i);
	}
	if (sum.swapped > sum.present)
		buffer_puts(picture, utf8 ? "▒" : "s");
	else if (!utf8)
		buffer_puts(picture, sum.present * 4 >= sum.pages * 3 ? "#"
				     : sum.present > 0                ? "+"
								      : ".");
	else
		buffer_printf(picture, "\xe2%c%c", (char)(0xa0 | (dots >> 6)),
		    (char)(0x80 | (dots & 0x3f)));
}

static void
draw(struct table *table, size_t row, const struct counted *counted, bool utf8)
{
	struct buffer picture = { 0 };

	for (size_t i = 0; i < counted->part_count; i += DOTS)
		put_cell(&picture, counted->parts + i, utf8);
	if (picture.text != NULL)
		table_set_text(table, row, COL_PAGES, picture.text);
	buffer_fini(&picture);
}

static bool
is_empty(const struct table *table, size_t row)
{
	return table_get(table, row, COL_RSS)->number +
		   table_get(table, row, COL_SWAP)->number ==
	       0;
}

static void
set_row(struct table *table, size_t row, int fd, bool utf8)
{
	struct counted counted;
	uint64_t start =
	    (uint64_t)table_get(table, row, COL_START)->number / QR_PAGE_SIZE;
	uint64_t end =
	    (uint64_t)table_get(table, row, COL_END)->number / QR_PAGE_SIZE;
	size_t pages = (size_t)(end - start);
	size_t cells = (pages + DOTS - 1) / DOTS;

	memset(&counted, 0, sizeof(counted));
	cells = cells < CELLS_MAX ? cells : CELLS_MAX;
	counted.part_count = pages < cells * DOTS ? pages : cells * DOTS;
	/* Most of an address space is not there: its pages need no reading. */
	bool empty = pages == 0 || is_empty(table, row);
	if (!empty && !read_pages(fd, start, pages, &counted))
		return;
	for (size_t i = 0; i < SUM_COUNT; i++)
		table_set(table, row, sums[i].id,
		    (int64_t)(counted.by_bit[i] * QR_PAGE_SIZE));
	if (!empty)
		draw(table, row, &counted, utf8);
}

static bool
wants_words(const struct table *table)
{
	bool wants = table_wants(table, COL_PAGES);

	for (size_t i = 0; i < SUM_COUNT; i++)
		wants = wants || table_wants(table, sums[i].id);
	return wants;
}

void
map_want_pages(struct table *table)
{
	static const enum column_id places[] = { COL_START, COL_END, COL_RSS,
		COL_SWAP };

	if (!wants_words(table) && !page_scan_wants(table))
		return;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		table->columns[table_find(table, places[i])].wanted = true;
}

void
map_look_at_pages(struct session *session, struct table *table, int pid,
    size_t first)
{
	bool words = wants_words(table);
	char path[64];

	if (!words && !page_scan_wants(table))
		return;
	(void)snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	int fd = source_is_live(session->source)
		     ? open(path, O_RDONLY | O_CLOEXEC)
		     : -1;
	if (fd < 0) {
		session->is_partial = true;
		table_note(table, "pages cannot be looked at: %s",
		    source_is_live(session->source)
			? "it takes root, or the process's user"
			: "a capture does not hold them");
		return;
	}
	for (size_t row = first; words && row < table->row_count; row++)
		set_row(table, row, fd, session->term.utf8);
	page_scan(table, pid, fd, first);
	(void)close(fd);
}
