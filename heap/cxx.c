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

#include "front_impl.h"

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

/* Names of the report's. */
#define CXX_NEW          "operator new"
#define CXX_NEW_ARRAY    "operator new[]"
#define CXX_DELETE       "operator delete"
#define CXX_DELETE_ARRAY "operator delete[]"

/* As malloc, or aligned if align is not 0. */
FRONT_INLINE void *
cxx_try(size_t size, size_t align, enum qr_heap_origin origin)
{
	const char *call = origin == QR_ORIGIN_NEW ? CXX_NEW : CXX_NEW_ARRAY;
	return align == 0 ? front_alloc(size, origin, call)
			  : front_aligned(align, size, origin, call);
}

/* Tries again after each call of the handler. NULL: there is none left. */
static QR_NOINLINE void *
cxx_retry(size_t size, size_t align, enum qr_heap_origin origin)
{
	void *block = NULL;
	while (block == NULL && _ZSt15get_new_handlerv != NULL) {
		new_handler handler = _ZSt15get_new_handlerv();
		if (handler == NULL)
			return NULL;
		handler();
		block = cxx_try(size, align, origin);
	}
	return block;
}

static QR_NOINLINE void *
cxx_retry_throw(size_t size, size_t align, enum qr_heap_origin origin)
{
	void *block = cxx_retry(size, align, origin);
	if (block != NULL)
		return block;
	if (_ZSt17__throw_bad_allocv == NULL)
		QR_PANIC("operator new(%zu): no memory, and no C++ run time "
			 "to throw std::bad_alloc",
		    size);
	_ZSt17__throw_bad_allocv();
}

FRONT_INLINE void *
cxx_new(size_t size, size_t align, enum qr_heap_origin origin)
{
	void *block = cxx_try(size, align, origin);
	return QR_LIKELY(block != NULL) ? block
					: cxx_retry_throw(size, align, origin);
}

FRONT_INLINE void *
cxx_new_nothrow(size_t size, size_t align, enum qr_heap_origin origin)
{
	void *block = cxx_try(size, align, origin);
	return QR_LIKELY(block != NULL) ? block
					: cxx_retry(size, align, origin);
}

QR_PUBLIC void *
_Znwm(size_t size)
{
	return cxx_new(size, 0, QR_ORIGIN_NEW);
}

QR_PUBLIC void *
_Znam(size_t size)
{
	return cxx_new(size, 0, QR_ORIGIN_NEW_ARRAY);
}

QR_PUBLIC void *
_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
	(void)nothrow;
	return cxx_new_nothrow(size, 0, QR_ORIGIN_NEW);
}

QR_PUBLIC void *
_ZnamRKSt9nothrow_t(size_t size, const void *nothrow)
{
	(void)nothrow;
	return cxx_new_nothrow(size, 0, QR_ORIGIN_NEW_ARRAY);
}

QR_PUBLIC void *
_ZnwmSt11align_val_t(size_t size, size_t align)
{
	return cxx_new(size, align, QR_ORIGIN_NEW);
}

QR_PUBLIC void *
_ZnamSt11align_val_t(size_t size, size_t align)
{
	return cxx_new(size, align, QR_ORIGIN_NEW_ARRAY);
}

QR_PUBLIC void *
_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow)
{
	(void)nothrow;
	return cxx_new_nothrow(size, align, QR_ORIGIN_NEW);
}

QR_PUBLIC void *
_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow)
{
	(void)nothrow;
	return cxx_new_nothrow(size, align, QR_ORIGIN_NEW_ARRAY);
}

/* --- delete: a block knows its size and alignment --- */

FRONT_INLINE void
cxx_delete(void *block, size_t size, size_t align)
{
	front_free_told(block, size, align, QR_ORIGIN_NEW, CXX_DELETE);
}

FRONT_INLINE void
cxx_delete_array(void *block, size_t size, size_t align)
{
	front_free_told(block, size, align, QR_ORIGIN_NEW_ARRAY,
	    CXX_DELETE_ARRAY);
}

QR_PUBLIC void
_ZdlPv(void *block)
{
	cxx_delete(block, SIZE_MAX, 0);
}

QR_PUBLIC void
_ZdaPv(void *block)
{
	cxx_delete_array(block, SIZE_MAX, 0);
}

QR_PUBLIC void
_ZdlPvm(void *block, size_t size)
{
	cxx_delete(block, size, 0);
}

QR_PUBLIC void
_ZdaPvm(void *block, size_t size)
{
	cxx_delete_array(block, size, 0);
}

QR_PUBLIC void
_ZdlPvRKSt9nothrow_t(void *block, const void *nothrow)
{
	(void)nothrow;
	cxx_delete(block, SIZE_MAX, 0);
}

QR_PUBLIC void
_ZdaPvRKSt9nothrow_t(void *block, const void *nothrow)
{
	(void)nothrow;
	cxx_delete_array(block, SIZE_MAX, 0);
}

QR_PUBLIC void
_ZdlPvSt11align_val_t(void *block, size_t align)
{
	cxx_delete(block, SIZE_MAX, align);
}

QR_PUBLIC void
_ZdaPvSt11align_val_t(void *block, size_t align)
{
	cxx_delete_array(block, SIZE_MAX, align);
}

QR_PUBLIC void
_ZdlPvmSt11align_val_t(void *block, size_t size, size_t align)
{
	cxx_delete(block, size, align);
}

QR_PUBLIC void
_ZdaPvmSt11align_val_t(void *block, size_t size, size_t align)
{
	cxx_delete_array(block, size, align);
}

QR_PUBLIC void
_ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align,
    const void *nothrow)
{
	(void)nothrow;
	cxx_delete(block, SIZE_MAX, align);
}

QR_PUBLIC void
_ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t align,
    const void *nothrow)
{
	(void)nothrow;
	cxx_delete_array(block, SIZE_MAX, align);
}
