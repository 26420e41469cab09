/* SPDX-License-Identifier: MIT */
/*
 * Proves that the heap survives each of its system calls for memory failing,
 * one at a time: mmap, mprotect, madvise, as the kernel fails them where a
 * limit is met. The program gets NULL with ENOMEM or a good block, keeps what
 * it had and its errno, and the heap goes on. After the first twenty it is
 * every 41st call that fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "bed.h"

#define MIB    ((size_t)1 << 20)
#define BLOCKS 3600u

/* Calls so far in this process, and the one that fails; 0: none. */
static struct {
	unsigned calls;
	unsigned fails;
	bool failed;
} os;

void *__real_mmap(void *start, size_t bytes, int prot, int flags, int fd,
    off_t offset);
int __real_munmap(void *start, size_t bytes);
int __real_mprotect(void *start, size_t bytes, int prot);
int __real_madvise(void *start, size_t bytes, int advice);
void *__wrap_mmap(void *start, size_t bytes, int prot, int flags, int fd,
    off_t offset);
int __wrap_munmap(void *start, size_t bytes);
int __wrap_mprotect(void *start, size_t bytes, int prot);
int __wrap_madvise(void *start, size_t bytes, int advice);

static bool
os_fails(void)
{
	if (++os.calls != os.fails)
		return false;
	os.failed = true;
	errno = ENOMEM;
	return true;
}

/* limits: mmap's own parameters. */
void *
__wrap_mmap(void *start, size_t bytes, int prot, int flags, int fd,
    off_t offset)
{
	return os_fails() ? MAP_FAILED
			  : __real_mmap(start, bytes, prot, flags, fd, offset);
}

int
__wrap_munmap(void *start, size_t bytes)
{
	return os_fails() ? -1 : __real_munmap(start, bytes);
}

int
__wrap_mprotect(void *start, size_t bytes, int prot)
{
	return os_fails() ? -1 : __real_mprotect(start, bytes, prot);
}

int
__wrap_madvise(void *start, size_t bytes, int advice)
{
	return os_fails() ? -1 : __real_madvise(start, bytes, advice);
}

static void
must(bool condition, int code)
{
	if (!condition)
		_exit(code);
}

static struct bed_block block[BLOCKS];

static void
take(struct bed_block *one, size_t size, uint64_t seed)
{
	errno = 0;
	one->start = qr_heap_malloc(size);
	one->size = size;
	one->seed = seed;
	must(one->start != NULL || errno == ENOMEM, 4);
	if (one->start != NULL)
		bed_fill(one);
}

static void
give(struct bed_block *one)
{
	must(one->start == NULL || bed_intact(one, one->size), 5);
	errno = 77;
	qr_heap_free(one->start);
	must(errno == 77, 6);
	one->start = NULL;
}

/* Small blocks till the heap has grown, large ones, and all given back. */
static void
script(void *ctx)
{
	os.fails = *(const unsigned *)ctx;
	os.calls = 0;
	for (unsigned i = 0; i < BLOCKS; i++)
		take(&block[i], i % 64 == 0 ? 100000 + i : 4000 + i % 4000, i);
	for (unsigned i = 0; i < BLOCKS; i++)
		if (i % 3 != 0)
			give(&block[i]);
	(void)qr_heap_trim(0);
	for (unsigned i = 1; i < BLOCKS; i += 3)
		take(&block[i], 20000, i);
	for (unsigned i = 0; i < BLOCKS; i++)
		give(&block[i]);
	(void)qr_heap_trim(0);
	os.fails = 0;
	qr_check_heap(true);
	void *again = qr_heap_malloc(30 * MIB);
	must(again != NULL, 7);
	qr_heap_free(again);
	_exit(os.failed ? 0 : 2);
}

static void
test_each_call(void **state)
{
	(void)state;
	unsigned call = 0;
	int code = 0;
	while (code == 0) {
		call += call < 20 ? 1 : 41;
		int status = bed_in_child(script, &call);
		assert_true(WIFEXITED(status));
		code = WEXITSTATUS(status);
	}
	print_message("about %u calls of the system\n", call);
	assert_int_equal(code, 2);
	assert_true(call > 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
