/* SPDX-License-Identifier: MIT */
/*
 * boot/boot.c: which RAM exists, and the first allocations from it.
 *
 * 1. Purpose. The frame layer needs tables before it can give out memory, and
 * firmware leaves things in memory (the image, the initial RAM disk) that
 * must not be given out. So for a short time, with one thread and no locks,
 * memory is managed as two short sorted sets of ranges:
 *
 *     usable     ====================      =============== ======
 *     reserved        ##   ####   #    ####        #
 *     free       =====  ===    === ===     ======== ====== ======
 *
 * What is free is usable and not reserved. Allocating reserves; freeing takes
 * out of the reserved set. Reserving does not care what is usable, so what
 * firmware says may come in any order.
 *
 * 2. Reading the map. Regions may overlap and end inside a page. Usable ones
 * are united as they stand, then all reserved ones are cut out, and only then
 * are the edges trimmed to whole pages: two regions that meet inside a page
 * together make that page usable. Usable memory of different nodes stays
 * apart even where it touches; of two nodes that claim the same bytes the
 * later one in the map has them.
 *
 * 3. Small requests. A request below a page is cut from the rest of a page
 * that an earlier one left (the tail); if it does not fit, a new page is
 * taken, and the larger of the two rests is kept.
 *
 * 4. Zeroes. What is given is zeroed if it can be touched at all. Where the
 * port says that fresh RAM reads zero, the work is turned round: nothing is
 * written at allocation, and what comes back is cleared. So tables of
 * gigabytes for memory that is never used cost nothing on a host that gives
 * memory at the first touch. Memory beyond the direct map (highmem) can be
 * reserved and is handed over, but is never given to anybody: who asks here
 * wants to write to it.
 *
 * Invariants, verified by qr_check_boot:
 *
 * [boot.1] Both sets are in rising order, without empty or overlapping ranges;
 *          neighbours of one node do not touch.
 * [boot.2] Usable ranges are whole pages.
 * [boot.3] The tail lies inside one page, and is reserved.
 *
 * Failure. A set that would need more than QR_BOOT_REGIONS_MAX ranges is
 * refused with nothing changed.
 *
 * Cost. Each call walks the sets, at most 256 ranges, once or once for each
 * usable range: a microsecond at worst. It does not depend on how much memory
 * there is, and the 6 KiB are all that it takes.
 *
 * Rejected. Arrays that grow out of what they describe (memblock), as memory
 * maps of more than a hundred regions are not met, and a refusal is plainer
 * than the growth would be. A bitmap, a bit a page (bootmem): 128 MiB of it
 * for 4 TiB, with holes or without, to be placed before anything can be
 * placed, and a walk over all of it for each request that is refused.
 *
 * Reading: Gorman, Understanding the Linux Virtual Memory Manager, 2004,
 * chapter 5, for bootmem.
 */
#include "boot.h"

#include "../base/bits.h"
#include "../base/check.h"

#define BOOT_SIGNATURE QR_SIGNATURE('B', 'O', 'O', 'T')

/* --- sets of ranges --- */

static void
set_erase(struct qr_boot_set *set, size_t at)
{
	set->count--;
	__builtin_memmove(&set->range[at], &set->range[at + 1],
	    (set->count - at) * sizeof(set->range[0]));
}

static int
set_insert(struct qr_boot_set *set, size_t at, struct qr_boot_range range)
{
	if (set->count == QR_BOOT_REGIONS_MAX)
		return -QR_E2BIG;
	__builtin_memmove(&set->range[at + 1], &set->range[at],
	    (set->count - at) * sizeof(set->range[0]));
	set->range[at] = range;
	set->count++;
	return 0;
}

/* Index of the first range that ends after address; count if none does. */
static size_t
set_find(const struct qr_boot_set *set, qr_paddr_t address)
{
	size_t at = 0;
	while (at < set->count && set->range[at].end <= address)
		at++;
	return at;
}

/* Takes [start, end) out. -QR_E2BIG, if that splits a range and there is no
 * place for the second part; it is then the only one concerned. */
static int
set_remove(struct qr_boot_set *set, qr_paddr_t start, qr_paddr_t end)
{
	size_t at = set_find(set, start);
	while (at < set->count && set->range[at].start < end) {
		struct qr_boot_range *range = &set->range[at];
		if (range->start < start && range->end > end) {
			struct qr_boot_range rest = *range;
			rest.start = end;
			int error = set_insert(set, at + 1, rest);
			if (error == 0)
				range->end = start;
			return error;
		}
		if (range->start < start) {
			range->end = start;
			at++;
		} else if (range->end > end) {
			range->start = end;
		} else {
			set_erase(set, at);
		}
	}
	return 0;
}

