/* SPDX-License-Identifier: MIT */
/*
 * vmap/kmap.c: windows for frames beyond the direct map; see vmap.c.
 *
 *	| window 0 .. 63, of all | CPU 0's 0 .. 7 | CPU 1's | ... |
 *
 * Windows of all are counted and stay mapped after their last user, since he
 * may come back; when none is left, all such are unmapped by one call. Windows
 * of a CPU are bits of a word, taken and given back by one atomic operation
 * each; where a CPU has none left (its number is a hint), the next one's do.
 */
#include "vmap_impl.h"

#include "../base/bits.h"

#define LOCAL_MASK ((1u << QR_KMAP_LOCAL_DEPTH) - 1)

uint64_t
qr_kmap_pages(const struct qr_port *port)
{
	return QR_KMAP_WINDOWS +
	       (uint64_t)port->cpu_count * QR_KMAP_LOCAL_DEPTH;
}

static qr_vaddr_t
window_address(const struct qr_vmap *vmap, uint64_t index)
{
	return page_address(vmap->window_segment.start + index);
}

static bool
is_direct(const struct qr_vmap *vmap, const struct qr_page *page)
{
	qr_paddr_t end = vmap->port->direct_map_end;
	return end == 0 ||
	       qr_frame_pfn(vmap->frames, page) < end >> QR_PAGE_SHIFT;
}

static void
window_unmap(const struct qr_vmap *vmap, uint64_t first, uint64_t count)
{
	const struct qr_range range = { window_address(vmap, first),
		window_address(vmap, first + count) };
	vmap->port->ops->kernel_unmap(vmap->port->ctx, &range, 1);
}

/* --- windows of all --- */

/* The window that has the frame, else one that has none; NULL. */
static struct kmap_window *
window_find(struct qr_vmap *vmap, qr_pfn_t pfn)
{
	struct kmap_window *empty = NULL;
	for (unsigned i = 0; i < QR_KMAP_WINDOWS; i++) {
		struct kmap_window *window = &vmap->window[i];
		if (window->is_mapped && window->pfn == pfn)
			return window;
		if (!window->is_mapped)
			empty = window;
	}
	return empty;
}

/* Unmaps all windows without users, with one flush. */
static void
window_flush(struct qr_vmap *vmap)
{
	struct qr_range ranges[QR_RANGES_MAX];
	size_t count = 0;
	for (unsigned i = 0; i < QR_KMAP_WINDOWS; i++) {
		struct kmap_window *window = &vmap->window[i];
		if (!window->is_mapped || window->users != 0)
			continue;
		window->is_mapped = false;
		qr_vaddr_t start = window_address(vmap, i);
		if (count != 0 && ranges[count - 1].end == start)
			ranges[count - 1].end += QR_PAGE_SIZE;
		else
			ranges[count++] =
			    (struct qr_range){ start, start + QR_PAGE_SIZE };
	}
	if (count == 0)
		return;
	vmap->port->ops->kernel_unmap(vmap->port->ctx, ranges, count);
	vmap->window_flushes++;
}
_Static_assert(QR_KMAP_WINDOWS <= 2 * QR_RANGES_MAX,
    "every other window is as many ranges as can be");

static void *
window_take(struct qr_vmap *vmap, qr_pfn_t pfn)
{
	const struct qr_port *port = vmap->port;
	struct kmap_window *window = window_find(vmap, pfn);
	if (window == NULL) {
		window_flush(vmap);
		window = window_find(vmap, pfn);
	}
	if (window == NULL)
		return NULL;
	qr_vaddr_t address =
	    window_address(vmap, (uint64_t)(window - vmap->window));
	if (!window->is_mapped) {
		if (port->ops->kernel_map(port->ctx, address, &pfn, 1) != 0)
			return NULL;
		window->is_mapped = true;
		window->pfn = pfn;
	}
	window->users++;
	return (void *)(uintptr_t)address;
}

void *
qr_kmap(struct qr_vmap *vmap, struct qr_page *page)
{
	if (is_direct(vmap, page))
		return qr_frame_data(vmap->frames, page);
	qr_pfn_t pfn = qr_frame_pfn(vmap->frames, page);
	qr_lock_acquire(vmap->port, &vmap->lock);
	void *address = window_take(vmap, pfn);
	qr_lock_release(vmap->port, &vmap->lock);
	return address;
}

