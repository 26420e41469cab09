/* SPDX-License-Identifier: MIT */
/*
 * heap/foreign.c: pointers that are not this heap's. libc's own malloc is still
 * there under other names, and hands out blocks of its own: before this library
 * was loaded, or to a program that calls it by those names. They lie in the
 * area of brk, and go back to libc. What is neither is reported.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls_impl.h"

/* glibc's, by names that are reserved to it; other libcs have none. */
extern void __libc_free(void *block) __attribute__((weak));
extern void *__libc_realloc(void *block, size_t size) __attribute__((weak));

/* The longest line of a mapping, less its path. */
#define MAPS_BYTES 4096

/* Whether a line of maps is the area of brk and has the address. */
static bool
line_is_brk(const char *line, uintptr_t address)
{
	char *end;
	if (strstr(line, "[heap]") == NULL)
		return false;
	uintptr_t start = strtoul(line, &end, 16);
	if (*end != '-')
		return false;
	return address >= start && address < strtoul(end + 1, NULL, 16);
}

/* Looks through the maps, a line at a time. Allocates nothing. */
static bool
maps_search(int fd, uintptr_t address)
{
	char text[MAPS_BYTES];
	size_t have = 0;
	ssize_t got;
	while ((got = read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
		have += (size_t)got;
		text[have] = '\0';
		char *line = text;
		char *end;
		while ((end = strchr(line, '\n')) != NULL) {
			*end = '\0';
			if (line_is_brk(line, address))
				return true;
			line = end + 1;
		}
		have = strlen(line);
		memmove(text, line, have);
		if (have == sizeof(text) - 1)
			return false;
	}
	return false;
}

static bool
block_is_libc(const void *block)
{
	int saved = errno;
	if (__libc_free == NULL || ((uintptr_t)block & 15u) != 0)
		return false;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	bool found = fd >= 0 && maps_search(fd, (uintptr_t)block);
	if (fd >= 0)
		close(fd);
	errno = saved;
	return found;
}

bool
qr_heap_foreign_free(void *block)
{
	if (!block_is_libc(block))
		return false;
	__libc_free(block);
	return true;
}

bool
qr_heap_foreign_realloc(void *block, size_t size, void **moved)
{
	if (__libc_realloc == NULL || !block_is_libc(block))
		return false;
	*moved = __libc_realloc(block, size);
	return true;
}
