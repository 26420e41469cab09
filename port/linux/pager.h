/* SPDX-License-Identifier: MIT */
/*
 * pager.h: what the gate asks of the pager: make memory present, carry out
 * the calls that change mappings, follow fork, exec and exit.
 *
 * All run on a Quire stack, with every signal but SIGBUS, SIGSYS and SIGSEGV
 * blocked, and must not be entered twice by one thread: whoever reads or
 * writes the program's memory does so outside (a touch of a cold page is then
 * an ordinary fault), or pins it first.
 */
#ifndef QR_LINUX_PAGER_H
#define QR_LINUX_PAGER_H

#include <signal.h>
#include <ucontext.h>

#include "thread.h"

/* True: the touch that raised this SIGBUS or SIGSEGV has been made good,
 * return to it. False: it is the program's own, deliver it. */
bool pager_fault(struct qr_thread *thread, int signal_number,
    const siginfo_t *info, const ucontext_t *context);

/*
 * Makes the managed pages of the range present with the access
 * (QR_ACCESS_*) and keeps them so until pager_unpin. Memory that is not
 * managed is passed over. 0; -EFAULT: the program may not do that (let the
 * kernel say so), what lies before the page where it may not is pinned;
 * -ENOMEM: more than can be held at once (the call is to be served in
 * pieces): then this range is not pinned.
 */
int pager_pin(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access);
void pager_unpin(struct qr_thread *thread);

/* The same for memory that is used beyond the call, in a pin of the caller's,
 * zeroed at first, that stays known. pager_pin_limit does not hold. */
int pager_pin_long(struct qr_thread *thread, struct qr_pin *pin,
    uintptr_t start, size_t size_bytes, unsigned access);
void pager_unpin_long(struct qr_pin *pin);

/* Most bytes that one call should pin; longer ones are served in pieces. */
size_t pager_pin_limit(void);

/* Carries out a call that changes or queries mappings: mmap, munmap,
 * mprotect, pkey_mprotect, mremap, brk, madvise, mlock, mlock2, munlock,
 * mlockall, munlockall, mincore, shmat, shmdt, remap_file_pages. */
long pager_mapping_call(struct qr_thread *thread, long number,
    const long args[6]);

/* Keeps the pages of a range in until the thread's record goes, or the thread
 * has something else of that kind; by whoever has the record. */
void pager_keep(struct qr_thread *thread, enum qr_thread_keep what,
    uintptr_t start, size_t size_bytes);

/* Round a fork that copies the address space. prepare: no thread is inside
 * the core afterwards, and it stays so until parent or child has run, both
 * by the same thread. pid < 0: the fork failed. -ENOMEM: it may not be. */
int pager_fork_prepare(struct qr_thread *thread);
void pager_fork_parent(struct qr_thread *thread, long pid);
void pager_fork_child(struct qr_thread *thread);

/* The process is about to end in the usual way, or to become another image;
 * the latter may fail after all. */
void pager_exit(struct qr_thread *thread, int status);
void pager_exec_prepare(struct qr_thread *thread);
void pager_exec_failed(struct qr_thread *thread);

/* A fatal signal is about to be let through. */
void pager_killed(struct qr_thread *thread, int signal_number);

/* A thread's record comes into use, goes out of use; called by any thread. */
void pager_thread_start(struct qr_thread *thread);
void pager_thread_end(struct qr_thread *thread);

/* The process is to go on without Quire, all of its memory in place: it may
 * forbid calls that Quire makes. It has one thread. 0; -errno: it can't be. */
int pager_retreat(struct qr_thread *thread);

/* The program wants to manage a range itself. 0 or -errno. */
int pager_unmanage(struct qr_thread *thread, uintptr_t start,
    size_t size_bytes);

/* Round a call that the kernel allows to processes of one thread only. */
void pager_alone_begin(struct qr_thread *thread);
void pager_alone_end(struct qr_thread *thread);

/* Whether the descriptor is one of Quire's own; and, because the program
 * wants that very number, moves it elsewhere: 0 or -errno. */
bool pager_owns_fd(int fd);
int pager_move_fd(struct qr_thread *thread, int fd);

/* The program is about to close one of its own. */
void pager_closing(struct qr_thread *thread, int fd);

/* What an exec of a file is given. */
enum pager_exec {
	PAGER_EXEC_BARE,    /* what it asks for: more would do harm */
	PAGER_EXEC_PRELOAD, /* pager_environment() */
	PAGER_EXEC_CARRIED, /* that, and it is started in the carrier */
};

/* How to exec that file (as execveat names it; path is Quire's own copy). If
 * it is to be carried then *image is a descriptor of it, closed on exec. */
enum pager_exec pager_exec_way(long directory, const char *path, long flags,
    int *image);

/* The program that carries, as a path that lives for ever. */
const char *pager_carrier(void);

/* If this process is carried: stores a path that leads to its program. */
#define PAGER_IMAGE_SIZE 32u /* bytes with the 0 */
bool pager_image(char text[PAGER_IMAGE_SIZE]);

/* Environment for an exec: LD_PRELOAD and QUIRE_RUN, which are hidden from
 * the program, as "NAME=value" strings that live for ever; NULL ends. */
const char *const *pager_environment(void);

#endif
