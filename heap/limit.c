/* SPDX-License-Identifier: MIT */
/*
 * heap/limit.c: a limit of bytes, and what happens as it comes near.
 *
 *     0 ............ soft ........ hard - reserve ........ hard
 *                    |             |                       |
 *          a warning, once    NULL, once; from then on     NULL
 *                             the reserve may be used
 *
 * What counts is pages in use; free dirty ones are purged to stay within the
 * limit. The call that would go past hard - reserve first has all threads'
 * blocks brought home, then asks the program's call-back, then fails. It is
 * the error of a quota: one that the program can see, with room left in which
 * to deal with it. Below seven eighths of either mark that mark counts anew.
 *
 * The call-back runs with no lock held, may allocate, from the reserve as well,
 * and free; meanwhile it is not called again.
 */
#include <stdlib.h>

#include "pagemap_impl.h"

/* The reserve where none is named: a sixteenth of the limit, at most 1 MiB. */
#define RESERVE_PART ((size_t)16)
#define RESERVE_MAX  ((size_t)1 << 20)

/* A mark counts anew below its pages * (1 - 1 / this). */
#define REARM_PART 8u

static size_t
limit_load(const _Atomic(size_t) *pages)
{
	/* Relaxed: each is good by itself. */
	return atomic_load_explicit(pages, memory_order_relaxed);
}

static void
limit_store(_Atomic(size_t) *pages, size_t value)
{
	atomic_store_explicit(pages, value, memory_order_relaxed);
}

static size_t
rearm_below(size_t pages)
{
	return pages - pages / REARM_PART;
}

bool
qr_heap_limit_allows(struct qr_heap *heap, uint64_t pages)
{
	struct qr_heap_limit *limit = &heap->limit;
	size_t held = limit_load(&heap->held);
	size_t soft = limit_load(&limit->soft);
	size_t hard = limit_load(&limit->hard);
	size_t reserve = limit_load(&limit->reserve);
	if (soft != 0 && held + pages > soft &&
	    !atomic_exchange(&limit->soft_told, true))
		atomic_fetch_or(&heap->attention, QR_HEAP_ATTEND_SOFT);
	if (hard == 0)
		return true;
	bool low = atomic_load(&limit->low);
	if (low && held < rearm_below(hard - reserve)) {
		atomic_store(&limit->low, false);
		low = false;
	}
	/* The call-back, too, may need some to free more. */
	low = low || atomic_load(&limit->calling);
	return held + pages <= (low ? hard : hard - reserve);
}

size_t
qr_heap_limit_dirty(struct qr_heap *heap, size_t budget)
{
	struct qr_heap_limit *limit = &heap->limit;
	size_t held = limit_load(&heap->held);
	size_t hard = limit_load(&limit->hard);
	size_t soft = limit_load(&limit->soft);
	if (soft != 0 && held < rearm_below(soft))
		atomic_store(&limit->soft_told, false);
	if (hard != 0)
		budget = qr_min(budget, hard > held ? hard - held : 0);
	if (soft != 0)
		budget = qr_min(budget, soft > held ? soft - held : 0);
	return budget;
}

/* Calls the program, unless that is what it is doing. */
static void
limit_call(struct qr_heap *heap, enum qr_heap_pressure pressure)
{
	struct qr_heap_limit *limit = &heap->limit;
	/* Acquire pairs with the release in qr_heap_set_limits. */
	qr_heap_pressure_call call =
	    atomic_load_explicit(&limit->call, memory_order_acquire);
	if (call == NULL || atomic_exchange(&limit->calling, true))
		return;
	call(limit->ctx, pressure, limit_load(&heap->held) << QR_PAGE_SHIFT);
	atomic_store(&limit->calling, false);
}

void
qr_heap_limit_warn(struct qr_heap *heap)
{
	qr_heap_purge_due(heap);
	limit_call(heap, QR_HEAP_PRESSURE_SOFT);
}