/* Puts the range in, united with those of its node that it meets; those of
 * other nodes lose what it covers. */
static int
set_add(struct qr_boot_set *set, struct qr_boot_range range)
{
	/* Widened over its like first, so that removing the widened range
	 * splits none of them and the result never needs more places than
	 * before, but one. */
	for (size_t i = 0; i < set->count; i++) {
		const struct qr_boot_range *other = &set->range[i];
		if (other->node != range.node || other->end < range.start ||
		    other->start > range.end)
			continue;
		if (other->start < range.start)
			range.start = other->start;
		if (other->end > range.end)
			range.end = other->end;
	}
	int error = set_remove(set, range.start, range.end);
	if (error != 0)
		return error;
	return set_insert(set, set_find(set, range.start), range);
}

/* --- reading the map --- */

/* start + size_bytes, or the highest address if that is past it. */
static qr_paddr_t
range_end(qr_paddr_t start, uint64_t size_bytes)
{
	return size_bytes <= UINT64_MAX - start ? start + size_bytes
						: UINT64_MAX;
}

/* Applies all regions of the kind to the usable set. */
static int
map_apply(struct qr_boot *boot, const struct qr_port *port,
    enum qr_ram_kind kind)
{
	struct qr_ram_region region;
	for (size_t i = 0; port->ops->ram_region(port->ctx, i, &region); i++) {
		if (i == QR_BOOT_REGIONS_MAX)
			return -QR_E2BIG;
		if (region.kind != kind || region.size_bytes == 0)
			continue;
		struct qr_boot_range range = {
			.start = region.start,
			.end = range_end(region.start, region.size_bytes),
			.node = region.node,
		};
		int error =
		    kind == QR_RAM_USABLE
			? set_add(&boot->usable, range)
			: set_remove(&boot->usable, range.start, range.end);
		if (error != 0)
			return error;
	}
	return 0;
}

/* Drops the partial pages at the edges of usable ranges. */
static void
map_trim(struct qr_boot_set *set)
{
	size_t at = 0;
	while (at < set->count) {
		struct qr_boot_range *range = &set->range[at];
		/* Rounding up may pass the highest address, to 0. */
		qr_paddr_t start = qr_round_up(range->start, QR_PAGE_SIZE);
		bool wrapped = start < range->start;
		range->start = start;
		range->end = qr_round_down(range->end, QR_PAGE_SIZE);
		if (wrapped || range->start >= range->end)
			set_erase(set, at);
		else
			at++;
	}
}

int
qr_boot_init(struct qr_boot *boot, const struct qr_port *port)
{
	__builtin_memset(boot, 0, sizeof(*boot));
	int error = map_apply(boot, port, QR_RAM_USABLE);
	if (error == 0)
		error = map_apply(boot, port, QR_RAM_RESERVED);
	if (error != 0)
		return error;
	map_trim(&boot->usable);
	if (boot->usable.count == 0)
		return -QR_ENOMEM;

	boot->direct_map = port->ops->direct_map(port->ctx);
	boot->direct_end = UINT64_MAX;
	if (boot->direct_map != NULL && port->direct_map_end != 0)
		boot->direct_end = port->direct_map_end;
	boot->zeroed = (port->flags & QR_PORT_ZEROED_RAM) != 0;
	boot->signature = BOOT_SIGNATURE;
	return 0;
}

/* --- taking and giving back --- */

static void
assert_open(const struct qr_boot *boot)
{
	QR_ASSERT(boot->signature == BOOT_SIGNATURE, "signature 0x%x",
	    boot->signature);
	QR_ASSERT(!boot->sealed, "boot has handed over, with %zu ranges",
	    boot->usable.count);
}

int
qr_boot_reserve(struct qr_boot *boot, qr_paddr_t start, uint64_t size_bytes)
{
	assert_open(boot);
	if (size_bytes == 0)
		return 0;
	struct qr_boot_range range = {
		.start = start,
		.end = range_end(start, size_bytes),
	};
	return set_add(&boot->reserved, range);
}

/* Lowest place for the request in [from, end) that is not reserved. */
static bool
place_in(const struct qr_boot *boot, const struct qr_boot_request *request,
    qr_paddr_t from, qr_paddr_t end, qr_paddr_t *start)
{
	for (;;) {
		qr_paddr_t at = qr_round_up(from, request->align);
		if (at < from || at >= end || request->size_bytes > end - at)
			return false;
		size_t i = set_find(&boot->reserved, at);
		const struct qr_boot_range *next = &boot->reserved.range[i];
		if (i == boot->reserved.count ||
		    next->start >= at + request->size_bytes) {
			*start = at;
			return true;
		}
		from = next->end;
	}
}

