/* SPDX-License-Identifier: MIT */
/*
 * reclaim/reclaim.c: who gives frames back, when, and what happens when
 * nobody can.
 *
 * 1. Purpose
 *
 * Memory is promised by space/ and handed out by frame/; neither knows what
 * could go. This folder does: it keeps all pages that could be evicted in an
 * order, takes the least useful ones, and has space/ move them out.
 *
 * 2. Terms
 *
 * A victim is a page that the policy has taken off its lists. A window is up
 * to QR_EVICT_MAX victims that go through eviction at once. Direct reclaim is
 * done by a thread that needs a frame itself; background reclaim by a thread
 * of the port between the watermarks, so that direct reclaim stays rare.
 *
 *	frame/ ---ops.reclaim----> direct ----+
 *	space/ ---ops.reclaim----> (limit) ---+--> windows --> policy: pick
 *	port --qr_machine_balance-> balance --+        |
 *	frame/ ---ops.low--> wake_reclaim             v
 *	                                  qr_spaces_evict --> swap/
 *	                                               |
 *	                       page_stays: put_back <--+
 *
 * 3. States of a mapped page
 *
 *	in: page_in --> listed --pick--> victim --evicted--> free frame
 *	                  ^                 |
 *	                  +----page_stays---+
 *
 * A page that is locked in memory is on no list. A victim is on no list.
 *
 * 4. Invariants
 *
 * [reclaim.1] A list's links agree in both directions, its pages carry its
 *	mark and hold mapped pages; its count is right.
 * [reclaim.2] With nothing running, every mapped page that one entry maps and
 *	that is not locked is on a list: see [space.9].
 * [reclaim.4] What a policy remembers of pages is found by its key, and its
 *	orders agree in both directions; see history.c.
 * [reclaim.3] A thread that finds no victim while others hold some waits for
 *	one of them before it says that there is no memory.
 *
 * 5. Which policy
 *
 * Thirteen are here, behind one interface (policy.h), each checked against a
 * model of its own in tests/core/test_policy.c. Five of them remember pages
 * that went, or a number for each page, in a history that costs up to 80 bytes
 * a frame (history.h); the others cost nothing beside the descriptors.
 * bench/core/bench_policy.c drives all as the machine does: touches are found
 * as marks when a page's turn has come, or not at all, as on a host that keeps
 * no marks. Misses in percent of accesses, memory for a quarter of 16384
 * pages:
 *
 *	touches  trace   s3fifo sieve clock  fifo   nru ageing ws    2q   arc  lirs
 *	marked   skewed    45.3  48.8  49.8  52.6  50.7  48.6 48.8  45.6  44.4  43.5
 *	marked   scan      27.0  31.7  32.5  34.8  33.2  31.5 31.5  27.6  30.4  30.5
 *	marked   drift     28.9  29.8  29.8  32.5  31.3  29.3 28.8  30.0  28.4  28.1
 *	unseen   skewed    47.7  52.6  52.6  52.6  52.6  52.6 52.8  48.9  52.6  50.3
 *	unseen   scan      28.4  34.8  34.8  34.8  34.8  34.8 35.2  29.6  34.8  28.6
 *	unseen   drift     31.1  32.5  32.5  32.5  32.5  32.5 33.1  32.4  32.5  32.8
 *
 * lru is as clock here, since touches are found as marks only. s3fifo is the
 * default: where touches are seen lirs and arc are a little ahead of it on two
 * traces of three, for 40 to 80 bytes a frame; where nothing is seen of them,
 * as under a program's own kernel, it learns from refaults and is ahead on all
 * three. On uniformly random touches all are equal. A loop that does not fit
 * misses always, but with lirs, which misses half of it where half fits.
 *
 * two-lists and generations ask, too, whether a page is a file's (two of five
 * are in these traces, whatever their use): marked 48.4, 30.2, 29.9 and 49.3,
 * 32.0, 29.7; unseen 49.3, 31.1, 31.7 and 52.2, 34.5, 32.4. They are as Linux
 * does it. What they can do beside is in test_reclaim.c: files that are read
 * once leave programs alone.
 *
 * 6. No progress
 *
 * Reclaim must neither give up early, since somebody dies of it, nor go on
 * for ever. One call passes over each listed page once at most: its budget is
 * the number of listed pages when it begins. If that frees nothing, caches of
 * objects are shrunk and the pool's oldest pages are sent to the device. If
 * that frees nothing either, and no other thread is evicting, there is no
 * memory, and frame/ says so to its caller. What swap/ answered last is kept
 * in spaces->last_error for the port's report.
 *
 * A device that fails makes each store fail, so that one such call costs as
 * many transfers as there are pages. That is paid once for each time that
 * the port's oom() is asked.
 *
 * 7. Locks
 *
 * The lists and the policy's state belong to spaces->page_lock. A window is
 * picked and claimed under one hold of it. Nothing else here is locked. A
 * thread that waits ([reclaim.3]) may hold a space's lock shared and entries
 * claimed; those it waits for never wait for either, see space.c, part 5.
 *
 * 8. Rejected
 *
 * Reclaim in proportion to the spaces' sizes: one order for all pages says
 * the same with less. A victim's neighbours going along where the port does
 * not ask for it: they come to their own turn, and on hardware a page costs
 * the same with or without them.
 *
 * 9. Reading
 *
 * policy.h and policy.c, then the policies from the shortest: fifo.c,
 * clock.c, lru.c, nru.c, sieve.c, s3fifo.c; history.h and those that need it:
 * ageing.c, wsclock.c, twoq.c, arc.c, lirs.c; those that tell files from
 * programs, twolists.c and generations.c; this file; age.c.
 */
