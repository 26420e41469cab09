/* SPDX-License-Identifier: MIT */
/*
 * frame/sparse.c: which frames have descriptors; see frame.c, part 7.
 *
 * The address range is cut into sections of 32 MiB. A section with usable
 * memory has a slot: a stretch of SECTION_PAGES descriptors. Slots lie side by
 * side, in the order of their sections:
 *
 *	sections   0 [##]  1 [##]  2 [  ]  3 [  ]  ...  131072 [#]
 *	slot         0       1      none    none          2
 *	pages      [ slot 0 | slot 1 | slot 2 ]
 *
 * Two tables of four bytes a section lead there and back. Where every section
 * has a slot there are no tables, and an index is a frame's number less a
 * constant.
 */
#include "frame_impl.h"
#include "hotplug.h"

/* Frames [start, end) of a usable range. */
static struct qr_frame_run
range_frames(const struct qr_boot_range *range)
{
	return (struct qr_frame_run){
		.first = range->start >> QR_PAGE_SHIFT,
		.pages = (range->end - range->start) >> QR_PAGE_SHIFT,
	};
}

/* The sections that the i-th usable range lies in, those before *next left
 * out, which is moved on: each is met once. */
static struct qr_frame_run
range_sections(const struct qr_boot *boot, qr_pfn_t pfn_start, size_t i,
    uint64_t *next)
{
	struct qr_frame_run run = range_frames(&boot->usable.range[i]);
	uint64_t first = (run.first - pfn_start) >> SECTION_SHIFT;
	uint64_t end =
	    ((run.first + run.pages - 1 - pfn_start) >> SECTION_SHIFT) + 1;
	first = qr_max(first, *next);
	*next = qr_max(end, *next);
	return (struct qr_frame_run){ first, *next - first };
}

/* Sections below limit that have usable memory. */
static uint64_t
sections_below(const struct qr_boot *boot, qr_pfn_t pfn_start, uint64_t limit)
{
	uint64_t next = 0;
	uint64_t count = 0;
	for (size_t i = 0; i < boot->usable.count; i++) {
		struct qr_frame_run run =
		    range_sections(boot, pfn_start, i, &next);
		if (run.first < limit)
			count += qr_min(run.pages, limit - run.first);
	}
	return count;
}

/* One past the last frame that there is or will be. */
static qr_pfn_t
plan_end(const struct qr_boot *boot, const struct qr_frame_config *config)
{
	qr_pfn_t end = qr_boot_end(boot) >> QR_PAGE_SHIFT;
	if (config == NULL || config->plug_slots == 0)
		return end;
	return qr_max(end, config->plug_end >> QR_PAGE_SHIFT);
}

int
qr_sparse_plan(const struct qr_boot *boot, const struct qr_frame_config *config,
    struct sparse_plan *plan)
{
	qr_pfn_t first = boot->usable.range[0].start >> QR_PAGE_SHIFT;
	qr_pfn_t end = plan_end(boot, config);
	uint32_t plug_slots = config != NULL ? config->plug_slots : 0;
	if (end > (uint64_t)QR_PFN_NIL + 1)
		return -QR_E2BIG;
	qr_pfn_t start = qr_round_down(first, SECTION_PAGES);
	uint64_t sections = ((end - 1 - start) >> SECTION_SHIFT) + 1;
	uint64_t slots = sections_below(boot, start, sections);
	if (plug_slots > QR_PFN_NIL >> SECTION_SHIFT)
		return -QR_E2BIG;
	*plan = (struct sparse_plan){
		.section_count = (uint32_t)sections,
		.slot_count = (uint32_t)slots + plug_slots,
		.plug_slots = plug_slots,
		.is_flat = plug_slots == 0 && slots == sections,
	};
	if (plan->is_flat) {
		plan->pfn_start = qr_round_down(first, BLOCK_PAGES);
		plan->page_count = end - plan->pfn_start;
		return 0;
	}
	if (QR_PORT_FLAT_RAM)
		return -QR_EINVAL;
	plan->pfn_start = start;
	plan->page_count = (uint64_t)plan->slot_count << SECTION_SHIFT;
	/* The last slot ends with the memory, unless others follow. */
	if (plug_slots == 0)
		plan->page_count =
		    ((slots - sections) << SECTION_SHIFT) + (end - start);
	return 0;
}

