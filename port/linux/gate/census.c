/* SPDX-License-Identifier: MIT */
/*
 * gate/census.c: a program that looks at itself by /proc.
 *
 * Some programs make sure that they have one thread before they fork or give
 * up rights: they look at the links or entries of /proc/self/task, or read a
 * field of stat or status there. The helper would be one too many, so it is
 * away while they look: calls that name such a file are made here, and a
 * descriptor that was opened to one is marked, so that reads of it are made
 * here as well. None of these calls ever waits. A mark that outlives its
 * descriptor costs time and does no harm.
 *
 * Others go through /proc/self/fd, or ask for the status of every number:
 * Quire's own descriptors are left out, and are not open.
 *
 * Others read their own memory by /proc/self/mem, where the kernel brings
 * nothing in, not even by a handler thread: descriptors of that are marked
 * too, for transfer.c to pin the place that is read.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>

#include "plan.h"

/* Descriptors that can be marked; programs that count do so early on. */
#define MARKS 1024u

/* The longest end of a path that matters, with its 0: the thread's own
 * directory, a number, the file, bytes. */
#define TAIL_SIZE 40u

#define STAT_BYTES  144u
#define STATX_BYTES 256u
#define PATH_SIZE   4096u

enum mark {
	MARK_THREADS,
	MARK_FILES,
	MARK_MEMORY,
	MARK_KINDS,
};

/* What getdents64 fills in, up to the name. */
struct entry_head {
	uint64_t inode;
	int64_t offset;
	uint16_t size; /* bytes, with the name */
	uint8_t type;
};

#define ENTRY_NAME 19u /* where the name is in it, bytes */

static _Atomic(uint64_t) marks[MARK_KINDS][MARKS / 64];

static void
mark(int fd, enum mark kind, bool set)
{
	if (fd < 0 || (unsigned)fd >= MARKS)
		return;
	_Atomic(uint64_t) *word = &marks[kind][(unsigned)fd / 64];
	uint64_t bit = (uint64_t)1 << ((unsigned)fd % 64);
	if (set)
		atomic_fetch_or(word, bit);
	else if ((atomic_load_explicit(word, memory_order_relaxed) & bit) != 0)
		atomic_fetch_and(word, ~bit);
}

static bool
is_marked(int fd, enum mark kind)
{
	return fd >= 0 && (unsigned)fd < MARKS &&
	       (atomic_load_explicit(&marks[kind][(unsigned)fd / 64],
		    memory_order_relaxed) >>
		       ((unsigned)fd % 64) &
		   1) != 0;
}

bool
census_marked(int fd)
{
	return is_marked(fd, MARK_THREADS);
}

bool
census_is_memory(int fd)
{
	return is_marked(fd, MARK_MEMORY);
}

void
census_closing(int fd)
{
	for (enum mark kind = MARK_THREADS; kind < MARK_KINDS; kind++)
		mark(fd, kind, false);
}

/* A part of a path between slashes. */
struct part {
	const char *at;
	size_t size; /* bytes */
};

static bool
part_is(struct part part, const char *text)
{
	return part.size == strlen(text) &&
	       memcmp(part.at, text, part.size) == 0;
}

static bool
part_is_number(struct part part, long number)
{
	for (; part.size != 0 && number != 0; part.size--, number /= 10) {
		if (part.at[part.size - 1] != '0' + number % 10)
			return false;
	}
	return part.size == 0 && number == 0;
}

/* The last part of text[0 .. *size), which is cut off with its slashes. */
static struct part
part_cut(const char *text, size_t *size)
{
	size_t end = *size;
	while (end != 0 && text[end - 1] == '/')
		end--;
	size_t start = end;
	while (start != 0 && text[start - 1] != '/')
		start--;
	*size = start;
	return (struct part){ text + start, end - start };
}

/* Whether one of the names that matter ends so, or a slash follows it. */
static bool
may_end(char last)
{
	static const char ends[] = { 'k', 't', 's', 'd', 'o', 'm', '/' };
	for (unsigned i = 0; i < sizeof(ends); i++) {
		if (ends[i] == last)
			return true;
	}
	return false;
}

/* What a file of that name is about; MARK_KINDS: none of these. */
static enum mark
file_kind(struct part file)
{
	if (part_is(file, "task") || part_is(file, "stat") ||
	    part_is(file, "status"))
		return MARK_THREADS;
	if (part_is(file, "fd") || part_is(file, "fdinfo"))
		return MARK_FILES;
	return part_is(file, "mem") ? MARK_MEMORY : MARK_KINDS;
}

/* What the path is about if it ends as the process's own do. Of one that is
 * relative the directory may have been opened before; an empty one stands for
 * that descriptor itself. */
static enum mark
path_kind(int directory, long path)
{
	char tail[TAIL_SIZE];
	long length = user_string_size((uintptr_t)path, PATH_SIZE) - 1;
	if (length == 0 && census_marked(directory))
		return MARK_THREADS;
	if (length < 2)
		return MARK_KINDS;
	size_t size = (size_t)length < TAIL_SIZE ? (size_t)length : TAIL_SIZE;
	/* Most paths are done with here. */
	if (user_read(tail, (uintptr_t)path + (size_t)length - 1, 1) != 0 ||
	    !may_end(tail[0]))
		return MARK_KINDS;
	if (user_read(tail, (uintptr_t)path + (size_t)length - size, size) != 0)
		return MARK_KINDS;
	enum mark kind = file_kind(part_cut(tail, &size));
	if (kind == MARK_KINDS)
		return MARK_KINDS;
	struct part owner = part_cut(tail, &size);
	bool own = owner.size == 0 || part_is(owner, "self") ||
		   part_is(owner, "thread-self") ||
		   part_is_number(owner, qr_sys0(SYS_getpid)) ||
		   part_is_number(owner, qr_sys0(SYS_gettid));
	return own ? kind : MARK_KINDS;
}

