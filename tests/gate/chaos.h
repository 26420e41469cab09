/* SPDX-License-Identifier: MIT */
/*
 * chaos.h: a pager that takes pages away at random, so that a pin that is
 * missing shows as an EFAULT.
 */
#ifndef QR_TEST_CHAOS_H
#define QR_TEST_CHAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/linux/thread.h"

/* Small, so that ordinary transfers are served in pieces. */
#define CHAOS_PIN_LIMIT ((size_t)96 << 10)

bool chaos_init(void);
bool chaos_fault(uintptr_t address);
int chaos_pin(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access);
void chaos_unpin(struct qr_thread *thread);
long chaos_mapping_call(long number, const long args[6]);
void chaos_keep(uintptr_t start, size_t size_bytes);
void chaos_stop(void); /* all pages are there again, for good */
void chaos_fork_prepare(void);
void chaos_fork_done(void);

#endif
