/* SPDX-License-Identifier: MIT */
/*
 * handler.h: the thread that serves faults where they are not delivered as
 * signals (--delivery=handler).
 *
 * Only a userfaultfd that this thread reads can have the kernel's own touches
 * wait, so system calls need no pins then. It takes a privilege, and a fault
 * costs two switches of thread; it is what delivery by signal is compared
 * with.
 *
 * Like the helper it is no thread of libc's and not in the register of
 * threads; it never touches managed memory, since nobody would serve it.
 */
#ifndef QR_LINUX_HANDLER_H
#define QR_LINUX_HANDLER_H

#include <stddef.h>

struct qr_thread;

/* Starts it, if the configuration wants it and after a fork again. Nothing
 * may be registered before. 0 or -errno. */
int handler_start(void);

/* Its record; NULL: faults come as signals. */
struct qr_thread *handler_thread(void);

#endif
