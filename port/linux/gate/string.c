/* SPDX-License-Identifier: MIT */
/*
 * gate/string.c: functions of <string.h> that the gate, or the compiler on
 * its own, calls.
 *
 * Hidden, so that they bind inside the library: libc's own may be replaced
 * by the program, and handlers must not run the program's code.
 */
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *memmove(void *to, const void *from, size_t size_bytes);
void *memset(void *at, int value, size_t size_bytes);
int memcmp(const void *a, const void *b, size_t size_bytes);
size_t strlen(const char *text);
int strncmp(const char *a, const char *b, size_t size_max);

void *
memcpy(void *restrict to, const void *restrict from, size_t size_bytes)
{
	void *at = to;
	__asm__ volatile("rep movsb"
			 : "+D"(at), "+S"(from), "+c"(size_bytes)
			 :
			 : "memory");
	return to;
}

void *
memmove(void *to, const void *from, size_t size_bytes)
{
	const unsigned char *source = from;
	unsigned char *target = to;
	if (target <= source || target >= source + size_bytes)
		return memcpy(to, from, size_bytes);
	source += size_bytes - 1;
	target += size_bytes - 1;
	__asm__ volatile("std; rep movsb; cld"
			 : "+D"(target), "+S"(source), "+c"(size_bytes)
			 :
			 : "memory");
	return to;
}

void *
memset(void *at, int value, size_t size_bytes)
{
	void *to = at;
	__asm__ volatile("rep stosb"
			 : "+D"(to), "+c"(size_bytes)
			 : "a"(value)
			 : "memory");
	return at;
}

int
memcmp(const void *a, const void *b, size_t size_bytes)
{
	const unsigned char *left = a;
	const unsigned char *right = b;
	for (size_t i = 0; i < size_bytes; i++) {
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	}
	return 0;
}

size_t
strlen(const char *text)
{
	size_t size = 0;
	while (text[size] != 0)
		size++;
	return size;
}

int
strncmp(const char *a, const char *b, size_t size_max)
{
	for (size_t i = 0; i < size_max; i++) {
		if (a[i] != b[i])
			return (unsigned char)a[i] < (unsigned char)b[i] ? -1
									 : 1;
		if (a[i] == 0)
			break;
	}
	return 0;
}
