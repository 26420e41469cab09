/* SPDX-License-Identifier: MIT */
/*
 * misuse.h: what the planted misuses share. The operators of C++ are called by
 * their mangled names, so that no C++ compiler is needed.
 */
#ifndef TEST_MISUSE_H
#define TEST_MISUSE_H

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void free_sized(void *block, size_t size);
void *_Znwm(size_t size); /* new */
void *_Znam(size_t size); /* new[] */
void *_ZnwmSt11align_val_t(size_t size, size_t align);
void _ZdlPv(void *block);               /* delete */
void _ZdaPv(void *block);               /* delete[] */
void _ZdlPvm(void *block, size_t size); /* delete of a size */
void _ZdlPvSt11align_val_t(void *block, size_t align);

/* Keeps the compiler from seeing what becomes of a block. */
static inline void *
misuse_hide(void *block)
{
	__asm__ volatile("" : "+r"(block) : : "memory");
	return block;
}

#endif
