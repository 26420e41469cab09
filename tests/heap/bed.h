/* SPDX-License-Identifier: MIT */
/*
 * bed.h: blocks that know what they must contain, and processes that must
 * end in a certain way.
 */
#ifndef TEST_HEAP_BED_H
#define TEST_HEAP_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "heap/heap.h"
#include "random.h"

/* gcc says it by macros, clang by __has_feature. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif

/* The model of one block: its bytes are all made from seed. */
struct bed_block {
	unsigned char *start;
	size_t size;
	uint64_t seed;
};

static inline unsigned char
bed_byte(const struct bed_block *block, size_t index)
{
	return (unsigned char)(block->seed + index * 31 + (index >> 8));
}

/* Of large blocks the ends and every 509th byte stand for all. */
static inline size_t
bed_step(const struct bed_block *block, size_t index)
{
	bool edge = index < 64 || index + 64 >= block->size;
	if (block->size <= 1024 || edge)
		return 1;
	size_t step = 509;
	return index + step + 64 >= block->size ? block->size - 64 - index
						: step;
}

static inline void
bed_fill(struct bed_block *block)
{
	for (size_t i = 0; i < block->size; i += bed_step(block, i))
		block->start[i] = bed_byte(block, i);
}

/* Whether the first size bytes are still there. */
static inline bool
bed_intact(const struct bed_block *block, size_t size)
{
	for (size_t i = 0; i < block->size; i += bed_step(block, i)) {
		if (i < size && block->start[i] != bed_byte(block, i))
			return false;
	}
	return true;
}

/* A size as programs have them: mostly small, seldom large. */
static inline size_t
bed_size(struct test_random *random)
{
	uint64_t kind = test_random_below(random, 100);
	if (kind < 60)
		return test_random_below(random, 200);
	if (kind < 90)
		return test_random_below(random, 4000);
	if (kind < 98)
		return test_random_below(random, 40000);
	return test_random_below(random, 600000);
}

/* Runs body in a child; its status as waitpid has it. */
static inline int
bed_in_child(void (*body)(void *ctx), void *ctx)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		body(ctx);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

#endif