bool
qr_heap_limit_reached(struct qr_heap *heap)
{
	struct qr_heap_limit *limit = &heap->limit;
	if (limit_load(&limit->hard) == 0 || atomic_load(&limit->low))
		return false;
	(void)qr_heap_trim(0);
	limit_call(heap, QR_HEAP_PRESSURE_HARD);
	return true;
}

void
qr_heap_limit_failed(struct qr_heap *heap)
{
	if (limit_load(&heap->limit.hard) != 0 &&
	    !atomic_load(&heap->limit.calling))
		atomic_store(&heap->limit.low, true);
}

/* --- the interface --- */

int
qr_heap_set_limits(const struct qr_heap_limits *limits)
{
	struct qr_heap_limit *limit = &qr_heap_process.limit;
	size_t hard = limits->hard_bytes >> QR_PAGE_SHIFT;
	size_t soft = limits->soft_bytes >> QR_PAGE_SHIFT;
	size_t reserve = limits->reserve_bytes >> QR_PAGE_SHIFT;
	if (reserve == 0)
		reserve =
		    qr_min(hard / RESERVE_PART, RESERVE_MAX >> QR_PAGE_SHIFT);
	if (limits->hard_bytes != 0 && (hard == 0 || reserve >= hard))
		return -QR_EINVAL;
	limit->ctx = limits->ctx;
	/* Release pairs with the acquire in limit_call. */
	atomic_store_explicit(&limit->call, limits->call, memory_order_release);
	limit_store(&limit->reserve, reserve);
	limit_store(&limit->soft, soft);
	limit_store(&limit->hard, hard);
	atomic_store(&limit->soft_told, false);
	atomic_store(&limit->low, false);
	return 0;
}

void
qr_heap_get_limits(struct qr_heap_limits *limits)
{
	struct qr_heap_limit *limit = &qr_heap_process.limit;
	*limits = (struct qr_heap_limits){
		.soft_bytes = limit_load(&limit->soft) << QR_PAGE_SHIFT,
		.hard_bytes = limit_load(&limit->hard) << QR_PAGE_SHIFT,
		.reserve_bytes = limit_load(&limit->reserve) << QR_PAGE_SHIFT,
		.call = atomic_load(&limit->call),
		.ctx = limit->ctx,
	};
}

bool
qr_heap_is_low(void)
{
	struct qr_heap *heap = &qr_heap_process;
	(void)qr_heap_limit_allows(heap, 0);
	return atomic_load(&heap->limit.low);
}

/* --- QUIRE_HEAP_LIMIT=HARD[,SOFT] --- */

bool
qr_heap_bytes_from_text(const char **text, size_t *bytes)
{
	char *end;
	unsigned long long number = strtoull(*text, &end, 10);
	unsigned shift = 0;
	if (end == *text || **text == '-')
		return false;
	switch (*end) {
	case 'T':
		shift += 10;
		/* fall through */
	case 'G':
		shift += 10;
		/* fall through */
	case 'M':
		shift += 10;
		/* fall through */
	case 'K':
		shift += 10;
		end++;
		break;
	default:
		break;
	}
	*text = end;
	*bytes = (size_t)number << shift;
	return (*bytes >> shift) == number;
}

void
qr_heap_limit_from_text(const char *text)
{
	struct qr_heap_limits limits = { 0 };
	bool good = qr_heap_bytes_from_text(&text, &limits.hard_bytes);
	if (good && *text == ',') {
		text++;
		good = qr_heap_bytes_from_text(&text, &limits.soft_bytes);
	}
	if (good && *text == '\0' && limits.hard_bytes != 0)
		good = qr_heap_set_limits(&limits) == 0;
	if (!good || *text != '\0')
		qr_heap_say("QUIRE_HEAP_LIMIT is ignored: it is a number of "
			    "bytes, K, M, G or T, and perhaps a comma and a "
			    "lower one");
}