#include "reclaim_impl.h"

/* Pages that a direct reclaim frees at least, so that the next faults need
 * none: half a window. */
#define DIRECT_BATCH (QR_EVICT_MAX / 2)

/* But of a small memory not more than this share at once. */
#define DIRECT_DIVISOR 16u

/* Pages of the pool that are sent on in one go; one transfer's worth. */
#define WRITE_BACK_BATCH 64u

/* Goes of background write-back in a row that may free no frame: objects of
 * a frame leave one by one. */
#define WRITE_BACK_VAIN 8u

/* Longest sleep for another thread's window: a device's slow answer. */
#define EVICTED_WAIT_NS ((uint64_t)100 * 1000 * 1000)

/* Windows of others that are waited for in vain before giving up: they, too,
 * pass over each page once at most. */
#define WAITS_MAX 64u

/* --- windows --- */

static void
reclaim_note_done(struct qr_reclaim *reclaim, size_t freed)
{
	const struct qr_port *port = reclaim->port;
	/* All seq_cst: either reclaim_wait sees the new number or this sees
	 * the waiter; and who sees no one evicting sees what they freed. */
	atomic_fetch_add(&reclaim->freed, freed);
	atomic_fetch_sub(&reclaim->evicting, 1);
	atomic_fetch_add(&reclaim->evicted, 1);
	if (atomic_load(&reclaim->waiting) != 0)
		port->ops->wake(port->ctx, &reclaim->evicted, UINT32_MAX);
}

/* Takes the next victim off the lists and, where the port wants windows, those
 * of its neighbours that have not just come in. Returns how many that were.
 * (page lock) */
static size_t
reclaim_pick(struct qr_reclaim *reclaim, struct qr_page **victims, size_t room)
{
	struct qr_lru *lru = &reclaim->lru;
	struct qr_page *page = lru->policy->pick(lru);
	if (page == NULL)
		return 0;
	victims[0] = page;
	size_t count = 1;
	size_t end =
	    1 + qr_spaces_window(reclaim->spaces, page, victims + 1, room - 1);
	for (size_t i = 1; i < end; i++) {
		page = victims[i];
		unsigned list = qr_lru_list_of(page);
		if (list == QR_POLICY_LISTS || list == lru->policy->spared)
			continue;
		lru->policy->remove(lru, page);
		victims[count++] = page;
	}
	return count;
}

/* Evicts up to want pages at once, or a few more; *picked is how many victims
 * it had. Returns how many frames became free. */
static size_t
reclaim_window(struct qr_reclaim *reclaim, size_t want, size_t *picked)
{
	struct qr_spaces *spaces = reclaim->spaces;
	struct qr_page *victims[QR_EVICT_MAX];
	size_t count = 0;
	int error = 0;
	want = qr_min(want, QR_EVICT_MAX);
	/* Counted before the lists are looked at: who finds them empty
	 * afterwards sees it. */
	atomic_fetch_add(&reclaim->evicting, 1);
	qr_lock_acquire(reclaim->port, &spaces->page_lock);
	while (count < want) {
		size_t more = reclaim_pick(reclaim, victims + count,
		    QR_EVICT_MAX - count);
		if (more == 0)
			break;
		count += more;
	}
	size_t freed = qr_spaces_evict(spaces, victims, count, &error);
	/* Relaxed: a report's detail. */
	if (error != 0)
		atomic_store_explicit(&spaces->last_error, error,
		    memory_order_relaxed);
	reclaim_note_done(reclaim, freed);
	*picked = count;
	return freed;
}

