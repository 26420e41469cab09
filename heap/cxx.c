/* SPDX-License-Identifier: MIT */
/*
 * heap/cxx.c: the operators new and delete of C++, by their mangled names, so
 * that C++ programs need no C++ here and every program can load this.
 *
 * Out of memory is the C++ run time's affair: its new-handler is called until
 * there is memory or none is set; then std::bad_alloc is thrown. Both come
 * from the run time of the program, by weak names. A handler of a nothrow
 * operator that throws is not caught.
 */
#include <stdint.h>

#include "fast_impl.h"

typedef void (*new_handler)(void);

/* std::get_new_handler(), std::__throw_bad_alloc() */
__attribute__((weak)) new_handler _ZSt15get_new_handlerv(void);
__attribute__((weak)) QR_NORETURN void _ZSt17__throw_bad_allocv(void);

/* The same name with each part of the family after it. m is size_t. */
void *_Znwm(size_t size);
void *_Znam(size_t size);
void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnwmSt11align_val_t(size_t size, size_t align);
void *_ZnamSt11align_val_t(size_t size, size_t align);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow);
void _ZdlPv(void *block);
void _ZdaPv(void *block);
void _ZdlPvm(void *block, size_t size);
void _ZdaPvm(void *block, size_t size);
void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow);
void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow);
void _ZdlPvSt11align_val_t(void *block, size_t align);
void _ZdaPvSt11align_val_t(void *block, size_t align);
void _ZdlPvmSt11align_val_t(void *block, size_t size, size_t align);
void _ZdaPvmSt11align_val_t(void *block, size_t size, size_t align);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align,
    const void *nothrow);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align,
    const void *nothrow);

/* As malloc, or aligned if align is not 0. */
static void *
cxx_try(size_t size, size_t align)
{
	return align == 0 ? qr_heap_malloc_fast(size)
			  : qr_heap_aligned_alloc(align, size);
}

/* Tries again after each call of the handler. NULL: there is none left. */
static QR_NOINLINE void *
cxx_retry(size_t size, size_t align)
{
	void *block = NULL;
	while (block == NULL && _ZSt15get_new_handlerv != NULL) {
		new_handler handler = _ZSt15get_new_handlerv();
		if (handler == NULL)
			return NULL;
		handler();
		block = cxx_try(size, align);
	}
	return block;
}

static QR_NOINLINE void *
cxx_retry_throw(size_t size, size_t align)
{
	void *block = cxx_retry(size, align);
	if (block != NULL)
		return block;
	if (_ZSt17__throw_bad_allocv == NULL)
		QR_PANIC("operator new(%zu): no memory, and no C++ run time "
			 "to throw std::bad_alloc",
		    size);
	_ZSt17__throw_bad_allocv();
}

QR_PUBLIC void *
_Znwm(size_t size)
{
	void *block = qr_heap_malloc_fast(size);
	return QR_LIKELY(block != NULL) ? block : cxx_retry_throw(size, 0);
}

QR_PUBLIC void *
_Znam(size_t size)
{
	return _Znwm(size);
}

QR_PUBLIC void *
_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
	(void)nothrow;
	void *block = qr_heap_malloc_fast(size);
	return QR_LIKELY(block != NULL) ? block : cxx_retry(size, 0);
}

QR_PUBLIC void *
_ZnamRKSt9nothrow_t(size_t size, const void *nothrow)
{
	return _ZnwmRKSt9nothrow_t(size, nothrow);
}

QR_PUBLIC void *
_ZnwmSt11align_val_t(size_t size, size_t align)
{
	void *block = cxx_try(size, align);
	return QR_LIKELY(block != NULL) ? block : cxx_retry_throw(size, align);
}

QR_PUBLIC void *
_ZnamSt11align_val_t(size_t size, size_t align)
{
	return _ZnwmSt11align_val_t(size, align);
}

QR_PUBLIC void *
_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow)
{
	(void)nothrow;
	void *block = cxx_try(size, align);
	return QR_LIKELY(block != NULL) ? block : cxx_retry(size, align);
}

QR_PUBLIC void *
_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow)
{
	return _ZnwmSt11align_val_tRKSt9nothrow_t(size, align, nothrow);
}

/* --- delete: a block knows its size and alignment --- */

QR_PUBLIC void
_ZdlPv(void *block)
{
	qr_heap_free_fast(block);
}

QR_PUBLIC void
_ZdaPv(void *block)
{
	qr_heap_free_fast(block);
}

QR_PUBLIC void
_ZdlPvm(void *block, size_t size)
{
	(void)size;
	qr_heap_free_fast(block);
}

QR_PUBLIC void
_ZdaPvm(void *block, size_t size)
{
	_ZdlPvm(block, size);
}

QR_PUBLIC void
_ZdlPvRKSt9nothrow_t(void *block, const void *nothrow)
{
	(void)nothrow;
	qr_heap_free_fast(block);
}

QR_PUBLIC void
_ZdaPvRKSt9nothrow_t(void *block, const void *nothrow)
{
	_ZdlPvRKSt9nothrow_t(block, nothrow);
}

QR_PUBLIC void
_ZdlPvSt11align_val_t(void *block, size_t align)
{
	(void)align;
	qr_heap_free_fast(block);
}

QR_PUBLIC void
_ZdaPvSt11align_val_t(void *block, size_t align)
{
	_ZdlPvSt11align_val_t(block, align);
}

QR_PUBLIC void
_ZdlPvmSt11align_val_t(void *block, size_t size, size_t align)
{
	(void)size;
	_ZdlPvSt11align_val_t(block, align);
}

QR_PUBLIC void
_ZdaPvmSt11align_val_t(void *block, size_t size, size_t align)
{
	(void)size;
	_ZdlPvSt11align_val_t(block, align);
}

QR_PUBLIC void
_ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align,
    const void *nothrow)
{
	(void)nothrow;
	_ZdlPvSt11align_val_t(block, align);
}

QR_PUBLIC void
_ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align,
    const void *nothrow)
{
	(void)nothrow;
	_ZdlPvSt11align_val_t(block, align);
}
