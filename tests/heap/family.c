/* SPDX-License-Identifier: MIT */
/*
 * Proves that the malloc family behaves as libc's does, under its own names:
 * run with libquire.so preloaded and linked with libquire.a. It says first
 * that it really runs on this heap.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "family.c:%d: %s\n", __LINE__,         \
			    #condition);                                       \
			exit(1);                                               \
		}                                                              \
	} while (0)

/* Not inlined, not folded: sizes are only known here. */
static volatile size_t huge = SIZE_MAX;

/* Stands for a std::nothrow, which nobody looks at. */
static int nothrow;

static void
check_whose(void)
{
	/* Of the heap's pages, not glibc's: page aligned from 32 KiB on. */
	void *block = malloc(100000);
	MUST(((uintptr_t)block & 4095) == 0);
	MUST(malloc_usable_size(block) == 102400);
	free(block);
}

static void
check_plain(void)
{
	errno = 5;
	free(malloc(10));
	free(NULL);
	MUST(errno == 5);
	MUST(malloc(huge) == NULL);
	MUST(errno == ENOMEM);
	MUST(malloc(huge / 2 + 1) == NULL);
	void *empty = malloc(0);
	MUST(empty != NULL);
	free(empty);
	char *zero = calloc(100, 100);
	for (int i = 0; i < 10000; i++)
		MUST(zero[i] == 0);
	free(zero);
	errno = 0;
	MUST(calloc(huge / 2, 3) == NULL);
	MUST(errno == ENOMEM);
	char *text = strdup("from inside libc");
	MUST(strcmp(text, "from inside libc") == 0);
	free(text);
}

static void
check_realloc(void)
{
	char *block = realloc(NULL, 10);
	strcpy(block, "kept");
	for (size_t size = 5; size < 3000000; size = size * 3 / 2) {
		block = realloc(block, size);
		MUST(strcmp(block, "kept") == 0);
	}
	for (size_t size = 3000000; size > 5; size = size / 2) {
		block = realloc(block, size);
		MUST(strcmp(block, "kept") == 0);
	}
	errno = 0;
	MUST(realloc(block, huge / 2 + 1) == NULL);
	MUST(errno == ENOMEM);
	MUST(strcmp(block, "kept") == 0);
	errno = 0;
	MUST(reallocarray(block, huge / 2, 3) == NULL);
	MUST(errno == ENOMEM);
	block = reallocarray(block, 10, 10);
	MUST(strcmp(block, "kept") == 0);
	MUST(realloc(block, 0) == NULL);
}

static void
check_aligned(void)
{
	int untouched = 0;
	void *block = &untouched;
	MUST(posix_memalign(&block, 3, 10) == EINVAL);
	MUST(posix_memalign(&block, 4, 10) == EINVAL);
	errno = 9;
	MUST(posix_memalign(&block, 64, huge / 2 + 1) == ENOMEM);
	MUST(errno == 9);
	MUST(block == &untouched);
	for (size_t align = 8; align <= ((size_t)1 << 24); align *= 2) {
		MUST(posix_memalign(&block, align, 1000) == 0);
		MUST((uintptr_t)block % align == 0);
		free(block);
		block = aligned_alloc(align, align * 3);
		MUST((uintptr_t)block % align == 0);
		memset(block, 1, align * 3);
		free(block);
		block = memalign(align - 1, 24);
		MUST((uintptr_t)block % align == 0);
		free(block);
	}
	errno = 0;
	MUST(memalign(huge, 1) == NULL);
	MUST(errno == EINVAL);
	volatile size_t none = 0; /* clang would warn of a constant */
	block = memalign(none, 40);
	MUST((uintptr_t)block % 16 == 0);
	free(block);
	block = valloc(10);
	MUST((uintptr_t)block % 4096 == 0);
	free(block);
	block = pvalloc(4097);
	MUST((uintptr_t)block % 4096 == 0);
	MUST(malloc_usable_size(block) >= 8192);
	free(block);
	MUST(pvalloc(huge) == NULL);
}

static void
check_questions(void)
{
	struct mallinfo2 before = mallinfo2();
	void *block = malloc((size_t)10 << 20);
	struct mallinfo2 after = mallinfo2();
	MUST(after.hblkhd == before.hblkhd + ((size_t)10 << 20));
	MUST(after.hblks == before.hblks + 1);
	MUST(mallinfo().hblks == (int)after.hblks);
	free(block);
	MUST(mallopt(M_ARENA_MAX, 1) == 1);
	MUST(malloc_trim(0) == 0 || malloc_trim(0) == 0);
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);
	MUST(malloc_info(1, stream) == EINVAL);
	MUST(malloc_info(0, stream) == 0);
	fclose(stream);
	MUST(strstr(text, "<malloc version=\"quire-1\">") == text);
	free(text);
	MUST(malloc_usable_size(NULL) == 0);
}

