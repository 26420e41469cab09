/* SPDX-License-Identifier: MIT */
/*
 * qr/memory.h: how much memory a machine has and may use, while it runs: blocks
 * that are plugged and unplugged, and a balloon that keeps memory away from it.
 * The calls may be made from any thread; those that move pages may sleep.
 */
#ifndef QR_MEMORY_H
#define QR_MEMORY_H

#include <qr/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Pages. */
struct qr_memory {
	uint64_t maximum_pages; /* there at boot */
	uint64_t plugged_pages; /* online on top of these; below 0 by what was
				   there at boot and is offline counts as 0 */
	uint64_t current_pages; /* the machine's now: all but the balloon */
	uint64_t target_pages;  /* what it was last asked to be, with what was
				   plugged or unplugged since */
};

void qr_machine_memory(struct qr_machine *machine, struct qr_memory *memory);

/*
 * Memory is to be so many pages from now on, of those that there are: the
 * balloon takes the rest, reclaiming to make room. What is plugged later comes
 * on top. What can't be had at once is tried again by qr_machine_balance, and
 * so is what the balloon gave back because memory was out. *reached (may be
 * NULL) is what it is now. -QR_EINVAL: there is not so much.
 */
QR_MUST_CHECK int qr_machine_memory_set(struct qr_machine *machine,
    uint64_t current_pages, uint64_t *reached);

/* --- blocks; see qr_machine_config.plug_slots --- */

#define QR_MEMORY_BLOCK_BYTES ((uint64_t)32 << 20)

enum qr_block_state {
	QR_BLOCK_ABSENT,  /* the slot is empty */
	QR_BLOCK_OFFLINE, /* there, but not in use */
	QR_BLOCK_ONLINE,  /* in use */
	QR_BLOCK_GOING,   /* from online to offline, or back */
};

struct qr_memory_block {
	enum qr_block_state state;
	qr_paddr_t start;  /* 0 if absent */
	bool is_removable; /* was plugged, not there at boot */
};

/* "absent", ... */
const char *qr_block_state_name(enum qr_block_state state);

/* Slots there are, those of boot's memory first; 0: the machine was made
 * without any to plug. */
uint32_t qr_machine_block_count(struct qr_machine *machine);
void qr_machine_block_get(struct qr_machine *machine, uint32_t slot,
    struct qr_memory_block *block);

/*
 * A block of RAM has been plugged at start, a multiple of its size, with any
 * contents: it gets a free slot and is offline. Asks for no memory.
 * -QR_EINVAL: no such place, or beyond plug_end; -QR_EEXIST: there is memory
 * already; -QR_ENOSPC: all slots are taken; -QR_EOPNOTSUPP: there are none.
 */
QR_MUST_CHECK int qr_machine_block_add(struct qr_machine *machine,
    qr_paddr_t start, uint32_t *slot);

/* All its frames may be used from now on. -QR_EBUSY: it is not offline. */
QR_MUST_CHECK int qr_machine_block_online(struct qr_machine *machine,
    uint32_t slot);

/*
 * Moves mapped pages out of the block, and its frames are nobody's. It is
 * online as before on -QR_EBUSY: it was not online, boot has given some of it
 * out for good, or some page could not be moved now; -QR_EPERM: there is a page
 * that can't be moved, the core's own or a pinned one; -QR_ENOMEM: no memory to
 * move to.
 */
QR_MUST_CHECK int qr_machine_block_offline(struct qr_machine *machine,
    uint32_t slot);

/* The block, which is offline, is gone; the RAM may be unplugged. -QR_EBUSY: it
 * is not offline; -QR_EPERM: it was there at boot. */
QR_MUST_CHECK int qr_machine_block_remove(struct qr_machine *machine,
    uint32_t slot);

#ifdef __cplusplus
}
#endif

#endif
