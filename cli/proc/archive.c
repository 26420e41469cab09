/* SPDX-License-Identifier: MIT */
/*
 * archive.c: a source that is a tar file: ours, smemcap's, busybox's, or one
 * of a directory with proc/ in it. Files of the ustar and the old format are
 * read, with the long names of pax and GNU; all else in a tar is passed over.
 * The bytes are a stranger's: every length is checked against what is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "source_impl.h"

#define TAR_BLOCK   512u
#define ZSTD_MAGIC  "\x28\xb5\x2f\xfd"
#define BYTES_MAX   ((size_t)4 << 30) /* of a capture, expanded */
#define ENTRIES_MAX 4000000u
#define FIRST_BYTES ((size_t)64 << 10)
#define STEP_BYTES  ((size_t)1 << 20)

static bool
complain(struct problem *problem, const char *name, const char *why)
{
	problem_what(problem, EXIT_FAILED, "%s: cannot be read as a capture",
	    name);
	problem_why(problem, "%s", why);
	return false;
}

/* An octal field, or a binary one as GNU has it. False: neither. */
static bool
tar_number(const char *field, size_t size, uint64_t *number)
{
	uint64_t value = 0;
	size_t i = 0;

	if ((unsigned char)field[0] == 0x80) {
		for (i = 1; i < size; i++) {
			if (value >> 55 != 0)
				return false;
			value = value << 8 | (unsigned char)field[i];
		}
		*number = value;
		return true;
	}
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value >> 60 != 0)
			return false;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	*number = value;
	return i == size || field[i] == '\0' || field[i] == ' ';
}

static bool
checksum_is_right(const char *block)
{
	uint64_t wanted;
	uint64_t sum = 0;

	if (!tar_number(block + 148, 8, &wanted))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : (unsigned char)block[i];
	return sum == wanted;
}

/* "path" out of a pax record "27 path=...\n". NULL: it has none. */
static const char *
pax_path(struct arena *arena, const char *data, size_t size)
{
	size_t at = 0;
	while (at < size) {
		size_t length = 0, digits = at;
		while (digits < size && data[digits] >= '0' &&
		       data[digits] <= '9' && length < size)
			length = length * 10 + (size_t)(data[digits++] - '0');
		if (length == 0 || length > size - at || digits >= size ||
		    data[digits] != ' ' || digits + 1 >= at + length)
			return NULL;
		const char *record = data + digits + 1;
		size_t rest = at + length - (digits + 1);
		if (rest > 6 && strncmp(record, "path=", 5) == 0)
			return arena_copy(arena, record + 5, rest - 6);
		at += length;
	}
	return NULL;
}

/* The name as source.h has paths: of /proc without proc/. */
static const char *
plain_name(const char *name)
{
	while (strncmp(name, "./", 2) == 0 || *name == '/')
		name += *name == '/' ? 1 : 2;
	return strncmp(name, "proc/", 5) == 0 ? name + 5 : name;
}

static const char *
block_name(struct arena *arena, const char *block)
{
	size_t length = strnlen(block, 100);
	size_t prefix = 0;
	if (strncmp(block + 257, "ustar", 5) == 0)
		prefix = strnlen(block + 345, 155);
	char *name = arena_alloc(arena, prefix + 1 + length + 1);
	if (prefix > 0) {
		memcpy(name, block + 345, prefix);
		name[prefix++] = '/';
	}
	memcpy(name + prefix, block, length);
	/* Directories end in a slash; nobody asks for that. */
	size_t end = prefix + length;
	while (end > 0 && name[end - 1] == '/')
		name[--end] = '\0';
	return name;
}

static void
add_entry(struct archive *archive, const struct archive_entry *entry)
{
	if ((archive->count & (archive->count - 1)) == 0)
		archive->entries = grow(archive->entries,
		    (archive->count * 2 + 1) * sizeof(*archive->entries));
	archive->entries[archive->count++] = *entry;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct archive_entry *left = a, *right = b;
	int order = strcmp(left->name, right->name);
	/* Of two with one name the later one counts, as tar extracts it. */
	return order != 0
		   ? order
		   : (left->data < right->data) - (left->data > right->data);
}

