/* SPDX-License-Identifier: MIT */
/* machine/machine_impl.h: a machine: one of everything. */
#ifndef QR_MACHINE_IMPL_H
#define QR_MACHINE_IMPL_H

#include <qr/machine.h>

#include "../boot/boot.h"
#include "../reclaim/reclaim.h"

#define QR_MACHINE_SIGNATURE QR_SIGNATURE('M', 'A', 'C', 'H')

#define QR_BALLOON_FREE UINT64_MAX

/* All (c) constant after creation, but for (a); each part has its own locks. */
struct qr_machine {
	uint32_t signature;
	const struct qr_port *port;
	struct qr_frames *frames;
	struct qr_slabs *slabs;
	struct qr_swap *swap;
	struct qr_spaces spaces;
	struct qr_reclaim reclaim;
	uint64_t maximum_pages; /* there at boot */
	/* (a) the size that the balloon is to have, or QR_BALLOON_FREE: nobody
	 * said */
	_Atomic(uint64_t) balloon_kept;
	struct qr_boot boot; /* sealed */
};

/* memory.c: moves the balloon towards what it is to be, as far as is cheap. */
void qr_machine_keep_balloon(struct qr_machine *machine);

#endif