void
qr_kunmap(struct qr_vmap *vmap, struct qr_page *page)
{
	if (is_direct(vmap, page))
		return;
	qr_pfn_t pfn = qr_frame_pfn(vmap->frames, page);
	qr_lock_acquire(vmap->port, &vmap->lock);
	struct kmap_window *window = window_find(vmap, pfn);
	QR_ASSERT(window != NULL && window->is_mapped && window->users != 0,
	    "kunmap: frame 0x%llx has no window in use",
	    (unsigned long long)pfn);
	window->users--;
	qr_lock_release(vmap->port, &vmap->lock);
}

void
qr_kmap_fini(struct qr_vmap *vmap)
{
	qr_lock_acquire(vmap->port, &vmap->lock);
	QR_ASSERT(qr_kmap_in_use_locked(vmap) == 0,
	    "[vmap.3] %llu windows are in use at the end",
	    (unsigned long long)qr_kmap_in_use_locked(vmap));
	window_flush(vmap);
	qr_arena_free(&vmap->arena, &vmap->window_segment);
	qr_lock_release(vmap->port, &vmap->lock);
}

/* --- windows of a CPU --- */

static void *
local_take(struct qr_vmap *vmap, unsigned cpu, qr_pfn_t pfn)
{
	_Atomic(uint32_t) *used = &vmap->local_used[cpu];
	uint32_t seen = atomic_load(used);
	unsigned index;
	do {
		if (seen == LOCAL_MASK)
			return NULL;
		/* As a stack: above all in use, where there is room. */
		index = seen == 0 ? 0 : qr_bit_highest(seen) + 1;
		if (index == QR_KMAP_LOCAL_DEPTH)
			index = qr_bit_lowest(~seen);
	} while (!atomic_compare_exchange_weak(used, &seen,
	    seen | (uint32_t)1 << index));
	qr_vaddr_t address = window_address(vmap,
	    QR_KMAP_WINDOWS + cpu * QR_KMAP_LOCAL_DEPTH + index);
	if (vmap->port->ops->kernel_map(vmap->port->ctx, address, &pfn, 1) == 0)
		return (void *)(uintptr_t)address;
	atomic_fetch_and(used, ~((uint32_t)1 << index));
	return NULL;
}

void *
qr_kmap_local(struct qr_vmap *vmap, struct qr_page *page)
{
	if (is_direct(vmap, page))
		return qr_frame_data(vmap->frames, page);
	qr_pfn_t pfn = qr_frame_pfn(vmap->frames, page);
	unsigned cpus = vmap->port->cpu_count;
	unsigned first = qr_port_cpu(vmap->port);
	for (unsigned i = 0; i < cpus; i++) {
		void *address = local_take(vmap, (first + i) % cpus, pfn);
		if (address != NULL)
			return address;
	}
	return NULL;
}

void
qr_kunmap_local(struct qr_vmap *vmap, void *address)
{
	uint64_t start = vmap->window_segment.start + QR_KMAP_WINDOWS;
	uint64_t at = ((uintptr_t)address >> QR_PAGE_SHIFT) - start;
	if (at >= (uint64_t)vmap->port->cpu_count * QR_KMAP_LOCAL_DEPTH)
		return; /* of the direct map */
	unsigned index = at % QR_KMAP_LOCAL_DEPTH;
	_Atomic(uint32_t) *used = &vmap->local_used[at / QR_KMAP_LOCAL_DEPTH];
	QR_ASSERT((atomic_load(used) >> index & 1) != 0,
	    "kunmap_local: %p is not in use", address);
	window_unmap(vmap, QR_KMAP_WINDOWS + at, 1);
	atomic_fetch_and(used, ~((uint32_t)1 << index));
}

/* --- looking --- */

uint64_t
qr_kmap_in_use_locked(const struct qr_vmap *vmap)
{
	uint64_t count = 0;
	for (unsigned i = 0; i < QR_KMAP_WINDOWS; i++)
		count += vmap->window[i].users != 0;
	for (unsigned cpu = 0; cpu < vmap->port->cpu_count; cpu++)
		count += qr_bit_count(atomic_load(&vmap->local_used[cpu]));
	return count;
}

/* [vmap.3] */
void
qr_check_kmap_locked(const struct qr_vmap *vmap)
{
	for (unsigned i = 0; i < QR_KMAP_WINDOWS; i++) {
		const struct kmap_window *window = &vmap->window[i];
		QR_ASSERT(window->is_mapped || window->users == 0,
		    "[vmap.3] window %u has %u users and no frame", i,
		    window->users);
		for (unsigned j = 0; j < i && window->is_mapped; j++)
			QR_ASSERT(!vmap->window[j].is_mapped ||
				      vmap->window[j].pfn != window->pfn,
			    "[vmap.3] frame 0x%llx has windows %u and %u",
			    (unsigned long long)window->pfn, j, i);
	}
}