/* A racy read: a budget only. */
static uint64_t
reclaim_listed(struct qr_reclaim *reclaim)
{
	qr_lock_acquire(reclaim->port, &reclaim->spaces->page_lock);
	uint64_t count = qr_lru_count(&reclaim->lru);
	qr_lock_release(reclaim->port, &reclaim->spaces->page_lock);
	return count;
}

size_t
qr_reclaim_pages(struct qr_reclaim *reclaim, size_t want)
{
	uint64_t budget = reclaim_listed(reclaim);
	size_t freed = 0;
	while (freed < want && budget > 0) {
		size_t picked;
		freed += reclaim_window(reclaim,
		    qr_min(want - freed, (size_t)budget), &picked);
		if (picked == 0)
			break;
		budget -= qr_min(picked, (size_t)budget);
	}
	return freed;
}

/* --- direct reclaim --- */

/*
 * Keeps [reclaim.3]: as long as other threads are evicting, sleeps until one
 * of them has freed a frame since the count of freed ones was read. False:
 * they have not.
 */
static bool
reclaim_wait(struct qr_reclaim *reclaim, uint64_t freed)
{
	const struct qr_port *port = reclaim->port;
	for (unsigned turn = 0; turn < WAITS_MAX; turn++) {
		uint32_t evicted = atomic_load(&reclaim->evicted);
		bool others = atomic_load(&reclaim->evicting) != 0;
		if (atomic_load(&reclaim->freed) != freed)
			return true;
		if (!others)
			return false;
		atomic_fetch_add(&reclaim->waiting, 1);
		port->ops->wait(port->ctx, &reclaim->evicted, evicted,
		    EVICTED_WAIT_NS);
		atomic_fetch_sub(&reclaim->waiting, 1);
	}
	return false;
}

/* What is left when no page could go. */
static size_t
reclaim_last_resort(struct qr_reclaim *reclaim)
{
	size_t freed = qr_slab_shrink_all(reclaim->slabs);
	if (freed == 0 && qr_cache_shrink(&reclaim->spaces->cache) != 0)
		freed = qr_slab_shrink_all(reclaim->slabs);
	if (freed == 0)
		freed = qr_swap_write_back(reclaim->swap, WRITE_BACK_BATCH);
	return freed;
}

static size_t
direct_batch(struct qr_reclaim *reclaim, size_t want)
{
	size_t share = (size_t)(reclaim_listed(reclaim) / DIRECT_DIVISOR);
	return qr_max(want, qr_min(DIRECT_BATCH, share));
}

/*
 * Takes back frames that the port has lent, if it can spare them; true: there
 * are more now. Two threads at once may together take back less than they
 * were granted; the port's next word on the balloon sets that right.
 */
static bool
reclaim_grant(struct qr_reclaim *reclaim, size_t want)
{
	const struct qr_port *port = reclaim->port;
	struct qr_frame_stat stat;
	if (port->ops->grant == NULL)
		return false;
	qr_frame_stat(reclaim->frames, &stat);
	if (stat.balloon == 0)
		return false;
	uint64_t granted = port->ops->grant(port->ctx, want);
	uint64_t target = stat.balloon - qr_min(granted, stat.balloon);
	return granted != 0 &&
	       qr_frame_balloon(reclaim->frames, target) < stat.balloon;
}

/* What its owners can do without goes first. */
static uint64_t
reclaim_loose(struct qr_reclaim *reclaim, uint64_t want)
{
	struct qr_cache *cache = &reclaim->spaces->cache;
	/* Relaxed: a hint. */
	if (atomic_load_explicit(&cache->loose_pages, memory_order_relaxed) ==
	    0)
		return 0;
	uint64_t freed = qr_cache_purge(cache, want);
	atomic_fetch_add(&reclaim->freed, freed);
	return freed;
}

