/* SPDX-License-Identifier: MIT */
/*
 * sys.h: system calls made by Quire itself, which the gate never sees: the
 * instruction lies in the range that Syscall User Dispatch lets through.
 * They don't touch errno, TLS or any lock, so they are allowed anywhere.
 */
#ifndef QR_LINUX_SYS_H
#define QR_LINUX_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/syscall.h>

/* The result, or -errno. */
long qr_sys6(long number, long a, long b, long c, long d, long e, long f);

/* clone or clone3 with a stack of the child's own, on which child(arg) runs;
 * it must not return. The child's pid to the parent, or -errno. */
long qr_sys_clone(long number, const long args[5], void (*child)(void *arg),
    void *arg);

/* memcpy from or to memory that may not be there; -EFAULT then. Not with
 * SIGSEGV or SIGBUS blocked. */
int qr_copy_try(void *to, const void *from, size_t size_bytes);

/* Bounds of the code that dispatch lets through: qr_sys6, the signal
 * restorer, the stubs. Page aligned. */
extern unsigned char qr_pass_start[];
extern unsigned char qr_pass_end[];

#define QR_SYS_ARG(x)    ((long)(intptr_t)(x))
#define qr_sys0(n)       qr_sys6(n, 0, 0, 0, 0, 0, 0)
#define qr_sys1(n, a)    qr_sys6(n, QR_SYS_ARG(a), 0, 0, 0, 0, 0)
#define qr_sys2(n, a, b) qr_sys6(n, QR_SYS_ARG(a), QR_SYS_ARG(b), 0, 0, 0, 0)
#define qr_sys3(n, a, b, c)                                                    \
	qr_sys6(n, QR_SYS_ARG(a), QR_SYS_ARG(b), QR_SYS_ARG(c), 0, 0, 0)
#define qr_sys4(n, a, b, c, d)                                                 \
	qr_sys6(n, QR_SYS_ARG(a), QR_SYS_ARG(b), QR_SYS_ARG(c), QR_SYS_ARG(d), \
	    0, 0)
#define qr_sys5(n, a, b, c, d, e)                                              \
	qr_sys6(n, QR_SYS_ARG(a), QR_SYS_ARG(b), QR_SYS_ARG(c), QR_SYS_ARG(d), \
	    QR_SYS_ARG(e), 0)

static inline int
qr_sys_failed(long result)
{
	return (unsigned long)result > -4096UL;
}

#endif
