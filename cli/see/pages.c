/* SPDX-License-Identifier: MIT */
/*
 * pages.c: `quire pages`: all of RAM, page frame by page frame, out of
 * kpageflags: a picture on a screen, and sums by what frames are used for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/size.h"
#include "frames.h"
#include "views.h"

#define BATCH        ((size_t)65536) /* frames a read */
#define PICTURE_ROWS 16u

/* Bits of kpageflags. */
#define BIT(n)       ((uint64_t)1 << (n))
#define FLAG_LRU     BIT(5)
#define FLAG_SLAB    BIT(7)
#define FLAG_BUDDY   BIT(10)
#define FLAG_MAPPED  BIT(11)
#define FLAG_ANON    BIT(12)
#define FLAG_BACKED  BIT(14)
#define FLAG_HUGE    BIT(17)
#define FLAG_POISON  BIT(19)
#define FLAG_THP     BIT(22)
#define FLAG_OFFLINE BIT(23)
#define FLAG_PGTABLE BIT(26)

enum use {
	USE_FREE,
	USE_ANON,
	USE_THP,
	USE_SHARED,
	USE_FILE,
	USE_HUGE,
	USE_SLAB,
	USE_TABLE,
	USE_KERNEL,
	USE_OFFLINE,
	USE_BAD,
	USE_NONE, /* no RAM at that address; not shown */
	USE_COUNT,
};

static const struct {
	const char *name;
	char mark;
	enum style style;
	const char *meaning;
} uses[USE_COUNT] = {
	{ "free", '.', STYLE_FAINT, "Free blocks of the buddy allocator." },
	{ "anonymous", 'a', STYLE_ACCENT, "Anonymous memory of programs." },
	{ "anonymous-huge", 'A', STYLE_ACCENT,
	    "The same, in transparent huge pages." },
	{ "shared", 's', STYLE_WARN, "Shared memory and tmpfs." },
	{ "file", 'f', STYLE_GOOD, "Pages of files." },
	{ "hugetlb", 'h', STYLE_WARN, "Pages of hugetlbfs." },
	{ "slab", 'S', STYLE_BAD, "Objects of the kernel." },
	{ "pagetable", 't', STYLE_BAD, "Page tables." },
	{ "kernel", 'k', STYLE_BAD,
	    "Frames without a mark: the kernel and drivers, CPUs' free lists, "
	    "RAM not handed out yet." },
	{ "offline", 'o', STYLE_FAINT, "Given back to the hypervisor." },
	{ "bad", '!', STYLE_BAD, "Found defective, and taken out of use." },
	{ "none", ' ', STYLE_PLAIN, "" },
};

static enum use
use_of(uint64_t flags)
{
	if ((flags & FRAME_NOPAGE) != 0)
		return USE_NONE;
	if ((flags & FLAG_POISON) != 0)
		return USE_BAD;
	if ((flags & FLAG_OFFLINE) != 0)
		return USE_OFFLINE;
	if ((flags & FLAG_BUDDY) != 0)
		return USE_FREE;
	if ((flags & FLAG_HUGE) != 0)
		return USE_HUGE;
	if ((flags & FLAG_SLAB) != 0)
		return USE_SLAB;
	if ((flags & FLAG_PGTABLE) != 0)
		return USE_TABLE;
	if ((flags & FLAG_ANON) != 0)
		return (flags & FLAG_THP) != 0 ? USE_THP : USE_ANON;
	if ((flags & (FLAG_LRU | FLAG_MAPPED)) != 0)
		return (flags & FLAG_BACKED) != 0 ? USE_SHARED : USE_FILE;
	return USE_KERNEL;
}

/* The picture: cells of so many frames each, with counts by use. */
struct picture {
	uint64_t (*cells)[USE_COUNT];
	size_t count;
	size_t frames_per_cell;
	uint64_t sums[USE_COUNT];
	uint64_t mapped[USE_COUNT], shared[USE_COUNT]; /* of counts, if read */
};

/* counts: how often each frame is mapped; NULL: not asked for. */
static void
count_frames(struct picture *picture, const uint64_t *flags,
    const uint64_t *counts, size_t count, size_t first)
{
	for (size_t i = 0; i < count; i++) {
		enum use use = use_of(flags[i]);
		size_t cell = (first + i) / picture->frames_per_cell;
		picture->sums[use]++;
		if (counts != NULL) {
			picture->mapped[use] += counts[i] > 0;
			picture->shared[use] += counts[i] > 1;
		}
		if (cell >= picture->count) {
			picture->cells = grow(picture->cells,
			    (cell + 1024) * sizeof(*picture->cells));
			memset(picture->cells + picture->count, 0,
			    (cell + 1024 - picture->count) *
				sizeof(*picture->cells));
			picture->count = cell + 1024;
		}
		picture->cells[cell][use]++;
	}
}

int
frames_open(struct session *session, const char *path)
{
	int fd = source_is_live(session->source)
		     ? open(path, O_RDONLY | O_CLOEXEC)
		     : -1;
	if (fd >= 0)
		return fd;
	problem_what(&session->problem, EXIT_FAILED,
	    "page frames cannot be looked at");
	problem_why(&session->problem, "%s",
	    source_is_live(session->source) ? strerror(errno)
					    : "a capture does not hold them");
	problem_advise(&session->problem, "as root: quire pages");
	return -1;
}

