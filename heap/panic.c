/* SPDX-License-Identifier: MIT */
/*
 * heap/panic.c: the end of a program whose heap is broken, where the heap
 * stands alone. In libquire-run.so the port's takes its place.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <qr/port.h>

/* Tells the rest of the heap that there is no port beside it. */
extern const char qr_heap_stands_alone[];
const char qr_heap_stands_alone[] = "libquire";

/* Longest report, bytes; the rest is cut off. */
#define PANIC_BYTES 512

/* Writes all of text, or what can be written. */
static void
panic_write(const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t done = write(STDERR_FILENO, text, bytes);
		if (done <= 0)
			return;
		text += done;
		bytes -= (size_t)done;
	}
}

void
qr_port_panic(const char *file, int line, const char *condition,
    const char *format, ...)
{
	char text[PANIC_BYTES];
	const int room = (int)sizeof(text) - 1; /* for the newline */
	int used = snprintf(text, (size_t)room, "quire: %s:%d: %s: ", file,
	    line, condition);
	if (used >= 0 && used < room) {
		va_list arguments;
		va_start(arguments, format);
		int more = vsnprintf(text + used, (size_t)(room - used), format,
		    arguments);
		va_end(arguments);
		used += more > 0 ? more : 0;
	}
	if (used > room - 1)
		used = room - 1;
	if (used > 0) {
		text[used++] = '\n';
		panic_write(text, (size_t)used);
	}
	abort();
}