/* 0: progress was made, by this thread or another. */
static int
reclaim_direct(struct qr_reclaim *reclaim, size_t want)
{
	uint64_t freed = atomic_load(&reclaim->freed);
	/* Relaxed: statistics. */
	atomic_fetch_add_explicit(&reclaim->direct, 1, memory_order_relaxed);
	if (reclaim_loose(reclaim, want) != 0)
		return 0;
	if (qr_reclaim_pages(reclaim, direct_batch(reclaim, want)) != 0 ||
	    reclaim_last_resort(reclaim) != 0)
		return 0;
	return reclaim_wait(reclaim, freed) ? 0 : -QR_ENOMEM;
}

/* --- background reclaim --- */

static size_t
balance_pages(struct qr_reclaim *reclaim)
{
	uint64_t want = qr_frame_want(reclaim->frames);
	if (want != 0 && reclaim_grant(reclaim, (size_t)want))
		want = qr_frame_want(reclaim->frames);
	/* Each turn frees a page at least, and twice what is wanted is enough
	 * even if the pool takes half of it. */
	size_t limit = 2 * (size_t)want + QR_EVICT_MAX;
	size_t freed = 0;
	if (want != 0) {
		freed = reclaim_loose(reclaim, want);
		want = qr_frame_want(reclaim->frames);
	}
	while (want != 0 && freed < limit) {
		size_t now = qr_reclaim_pages(reclaim,
		    qr_min((size_t)want, QR_EVICT_MAX));
		if (now == 0)
			break;
		freed += now;
		want = qr_frame_want(reclaim->frames);
	}
	return freed;
}

static size_t
balance_pool(struct qr_reclaim *reclaim)
{
	size_t freed = 0;
	unsigned vain = 0;
	while (vain < WRITE_BACK_VAIN && qr_swap_pool_is_full(reclaim->swap)) {
		size_t now =
		    qr_swap_write_back(reclaim->swap, WRITE_BACK_BATCH);
		vain = now == 0 ? vain + 1 : 0;
		freed += now;
	}
	return freed;
}

size_t
qr_reclaim_balance(struct qr_reclaim *reclaim)
{
	/* Relaxed: statistics. */
	atomic_fetch_add_explicit(&reclaim->background, 1,
	    memory_order_relaxed);
	size_t freed = balance_pool(reclaim);
	(void)qr_cache_balance(&reclaim->spaces->cache);
	if (!reclaim->by_touchers)
		freed += balance_pages(reclaim);
	if (qr_frame_below_low(reclaim->frames))
		freed += qr_slab_shrink_all(reclaim->slabs);
	if (reclaim->age_softly)
		qr_reclaim_age(reclaim);
	/* At the end, as this round's own allocations find memory low, too.
	 * Who found it low meanwhile and did not wake finds it so again. */
	atomic_store(&reclaim->woken, 0);
	return freed;
}

/* --- upcalls --- */

static int
frame_reclaim(void *ctx, qr_gfp_t gfp, size_t want)
{
	(void)gfp;
	if (reclaim_grant(ctx, want))
		return 0;
	return reclaim_direct(ctx, want);
}

static void
frame_low(void *ctx)
{
	struct qr_reclaim *reclaim = ctx;
	const struct qr_port *port = reclaim->port;
	if (reclaim->by_touchers && !qr_swap_pool_is_full(reclaim->swap))
		return;
	/* Relaxed: the common case, memory low and somebody on the way. */
	if (atomic_load_explicit(&reclaim->woken, memory_order_relaxed) != 0)
		return;
	if (atomic_exchange(&reclaim->woken, 1) == 0)
		port->ops->wake_reclaim(port->ctx);
}

static int
space_reclaim(void *ctx, size_t want)
{
	struct qr_reclaim *reclaim = ctx;
	if (qr_frame_below_high(reclaim->frames) && reclaim_grant(ctx, want))
		return 0;
	return reclaim_direct(ctx, want);
}

static void
space_page_in(void *ctx, struct qr_page *page, uint64_t refault_distance)
{
	struct qr_lru *lru = &((struct qr_reclaim *)ctx)->lru;
	lru->policy->insert(lru, page, refault_distance);
}

static void
space_page_touched(void *ctx, struct qr_page *page)
{
	struct qr_lru *lru = &((struct qr_reclaim *)ctx)->lru;
	qr_reclaim_mark_awake(page);
	lru->policy->accessed(lru, page);
}

static void
space_page_gone(void *ctx, struct qr_page *page)
{
	struct qr_lru *lru = &((struct qr_reclaim *)ctx)->lru;
	lru->policy->remove(lru, page);
}

