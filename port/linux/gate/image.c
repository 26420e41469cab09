/* SPDX-License-Identifier: MIT */
/*
 * gate/image.c: the program file of a process that is carried.
 *
 * Where a statically linked program runs in the carrier (../carry.c), the
 * kernel's /proc/self/exe is the carrier. A call that names it is made here,
 * with the program's own descriptor in its place; what the program learns, or
 * opens, is then its own file, be it renamed or deleted by now. None of these
 * calls ever waits.
 */
#include <fcntl.h>
#include <string.h>

#include "plan.h"

#define STAT_BYTES  144u
#define STATX_BYTES 256u
#define HOW_BYTES   24u /* struct open_how */

/* The longest name of it that is known, with its 0: /proc/PID/exe. */
#define NAME_SIZE 32u

static bool
text_is_number(const char *text, size_t size, long number)
{
	while (
	    size != 0 && number != 0 && text[size - 1] == '0' + number % 10) {
		size--;
		number /= 10;
	}
	return size == 0 && number == 0;
}

bool
image_is_named(const char *path)
{
	static const char start[] = "/proc/";
	static const char end[] = "/exe";
	size_t size = strlen(path);
	if (size <= sizeof(start) + sizeof(end) - 2 ||
	    memcmp(path, start, sizeof(start) - 1) != 0 ||
	    memcmp(path + size - (sizeof(end) - 1), end, sizeof(end)) != 0)
		return false;
	const char *owner = path + sizeof(start) - 1;
	size_t length = size - (sizeof(start) - 1) - (sizeof(end) - 1);
	return (length == 4 && memcmp(owner, "self", 4) == 0) ||
	       (length == 11 && memcmp(owner, "thread-self", 11) == 0) ||
	       text_is_number(owner, length, qr_sys0(SYS_getpid));
}

/* Which argument of the call is a path that is followed to its end, or read
 * as a link; -1: none. */
static int
path_argument(const struct gate_call *call)
{
	switch (call->number) {
	case SYS_readlink:
	case SYS_open:
	case SYS_access:
	case SYS_stat:
		return 0;
	case SYS_readlinkat:
	case SYS_openat:
	case SYS_openat2:
	case SYS_faccessat:
	case SYS_faccessat2:
		return 1;
	case SYS_newfstatat:
		return (call->args[3] & AT_SYMLINK_NOFOLLOW) == 0 ? 1 : -1;
	case SYS_statx:
		return (call->args[2] & AT_SYMLINK_NOFOLLOW) == 0 ? 1 : -1;
	default:
		return -1;
	}
}

/* Pins what the call reads or writes beside its path. */
static void
pin_others(struct qr_thread *thread, const struct gate_call *call)
{
	const long *args = call->args;
	switch (call->number) {
	case SYS_readlink:
		pin_counted(thread, args[1], args[2], 1, QR_ACCESS_WRITE);
		break;
	case SYS_readlinkat:
		pin_counted(thread, args[2], args[3], 1, QR_ACCESS_WRITE);
		break;
	case SYS_openat2:
		pin(thread, (uintptr_t)args[2], HOW_BYTES, QR_ACCESS_READ);
		break;
	case SYS_stat:
		pin(thread, (uintptr_t)args[1], STAT_BYTES, QR_ACCESS_WRITE);
		break;
	case SYS_newfstatat:
		pin(thread, (uintptr_t)args[2], STAT_BYTES, QR_ACCESS_WRITE);
		break;
	case SYS_statx:
		pin(thread, (uintptr_t)args[4], STATX_BYTES, QR_ACCESS_WRITE);
		break;
	default:
		break;
	}
}

static bool
names_image(uintptr_t path)
{
	char text[NAME_SIZE];
	long size = user_string_size(path, sizeof(text));
	/* Without its 0 it is longer than any name that is looked for. */
	if (size <= 0 || user_read(text, path, (size_t)size) != 0 ||
	    text[size - 1] != 0)
		return false;
	return image_is_named(text);
}

bool
image_takes(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	char image[PAGER_IMAGE_SIZE];
	struct gate_call made = *call;
	int at = path_argument(call);
	if (at < 0 || context == NULL ||
	    !names_image((uintptr_t)call->args[at]) || !pager_image(image))
		return false;
	made.args[at] = QR_SYS_ARG(image);
	pin_others(thread, call);
	gate_result(context,
	    qr_sys6(made.number, made.args[0], made.args[1], made.args[2],
		made.args[3], made.args[4], made.args[5]));
	return true;
}
