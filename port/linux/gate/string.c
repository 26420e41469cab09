/* SPDX-License-Identifier: MIT */
/*
 * gate/string.c: functions of <string.h> that the gate, or the compiler on
 * its own, calls.
 *
 * Hidden, so that they bind inside the library: libc's own may be replaced
 * by the program, and handlers must not run the program's code.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *memmove(void *to, const void *from, size_t size_bytes);
void *memset(void *at, int value, size_t size_bytes);
int memcmp(const void *a, const void *b, size_t size_bytes);
size_t strlen(const char *text);
int strncmp(const char *a, const char *b, size_t size_max);

/* Unaligned words, whatever lies there. */
typedef uint64_t __attribute__((may_alias, aligned(1))) word8;
typedef uint32_t __attribute__((may_alias, aligned(1))) word4;

/* From here on the processor's own string instructions win, bytes. */
#define STRING_SIZE_LONG 256u

void *
memcpy(void *restrict to, const void *restrict from, size_t size_bytes)
{
	unsigned char *target = to;
	const unsigned char *source = from;
	if (size_bytes >= STRING_SIZE_LONG) {
		__asm__ volatile("rep movsb"
				 : "+D"(target), "+S"(source), "+c"(size_bytes)
				 :
				 : "memory");
		return to;
	}
	if (size_bytes >= 8) {
		/* The last word overlaps the one before it. */
		size_t last = size_bytes - 8;
		for (size_t i = 0; i < last; i += 8)
			*(word8 *)(target + i) = *(const word8 *)(source + i);
		*(word8 *)(target + last) = *(const word8 *)(source + last);
		return to;
	}
	if (size_bytes >= 4) {
		size_t last = size_bytes - 4;
		*(word4 *)target = *(const word4 *)source;
		*(word4 *)(target + last) = *(const word4 *)(source + last);
		return to;
	}
	for (size_t i = 0; i < size_bytes; i++)
		target[i] = source[i];
	return to;
}

void *
memmove(void *to, const void *from, size_t size_bytes)
{
	const unsigned char *source = from;
	unsigned char *target = to;
	size_t left = size_bytes;
	if (target + size_bytes <= source || source + size_bytes <= target)
		return memcpy(to, from, size_bytes);
	if (target < source) {
		__asm__ volatile("rep movsb"
				 : "+D"(target), "+S"(source), "+c"(left)
				 :
				 : "memory");
		return to;
	}
	/* From the end: what is written has been read. */
	for (; left >= 8; left -= 8)
		*(word8 *)(target + left - 8) =
		    *(const word8 *)(source + left - 8);
	for (; left != 0; left--)
		target[left - 1] = source[left - 1];
	return to;
}

void *
memset(void *at, int value, size_t size_bytes)
{
	unsigned char *target = at;
	if (size_bytes < 8) {
		for (size_t i = 0; i < size_bytes; i++)
			target[i] = (unsigned char)value;
		return at;
	}
	if (size_bytes < STRING_SIZE_LONG) {
		uint64_t word =
		    (unsigned char)value * UINT64_C(0x0101010101010101);
		size_t last = size_bytes - 8;
		for (size_t i = 0; i < last; i += 8)
			*(word8 *)(target + i) = word;
		*(word8 *)(target + last) = word;
		return at;
	}
	__asm__ volatile("rep stosb"
			 : "+D"(target), "+c"(size_bytes)
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