static void
space_page_stays(void *ctx, struct qr_page *page)
{
	struct qr_lru *lru = &((struct qr_reclaim *)ctx)->lru;
	qr_reclaim_mark_awake(page);
	lru->policy->put_back(lru, page);
}

static bool
lru_test_young(void *ctx, struct qr_page *page)
{
	return qr_spaces_test_young(((struct qr_reclaim *)ctx)->spaces, page);
}

static bool
lru_test_dirty(void *ctx, struct qr_page *page)
{
	return qr_spaces_is_dirty(((struct qr_reclaim *)ctx)->spaces, page);
}

static bool
lru_is_file(void *ctx, struct qr_page *page)
{
	(void)ctx;
	return qr_page_is_cached(page) && qr_cached_object(page)->file != NULL;
}

static uint64_t
lru_identity(void *ctx, struct qr_page *page)
{
	return qr_spaces_identity(((struct qr_reclaim *)ctx)->spaces, page);
}

static int
frame_migrate(void *ctx, struct qr_page *page, struct qr_page *to)
{
	return qr_spaces_migrate(((struct qr_reclaim *)ctx)->spaces, page, to);
}

static const struct qr_frame_ops frame_ops = {
	.reclaim = frame_reclaim,
	.low = frame_low,
};

/* Where mapped pages can be moved. */
static const struct qr_frame_ops moving_frame_ops = {
	.reclaim = frame_reclaim,
	.low = frame_low,
	.migrate = frame_migrate,
};

static const struct qr_space_ops space_ops = {
	.page_in = space_page_in,
	.page_touched = space_page_touched,
	.page_gone = space_page_gone,
	.page_stays = space_page_stays,
	.reclaim = space_reclaim,
};

/* --- init, fini, check --- */

int
qr_reclaim_init(struct qr_reclaim *reclaim, struct qr_spaces *spaces,
    const struct qr_machine_config *config)
{
	const struct qr_policy *policy = qr_policy_find(config->policy);
	if (policy == NULL)
		return -QR_EINVAL;
	*reclaim = (struct qr_reclaim){
		.port = spaces->port,
		.frames = spaces->frames,
		.slabs = spaces->slabs,
		.swap = spaces->swap,
		.spaces = spaces,
		.age_softly = config->age_softly &&
			      (spaces->port->flags & QR_PORT_HARDWARE_AD) == 0,
		.by_touchers = config->evict_by_touchers,
	};
	int error = qr_lru_init(&reclaim->lru, policy, spaces->frames);
	if (error != 0)
		return error;
	reclaim->lru.test_young = lru_test_young;
	reclaim->lru.test_dirty = lru_test_dirty;
	reclaim->lru.is_file = lru_is_file;
	reclaim->lru.identity = lru_identity;
	reclaim->lru.ctx = reclaim;
	bool moves = (spaces->port->flags & QR_PORT_PAGES_MOVE) != 0;
	qr_frame_set_ops(spaces->frames, moves ? &moving_frame_ops : &frame_ops,
	    reclaim);
	qr_spaces_set_ops(spaces, &space_ops, reclaim);
	reclaim->signature = QR_RECLAIM_SIGNATURE;
	return 0;
}

void
qr_reclaim_fini(struct qr_reclaim *reclaim)
{
	uint64_t left = qr_lru_count(&reclaim->lru);
	QR_ASSERT(reclaim->signature == QR_RECLAIM_SIGNATURE,
	    "reclaim %p has signature 0x%x", (void *)reclaim,
	    reclaim->signature);
	QR_ASSERT(left == 0, "%llu pages are still listed",
	    (unsigned long long)left);
	reclaim->signature = 0;
	qr_lru_fini(&reclaim->lru);
	qr_frame_set_ops(reclaim->frames, NULL, NULL);
}

void
qr_check_reclaim(struct qr_reclaim *reclaim, enum qr_check_depth depth)
{
	QR_ASSERT(reclaim->signature == QR_RECLAIM_SIGNATURE,
	    "reclaim %p has signature 0x%x", (void *)reclaim,
	    reclaim->signature);
	if (depth < QR_CHECK_SELF)
		return;
	uint32_t evicting = atomic_load(&reclaim->evicting);
	QR_ASSERT(evicting == 0, "%u threads hold victims", evicting);
	if (depth >= QR_CHECK_CHILDREN)
		qr_check_lru(&reclaim->lru);
}