static bool
read_frames(struct session *session, struct picture *picture, bool counts_maps)
{
	int fd = frames_open(session, "/proc/kpageflags");
	int count_fd = fd >= 0 && counts_maps
			   ? open("/proc/kpagecount", O_RDONLY | O_CLOEXEC)
			   : -1;
	if (fd < 0)
		return false;
	uint64_t *flags = grow(NULL, 2 * BATCH * sizeof(*flags));
	uint64_t *counts = flags + BATCH;
	size_t frames = 0;
	ssize_t got;
	while ((got = read(fd, flags, BATCH * sizeof(*flags))) > 0) {
		size_t count = (size_t)got / sizeof(*flags);
		bool counted =
		    count_fd >= 0 && read(count_fd, counts, (size_t)got) == got;
		count_frames(picture, flags, counted ? counts : NULL, count,
		    frames);
		frames += count;
	}
	free(flags);
	(void)close(fd);
	if (count_fd >= 0)
		(void)close(count_fd);
	return true;
}

static void
end_pages(struct session *session)
{
	struct picture *picture = session->state;
	if (picture != NULL)
		free(picture->cells);
	free(picture);
	session->state = NULL;
}

static bool
fill_pages(struct session *session, struct table *table)
{
	end_pages(session);
	struct picture *picture = grow(NULL, sizeof(*picture));
	memset(picture, 0, sizeof(*picture));
	picture->frames_per_cell = 512; /* a pageblock of 2 MiB */
	session->state = picture;
	bool counts_maps = table_wants_source(table, "kpagecount");
	if (!read_frames(session, picture, counts_maps))
		return false;
	for (int use = 0; use < USE_NONE; use++) {
		if (picture->sums[use] == 0)
			continue;
		size_t row = table_add_row(table);
		table_point_text(table, row, COL_PAGE_KIND, uses[use].name);
		table_point_text(table, row, COL_H_MEANING, uses[use].meaning);
		table_set(table, row, COL_FRAMES, (int64_t)picture->sums[use]);
		table_set(table, row, COL_FRAME_BYTES,
		    (int64_t)(picture->sums[use] * QR_PAGE_SIZE));
		if (!counts_maps)
			continue;
		table_set(table, row, COL_FRAME_MAPPED,
		    (int64_t)(picture->mapped[use] * QR_PAGE_SIZE));
		table_set(table, row, COL_FRAME_SHARED,
		    (int64_t)(picture->shared[use] * QR_PAGE_SIZE));
	}
	return true;
}

/* The use that most frames of some cells have. */
static enum use
main_use(const struct picture *picture, size_t from, size_t to)
{
	uint64_t sums[USE_COUNT] = { 0 };
	enum use best = USE_NONE;

	for (size_t cell = from; cell < to && cell < picture->count; cell++)
		for (int use = 0; use < USE_COUNT; use++)
			sums[use] += picture->cells[cell][use];
	for (int use = 0; use < USE_COUNT; use++)
		if (sums[use] > sums[best])
			best = (enum use)use;
	return best;
}

/* Cells that have RAM, without the gaps between. */
static void
screen_pages(struct session *session, struct table *table)
{
	const struct picture *picture = session->state;
	const struct term *term = &session->term;
	const struct style_of_table style = view_style(session);
	size_t *with_ram = grow(NULL, (picture->count + 1) * sizeof(size_t));
	size_t count = 0;
	char text[SIZE_TEXT_MAX];

	for (size_t cell = 0; cell < picture->count; cell++)
		if (main_use(picture, cell, cell + 1) != USE_NONE)
			with_ram[count++] = cell;
	size_t room = (size_t)(term->width - 2) * PICTURE_ROWS;
	size_t each = count / room + 1;
	char *caption = arena_format(&table->arena,
	    "each character: %s of RAM, by what most of it is used for",
	    size_format(each * picture->frames_per_cell * QR_PAGE_SIZE, text));
	term_wrap(term, caption, 0, 0);
	for (size_t at = 0, column = 0; at < count; at += each) {
		enum use use =
		    main_use(picture, with_ram[at], with_ram[at] + each);
		printf("%s%c%s", term_style(term, uses[use].style),
		    uses[use].mark, term_style(term, STYLE_PLAIN));
		if (++column == term->width - 2 || at + each >= count) {
			putchar('\n');
			column = 0;
		}
	}
	putchar('\n');
	for (int use = 0; use < USE_NONE; use++)
		if (picture->sums[use] > 0)
			printf("%c %s  ", uses[use].mark, uses[use].name);
	printf("\n\n");
	free(with_ram);
	write_screen(term, table, &style);
}

static const enum column_id pages_columns[] = { COL_PAGE_KIND, COL_FRAMES,
	COL_FRAME_BYTES, COL_FRAME_MAPPED, COL_FRAME_SHARED, COL_H_MEANING,
	COLUMN_NONE };

const struct view pages_view = {
	.name = "pages",
	.command = "pages",
	.columns = pages_columns,
	.preset = "kind,frames,size,meaning",
	.sort = "frames",
	.totals = true,
	.fill = fill_pages,
	.screen = screen_pages,
	.end = end_pages,
	.next = "quire pages --by cgroup   quire buddy   quire free",
};

int
pages_main(const struct options *options)
{
	return view_main(options, options->number[OPTION_PAGES_BY] == 0
				      ? &pages_view
				      : &pages_cgroup_view);
}
