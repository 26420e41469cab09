/* SPDX-License-Identifier: MIT */
/*
 * heap/report.c: lines about a misuse, to stderr, before the program ends.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "report_impl.h"

/* Longest line. */
#define REPORT_BYTES 512

void
qr_report_line(const char *format, ...)
{
	char line[REPORT_BYTES];
	va_list arguments;
	va_start(arguments, format);
	int bytes = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (bytes >= (int)sizeof(line))
		bytes = (int)sizeof(line) - 1;
	if (bytes > 0 && write(STDERR_FILENO, line, (size_t)bytes) < 0)
		return;
}

void
qr_report_address(const char *what, const void *address)
{
	Dl_info info;
	if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
		qr_report_line("%s at %p\n", what, address);
		return;
	}
	size_t offset =
	    (size_t)((const char *)address - (const char *)info.dli_fbase);
	if (info.dli_sname != NULL)
		qr_report_line("%s in %s, %s+0x%zx\n", what, info.dli_sname,
		    info.dli_fname, offset);
	else
		qr_report_line("%s at %s+0x%zx\n", what, info.dli_fname,
		    offset);
}
