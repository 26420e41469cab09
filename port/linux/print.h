/* SPDX-License-Identifier: MIT */
/*
 * print.h: text into buffers and onto descriptors, without libc: no locale,
 * no TLS, no lock, no memory but the caller's.
 */
#ifndef QR_LINUX_PRINT_H
#define QR_LINUX_PRINT_H

#include <stdarg.h>

#include <qr/types.h>

/* Text being built; what does not fit is dropped, the end is always 0. */
struct print {
	char *text;
	size_t capacity; /* bytes, with the final 0 */
	size_t used;     /* bytes, without it */
};

void print_init(struct print *print, char *text, size_t capacity);
void print_char(struct print *print, char c);
void print_text(struct print *print, const char *text);

/* The part of printf that is needed: %d %u %x %c %s %p %%, with l, ll and z,
 * a width, and - and 0 before it. */
QR_PRINTF(2, 3) void print_format(struct print *print, const char *format, ...);
void print_vformat(struct print *print, const char *format, va_list args);

/* Bytes as people read them: "96.0 M", three digits. */
void print_size(struct print *print, uint64_t size_bytes);

/* Writes it all to fd, through short writes and EINTR. 0 or -errno. */
int print_flush(struct print *print, int fd);

#endif