/* The operators of C++, as a program with a C++ run time finds them. */
static void
check_operators(void)
{
	void *(*new_plain)(size_t);
	void *(*new_aligned)(size_t, size_t);
	void (*delete_sized)(void *, size_t);
	*(void **)&new_plain = dlsym(RTLD_DEFAULT, "_Znwm");
	*(void **)&new_aligned = dlsym(RTLD_DEFAULT, "_ZnwmSt11align_val_t");
	*(void **)&delete_sized = dlsym(RTLD_DEFAULT, "_ZdlPvm");
	if (new_plain == NULL || new_aligned == NULL || delete_sized == NULL)
		return; /* linked statically, and nobody asked for them */
	void *block = new_plain(100);
	/* A guarded block has no more than was asked for. */
	size_t usable = malloc_usable_size(block);
	MUST(usable == 112 || usable == 100);
	delete_sized(block, 100);
	block = new_aligned(100, 256);
	MUST((uintptr_t)block % 256 == 0);
	free(block);
}

/* The new of each kind beside all of its deletes. The deletes' further
 * arguments are a size, an alignment or a nothrow, as each takes them. */
static const char *const operators[][7] = {
	{ "_Znwm", "_ZdlPv", "_ZdlPvm", "_ZdlPvRKSt9nothrow_t" },
	{ "_Znam", "_ZdaPv", "_ZdaPvm", "_ZdaPvRKSt9nothrow_t" },
	{ "_ZnwmRKSt9nothrow_t", "_ZdlPv", "_ZdlPvm", "_ZdlPvRKSt9nothrow_t" },
	{ "_ZnamRKSt9nothrow_t", "_ZdaPv", "_ZdaPvm", "_ZdaPvRKSt9nothrow_t" },
	{ "_ZnwmSt11align_val_t", "_ZdlPvSt11align_val_t",
	    "_ZdlPvmSt11align_val_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t" },
	{ "_ZnamSt11align_val_t", "_ZdaPvSt11align_val_t",
	    "_ZdaPvmSt11align_val_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t" },
	{ "_ZnwmSt11align_val_tRKSt9nothrow_t", "_ZdlPvSt11align_val_t",
	    "_ZdlPvmSt11align_val_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t" },
	{ "_ZnamSt11align_val_tRKSt9nothrow_t", "_ZdaPvSt11align_val_t",
	    "_ZdaPvmSt11align_val_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t" },
};

static void
check_every_operator(void)
{
	if (dlsym(RTLD_DEFAULT, "_Znwm") == NULL)
		return;
	for (size_t k = 0; k < sizeof(operators) / sizeof(operators[0]); k++) {
		void *(*new)(size_t, size_t, void *);
		*(void **)&new = dlsym(RTLD_DEFAULT, operators[k][0]);
		MUST(new != NULL);
		for (size_t i = 1; operators[k][i] != NULL; i++) {
			void (*delete)(void *, size_t, size_t);
			*(void **)&delete =
			    dlsym(RTLD_DEFAULT, operators[k][i]);
			MUST(delete != NULL);
			for (size_t size = 0; size < 3000; size += 77) {
				char *block = new (size, 64, &nothrow);
				MUST(block != NULL);
				memset(block, 1, size);
				errno = 12;
				delete (block, size, 64);
				MUST(errno == 12);
				delete (NULL, 0, 64);
			}
		}
	}
}

static void
check_sized(void)
{
	void (*sized)(void *, size_t);
	void (*aligned)(void *, size_t, size_t);
	*(void **)&sized = dlsym(RTLD_DEFAULT, "free_sized");
	*(void **)&aligned = dlsym(RTLD_DEFAULT, "free_aligned_sized");
	if (sized == NULL || aligned == NULL)
		return;
	for (size_t size = 1; size < 100000; size = size * 3 + 1) {
		sized(malloc(size), size);
		sized(calloc(1, size), size);
		aligned(aligned_alloc(128, size), 128, size);
	}
	sized(NULL, 0);
	aligned(NULL, 16, 0);
}

/* Blocks of libc's own malloc, which is still there under another name. */
static void
check_foreign(void)
{
	void *(*libc_malloc)(size_t);
	*(void **)&libc_malloc = dlsym(RTLD_DEFAULT, "__libc_malloc");
	if (libc_malloc == NULL)
		return;
	for (size_t size = 8; size < 10000; size *= 3) {
		char *block = libc_malloc(size);
		memset(block, 'f', size);
		errno = 3;
		free(block);
		MUST(errno == 3);
		block = libc_malloc(size);
		memset(block, 'f', size);
		block = realloc(block, size * 2);
		MUST(block[0] == 'f' && block[size - 1] == 'f');
		free(block);
	}
}

int
main(void)
{
	check_every_operator();
	check_sized();
	check_foreign();
	check_whose();
	check_plain();
	check_realloc();
	check_aligned();
	check_questions();
	check_operators();
	return 0;
}