uint64_t
qr_sparse_plan_index(const struct qr_boot *boot, const struct sparse_plan *plan,
    qr_pfn_t pfn)
{
	uint64_t at = pfn - plan->pfn_start;
	if (plan->is_flat)
		return at;
	return sections_below(boot, plan->pfn_start, at >> SECTION_SHIFT)
		   << SECTION_SHIFT |
	       (at & SECTION_MASK);
}

size_t
qr_sparse_bytes(const struct sparse_plan *plan)
{
	if (plan->is_flat)
		return 0;
	return ((size_t)plan->section_count + plan->slot_count) *
		   sizeof(uint32_t) +
	       (plan->plug_slots != 0 ? plan->slot_count : 0);
}

void
qr_sparse_init(struct qr_frames *frames, const struct qr_boot *boot,
    const struct sparse_plan *plan, void *tables)
{
	frames->pfn_start = plan->pfn_start;
	frames->page_count = plan->page_count;
	if (plan->is_flat)
		return;
	_Atomic(uint32_t) *slot = tables;
	_Atomic(uint32_t) *section = slot + plan->section_count;
	__builtin_memset(tables, 0xff,
	    ((size_t)plan->section_count + plan->slot_count) *
		sizeof(uint32_t));
	uint64_t next = 0;
	uint32_t count = 0;
	for (size_t i = 0; i < boot->usable.count; i++) {
		struct qr_frame_run run =
		    range_sections(boot, plan->pfn_start, i, &next);
		for (uint64_t at = run.first; at < run.first + run.pages;
		     at++) {
			atomic_init(&slot[at], count);
			atomic_init(&section[count++], (uint32_t)at);
		}
	}
	QR_ASSERT(count + plan->plug_slots == plan->slot_count,
	    "%u slots, not %u", count, plan->slot_count);
	frames->slot = slot;
	frames->section = section;
	frames->section_count = plan->section_count;
	frames->slot_count = plan->slot_count;
	frames->slot_plugged = count;
	if (plan->plug_slots == 0)
		return;
	frames->slot_state =
	    (void *)((unsigned char *)tables +
		     ((size_t)plan->section_count + plan->slot_count) *
			 sizeof(*slot));
	for (uint32_t i = 0; i < count; i++)
		atomic_init(&frames->slot_state[i], QR_BLOCK_ONLINE);
}

/* Slots that have a section. */
static uint32_t
slots_in_use(const struct qr_frames *frames)
{
	uint32_t slots = 0;
	for (uint32_t at = 0; at < frames->slot_count; at++)
		slots += frames->section[at] != SLOT_NONE;
	return slots;
}

/* [frame.7] */
void
qr_check_sparse(const struct qr_frames *frames)
{
	if (frames->slot == NULL)
		return;
	uint32_t slots = 0;
	for (uint32_t at = 0; at < frames->section_count; at++) {
		uint32_t slot = frames->slot[at];
		if (slot == SLOT_NONE)
			continue;
		QR_ASSERT(slot < frames->slot_count &&
			      frames->section[slot] == at,
		    "[frame.7] section %u has slot %u of %u", at, slot,
		    frames->slot_count);
		slots++;
	}
	QR_ASSERT(slots == slots_in_use(frames),
	    "[frame.7] %u sections have a slot, of %u", slots,
	    slots_in_use(frames));
	slots = frames->slot_count;
	QR_ASSERT(frames->page_count <= (uint64_t)slots << SECTION_SHIFT &&
		      frames->page_count > (uint64_t)(slots - 1)
					       << SECTION_SHIFT,
	    "[frame.7] %llu descriptors in %u slots",
	    (unsigned long long)frames->page_count, slots);
}
