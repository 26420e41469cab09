/* SPDX-License-Identifier: MIT */
/* machine/machine_impl.h: a machine: one of everything. */
#ifndef QR_MACHINE_IMPL_H
#define QR_MACHINE_IMPL_H

#include <qr/machine.h>

#include "../boot/boot.h"
#include "../reclaim/reclaim.h"

#define QR_MACHINE_SIGNATURE QR_SIGNATURE('M', 'A', 'C', 'H')

/* All (c) constant after creation; each part has its own locks. */
struct qr_machine {
	uint32_t signature;
	const struct qr_port *port;
	struct qr_frames *frames;
	struct qr_slabs *slabs;
	struct qr_swap *swap;
	struct qr_spaces spaces;
	struct qr_reclaim reclaim;
	struct qr_boot boot; /* sealed */
};

#endif
