/* SPDX-License-Identifier: MIT */
/*
 * uapi.h: parts of the kernel's interface that the headers of Debian 12 do
 * not declare, or declare only where libc is in the way. What the running
 * kernel really has is probed at run time.
 */
#ifndef QR_LINUX_UAPI_H
#define QR_LINUX_UAPI_H

#include <linux/userfaultfd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* Linux 6.1: userfaultfds from /dev/userfaultfd. */
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

/* Linux 6.8. */
#ifndef UFFDIO_MOVE
#define UFFD_FEATURE_MOVE ((__u64)1 << 16)

struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};

#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

/* Linux 6.14: this process, in the place of a pidfd. */
#ifndef PIDFD_SELF_THREAD_GROUP
#define PIDFD_SELF_THREAD_GROUP (-10001)
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#endif
