/* SPDX-License-Identifier: MIT */
/*
 * sys_config.h: sizes that C and sys.S share; plain numbers only.
 */
#ifndef QR_LINUX_SYS_CONFIG_H
#define QR_LINUX_SYS_CONFIG_H

/* A thread's stack with its record at the base, bytes; also its alignment. */
#define QR_THREAD_SIZE_BYTES 65536

/* Stubs, each for one place in the program that makes system calls. 62 is
 * the most that a program was seen to have; beyond these calls are slower,
 * not wrong. A power of two. */
#define QR_STUB_COUNT 4096

/* Places of libc that reach the gate without a trap, at most. */
#define QR_PATCH_COUNT 224

/* struct qr_thread's field of that name, its offset and its bits. */
#define QR_THREAD_PATCH_AT 20
#define QR_PATCH_INSIDE    1 /* on the way of a call without a trap */
#define QR_PATCH_PUT_OFF                                                       \
	2 /* a signal waits for the end of it, or of
			      * the fault that is served */

/* struct qr_thread's field leaving, its offset; struct gate_context's
 * registers, pointer to the xsave area and their offsets. */
#define QR_THREAD_LEAVING_AT 32
#define QR_CONTEXT_REG_AT    40
#define QR_CONTEXT_XSAVE_AT  224

#endif
