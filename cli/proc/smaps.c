/* SPDX-License-Identifier: MIT */
/*
 * smaps.c: reads areas. A line that begins with a hexadecimal digit begins an
 * area, one that begins with a capital is a key of it; the kernel escapes
 * line ends in names. Pieces of text come as the source reads them, so an area
 * may begin in one and go on in the next: what is kept of it is copied.
 */
#include "smaps.h"

#include <stdlib.h>
#include <string.h>

#include "pairs.h"

#define LEARNED_MAX 48u
#define KEY_FLAGS   (-1)
#define KEY_UNKNOWN (-2)

/* The keys of an area in the kernel's order. */
struct learned {
	char text[48];
	size_t length;
	int key; /* enum smaps_key or one of KEY_ */
};

/* What was learned holds for all processes of a kernel; for another's file
 * the expectation fails, and the key is looked up. */
static struct learned learned_keys[LEARNED_MAX];
static unsigned learned_count;

struct reader {
	struct smaps_area area;
	bool has_area;
	struct buffer name;
	struct buffer flags;
	unsigned next; /* of learned_keys, which is expected */
	void (*visit)(void *ctx, const struct smaps_area *area);
	void *ctx;
};

static int
find_key(const char *text, size_t length)
{
	static const char *const keys[] = {
#define SMAPS_NAME(name, key) key,
		SMAPS_TABLE(SMAPS_NAME)
#undef SMAPS_NAME
	};
	if (length == 7 && memcmp(text, "VmFlags", 7) == 0)
		return KEY_FLAGS;
	for (int i = 0; i < SMAPS_KEYS; i++)
		if (strlen(keys[i]) == length &&
		    memcmp(keys[i], text, length) == 0)
			return i;
	return KEY_UNKNOWN;
}

static uint64_t
hex_next(const char **at)
{
	uint64_t number = 0;
	for (;; (*at)++) {
		char c = **at;
		if (c >= '0' && c <= '9')
			number = number << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			number = number << 4 | (uint64_t)(c - 'a' + 10);
		else
			return number;
	}
}

static void
skip(const char **at, char c)
{
	while (**at == c)
		(*at)++;
}

static void
finish(struct reader *reader)
{
	if (reader->has_area) {
		reader->area.name =
		    reader->name.length > 0 ? reader->name.text : "";
		reader->area.flags =
		    reader->flags.length > 0 ? reader->flags.text : "";
		reader->visit(reader->ctx, &reader->area);
	}
	reader->has_area = false;
}

/* "start-end perms offset major:minor inode   name" */
static void
take_head(struct reader *reader, const char *line)
{
	struct smaps_area *area = &reader->area;
	const char *at = line;

	finish(reader);
	memset(area, 0, offsetof(struct smaps_area, unknown));
	area->unknown_count = 0;
	area->start = hex_next(&at);
	if (*at != '-')
		return;
	at++;
	area->end = hex_next(&at);
	skip(&at, ' ');
	for (unsigned i = 0; i < 4 && *at != ' ' && *at != '\0'; i++)
		area->perms[i] = *at++;
	skip(&at, ' ');
	area->offset = hex_next(&at);
	skip(&at, ' ');
	area->device_major = (unsigned)hex_next(&at);
	at += *at == ':';
	area->device_minor = (unsigned)hex_next(&at);
	skip(&at, ' ');
	area->inode = (uint64_t)number_next(&at);
	skip(&at, ' ');
	reader->name.length = 0;
	buffer_puts(&reader->name, at);
	reader->flags.length = 0;
	reader->has_area = area->end >= area->start;
	reader->next = 0;
}

static void
take_value(struct reader *reader, const struct learned *learned,
    const char *text)
{
	struct smaps_area *area = &reader->area;

	skip(&text, ' ');
	if (learned->key == KEY_FLAGS) {
		reader->flags.length = 0;
		buffer_puts(&reader->flags, text);
		while (reader->flags.length > 0 &&
		       reader->flags.text[reader->flags.length - 1] == ' ')
			reader->flags.text[--reader->flags.length] = '\0';
		return;
	}
	int64_t number = number_next(&text);
	bool is_bytes = text[0] == ' ' && text[1] == 'k';
	if (is_bytes)
		number = number > INT64_MAX / 1024 ? INT64_MAX : number * 1024;
	if (learned->key >= 0) {
		area->value[learned->key] = number;
		area->has |= 1u << learned->key;
	} else if (area->unknown_count < SMAPS_UNKNOWN_MAX) {
		struct smaps_unknown *unknown =
		    &area->unknown[area->unknown_count++];
		memcpy(unknown->key, learned->text, sizeof(unknown->key));
		unknown->number = number;
		unknown->is_bytes = is_bytes;
	}
}

/* "Key:   number kB" */
static void
take_key(struct reader *reader, const char *line)
{
	struct learned *learned = &learned_keys[reader->next];
	struct learned other = { .length = 0 };

	if (reader->next < learned_count &&
	    strncmp(line, learned->text, learned->length) == 0 &&
	    line[learned->length] == ':') {
		reader->next++;
		take_value(reader, learned, line + learned->length + 1);
		return;
	}
	size_t length = strcspn(line, ": ");
	if (line[length] != ':' || length >= sizeof(other.text))
		return;
	memcpy(other.text, line, length);
	other.length = length;
	other.key = find_key(line, length);
	if (reader->next == learned_count && learned_count < LEARNED_MAX) {
		*learned = other;
		learned_count++;
		reader->next++;
	}
	take_value(reader, &other, line + length + 1);
}

static void
take_text(void *ctx, char *text, size_t length)
{
	struct reader *reader = ctx;
	char *end = text + length;

	while (text < end) {
		char *line = text;
		char *newline = memchr(line, '\n', (size_t)(end - line));
		text = newline != NULL ? newline + 1 : end;
		if (newline != NULL)
			*newline = '\0';
		if (*line >= 'A' && *line <= 'Z') {
			if (reader->has_area)
				take_key(reader, line);
		} else if ((*line >= '0' && *line <= '9') ||
			   (*line >= 'a' && *line <= 'f')) {
			take_head(reader, line);
		}
	}
}

int
smaps_read(struct source *source, const char *path,
    void (*visit)(void *ctx, const struct smaps_area *area), void *ctx)
{
	struct reader *reader = grow(NULL, sizeof(*reader));

	memset(reader, 0, sizeof(*reader));
	reader->visit = visit;
	reader->ctx = ctx;
	int error = source_read_lines(source, path, take_text, reader);
	finish(reader);
	buffer_fini(&reader->name);
	buffer_fini(&reader->flags);
	free(reader);
	return error;
}
