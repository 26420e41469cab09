/* SPDX-License-Identifier: MIT */
/*
 * areas.c: `quire free --like=smem`: smem's view of the whole machine: what
 * the firmware and the kernel's image keep, what the kernel and programs use,
 * and what is free; of each, what is cache. The size of RAM and of the image
 * are those of iomem, which tells root alone, unless the options say.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <elf.h>

#include "cli/proc/pairs.h"
#include "meminfo.h"
#include "views.h"

#define SEGMENTS_MAX 64

/* What iomem tells of RAM: bytes; 0 where it tells nobody but root. */
struct layout {
	int64_t ram;
	int64_t image;
};

/* "  00100000-bfffffff : System RAM" */
static void
take_range(struct layout *layout, const char *line)
{
	unsigned long long start, end;
	char name[32];

	if (sscanf(line, "%llx-%llx : %31[^\n]", &start, &end, name) != 3 ||
	    end <= start || end - start > INT64_MAX / 4)
		return;
	int64_t size = (int64_t)(end - start) + 1;
	if (strcmp(name, "System RAM") == 0)
		layout->ram += size;
	else if (strncmp(name, "Kernel ", 7) == 0)
		layout->image += size;
}

static struct layout
layout_read(struct session *session)
{
	struct layout layout = { 0, 0 };
	char *line;
	char *text = session_read(session, "proc/iomem");

	while ((line = line_next(&text)) != NULL)
		take_range(&layout, line);
	return layout;
}

/* What an ELF file of a kernel takes once it is loaded. False: problem. */
static bool
image_size(const char *path, int64_t *size, struct problem *problem)
{
	Elf64_Ehdr head = { .e_phnum = 0 };
	Elf64_Phdr segments[SEGMENTS_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t count = 0;

	*size = 0;
	if (fd >= 0 && pread(fd, &head, sizeof(head), 0) == sizeof(head) &&
	    memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
	    head.e_ident[EI_CLASS] == ELFCLASS64 &&
	    head.e_phnum <= SEGMENTS_MAX) {
		ssize_t length = (ssize_t)(head.e_phnum * sizeof(*segments));
		if (pread(fd, segments, (size_t)length, (off_t)head.e_phoff) ==
		    length)
			count = head.e_phnum;
	}
	if (fd >= 0)
		(void)close(fd);
	for (size_t i = 0; i < count; i++)
		if (segments[i].p_type == PT_LOAD &&
		    segments[i].p_memsz < INT32_MAX)
			*size += (int64_t)segments[i].p_memsz;
	if (*size > 0)
		return true;
	problem_what(problem, EXIT_FAILED, "%s is no kernel image", path);
	problem_why(problem, "an ELF file of 64 bits is wanted, a vmlinux");
	return false;
}

static void
add_area(struct table *table, const char *name, int64_t used, int64_t cache)
{
	size_t row = table_add_row(table);

	table_set(table, row, COL_AREA_ORDER, (int64_t)row);
	table_point_text(table, row, COL_RAM_AREA, name);
	table_set(table, row, COL_AREA_USED, used);
	table_set(table, row, COL_AREA_CACHE, cache);
	table_set(table, row, COL_AREA_NONCACHE, used - cache);
}

static bool
fill_areas(struct session *session, struct table *table)
{
	const struct options *options = session->options;
	struct meminfo m;

	if (!meminfo_read(session, &m))
		return false;
	struct layout layout = layout_read(session);
	if (session_has(session, OPTION_RAM))
		layout.ram = (int64_t)options->number[OPTION_RAM];
	if (session_has(session, OPTION_KERNEL_IMAGE) &&
	    !image_size(options->text[OPTION_KERNEL_IMAGE], &layout.image,
		&session->problem))
		return false;
	int64_t kept = layout.ram > m.total ? layout.ram - m.total : 0;
	int64_t image = layout.image < kept ? layout.image : kept;
	int64_t programs = m.anon + m.mapped;
	add_area(table, "firmware/hardware", kept - image, 0);
	add_area(table, "kernel image", image, 0);
	add_area(table, "kernel dynamic memory", m.total - m.free - programs,
	    m.buffers + m.sreclaimable + m.cached - m.mapped);
	add_area(table, "userspace memory", programs, m.mapped);
	add_area(table, "free memory", m.free, m.free);
	if (kept == 0)
		table_note(table, "what firmware and the kernel's image keep "
				  "is not known: iomem tells root alone; "
				  "--ram says how much RAM there is");
	return true;
}

static const enum column_id areas_columns[] = { COL_AREA_ORDER, COL_RAM_AREA,
	COL_AREA_USED, COL_AREA_CACHE, COL_AREA_NONCACHE, COLUMN_NONE };

const struct view areas_view = {
	.name = "free-areas",
	.command = "free",
	.columns = areas_columns,
	.preset = "area,used,cache,noncache",
	.sort = "",
	.fill = fill_areas,
	.next = "quire free   quire free --formula",
};