static bool
place_find(const struct qr_boot *boot, const struct qr_boot_request *request,
    qr_paddr_t *start)
{
	for (size_t i = 0; i < boot->usable.count; i++) {
		const struct qr_boot_range *range = &boot->usable.range[i];
		qr_paddr_t from = range->start;
		qr_paddr_t end = range->end;
		if (from < request->limit_low)
			from = request->limit_low;
		if (end > request->limit_high)
			end = request->limit_high;
		if (place_in(boot, request, from, end, start))
			return true;
	}
	return false;
}

/* Takes whole pages, and zeroes them if need be. */
static int
pages_take(struct qr_boot *boot, struct qr_boot_request request,
    qr_paddr_t *start)
{
	qr_paddr_t at;
	if (request.align < QR_PAGE_SIZE)
		request.align = QR_PAGE_SIZE;
	if (request.size_bytes > UINT64_MAX - QR_PAGE_SIZE)
		return -QR_ENOMEM;
	request.size_bytes = qr_round_up(request.size_bytes, QR_PAGE_SIZE);
	if (!place_find(boot, &request, &at))
		return -QR_ENOMEM;
	int error = qr_boot_reserve(boot, at, request.size_bytes);
	if (error != 0)
		return error;
	if (boot->direct_map != NULL && !boot->zeroed)
		__builtin_memset(boot->direct_map + at, 0,
		    (size_t)request.size_bytes);
	*start = at;
	return 0;
}

/* Cuts the request from the tail, if it fits there. */
static bool
tail_take(struct qr_boot *boot, const struct qr_boot_request *request,
    qr_paddr_t *start)
{
	qr_paddr_t at = qr_round_up(boot->tail_start, request->align);
	if (at > boot->tail_end || request->size_bytes > boot->tail_end - at)
		return false;
	if (at < request->limit_low ||
	    at + request->size_bytes > request->limit_high)
		return false;
	boot->tail_start = at + request->size_bytes;
	*start = at;
	return true;
}

/* What is left of a fresh page is the tail, unless the old one is larger. */
static void
tail_offer(struct qr_boot *boot, qr_paddr_t start, qr_paddr_t end)
{
	if (end - start <= boot->tail_end - boot->tail_start)
		return;
	boot->tail_start = start;
	boot->tail_end = end;
}

int
qr_boot_alloc(struct qr_boot *boot, const struct qr_boot_request *request,
    qr_paddr_t *start)
{
	assert_open(boot);
	QR_ASSERT(request->size_bytes != 0 && qr_is_pow2(request->align),
	    "%llu bytes, align %llu", (unsigned long long)request->size_bytes,
	    (unsigned long long)request->align);
	struct qr_boot_request plan = *request;
	if (plan.limit_high == 0 || plan.limit_high > boot->direct_end)
		plan.limit_high = boot->direct_end;
	bool is_small =
	    plan.size_bytes < QR_PAGE_SIZE && plan.align < QR_PAGE_SIZE;
	if (is_small && tail_take(boot, &plan, start))
		return 0;
	int error = pages_take(boot, plan, start);
	if (error == 0 && is_small)
		tail_offer(boot, *start + plan.size_bytes,
		    *start + QR_PAGE_SIZE);
	return error;
}

/* Restores that free memory reads as zeroes: [start, end) is free now. */
static void
range_clear(const struct qr_boot *boot, qr_paddr_t start, qr_paddr_t end)
{
	size_t at = set_find(&boot->usable, start);
	for (; at < boot->usable.count; at++) {
		const struct qr_boot_range *range = &boot->usable.range[at];
		qr_paddr_t from = range->start > start ? range->start : start;
		qr_paddr_t to = range->end < end ? range->end : end;
		if (to > boot->direct_end)
			to = boot->direct_end;
		if (from >= to)
			return;
		__builtin_memset(boot->direct_map + from, 0,
		    (size_t)(to - from));
	}
}

int
qr_boot_free(struct qr_boot *boot, qr_paddr_t start, uint64_t size_bytes)
{
	assert_open(boot);
	qr_paddr_t end =
	    qr_round_down(range_end(start, size_bytes), QR_PAGE_SIZE);
	qr_paddr_t first = qr_round_up(start, QR_PAGE_SIZE);
	if (first < start || first >= end)
		return 0;

	size_t at = set_find(&boot->reserved, first);
	const struct qr_boot_range *range = &boot->reserved.range[at];
	if (at == boot->reserved.count || range->start > first ||
	    range->end < end)
		return -QR_EINVAL;
	int error = set_remove(&boot->reserved, first, end);
	if (error != 0)
		return error;
	if (boot->tail_start >= first && boot->tail_start < end)
		boot->tail_end = boot->tail_start;
	if (boot->zeroed && boot->direct_map != NULL)
		range_clear(boot, first, end);
	return 0;
}

