/* SPDX-License-Identifier: MIT */
/*
 * pages_of.c: pictures of mappings, out of PID/pagemap: a word for each page,
 * bit 63 in RAM, bit 62 in swap. A cell of a picture stands for as many pages
 * as it must; braille dots show how many of its eight parts are mostly in
 * RAM, a shade that it is out in swap.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "map.h"

#define CELLS_MAX   32u
#define DOTS        8u             /* parts of a cell */
#define BATCH       ((size_t)8192) /* pages a read */
#define BIT_PRESENT ((uint64_t)1 << 63)
#define BIT_SWAPPED ((uint64_t)1 << 62)

/* A part of a mapping: counts of its pages. */
struct part {
	size_t pages, present, swapped;
};

/* Reads [first, first + count) pages into parts, count / parts to each. */
static bool
read_parts(int fd, uint64_t first, size_t count, struct part *parts,
    size_t part_count)
{
	uint64_t *words = grow(NULL, BATCH * sizeof(*words));
	size_t done = 0;

	memset(parts, 0, part_count * sizeof(*parts));
	while (done < count) {
		size_t want = count - done < BATCH ? count - done : BATCH;
		ssize_t got = pread(fd, words, want * sizeof(*words),
		    (off_t)((first + done) * sizeof(*words)));
		if (got <= 0)
			break;
		size_t pages = (size_t)got / sizeof(*words);
		for (size_t i = 0; i < pages; i++) {
			struct part *part =
			    &parts[(done + i) * part_count / count];
			part->pages++;
			part->present += (words[i] & BIT_PRESENT) != 0;
			part->swapped += (words[i] & BIT_SWAPPED) != 0;
		}
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
draw_row(struct table *table, size_t row, int fd, bool utf8)
{
	struct part parts[CELLS_MAX * DOTS];
	uint64_t start =
	    (uint64_t)table_get(table, row, COL_START)->number / QR_PAGE_SIZE;
	uint64_t end =
	    (uint64_t)table_get(table, row, COL_END)->number / QR_PAGE_SIZE;
	size_t pages = (size_t)(end - start);
	size_t cells = (pages + DOTS - 1) / DOTS;
	struct buffer picture = { 0 };

	if (pages == 0 || table_get(table, row, COL_RSS)->number +
				  table_get(table, row, COL_SWAP)->number ==
			      0)
		return;
	cells = cells < CELLS_MAX ? cells : CELLS_MAX;
	size_t part_count = pages < cells * DOTS ? pages : cells * DOTS;
	memset(parts, 0, sizeof(parts));
	if (!read_parts(fd, start, pages, parts, part_count))
		return;
	for (size_t i = 0; i < cells; i++)
		put_cell(&picture, parts + i * DOTS, utf8);
	if (picture.text != NULL)
		table_set_text(table, row, COL_PAGES, picture.text);
	buffer_fini(&picture);
}

void
map_draw_pages(struct session *session, struct table *table, int pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	int fd = source_is_live(session->source)
		     ? open(path, O_RDONLY | O_CLOEXEC)
		     : -1;
	if (fd < 0) {
		session->is_partial = true;
		table_note(table, "pages cannot be drawn: %s",
		    source_is_live(session->source)
			? "it takes root, or the process's user"
			: "a capture does not hold them");
		return;
	}
	for (size_t row = 0; row < table->row_count; row++)
		draw_row(table, row, fd, session->term.utf8);
	(void)close(fd);
}