static bool
is_proc(int fd)
{
	struct statfs status;
	return qr_sys2(SYS_fstatfs, (long)fd, &status) == 0 &&
	       status.f_type == PROC_SUPER_MAGIC;
}

static long
call_make(const struct gate_call *call)
{
	const long *args = call->args;
	return qr_sys6(call->number, args[0], args[1], args[2], args[3],
	    args[4], args[5]);
}

enum gate_verdict
census_take(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	if (context == NULL)
		return GATE_WATCH;
	pager_alone_begin(thread);
	gate_result(context, call_make(call));
	pager_alone_end(thread);
	return GATE_DONE;
}

/* The number that a name is; -1: none. */
static int
name_number(const char *name)
{
	int number = -1;
	for (; *name >= '0' && *name <= '9'; name++)
		number = (number < 0 ? 0 : number * 10) + (*name - '0');
	return *name == 0 ? number : -1;
}

/* Takes Quire's own out of entries [at, at + size); returns what is left,
 * bytes. */
static long
entries_filter(uintptr_t at, size_t size)
{
	uintptr_t start = at, to = at, end = at + size;
	while (at < end) {
		struct entry_head head = { 0 };
		char name[8] = { 0 }; /* longer ones are not Quire's */
		if (user_read(&head, at, ENTRY_NAME) != 0 ||
		    head.size <= ENTRY_NAME)
			return -EFAULT;
		size_t name_size = head.size - ENTRY_NAME;
		if (name_size > sizeof(name) - 1)
			name_size = sizeof(name) - 1;
		if (user_read(name, at + ENTRY_NAME, name_size) != 0)
			return -EFAULT;
		if (!pager_owns_fd(name_number(name))) {
			if (to != at && user_copy((void *)to, (const void *)at,
					    head.size) != 0)
				return -EFAULT;
			to += head.size;
		}
		at += head.size;
	}
	return (long)(to - start);
}

/* getdents64 of the process's own descriptors. */
static enum gate_verdict
files_take(struct gate_context *context, const struct gate_call *call)
{
	long result;
	if (context == NULL)
		return GATE_WATCH;
	/* Nothing at all would be the end. */
	do {
		result = call_make(call);
		if (result <= 0)
			break;
		result =
		    entries_filter((uintptr_t)call->args[1], (size_t)result);
	} while (result == 0);
	gate_result(context, result);
	return GATE_DONE;
}

/* stat, lstat, newfstatat, statx */
enum gate_verdict
plan_stat(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	bool at = call->number == SYS_newfstatat || call->number == SYS_statx;
	long path = call->args[at ? 1 : 0];
	if (at && pager_owns_fd((int)call->args[0]))
		return bad_descriptor(context);
	if (call->number == SYS_statx)
		pin(thread, (uintptr_t)call->args[4], STATX_BYTES,
		    QR_ACCESS_WRITE);
	else
		pin(thread, (uintptr_t)call->args[at ? 2 : 1], STAT_BYTES,
		    QR_ACCESS_WRITE);
	pin_text(thread, (uintptr_t)path, PATH_SIZE);
	return path_kind(at ? (int)call->args[0] : -1, path) == MARK_THREADS
		   ? census_take(thread, context, call)
		   : GATE_ISSUE;
}

/* fstat, getdents64 */
enum gate_verdict
plan_look(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	int fd = (int)call->args[0];
	if (pager_owns_fd(fd))
		return bad_descriptor(context);
	if (call->number == SYS_fstat)
		pin(thread, (uintptr_t)call->args[1], STAT_BYTES,
		    QR_ACCESS_WRITE);
	else
		pin_counted(thread, call->args[1], call->args[2], 1,
		    QR_ACCESS_WRITE);
	if (census_marked(fd))
		return census_take(thread, context, call);
	if (call->number == SYS_getdents64 && is_marked(fd, MARK_FILES))
		return files_take(context, call);
	return GATE_ISSUE;
}

static long
open_path(const struct gate_call *call)
{
	return call->args[call->number == SYS_open ? 0 : 1];
}

static enum gate_verdict
open_finish(struct qr_thread *thread, struct gate_context *context,
    enum gate_end end)
{
	if (end == GATE_PREVENTED)
		return GATE_AGAIN;
	long fd = (long)context->reg[GATE_RAX];
	enum mark kind = path_kind(-1, open_path(&thread->gate->call));
	if (!qr_sys_failed(fd) && kind != MARK_KINDS)
		mark((int)fd, kind, is_proc((int)fd));
	return GATE_DONE;
}

/* open, openat, openat2 */
enum gate_verdict
plan_open(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	long path = open_path(call);
	pin_text(thread, (uintptr_t)path, PATH_SIZE);
	if (call->number == SYS_openat2)
		pin_counted(thread, call->args[2], call->args[3], 1,
		    QR_ACCESS_READ);
	if (path_kind(-1, path) == MARK_KINDS)
		return GATE_ISSUE;
	watch(thread, call, open_finish);
	return GATE_WATCH;
}
