/* SPDX-License-Identifier: MIT */
/* arena.c: a chain of blocks, the newest of which is cut from its start. */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/problem.h"

#define BLOCK_BYTES (64u << 10) /* of an ordinary block */

struct arena_block {
	struct arena_block *next;
	_Alignas(max_align_t) char bytes[];
};

void *
grow(void *memory, size_t size)
{
	void *grown = realloc(memory, size == 0 ? 1 : size);
	if (grown == NULL) {
		say("out of memory");
		exit(EXIT_FAILED);
	}
	return grown;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	size_t align = _Alignof(max_align_t);
	size = (size + align - 1) / align * align;
	if (size > arena->capacity - arena->used) {
		size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;
		struct arena_block *block =
		    grow(NULL, sizeof(*block) + capacity);
		block->next = arena->blocks;
		arena->blocks = block;
		arena->used = 0;
		arena->capacity = capacity;
	}
	void *memory = arena->blocks->bytes + arena->used;
	arena->used += size;
	return memset(memory, 0, size);
}

char *
arena_copy(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);
	memcpy(copy, text, length);
	return copy;
}

char *
arena_string(struct arena *arena, const char *text)
{
	return arena_copy(arena, text, strlen(text));
}

char *
arena_format(struct arena *arena, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int length = vsnprintf(NULL, 0, format, list);
	va_end(list);
	if (length < 0)
		length = 0;
	char *text = arena_alloc(arena, (size_t)length + 1);
	va_start(list, format);
	(void)vsnprintf(text, (size_t)length + 1, format, list);
	va_end(list);
	return text;
}

void
arena_fini(struct arena *arena)
{
	struct arena_block *block = arena->blocks;
	while (block != NULL) {
		struct arena_block *next = block->next;
		free(block);
		block = next;
	}
	*arena = (struct arena){ 0 };
}

void
buffer_reserve(struct buffer *buffer, size_t more)
{
	size_t wanted = buffer->length + more + 1;
	if (wanted <= buffer->capacity)
		return;
	size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity;
	while (capacity < wanted)
		capacity *= 2;
	buffer->text = grow(buffer->text, capacity);
	buffer->capacity = capacity;
	buffer->text[buffer->length] = '\0';
}

void
buffer_put(struct buffer *buffer, const char *text, size_t length)
{
	buffer_reserve(buffer, length);
	memcpy(buffer->text + buffer->length, text, length);
	buffer->length += length;
	buffer->text[buffer->length] = '\0';
}

void
buffer_puts(struct buffer *buffer, const char *text)
{
	buffer_put(buffer, text, strlen(text));
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int length = vsnprintf(NULL, 0, format, list);
	va_end(list);
	if (length <= 0)
		return;
	buffer_reserve(buffer, (size_t)length);
	va_start(list, format);
	(void)vsnprintf(buffer->text + buffer->length, (size_t)length + 1,
	    format, list);
	va_end(list);
	buffer->length += (size_t)length;
}

void
buffer_fini(struct buffer *buffer)
{
	free(buffer->text);
	*buffer = (struct buffer){ 0 };
}
