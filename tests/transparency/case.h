/* SPDX-License-Identifier: MIT */
/*
 * case.h: what a case of tests/transparency is made of.
 *
 * A case makes its memory of cells, does something with them by CALL(), and
 * says what came of it. It is run plain and under `quire run`, each in
 * several ways, and must say the same. So nothing that it says may depend on
 * addresses, process ids, clocks or other processes.
 */
#ifndef TRANSPARENCY_CASE_H
#define TRANSPARENCY_CASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define KIB  ((size_t)1 << 10)
#define MIB  ((size_t)1 << 20)

/* What a case does, or can't bear. */
enum case_flags {
	CASE_ALONE = 1, /* a second thread that takes its pages away */
	CASE_HELD = 2,  /* pages that must all be out: another thread of its
			   own may hold some in a call */
	CASE_MAPS = 4,  /* changes what is mapped where its cells are */
};

struct test_case {
	const char *name;
	void (*run)(void);
	unsigned flags; /* enum case_flags */
};

struct test_group {
	const char *name;
	const struct test_case *cases; /* up to one without a name */
	const char *budget; /* for a tree of processes; NULL: as usual */
};

extern const struct test_group *const groups[]; /* up to NULL */

/* --- memory; all of it goes at the end of the case --- */

/* Zeroed memory of the size, where the way of the run wants it: over a page
 * border, or up to the end of the last page that may be touched. Aligned as
 * an array of its size's largest power of two, at most 16. */
void *cell(size_t size);

/* The same with contents: a text, bytes that follow from a seed. */
char *cell_text(const char *text);
unsigned char *cell_fill(size_t size, unsigned seed);

/* Zeroed whole pages. */
void *cell_pages(size_t size);

/* Pushes all cells out, or as much as the way of the run wants. */
void chill(void);

/* The address as such, so that the compiler knows nothing of it. */
void *place(uintptr_t address);

/* Other memory of the case's that chill is to push out. */
void chill_also(void *start, size_t size);

/* --- saying --- */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The text, the result, and errno if that is -1; returns the result. */
long say_result(const char *text, long result);

/* Makes a call on cold memory and says what it returned. */
#define CALL(call) (chill(), errno = 0, say_result(#call, (long)(call)))

/* The same for calls that return what differs from run to run: only whether
 * it failed is said, the value returned. */
#define CALL_SOME(call) (chill(), errno = 0, say_some(#call, (long)(call)))
long say_some(const char *text, long result);

/* A hash of the bytes. */
void say_bytes(const char *text, const void *start, size_t size);

/* The machine does not have it. */
void say_skipped(const char *why);

/* --- helpers --- */

/* An empty file without a name; its descriptor. */
int file_new(void);

/* A fork that ends the run if it fails, and a kill that refuses process -1:
 * that is everybody, the machine's other users too. */
pid_t case_fork(void);
int case_kill(pid_t pid, int number);

/* Waits for the child and says how it ended. */
void say_child(const char *text, pid_t pid);

#endif
