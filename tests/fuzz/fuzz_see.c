/* SPDX-License-Identifier: MIT */
/*
 * fuzz_see.c: whatever bytes come, the readers of captures, of the kernel's
 * texts and of conditions return; what they hand on lies within the input. The
 * first byte chooses the reader.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/proc/elf_symbols.h"
#include "cli/proc/pairs.h"
#include "cli/proc/smaps.h"
#include "cli/table/arrange.h"
#include "random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

static void
take_area(void *ctx, const struct smaps_area *area)
{
	int64_t *sum = ctx;
	*sum += (int64_t)(strlen(area->name) + strlen(area->flags)) +
		smaps_uss(area);
	if (area->unknown_count > SMAPS_UNKNOWN_MAX)
		abort();
}

/* Puts the bytes where path leads: into memory. */
static bool
write_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz_see", MFD_CLOEXEC);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	return fd >= 0 && ftruncate(fd, 0) == 0 &&
	       pwrite(fd, data, size, 0) == (ssize_t)size;
}

/* A capture, and all of its processes. */
static void
read_capture(const uint8_t *data, size_t size)
{
	struct problem problem;
	struct buffer text = { 0 };
	const int *pids;
	int64_t sum = 0;
	char name[64];

	if (!write_file(data, size))
		return;
	struct source *source = source_open(path, &problem);
	if (source == NULL)
		return;
	size_t count = source_pids(source, &pids);
	for (size_t i = 0; i < count && i < 64; i++) {
		(void)snprintf(name, sizeof(name), "proc/%d/smaps", pids[i]);
		if (smaps_read(source, name, take_area, &sum) != 0)
			sum++;
	}
	if (source_read(source, "proc/meminfo", &text) == 0 &&
	    text.length > size)
		abort();
	(void)source_user(source, 1);
	buffer_fini(&text);
	source_close(source);
}

/* Texts of the kernel: areas by a folder that holds one file, and pairs. */
static void
read_pairs(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *at = text;
	struct pair pair;
	size_t seen = 0;

	if (text == NULL)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	while (pair_next(&at, &pair))
		seen += strlen(pair.key) + strlen(pair.text);
	if (seen > size)
		abort();
	free(text);
}

static void
take_object(void *ctx, const struct elf_object *object)
{
	size_t *seen = ctx;
	*seen += strlen(object->name) + strlen(object->section);
}

/* An ELF file: the bytes, or this very program with them written over it. */
static void
read_elf(const uint8_t *data, size_t size)
{
	static char own[1 << 20];
	static size_t own_size;
	size_t seen = 0;

	if (elf_objects(data, size, take_object, &seen))
		seen++;
	if (own_size == 0) {
		FILE *file = fopen("/proc/self/exe", "rb");
		own_size = file != NULL ? fread(own, 1, sizeof(own), file) : 0;
		if (file != NULL)
			(void)fclose(file);
	}
	if (size < 8 || own_size < 4096)
		return;
	uint32_t where;
	memcpy(&where, data, sizeof(where));
	size_t at = where % (own_size - 4096);
	size_t length = size - 4 < 64 ? size - 4 : 64;
	char kept[64];
	memcpy(kept, own + at, length);
	memcpy(own + at, data + 4, length);
	if (elf_objects(own, own_size, take_object, &seen))
		seen++;
	memcpy(own + at, kept, length);
}

static void
read_condition(const uint8_t *data, size_t size)
{
	static const enum column_id ids[] = { COL_PID, COL_COMM, COL_PSS,
		COL_START, COL_SHARE, COLUMN_NONE };
	struct table table;
	struct problem problem;
	struct sort_key key;
	char text[512];

	if (size >= sizeof(text))
		size = sizeof(text) - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	table_init(&table, ids);
	struct filter *filter = filter_parse(&table, text, &problem);
	for (int i = 0; i < 3; i++) {
		size_t row = table_add_row(&table);
		table_set(&table, row, COL_PID, i);
		table_set(&table, row, COL_PSS, i * 1000000);
		table_set_text(&table, row, COL_COMM, i == 0 ? "" : "name");
	}
	table_order_all(&table);
	if (filter != NULL)
		filter_rows(&table, filter);
	if (sort_parse(&table, text, &key, &problem))
		sort_rows(&table, &key);
	if (table.order_count > 3)
		abort();
	if (select_columns(&table, text, "pid", &problem) &&
	    table.shown_count == 0)
		abort();
	table_fini(&table);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		read_capture(data + 1, size - 1);
		break;
	case 1:
		read_pairs(data + 1, size - 1);
		break;
	case 2:
		read_elf(data + 1, size - 1);
		break;
	default:
		read_condition(data + 1, size - 1);
		break;
	}
	return 0;
}

#ifndef QUIRE_FUZZER
/* Bytes that resemble what the readers know. */
static size_t
make_up(struct test_random *random, uint8_t *data, size_t capacity)
{
	static const char *const pieces[] = { "pss", "comm", ">", "=", "~", "(",
		")", " and ", " or ", "not ", "1M", "'x'",
		"MemTotal:", " 12 kB\n", "\n", ":", "Rss:", "ustar",
		"\x28\xb5\x2f\xfd", "0000644", "1000-2000 rw-p 0 0:0 0",
		"1/smaps", "12345678901234", "%", ",", "-", "+" };
	size_t count = sizeof(pieces) / sizeof(pieces[0]);
	size_t size = 1;

	data[0] = (uint8_t)test_random_below(random, 256);
	for (uint64_t i = test_random_below(random, 60); i > 0; i--) {
		const char *piece = pieces[test_random_below(random, count)];
		size_t length = strlen(piece);
		if (size + length + 1 >= capacity)
			break;
		memcpy(data + size, piece, length);
		size += length;
		if (test_random_below(random, 8) == 0)
			data[size++] = (uint8_t)test_random_below(random, 256);
	}
	return size;
}

int
main(int argc, char **argv)
{
	static uint8_t data[1 << 20];

	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		if (file == NULL)
			return 1;
		size_t size = fread(data, 1, sizeof(data), file);
		(void)fclose(file);
		(void)LLVMFuzzerTestOneInput(data, size);
	}
	if (argc > 1)
		return 0;
	struct test_random random = test_random_start("fuzz_see");
	for (int i = 0; i < 6000; i++)
		(void)LLVMFuzzerTestOneInput(data,
		    make_up(&random, data, 2048));
	return 0;
}
#endif
