/* SPDX-License-Identifier: MIT */
/* print.c: a small formatter that needs nothing of libc. */
#include "print.h"

#include <errno.h>

#include "sys.h"

/* A conversion that is being read. */
struct spec {
	bool left;      /* '-' */
	char pad;       /* ' ' or '0' */
	unsigned width; /* least characters */
	unsigned longs; /* number of l; z counts as one */
};

void
print_init(struct print *print, char *text, size_t capacity)
{
	print->text = text;
	print->capacity = capacity;
	print->used = 0;
	text[0] = '\0';
}

void
print_char(struct print *print, char c)
{
	if (print->used + 1 >= print->capacity)
		return;
	print->text[print->used++] = c;
	print->text[print->used] = '\0';
}

void
print_text(struct print *print, const char *text)
{
	while (*text != '\0')
		print_char(print, *text++);
}

static void
print_padded(struct print *print, const char *text, size_t length,
    const struct spec *spec)
{
	size_t fill = spec->width > length ? spec->width - length : 0;
	for (size_t i = 0; !spec->left && i < fill; i++)
		print_char(print, spec->pad);
	for (size_t i = 0; i < length; i++)
		print_char(print, text[i]);
	for (size_t i = 0; spec->left && i < fill; i++)
		print_char(print, ' ');
}

static void
print_number(struct print *print, uint64_t value, unsigned base, bool negative,
    const struct spec *spec)
{
	char digits[24];
	size_t at = sizeof(digits);
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (negative)
		digits[--at] = '-';
	print_padded(print, digits + at, sizeof(digits) - at, spec);
}

static const char *
spec_read(const char *format, struct spec *spec)
{
	*spec = (struct spec){ .pad = ' ' };
	for (; *format == '-' || *format == '0'; format++) {
		if (*format == '-')
			spec->left = true;
		else
			spec->pad = '0';
	}
	for (; *format >= '0' && *format <= '9'; format++)
		spec->width = spec->width * 10 + (unsigned)(*format - '0');
	for (; *format == 'l' || *format == 'z'; format++)
		spec->longs++;
	return format;
}

static void
print_signed(struct print *print, int64_t value, const struct spec *spec)
{
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	print_number(print, size, 10, value < 0, spec);
}

static void
print_string(struct print *print, const char *text, const struct spec *spec)
{
	size_t length = 0;
	while (text[length] != '\0')
		length++;
	print_padded(print, text, length, spec);
}

/* The next argument, as kind and spec say. */
static void
print_argument(struct print *print, char kind, const struct spec *spec,
    va_list *args)
{
	switch (kind) {
	case 'd':
		print_signed(print,
		    spec->longs ? va_arg(*args, long) : va_arg(*args, int),
		    spec);
		break;
	case 'u':
	case 'x':
		print_number(print,
		    spec->longs ? va_arg(*args, unsigned long)
				: va_arg(*args, unsigned),
		    kind == 'x' ? 16 : 10, false, spec);
		break;
	case 'p':
		print_text(print, "0x");
		print_number(print, (uint64_t)(uintptr_t)va_arg(*args, void *),
		    16, false, spec);
		break;
	case 'c':
		print_char(print, (char)va_arg(*args, int));
		break;
	case 's':
		print_string(print, va_arg(*args, const char *), spec);
		break;
	default:
		print_char(print, kind);
		break;
	}
}

void
print_vformat(struct print *print, const char *format, va_list args)
{
	/* A va_list that is a parameter may be a pointer already. */
	va_list rest;
	va_copy(rest, args);
	for (; *format != '\0'; format++) {
		struct spec spec;
		if (*format != '%') {
			print_char(print, *format);
			continue;
		}
		format = spec_read(format + 1, &spec);
		if (*format == '\0')
			break;
		print_argument(print, *format, &spec, &rest);
	}
	va_end(rest);
}

void
print_format(struct print *print, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	print_vformat(print, format, args);
	va_end(args);
}

void
print_size(struct print *print, uint64_t size_bytes)
{
	static const char units[] = " KMGTPE";
	unsigned unit = 0;
	uint64_t tenths = size_bytes * 10;
	if (size_bytes > UINT64_MAX / 10)
		tenths = UINT64_MAX;
	while (tenths >= 10240 && unit + 1 < sizeof(units) - 1) {
		tenths = (tenths + 512) / 1024;
		unit++;
	}
	if (unit == 0)
		print_format(print, "%lu", (unsigned long)size_bytes);
	else if (tenths < 1000)
		print_format(print, "%lu.%lu %c", (unsigned long)(tenths / 10),
		    (unsigned long)(tenths % 10), units[unit]);
	else
		print_format(print, "%lu %c",
		    (unsigned long)((tenths + 5) / 10), units[unit]);
}

int
print_flush(struct print *print, int fd)
{
	size_t done = 0;
	while (done < print->used) {
		long n = qr_sys3(SYS_write, fd, print->text + done,
		    print->used - done);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EIO : (int)n;
		done += (size_t)n;
	}
	print->used = 0;
	return 0;
}
