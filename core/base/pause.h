/* SPDX-License-Identifier: MIT */
/* base/pause.h: what a loop does that waits for another processor. */
#ifndef QR_BASE_PAUSE_H
#define QR_BASE_PAUSE_H

/* In every turn. */
static inline void
qr_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
