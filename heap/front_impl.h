/* SPDX-License-Identifier: MIT */
/*
 * heap/front_impl.h: what the names of libc and of C++ call: the fast paths
 * or, in libquire-hard.so, the checks of hard.c around them.
 */
#ifndef QR_HEAP_FRONT_IMPL_H
#define QR_HEAP_FRONT_IMPL_H

#include "fast_impl.h"

#ifndef QR_HEAP_HARD
#define QR_HEAP_HARD 0
#endif

/* Which family of names a block is from, and so to be freed by. */
enum qr_heap_origin {
	QR_ORIGIN_MALLOC,
	QR_ORIGIN_NEW,
	QR_ORIGIN_NEW_ARRAY,
};

/* A call that asks for a block. */
struct qr_hard_request {
	size_t size;
	size_t align; /* 0: as malloc does */
	enum qr_heap_origin origin;
	bool zero;
	const char *call; /* its name */
	const void *site; /* where it returns to */
};

/* A call that gives a block back, with what it says about it. */
struct qr_hard_release {
	void *block;
	size_t size;  /* SIZE_MAX: not said */
	size_t align; /* SIZE_MAX: not said, nor that there is none */
	enum qr_heap_origin origin;
	const char *call;
	const void *site;
};

/* --- hard.c --- */

void *qr_hard_alloc(const struct qr_hard_request *request);
void qr_hard_free(const struct qr_hard_release *release);
void *qr_hard_realloc(void *block, size_t size, const void *site);
size_t qr_hard_usable_size(const void *block);
void qr_hard_align_check(const char *call, size_t align, const void *site);

/* In an inline function: of the function that it is inlined in. */
#define FRONT_SITE   __builtin_return_address(0)
#define FRONT_INLINE static inline __attribute__((always_inline))

FRONT_INLINE void *
front_alloc(size_t size, enum qr_heap_origin origin, const char *call)
{
	if (!QR_HEAP_HARD)
		return qr_heap_malloc_fast(size);
	return qr_hard_alloc(&(struct qr_hard_request){ .size = size,
	    .origin = origin,
	    .call = call,
	    .site = FRONT_SITE });
}

FRONT_INLINE void *
front_aligned(size_t align, size_t size, enum qr_heap_origin origin,
    const char *call)
{
	if (!QR_HEAP_HARD)
		return qr_heap_aligned_alloc(align, size);
	qr_hard_align_check(call, align, FRONT_SITE);
	return qr_hard_alloc(&(struct qr_hard_request){ .size = size,
	    .align = align,
	    .origin = origin,
	    .call = call,
	    .site = FRONT_SITE });
}

FRONT_INLINE void *
front_calloc(size_t count, size_t size)
{
	size_t bytes;
	if (!QR_HEAP_HARD)
		return qr_heap_calloc(count, size);
	if (__builtin_mul_overflow(count, size, &bytes))
		bytes = SIZE_MAX;
	return qr_hard_alloc(&(struct qr_hard_request){ .size = bytes,
	    .zero = true,
	    .call = "calloc",
	    .site = FRONT_SITE });
}

FRONT_INLINE void *
front_realloc(void *block, size_t size)
{
	if (!QR_HEAP_HARD)
		return qr_heap_realloc(block, size);
	return qr_hard_realloc(block, size, FRONT_SITE);
}

FRONT_INLINE size_t
front_usable_size(const void *block)
{
	return QR_HEAP_HARD ? qr_hard_usable_size(block)
			    : qr_heap_usable_size(block);
}

/* size and align as in struct qr_hard_release. */
FRONT_INLINE void
front_free_told(void *block, size_t size, size_t align,
    enum qr_heap_origin origin, const char *call)
{
	if (!QR_HEAP_HARD) {
		qr_heap_free_fast(block);
		return;
	}
	qr_hard_free(&(struct qr_hard_release){ .block = block,
	    .size = size,
	    .align = align,
	    .origin = origin,
	    .call = call,
	    .site = FRONT_SITE });
}

FRONT_INLINE void
front_free(void *block, const char *call)
{
	front_free_told(block, SIZE_MAX, SIZE_MAX, QR_ORIGIN_MALLOC, call);
}

#endif
