/* SPDX-License-Identifier: MIT */
/*
 * qr/types.h: the scalars, constants and error numbers that every public
 * header of Quire speaks in.
 */
#ifndef QR_TYPES_H
#define QR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QR_PAGE_SHIFT 12u
#define QR_PAGE_SIZE  ((size_t)1 << QR_PAGE_SHIFT) /* bytes */

#if defined(__GNUC__) && defined(QR_BUILDING)
#define QR_PUBLIC __attribute__((visibility("default")))
#else
#define QR_PUBLIC
#endif

#if defined(__GNUC__)
#define QR_MUST_CHECK   __attribute__((warn_unused_result))
#define QR_NORETURN     __attribute__((noreturn))
#define QR_NOINLINE     __attribute__((noinline))
#define QR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define QR_MUST_CHECK
#define QR_NORETURN
#define QR_NOINLINE
#define QR_PRINTF(f, a)
#endif

typedef uint64_t qr_pfn_t;   /* number of a page frame, below 2^32 */
typedef uint64_t qr_paddr_t; /* physical address, bytes */
typedef uint64_t qr_vaddr_t; /* virtual address, bytes */
typedef uint32_t qr_gfp_t;   /* QR_GFP_*: from where and how hard */

/*
 * Errors are negative values of these, equal to Linux's on all of its
 * common architectures; positive results stay free for counts.
 */
enum qr_error {
	QR_EPERM = 1,
	QR_ENOENT = 2,
	QR_EINTR = 4,
	QR_EIO = 5,
	QR_ENXIO = 6,
	QR_E2BIG = 7,
	QR_EBADF = 9,
	QR_EAGAIN = 11,
	QR_ENOMEM = 12,
	QR_EACCES = 13,
	QR_EFAULT = 14,
	QR_EBUSY = 16,
	QR_EEXIST = 17,
	QR_EINVAL = 22,
	QR_ENOSPC = 28,
	QR_ERANGE = 34,
	QR_ENAMETOOLONG = 36,
	QR_EIDRM = 43,
	QR_EOVERFLOW = 75,
	QR_EOPNOTSUPP = 95,
};

/* Protection of a mapping, any or of these; the values are Linux's. */
#define QR_PROT_NONE  0u
#define QR_PROT_READ  1u
#define QR_PROT_WRITE 2u
#define QR_PROT_EXEC  4u

#ifdef __cplusplus
}
#endif

#endif
