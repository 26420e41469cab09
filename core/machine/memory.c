/* SPDX-License-Identifier: MIT */
/*
 * machine/memory.c: how much memory the machine has and may use.
 *
 * Of the three numbers that a hypervisor's user knows, maximum is what was there
 * at boot, current what the guest may use of it, and plugged blocks come on top
 * of both. The balloon is the difference, and it is the balloon's size that is
 * kept: so plugging adds to current without a word about the balloon, and
 * unplugging takes away, but for what the balloon held of the block.
 *
 *	|<------- maximum ------->|<- plugged ->|
 *	|<---- current --->|<balloon>|          |
 *	                             \__ current too
 */
#include <qr/memory.h>

#include "../base/bits.h"
#include "../frame/hotplug.h"
#include "machine_impl.h"

void
qr_machine_memory(struct qr_machine *machine, struct qr_memory *memory)
{
	struct qr_frame_stat stat;
	qr_frame_stat(machine->frames, &stat);
	uint64_t kept = atomic_load(&machine->balloon_kept);
	uint64_t boot = machine->maximum_pages;
	*memory = (struct qr_memory){
		.maximum_pages = boot,
		.plugged_pages = stat.total - qr_min(boot, stat.total),
		.current_pages = stat.total - qr_min(stat.balloon, stat.total),
	};
	memory->target_pages = kept == QR_BALLOON_FREE
				   ? memory->current_pages
				   : stat.total - qr_min(kept, stat.total);
}

int
qr_machine_memory_set(struct qr_machine *machine, uint64_t current_pages,
    uint64_t *reached)
{
	struct qr_memory memory;
	qr_machine_memory(machine, &memory);
	uint64_t all = memory.maximum_pages + memory.plugged_pages;
	if (current_pages > all)
		return -QR_EINVAL;
	(void)qr_machine_balloon(machine, all - current_pages);
	atomic_store(&machine->balloon_kept, all - current_pages);
	if (reached != NULL) {
		qr_machine_memory(machine, &memory);
		*reached = memory.current_pages;
	}
	return 0;
}

void
qr_machine_keep_balloon(struct qr_machine *machine)
{
	struct qr_frame_stat stat;
	uint64_t kept = atomic_load(&machine->balloon_kept);
	qr_frame_stat(machine->frames, &stat);
	if (kept == QR_BALLOON_FREE || stat.balloon == kept)
		return;
	/* Not as far as would make memory low again at once. */
	uint64_t high = qr_frame_watermarks(machine->frames).high_pages;
	uint64_t spare = stat.free - qr_min(stat.free, 2 * high);
	(void)qr_frame_balloon(machine->frames,
	    qr_min(kept, stat.balloon + spare));
}

/* --- blocks --- */

uint32_t
qr_machine_block_count(struct qr_machine *machine)
{
	return qr_memory_block_count(machine->frames);
}

void
qr_machine_block_get(struct qr_machine *machine, uint32_t slot,
    struct qr_memory_block *block)
{
	qr_memory_block_get(machine->frames, slot, block);
}

int
qr_machine_block_add(struct qr_machine *machine, qr_paddr_t start,
    uint32_t *slot)
{
	return qr_memory_block_add(machine->frames, start, slot);
}

int
qr_machine_block_online(struct qr_machine *machine, uint32_t slot)
{
	return qr_memory_block_online(machine->frames, slot);
}

int
qr_machine_block_offline(struct qr_machine *machine, uint32_t slot)
{
	return qr_memory_block_offline(machine->frames, slot);
}

int
qr_machine_block_remove(struct qr_machine *machine, uint32_t slot)
{
	return qr_memory_block_remove(machine->frames, slot);
}