/* Takes one member; false: what is wrong stands in *why. */
static bool
take_member(struct archive *archive, size_t *at, const char **long_name,
    const char **why)
{
	const char *block = archive->bytes + *at;
	struct archive_entry entry = { .data = block + TAR_BLOCK };
	uint64_t size, uid;

	if (!checksum_is_right(block)) {
		*why = "a header's checksum is wrong";
		return false;
	}
	if (!tar_number(block + 124, 12, &size) ||
	    size > archive->length - *at - TAR_BLOCK) {
		*why = "it ends in the middle of a file";
		return false;
	}
	entry.size = (size_t)size;
	entry.uid = tar_number(block + 108, 8, &uid) ? (uint32_t)uid : 0;
	*at += TAR_BLOCK;
	size_t padded = (entry.size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	*at = padded > archive->length - *at ? archive->length : *at + padded;
	char type = block[156];
	if (type == 'x' || type == 'L') {
		*long_name =
		    type == 'x'
			? pax_path(&archive->arena, entry.data, entry.size)
			: arena_copy(&archive->arena, entry.data, entry.size);
		return true;
	}
	entry.name =
	    plain_name(*long_name != NULL ? *long_name
					  : block_name(&archive->arena, block));
	*long_name = NULL;
	if ((type == '0' || type == '\0' || type == '5') &&
	    entry.name[0] != '\0' && archive->count < ENTRIES_MAX)
		add_entry(archive, &entry);
	return true;
}

bool
archive_parse(struct archive *archive, const char *name,
    struct problem *problem)
{
	const char *long_name = NULL;
	const char *why = NULL;
	size_t at = 0;

	while (archive->length - at >= TAR_BLOCK) {
		if (archive->bytes[at] == '\0')
			break; /* the end, or padding */
		if (!take_member(archive, &at, &long_name, &why))
			return complain(problem, name,
			    archive->count == 0 ? "it is no tar file" : why);
	}
	if (archive->count == 0)
		return complain(problem, name, "there are no files in it");
	if (archive->length - at < TAR_BLOCK)
		return complain(problem, name,
		    "it is cut short: a tar ends in an empty block");
	qsort(archive->entries, archive->count, sizeof(*archive->entries),
	    compare_entries);
	return true;
}

static bool
read_all(int fd, struct archive *archive, struct problem *problem,
    const char *name)
{
	for (;;) {
		/* Half as much again, so that it is moved seldom. */
		size_t step = archive->length / 2 + FIRST_BYTES;
		if (archive->length + step > BYTES_MAX)
			return complain(problem, name, "it is too large");
		archive->bytes = grow(archive->bytes, archive->length + step);
		ssize_t got = read(fd, archive->bytes + archive->length, step);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return complain(problem, name, strerror(errno));
		if (got == 0)
			return true;
		archive->length += (size_t)got;
	}
}

static bool
expand(struct archive *archive, struct problem *problem, const char *name)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	ZSTD_inBuffer in = { archive->bytes, archive->length, 0 };
	ZSTD_outBuffer out = { NULL, 0, 0 };
	const char *why = stream == NULL ? "out of memory" : NULL;
	size_t left = 1;

	while (why == NULL && (in.pos < in.size || left == 0)) {
		if (in.pos == in.size)
			break;
		if (out.pos + STEP_BYTES > BYTES_MAX)
			why = "it is too large";
		out.dst = grow(out.dst, out.pos + STEP_BYTES);
		out.size = out.pos + STEP_BYTES;
		left = ZSTD_decompressStream(stream, &out, &in);
		if (ZSTD_isError(left))
			why = ZSTD_getErrorName(left);
	}
	/* What is still inside of the decoder comes without more input. */
	while (why == NULL && left != 0) {
		size_t before = out.pos;
		out.dst = grow(out.dst, out.pos + STEP_BYTES);
		out.size = out.pos + STEP_BYTES;
		left = ZSTD_decompressStream(stream, &out, &in);
		if (ZSTD_isError(left) || out.pos == before)
			why = "it is cut short";
	}
	(void)ZSTD_freeDStream(stream);
	free(archive->bytes);
	archive->bytes = out.dst;
	archive->length = out.pos;
	return why == NULL || complain(problem, name, why);
}

bool
archive_open(struct archive *archive, int fd, const char *name,
    struct problem *problem)
{
	*archive = (struct archive){ 0 };
	if (!read_all(fd, archive, problem, name))
		return false;
	if (archive->length >= 4 &&
	    memcmp(archive->bytes, ZSTD_MAGIC, 4) == 0 &&
	    !expand(archive, problem, name))
		return false;
	return archive_parse(archive, name, problem);
}

void
archive_close(struct archive *archive)
{
	free(archive->bytes);
	free(archive->entries);
	arena_fini(&archive->arena);
}

const struct archive_entry *
archive_find(const struct archive *archive, const char *path)
{
	size_t low = 0, high = archive->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(archive->entries[middle].name, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == archive->count ||
	    strcmp(archive->entries[low].name, path) != 0)
		return NULL;
	return &archive->entries[low];
}