/* --- the sum of it --- */

qr_paddr_t
qr_boot_end(const struct qr_boot *boot)
{
	return boot->usable.range[boot->usable.count - 1].end;
}

/* Bytes of [start, end) that are reserved. */
static uint64_t
reserved_bytes(const struct qr_boot *boot, qr_paddr_t start, qr_paddr_t end)
{
	uint64_t bytes = 0;
	size_t at = set_find(&boot->reserved, start);
	for (; at < boot->reserved.count; at++) {
		const struct qr_boot_range *range = &boot->reserved.range[at];
		qr_paddr_t from = range->start > start ? range->start : start;
		qr_paddr_t to = range->end < end ? range->end : end;
		if (from >= to)
			break;
		bytes += to - from;
	}
	return bytes;
}

uint64_t
qr_boot_free_bytes(const struct qr_boot *boot)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < boot->usable.count; i++) {
		const struct qr_boot_range *range = &boot->usable.range[i];
		bytes += range->end - range->start -
			 reserved_bytes(boot, range->start, range->end);
	}
	return bytes;
}

/* Stores the first maximal run of wholly free pages of [from, end), empty at
 * the end if there is none, and returns where to look for the next. */
static qr_paddr_t
free_run(const struct qr_boot *boot, qr_paddr_t from, qr_paddr_t end,
    struct qr_boot_range *run)
{
	size_t at = set_find(&boot->reserved, from);
	for (; at < boot->reserved.count; at++) {
		const struct qr_boot_range *taken = &boot->reserved.range[at];
		if (taken->start >= end)
			break;
		qr_paddr_t to = qr_round_down(taken->start, QR_PAGE_SIZE);
		qr_paddr_t after = taken->end < end
				       ? qr_round_up(taken->end, QR_PAGE_SIZE)
				       : end;
		if (from < to) {
			*run = (struct qr_boot_range){ from, to, 0 };
			return after;
		}
		from = after;
	}
	*run = (struct qr_boot_range){ from, end, 0 };
	return end;
}

void
qr_boot_hand_over(struct qr_boot *boot,
    void (*give)(void *ctx, qr_pfn_t first, uint64_t count, uint32_t node),
    void *ctx)
{
	assert_open(boot);
	boot->sealed = true;
	for (size_t i = 0; i < boot->usable.count; i++) {
		const struct qr_boot_range *range = &boot->usable.range[i];
		qr_paddr_t from = range->start;
		while (from < range->end) {
			struct qr_boot_range run;
			from = free_run(boot, from, range->end, &run);
			if (run.start < run.end)
				give(ctx, run.start >> QR_PAGE_SHIFT,
				    (run.end - run.start) >> QR_PAGE_SHIFT,
				    range->node);
		}
	}
}

static void
check_set(const struct qr_boot_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct qr_boot_range *range = &set->range[i];
		QR_ASSERT(range->start < range->end,
		    "[boot.1] %s %zu: 0x%llx to 0x%llx", name, i,
		    (unsigned long long)range->start,
		    (unsigned long long)range->end);
		if (i == 0)
			continue;
		const struct qr_boot_range *before = range - 1;
		QR_ASSERT(before->end < range->start ||
			      (before->end == range->start &&
				  before->node != range->node),
		    "[boot.1] %s %zu: 0x%llx follows 0x%llx", name, i,
		    (unsigned long long)range->start,
		    (unsigned long long)before->end);
	}
}

void
qr_check_boot(const struct qr_boot *boot)
{
	QR_ASSERT(boot->signature == BOOT_SIGNATURE, "signature 0x%x",
	    boot->signature);
	check_set(&boot->usable, "usable");
	check_set(&boot->reserved, "reserved");
	for (size_t i = 0; i < boot->usable.count; i++) {
		const struct qr_boot_range *range = &boot->usable.range[i];
		QR_ASSERT(((range->start | range->end) & (QR_PAGE_SIZE - 1)) ==
			      0,
		    "[boot.2] 0x%llx to 0x%llx",
		    (unsigned long long)range->start,
		    (unsigned long long)range->end);
	}
	if (boot->tail_start == boot->tail_end)
		return;
	QR_ASSERT(boot->tail_start < boot->tail_end &&
		      boot->tail_start >> QR_PAGE_SHIFT ==
			  (boot->tail_end - 1) >> QR_PAGE_SHIFT &&
		      reserved_bytes(boot, boot->tail_start, boot->tail_end) ==
			  boot->tail_end - boot->tail_start,
	    "[boot.3] 0x%llx to 0x%llx", (unsigned long long)boot->tail_start,
	    (unsigned long long)boot->tail_end);
}
