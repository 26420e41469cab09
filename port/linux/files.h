/* SPDX-License-Identifier: MIT */
/* files.h: Quire's own descriptors, its variables in the environment, and
 * bytes into the program. */
#ifndef QR_LINUX_FILES_H
#define QR_LINUX_FILES_H

#include <qr/types.h>

struct qr_thread;

/* Takes fd over and returns a high number for it, close-on-exec, so that the
 * program's own numbers stay what they would be. */
int fd_hide(int fd);

/* Opens, or opens anew, those that name this process. 0 or -errno. */
int open_own_files(void);

/* The lowest number at or above from that is Quire's; -1: none. */
int own_fd_after(int from);

/* Writes to memory of the program that may be cold or bad; not inside the
 * core. 0 or -EFAULT. */
int copy_to_program(struct qr_thread *thread, void *to, const void *from,
    size_t size_bytes);

/* exec.c: takes Quire's library out of an LD_PRELOAD=… string, for later.
 * True: nothing else was in it. */
bool exec_take_preload(char *variable);

/* exec.c: writes down what pager_environment() gives, as soon as the ledger
 * has its descriptor, and again should that move. */
void exec_compose_environment(void);

#endif
