/* SPDX-License-Identifier: MIT */
/* arena.h: memory that is freed all at once, and text that grows. */
#ifndef CLI_TABLE_ARENA_H
#define CLI_TABLE_ARENA_H

#include <stddef.h>

#include <qr/types.h>

struct arena_block;

/* All zero: empty. */
struct arena {
	struct arena_block *blocks;
	size_t used;     /* bytes of the newest block */
	size_t capacity; /* likewise */
};

/* Zeroed memory, aligned for anything. Without memory the command ends. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_copy(struct arena *arena, const char *text, size_t length);
char *arena_string(struct arena *arena, const char *text);
char *arena_format(struct arena *arena, const char *format, ...)
    QR_PRINTF(2, 3);
void arena_fini(struct arena *arena);

/* realloc that ends the command where there is no memory. */
void *grow(void *memory, size_t size);

/* Bytes that grow; NUL-ended always once anything was put in. */
struct buffer {
	char *text;
	size_t length;
	size_t capacity;
};

/* Makes room for so many more bytes and a NUL. */
void buffer_reserve(struct buffer *buffer, size_t more);
void buffer_put(struct buffer *buffer, const char *text, size_t length);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    QR_PRINTF(2, 3);
void buffer_fini(struct buffer *buffer);

#endif
