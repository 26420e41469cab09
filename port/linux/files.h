/* SPDX-License-Identifier: MIT */
/* files.h: Quire's own descriptors, its variables in the environment, and
 * bytes into the program. */
#ifndef QR_LINUX_FILES_H
#define QR_LINUX_FILES_H

#include <qr/types.h>

struct qr_thread;

/* Quire's own descriptors. They have high numbers, close on exec, and are not
 * open as far as the program can see. */
enum own_fd {
	OWN_UFFD,      /* registers every managed area; a process's own */
	OWN_MEM,       /* /proc/self/mem; a process's own */
	OWN_STATUS,    /* /proc/self/status; a process's own */
	OWN_STAT_PAGE, /* the statistics page; a process's own */
	OWN_SWAP,      /* the swap file; a process's own */
	OWN_LEDGER,    /* the tree's; the one that passes an exec */
	OWN_PROC,      /* /proc, for who has changed its root since */
	OWN_SWAP_DIR,  /* where swap files are made */
	OWN_STATE_DIR, /* where the summary is kept; the root process's */
	OWN_IMAGE,     /* the statically linked program that this is; carry.c */
	OWN_JSON,      /* the file of --json; the root process's */
	OWN_RESERVE,   /* nothing: given up for a fork without descriptors */
	OWN_FDS,
};

/* Its number; -1: there is none. */
int own_fd(enum own_fd which);

/* Takes over fd, which may be an error, in the place of what there was, which
 * is closed. 0, or the error. */
int own_fd_set(enum own_fd which, int fd);

/* Closes it, so that another can be had. True: it was open. */
bool own_fd_release(enum own_fd which);

/* Has a descriptor in reserve, if one can be had. */
void open_reserve(void);

/* Gives fd a high number, close-on-exec, so that the program's own numbers stay
 * what they would be; returns it. */
int fd_hide(int fd);

/* Opens a file of /proc, wherever the program's root is: "self/mem". The
 * descriptor, or -errno. */
int proc_open(const char *path, int flags);

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
