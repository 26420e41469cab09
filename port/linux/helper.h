/* SPDX-License-Identifier: MIT */
/*
 * helper.h: the one thread of Quire's own in a process.
 *
 * It does what can't wait for the program to fault: gives pages back to the
 * tree when they are asked for (the program may sleep in epoll for hours),
 * measures what is not managed, writes the pool's oldest pages to the device.
 * It is no thread of libc's and not in the register of threads: it has no TLS,
 * every signal blocked, a Quire stack, and a descriptor table of its own with
 * nothing but Quire's in it, so that no pipe of the program is held open by
 * it.
 */
#ifndef QR_LINUX_HELPER_H
#define QR_LINUX_HELPER_H

#include <stdbool.h>

/* Starts it if it does not run. Does nothing where a thread can't be had. Not
 * from inside the core: who forks may hold what it needs. */
void helper_wanted(void);

/* The same, if too much of the budget lies where nobody could be asked for it:
 * who forks or has been forked may be idle from now on. */
void helper_if_deaf(void);

/* Ends it and waits until it is gone. False: it did not run. */
bool helper_stop(void);

bool helper_runs(void);

/* It is to have its next round now. */
void helper_poke(void);

/* Round a fork, which copies only the thread that makes it: waits until the
 * helper is outside the core, where fork_wanted keeps it; and in the child
 * forgets it. */
void helper_wait_outside(void);
void helper_forked(void);

/* There is background work: the port's wake_reclaim. */
void linux_wake_reclaim(void *ctx);

#endif
