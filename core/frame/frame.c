/* SPDX-License-Identifier: MIT */
/*
 * frame/frame.c: physical memory: who has which frame, and who may have more.
 *
 * 1. Purpose and terms
 *
 * A frame is 4 KiB of physical memory; a page descriptor (struct qr_page) says
 * what it is used for. A block is 1 << order frames whose first number is a
 * multiple of that. Frames belong to zones: ranges that differ in what
 * devices reach them (class) or which bank they are in (node). Where nothing
 * differs there is one zone.
 *
 *	qr_frame_alloc, qr_frame_free                              frame.c
 *	     |        ^
 *	     v        |  order 0
 *	   [ a list of frames for each CPU ]  x zone               frame.c
 *	     |        ^
 *	     v refill |  spill                                     zone.c
 *	   [ buddy: free blocks ]  x zone x type                   block.c, buddy.c
 *	     |        ^
 *	     v lend   |  recall                                    balloon.c
 *	   [ buddy: the balloon ]  x zone
 *
 * 2. The buddy system
 *
 * A block's buddy is the other half of the block of twice its size. Freeing
 * joins a block with its buddy as long as that is free, allocating splits the
 * smallest block that is large enough; both take a step for each order. Its
 * state is bitmaps beside the frames (buddy.c), so the same code cuts other
 * numbered things, and a frame nobody uses is never touched.
 *
 * 3. States of a frame
 *
 *	                  alloc
 *	   in a buddy -----------> USER, SLAB, TABLE, POOL, META, KERNEL
 *	     |  ^  ^                 |  ^                 (kind of the block's
 *	     |  |  |       free      |  | set_kind         first descriptor)
 *	     v  |  +-----------------+--+
 *	   on a CPU's list, in the balloon;  hole, given out at boot
 *
 * All states but use have kind QR_PAGE_FREE, which is 0, and which of them it
 * is stands in the zone. Hence a zeroed array of descriptors is right from
 * the start, and a machine with a budget of 64 GiB that uses 100 MiB has
 * written the descriptors and bitmaps of 100 MiB. Allocation starts at the low
 * end, so these lie together.
 *
 * Invariants, verified by qr_check_frames:
 *
 * [frame.1] A frame is in one place: in use, free in its zone's buddy, on one
 *          CPU's list, in the balloon, or none of the core's.
 * [frame.2] Only the first descriptor of a block in use has another kind than
 *          QR_PAGE_FREE; it has the block's order and zone.
 * [frame.3] total = free + those of each kind + boot's + the balloon.
 * [frame.4] zone->free_pages is what its buddies count, but for isolated ones.
 * [frame.5] Frames with QR_PAGE_HOME lie below frames->home_end, and are
 *          frames->home_pages.
 * [frame.6] On the low stack of a CPU's list no frame has QR_PAGE_HOME.
 * [frame.7] Sections with a slot and slots in use match one to one, and the
 *          descriptors fill the slots up to somewhere in the last one.
 * [frame.8] What is free of a pageblock is in the buddy of its type.
 * [frame.9] See hotplug.c.
 *
 * Pageblocks, as long as the largest block, have a type: used for mapped pages
 * (movable), for the core's own (unmovable; reclaimable, if its owner can be
 * asked for it back), set aside for large pieces (contig), or shut (isolate).
 * A zone has one buddy for each type, so what can be moved out of the way and
 * what can't do not mix, as long as each type has something free; what happens
 * then is in block.c. All are movable at first, and stay so in a zone of few
 * pageblocks (zone.c). Freeing goes by the pageblock's
 * type, whoever used the frame.
 *
 * 4. Lists of the CPUs
 *
 * An array of frame numbers a CPU and zone, in front of the zone's lock: two
 * stacks that grow towards each other, of frames for mapped pages, without home
 * bytes (part 6), and of the core's own. Taking from it looks at nothing but
 * the array: the watermarks are looked at when it is refilled, a batch at a
 * time, so they are passed by a few frames at most. It is guarded by a busy
 * word (base/busy.h): where the CPU's number is a hint two threads may meet,
 * and who finds somebody inside goes to the zone. All lists of a zone together
 * hold 1/64 of its memory at most, each as much of its part as it was seen to
 * need (pcp.c), and what they hold is not counted as free by the watermarks.
 * A pair costs some 120 instructions: a descriptor is read and written once,
 * as one word with its use and one with its links. Before an allocation fails they are all emptied, but not
 * before reclaim: it would take from the core the frames that it is about to
 * need.
 *
 * 5. Who may have how much
 *
 *	high ----  background reclaim rests at or above
 *	low  ----  below, it is woken (ops->low)
 *	min  ----  below, who may reclaim must do so (ops->reclaim), others fail
 *	min/2 ---  below, QR_GFP_ATOMIC fails too
 *	0    ----  QR_GFP_RESERVE, which reclaim itself uses, goes down to here
 *
 * min is 4 * sqrt(usable memory in KiB) KiB, as the field has it; without the
 * balloon, since that memory is not ours. What is taken out of the reserve
 * goes to the one who asked and never onto a list.
 *
 * Zones differ in class: DMA and DMA32 for devices that reach little; HIGHMEM
 * beyond the direct map, for mapped pages only; MOVABLE, set aside for what
 * can be moved, so that it can be emptied; NORMAL, the rest. Which there are
 * is the port's and the configuration's to say. An allocation's flags say
 * which class is the widest it may use, and it may use all narrower ones too,
 * but leaves there a part of what it could have had in the wider zones (the
 * reserve; one frame in 256, of NORMAL one in 32), or memory that few can use
 * would be used up by those who could have had any.
 *
 * A zonelist has the zones that an allocation may use, by the distance of
 * their nodes from the CPU's, and within a node the widest class first: a node
 * is used up before the next one is begun (zonelist.c). A CPU's usual
 * allocation looks at the first zone of two lists only, which it finds in one
 * load.
 *
 * A larger block is tried to be made of pieces before reclaim and after each
 * of its rounds, by moving mapped pages out of the way (compact.c).
 *
 * Reclaim is repeated as long as it makes progress, since others may take
 * what was freed. Rounds in vain may mean that all candidates are in other
 * threads' hands for the moment: so the thread sleeps a little between them,
 * and gives up after the fifth. A larger block may not come about however
 * much is freed, so for those the number of rounds is limited too.
 *
 * 6. Home bytes
 *
 * The direct map gives each frame bytes at a fixed place. On hardware these
 * are the frame. On a host they exist once touched, while a frame that holds
 * a mapped page has its bytes elsewhere. QR_PAGE_HOME says that they may
 * exist: set by qr_frame_data, kept when the frame is freed (the next user
 * may want them too), cleared with a call of the port when the frame is about
 * to be mapped or lent. So existing bytes never exceed frames that are ours.
 * Giving bytes back and touching new ones are dear on a host, so frames that
 * have them go to the core's own uses first. Of a list, mapped pages get them
 * when they are most of it, and then all at once.
 *
 * 7. Descriptors
 *
 * Descriptors lie in one array. A descriptor's place in it is its frame's
 * index, and that is what zones, buddies and lists count in. Where RAM has no
 * large gaps an index is the frame's number less a constant. Where it has,
 * the array holds the sections (32 MiB) that have memory, side by side, and
 * two tables of four bytes a section lead from number to index and back
 * (sparse.c). So 16 TiB of addresses with memory in a few places cost 4 MiB of
 * tables, and buddies and descriptors for the memory that there is. Blocks
 * never cross sections, since the largest block is no larger. Whoever stays
 * inside this folder needs no translation: taking a frame off a list and
 * putting it back is the same work with gaps and without.
 *
 * 8. Locks
 *
 * A zone's lock (rank QR_RANK_ZONE) guards its buddies, its balloon, its
 * pageblocks' types and free_pages; no two zones' are held at once. A list's
 * busy word guards the list; the zone's lock is taken inside, never the other way round. A block's
 * descriptor is its user's; flags and refs are atomic because others read.
 * ops->reclaim is called with nothing of this held; ops->low and the port's
 * frame_release may be called inside a list.
 *
 * 9. Failure
 *
 * Only allocation fails, and creation. Freeing, counting and changing kinds
 * need no memory. Who must not fail halfway has the frames promised before it
 * begins (promise.c): they are allocated then, and redeeming one is taking it
 * off the caller's own list, which can't fail. There is no flag that makes an
 * allocation wait for ever, since nothing proves that it would end. A frame
 * freed twice, or that was never allocated, is found by its kind, in every
 * build; a pointer that is no descriptor by its place. That a free overlaps a
 * free block without that, descriptors having been overwritten, hard builds
 * find in the buddy.
 *
 * 10. Rejected
 *
 * Kinds for "on a list" and "in the balloon": they cost a write of a cold
 * descriptor at each refill and tell nothing that the zone does not know.
 * Lists linked through descriptors instead of arrays: one cache miss more a
 * frame, for lists without a limit that nobody wants. A descriptor array
 * that is as long as the addresses, mapped page by page where there is memory:
 * the lookup is always an addition, but it wants an MMU and tables before
 * there is an allocator. A lock instead of the busy word: two
 * more atomic operations a pair, which is half of what a pair costs.
 *
 * Reading: Knowlton 1965 and Knuth 1973, 2.5, for the buddy system; Bonwick
 * and Adams 2001 for stocks of each CPU; Gorman, Understanding the Linux
 * Virtual Memory Manager, 2004, for zones and watermarks.
 */
#include "../base/pause.h"
#include "frame_impl.h"

#include "port_inline.h"

/* Rounds of reclaim in vain, one after the other, before giving up, and the
 * sleep after the first of them, doubled each time: together 15 ms, time for
 * another thread to finish some windows of pages. */
#define FRUITLESS_MAX 5u
#define PAUSE_NS      ((uint64_t)1000 * 1000)

/* Rounds of reclaim for a block of more than one frame: with 32 frames and
 * more freed by each, what does not come about by then won't. */
#define BLOCK_ROUNDS_MAX 16u

/* Frames that a round of reclaim is asked for beyond those needed. */
#define RECLAIM_EXTRA 32u

/* log2 of a descriptor's bytes. */
#define PAGE_STRUCT_SHIFT 5u
_Static_assert(sizeof(struct qr_page) == 1u << PAGE_STRUCT_SHIFT, "its size");

/* --- one block's descriptor --- */

/* Hard builds: no other descriptor of the block is in use. */
static void
assert_tails_free(const struct qr_frames *frames, const struct qr_page *page)
{
	if (!QR_CONFIG_HARD)
		return;
	for (size_t i = 1; i < (size_t)1 << page->order; i++)
		QR_ASSERT(page[i].kind == QR_PAGE_FREE,
		    "[frame.2] frame 0x%llx + %zu is of kind %u",
		    (unsigned long long)qr_frame_pfn(frames, page), i,
		    page[i].kind);
}

#define USE_KIND page_use((struct page_use){ .kind = UINT8_MAX })
#define USE_HOME page_use((struct page_use){ .flags = QR_PAGE_HOME })
/* What is 0 in a single frame with one reference or none. */
#define USE_SPECIAL                                                            \
	page_use(                                                              \
	    (struct page_use){ .order = UINT8_MAX, .refs = UINT32_MAX - 1 })

/* Misuse, named; out of the way of those who do right. */
static QR_NOINLINE QR_NORETURN void
panic_not_free(const struct qr_frames *frames, const struct qr_page *page)
{
	QR_PANIC("[frame.1] free frame 0x%llx is of kind %u",
	    (unsigned long long)frames_pfn(frames, page), page->kind);
}

static QR_NOINLINE QR_NORETURN void
panic_no_page(const struct qr_page *page)
{
	QR_PANIC("%p is no page descriptor", (const void *)page);
}

/* Begins the use of a block that has just been taken; use is what page_use()
 * makes of it. The descriptor is touched once: a load and four stores. */
static inline void
page_begin(const struct qr_frames *frames, struct qr_page *page, uint64_t use)
{
	/* Relaxed, both: nobody else knows the page yet. */
	uint64_t was = atomic_load_explicit(&page->use, memory_order_relaxed);
	if (QR_UNLIKELY((was & USE_KIND) != 0))
		panic_not_free(frames, page);
	page->next = QR_PFN_NIL;
	page->prev = QR_PFN_NIL;
	atomic_store_explicit(&page->use, use | (was & USE_HOME),
	    memory_order_relaxed);
	__builtin_memset(&page->u, 0, sizeof(page->u));
}

/* The usual cases leave it to the others when something is to be written. */
static void
trace_alloc(const struct qr_frames *frames, const struct qr_page *page)
{
	FRAME_TRACE(frames, FRAME_ALLOC, frames_pfn(frames, page), page->order,
	    page->kind);
}

static inline bool
is_traced(const struct qr_frames *frames)
{
	/* Relaxed: who writes an event looks again. */
	return QR_UNLIKELY(
	    atomic_load_explicit(&frames->trace, memory_order_relaxed) != NULL);
}

/* Ends the use of a block; returns what it was used for. Panics if it was not
 * in use. */
static enum qr_page_kind
page_end(const struct qr_frames *frames, struct qr_page *page)
{
	enum qr_page_kind kind = page->kind;
	/* Acquire pairs with the release by whoever dropped another one. */
	uint32_t refs = atomic_load_explicit(&page->refs, memory_order_acquire);
	QR_ASSERT(kind != QR_PAGE_FREE,
	    "[frame.1] frame 0x%llx freed, but not in use",
	    (unsigned long long)frames_pfn(frames, page));
	QR_ASSERT(refs <= 1, "frame 0x%llx freed with %u references",
	    (unsigned long long)frames_pfn(frames, page), refs);
	assert_tails_free(frames, page);
	/* Relaxed: nobody else knows the page any more. */
	uint64_t use = atomic_load_explicit(&page->use, memory_order_relaxed);
	FRAME_TRACE(frames, FRAME_FREE, frames_pfn(frames, page),
	    page_use_fields(use).order, kind);
	atomic_store_explicit(&page->use, use & USE_HOME, memory_order_relaxed);
	return kind;
}

void
qr_page_begin(const struct qr_frames *frames, const struct qr_zone *zone,
    struct qr_page *page, unsigned order, enum qr_page_kind kind)
{
	page_begin(frames, page, page_use_by(kind, order, zone->index));
	assert_tails_free(frames, page);
	trace_alloc(frames, page);
}

enum qr_page_kind
qr_page_end(const struct qr_frames *frames, struct qr_page *page)
{
	return page_end(frames, page);
}

struct qr_page *
qr_frame_page(const struct qr_frames *frames, qr_pfn_t pfn)
{
	uint64_t index = pfn - frames->pfn_start;
	if (frames_sparse(frames)) {
		QR_ASSERT(index >> SECTION_SHIFT < frames->section_count &&
			      atomic_load_explicit(
				  &frames->slot[index >> SECTION_SHIFT],
				  memory_order_relaxed) != SLOT_NONE,
		    "frame 0x%llx is in no section from 0x%llx on",
		    (unsigned long long)pfn,
		    (unsigned long long)frames->pfn_start);
		index = frames_index(frames, pfn);
	}
	QR_ASSERT(index < frames->page_count,
	    "frame 0x%llx is not in 0x%llx + 0x%llx", (unsigned long long)pfn,
	    (unsigned long long)frames->pfn_start,
	    (unsigned long long)frames->page_count);
	return &frames->pages[index];
}

/* Index of what may be no descriptor: then it panics. What is between two
 * descriptors becomes a very high number. */
static inline uint64_t
checked_index(const struct qr_frames *frames, const struct qr_page *page)
{
	uint64_t offset = (uintptr_t)page - (uintptr_t)frames->pages;
	uint64_t index =
	    offset >> PAGE_STRUCT_SHIFT | offset << (64 - PAGE_STRUCT_SHIFT);
	if (QR_UNLIKELY(index >= frames->page_count))
		panic_no_page(page);
	return index;
}

qr_pfn_t
qr_frame_pfn(const struct qr_frames *frames, const struct qr_page *page)
{
	return frames_pfn_at(frames, checked_index(frames, page));
}

/* --- single frames, through the CPU's list --- */

static struct qr_pcp *
pcp_here(const struct qr_frames *frames, const struct qr_zone *zone)
{
	return &zone->pcp[qr_port_cpu(frames->port)];
}

/* What is asked of an allocation. */
struct need {
	qr_gfp_t gfp;
	unsigned order;
	enum qr_page_kind kind;
	uint32_t node; /* for a CPU of which */
};

static const struct zonelist *
need_list(const struct qr_frames *frames, const struct need *need)
{
	return &frames->list[need->node][qr_gfp_zone(need->gfp)];
}

/* Whether the zone will do. Those of other nodes are counted. */
static bool
need_suits(const struct need *need, const struct qr_zone *zone)
{
	/* Relaxed: a zone that has just got its first frames will do next
	 * time. */
	if (atomic_load_explicit(&zone->pages, memory_order_relaxed) == 0)
		return false;
	return zone->node == need->node || (need->gfp & QR_GFP_THISNODE) == 0;
}

static void
count_missed(const struct need *need, struct qr_zone *zone, size_t got)
{
	/* Relaxed: only statistics read it. */
	if (zone->node != need->node)
		atomic_fetch_add_explicit(&zone->missed, got,
		    memory_order_relaxed);
}

/* As zone_alloc_singles, not through the CPU's list. */
static size_t
zone_alloc_around(struct qr_frames *frames, struct qr_zone *zone,
    const struct need *need, size_t count, struct qr_page **out)
{
	size_t got = 0;
	uint64_t index;
	while (got < count && qr_zone_take(frames, zone, need->gfp, 0, &index))
		out[got++] = &frames->pages[index];
	qr_count_kind(frames, need->kind, (int64_t)got);
	qr_watermark_signal(frames);
	return got;
}

/* Up to count single frames of one zone; returns how many. */
static size_t
zone_alloc_singles(struct qr_frames *frames, struct qr_zone *zone,
    const struct need *need, size_t count, struct qr_page **out)
{
	struct qr_pcp *pcp = pcp_here(frames, zone);
	/* Lists don't tell the core's frames apart. */
	if ((need->gfp & QR_GFP_RECLAIMABLE) != 0 ||
	    !qr_busy_try_enter(&pcp->busy))
		return zone_alloc_around(frames, zone, need, count, out);
	size_t got = 0;
	uint32_t index;
	for (; got < count; got++) {
		if (!pcp_pop(pcp, need->gfp, &index) &&
		    !qr_pcp_take(frames, zone, pcp, need->gfp, &index))
			break;
		out[got] = &frames->pages[index];
	}
	pcp_count_kind(pcp, need->kind, (int64_t)got);
	qr_busy_leave(&pcp->busy);
	return got;
}

/* Puts a frame whose use has ended on the list. The caller is inside. */
static inline void
zone_free_single(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp, const struct qr_page *page, enum qr_page_kind kind)
{
	bool is_bare = kind == QR_PAGE_USER && !page_is_home(page);
	uint64_t index = page_index(frames, page);
	if (!pcp_push(pcp, index, is_bare, pcp_load(&pcp->high)))
		qr_pcp_give(frames, zone, pcp, index, is_bare);
	pcp_count_kind(pcp, kind, -1);
}

/* --- allocating --- */

static bool
zone_alloc_block(struct qr_frames *frames, struct qr_zone *zone,
    const struct need *need, struct qr_page **page)
{
	uint64_t index;
	bool is_taken =
	    qr_zone_take(frames, zone, need->gfp, need->order, &index);
	qr_watermark_signal(frames);
	if (!is_taken)
		return false;
	qr_count_kind(frames, need->kind, (int64_t)1 << need->order);
	*page = &frames->pages[index];
	return true;
}

/* One block from the zonelist as it stands, or NULL. */
static struct qr_page *
alloc_easily(struct qr_frames *frames, const struct need *need)
{
	const struct zonelist *list = need_list(frames, need);
	for (unsigned i = 0; i < list->count; i++) {
		struct qr_page *page;
		struct qr_zone *zone = &frames->zone[list->zone[i]];
		if (!need_suits(need, zone))
			continue;
		bool is_taken =
		    need->order == 0
			? zone_alloc_singles(frames, zone, need, 1, &page) != 0
			: zone_alloc_block(frames, zone, need, &page);
		if (!is_taken)
			continue;
		count_missed(need, zone, 1);
		qr_page_begin(frames, zone, page, need->order, need->kind);
		return page;
	}
	return NULL;
}

static bool
may_reclaim(const struct qr_frames *frames, qr_gfp_t gfp)
{
	return (gfp & (QR_GFP_RECLAIM | QR_GFP_ATOMIC | QR_GFP_RESERVE)) ==
		   QR_GFP_RECLAIM &&
	       frames->ops != NULL;
}

/* Lets others go on, before reclaim is tried again in vain. */
static void
pause_before_retry(struct qr_frames *frames, unsigned fruitless)
{
	const struct qr_port *port = frames->port;
	port->ops->wait(port->ctx, &frames->pause, 0,
	    PAUSE_NS << (fruitless - 1));
}

/* One block when the CPUs' lists have given up theirs, or NULL. */
static struct qr_page *
alloc_drained(struct qr_frames *frames, const struct need *need)
{
	qr_frame_drain(frames);
	return alloc_easily(frames, need);
}

/* A block by moving mapped pages together, or NULL. */
static struct qr_page *
alloc_compacted(struct qr_frames *frames, const struct need *need)
{
	const struct zonelist *list = need_list(frames, need);
	if (need->order == 0 || frames->ops->migrate == NULL)
		return NULL;
	for (unsigned i = 0; i < list->count; i++) {
		struct qr_zone *zone = &frames->zone[list->zone[i]];
		if (!need_suits(need, zone))
			continue;
		struct qr_page *page =
		    qr_compact_alloc(frames, zone, need->order, need->kind);
		if (page != NULL)
			return page;
	}
	return NULL;
}

/* One block out of what the balloon gives back, or NULL. */
static struct qr_page *
alloc_deflated(struct qr_frames *frames, const struct need *need, size_t want)
{
	uint64_t lent = atomic_load(&frames->balloon_pages);
	if (!frames->deflate_on_oom || lent == 0)
		return NULL;
	(void)qr_frame_balloon(frames, lent - qr_min(lent, want));
	return alloc_easily(frames, need);
}

/* One block with all that gfp allows, or NULL. */
static QR_NOINLINE struct qr_page *
alloc_hard(struct qr_frames *frames, const struct need *need)
{
	unsigned fruitless = 0;
	struct qr_page *page = alloc_easily(frames, need);
	if (page == NULL && !may_reclaim(frames, need->gfp))
		page = alloc_drained(frames, need);
	if (page != NULL || !may_reclaim(frames, need->gfp))
		return page;
	page = alloc_compacted(frames, need);
	if (page != NULL)
		return page;
	for (unsigned round = 1;; round++) {
		size_t want = ((size_t)1 << need->order) + RECLAIM_EXTRA;
		int error =
		    frames->ops->reclaim(frames->ops_ctx, need->gfp, want);
		for (unsigned i = 0; i < frames->zone_count; i++)
			qr_pcp_restore(frames, &frames->zone[i]);
		page = alloc_easily(frames, need);
		if (page == NULL)
			page = alloc_drained(frames, need);
		if (page == NULL)
			page = alloc_compacted(frames, need);
		fruitless = error == 0 ? 0 : fruitless + 1;
		if (page != NULL || (need->gfp & QR_GFP_NORETRY) != 0)
			return page;
		if (fruitless == FRUITLESS_MAX ||
		    (need->order != 0 && round == BLOCK_ROUNDS_MAX))
			return alloc_deflated(frames, need, want);
		if (fruitless != 0)
			pause_before_retry(frames, fruitless);
	}
}

/* What gfp says about the contents. */
static inline void
page_finish(struct qr_frames *frames, struct qr_page *page, qr_gfp_t gfp)
{
	/* Relaxed: the page is the caller's alone. */
	uint8_t flags =
	    atomic_load_explicit(&page->flags, memory_order_relaxed);
	bool may_be_home = flags != 0 || page->order != 0;
	if ((gfp & QR_GFP_USER) != 0 && may_be_home)
		qr_home_release(frames, page_index(frames, page), page->order);
	if ((gfp & QR_GFP_ZERO) != 0)
		__builtin_memset(qr_frame_data(frames, page), 0,
		    QR_PAGE_SIZE << page->order);
}

/* The caller may sleep if it says so. */
static inline void
assert_may_alloc(const struct qr_frames *frames, qr_gfp_t gfp,
    enum qr_page_kind kind)
{
	QR_HARD(kind > QR_PAGE_FREE && kind < QR_PAGE_KINDS, "kind %u",
	    (unsigned)kind);
	if (!QR_CONFIG_DEBUG || !may_reclaim(frames, gfp))
		return;
	const uint32_t *held = qr_port_held_ranks(frames->port);
	QR_ASSERT(held == NULL || *held >> (QR_RANK_SPACE + 1) == 0,
	    "gfp 0x%x, holding locks 0x%x", gfp, *held);
}

/* Flags that send an allocation elsewhere than to the nearest zone for the
 * core's own pages, or for mapped ones. */
#define GFP_PLACED                                                             \
	(QR_GFP_DMA | QR_GFP_DMA32 | QR_GFP_HIGHMEM | QR_GFP_MOVABLE |         \
	    QR_GFP_THISNODE | QR_GFP_RECLAIMABLE)

/* Those, and where there is more to do than to take a frame off a list. */
#define GFP_SPECIAL (GFP_PLACED | QR_GFP_ZERO)

/* The list that this CPU's allocations are tried on first. */
static inline struct qr_pcp *
pcp_near(const struct qr_frames *frames, unsigned cpu, qr_gfp_t gfp)
{
	if (QR_PORT_FLAT_RAM)
		return &frames->zone->pcp[cpu];
	/* Relaxed: any of the past ones is right too, but may be empty. */
	return atomic_load_explicit(
	    &frames->near[cpu][(gfp & QR_GFP_USER) != 0], memory_order_relaxed);
}

/* The usual case: a frame from the CPU's list of the first zone, which has one
 * and is not in use. NULL: it is not so. */
static inline struct qr_page *
list_take(struct qr_frames *frames, qr_gfp_t gfp, enum qr_page_kind kind)
{
	struct qr_pcp *pcp = pcp_near(frames, qr_port_cpu(frames->port), gfp);
	uint32_t index;
	if (QR_UNLIKELY(!qr_busy_try_enter(&pcp->busy)))
		return NULL;
	bool is_taken = pcp_pop(pcp, gfp, &index);
	if (QR_LIKELY(is_taken))
		pcp_count_kind(pcp, kind, 1);
	qr_busy_leave(&pcp->busy);
	if (QR_UNLIKELY(!is_taken))
		return NULL;
	struct qr_page *page = &frames->pages[index];
	page_begin(frames, page,
	    pcp->begin | page_use((struct page_use){ .kind = (uint8_t)kind }));
	return page;
}

static QR_NOINLINE struct qr_page *
alloc_slow(struct qr_frames *frames, qr_gfp_t gfp, unsigned order,
    enum qr_page_kind kind)
{
	struct qr_page *page = NULL;
	QR_ASSERT(kind > QR_PAGE_FREE && kind < QR_PAGE_KINDS, "kind %u",
	    (unsigned)kind);
	if (order == 0 && (gfp & GFP_PLACED) == 0)
		page = list_take(frames, gfp, kind);
	if (page != NULL) {
		trace_alloc(frames, page);
	} else {
		uint32_t node =
		    qr_node_of_cpu(frames, qr_port_cpu(frames->port));
		page = alloc_hard(frames,
		    &(struct need){ gfp, order, kind, node });
		if (page == NULL)
			return NULL;
	}
	page_finish(frames, page, gfp);
	return page;
}

struct qr_page *
qr_frame_alloc(struct qr_frames *frames, qr_gfp_t gfp, unsigned order,
    enum qr_page_kind kind)
{
	assert_may_alloc(frames, gfp, kind);
	if (QR_LIKELY(order == 0 && (gfp & GFP_SPECIAL) == 0) &&
	    !is_traced(frames)) {
		struct qr_page *page = list_take(frames, gfp, kind);
		if (QR_LIKELY(page != NULL))
			return page;
	}
	return alloc_slow(frames, gfp, order, kind);
}

struct qr_page *
qr_frame_alloc_node(struct qr_frames *frames, qr_gfp_t gfp, unsigned order,
    enum qr_page_kind kind, uint32_t node)
{
	assert_may_alloc(frames, gfp, kind);
	QR_ASSERT(node < QR_NODES_MAX, "node %u", node);
	struct qr_page *page =
	    alloc_hard(frames, &(struct need){ gfp, order, kind, node });
	if (page != NULL)
		page_finish(frames, page, gfp);
	return page;
}

size_t
qr_frame_alloc_bulk(struct qr_frames *frames, qr_gfp_t gfp, size_t count,
    enum qr_page_kind kind, struct qr_page **out)
{
	const struct need need = { gfp, 0, kind,
		qr_node_of_cpu(frames, qr_port_cpu(frames->port)) };
	const struct zonelist *list = need_list(frames, &need);
	size_t got = 0;
	assert_may_alloc(frames, 0, kind);
	for (unsigned i = 0; i < list->count && got < count; i++) {
		struct qr_zone *zone = &frames->zone[list->zone[i]];
		if (!need_suits(&need, zone))
			continue;
		size_t more = got + zone_alloc_singles(frames, zone, &need,
					count - got, &out[got]);
		count_missed(&need, zone, more - got);
		for (; got < more; got++) {
			page_begin(frames, out[got],
			    page_use_by(kind, 0, zone->index));
			trace_alloc(frames, out[got]);
			if ((gfp & QR_GFP_ZERO) != 0 || page_is_home(out[got]))
				page_finish(frames, out[got], gfp);
		}
	}
	return got;
}

/* --- freeing and changing --- */

/* Puts a single frame, whose page->use is known, on the CPU's list of its zone.
 * False: the list is in use, or full. */
static inline bool
list_give(struct qr_frames *frames, struct qr_page *page, uint64_t index,
    uint64_t use)
{
	enum qr_page_kind kind = page_use_fields(use).kind;
	struct qr_pcp *pcp =
	    &frames
		 ->lists[page_use_fields(use).zone][qr_port_cpu(frames->port)];
	if (QR_UNLIKELY(!qr_busy_try_enter(&pcp->busy)))
		return false;
	bool is_given =
	    pcp_push(pcp, index, kind == QR_PAGE_USER && (use & USE_HOME) == 0,
		pcp_load(&pcp->high));
	if (QR_LIKELY(is_given)) {
		pcp_count_kind(pcp, kind, -1);
		/* Relaxed: nobody else knows the page any more. */
		atomic_store_explicit(&page->use, use & USE_HOME,
		    memory_order_relaxed);
	}
	qr_busy_leave(&pcp->busy);
	return is_given;
}

/* A larger block, a single frame that the list has no room for, or misuse. */
static QR_NOINLINE void
free_slow(struct qr_frames *frames, struct qr_page *page)
{
	struct qr_zone *zone = &frames->zone[page->zone];
	unsigned order = page->order;
	enum qr_page_kind kind = page_end(frames, page);
	struct qr_pcp *pcp = pcp_here(frames, zone);
	if (order == 0 && qr_busy_try_enter(&pcp->busy)) {
		zone_free_single(frames, zone, pcp, page, kind);
		qr_busy_leave(&pcp->busy);
		return;
	}
	qr_count_kind(frames, kind, -((int64_t)1 << order));
	qr_zone_put(frames, zone, page_index(frames, page), order);
}

/* Whether there is nothing special about a use: a single frame that is in use,
 * with a reference or none. */
static inline bool
use_is_plain(uint64_t use)
{
	return (use & USE_SPECIAL) == 0 && (use & USE_KIND) != 0;
}

void
qr_frame_free(struct qr_frames *frames, struct qr_page *page)
{
	uint64_t index = checked_index(frames, page);
	/* Acquire pairs with the release by whoever dropped another
	 * reference. */
	uint64_t use = atomic_load_explicit(&page->use, memory_order_acquire);
	if (QR_UNLIKELY(!use_is_plain(use) || is_traced(frames) ||
			!list_give(frames, page, index, use)))
		free_slow(frames, page);
}

/* Gives back pages from the first on that are single frames of one zone;
 * returns how many. 0: the first is not that, or the list is in use. */
static size_t
free_alike(struct qr_frames *frames, struct qr_page **pages, size_t count)
{
	size_t done = 0;
	(void)checked_index(frames, pages[0]); /* or panic */
	unsigned zone = pages[0]->zone;
	struct qr_pcp *pcp = pcp_here(frames, &frames->zone[zone]);
	if (!qr_busy_try_enter(&pcp->busy))
		return 0;
	for (; done < count; done++) {
		struct qr_page *page = pages[done];
		if (page_index(frames, page) >= frames->page_count)
			break;
		/* Acquire as in qr_frame_free; relaxed as in page_end. */
		uint64_t use =
		    atomic_load_explicit(&page->use, memory_order_acquire);
		if (!use_is_plain(use) || page_use_fields(use).zone != zone)
			break;
		FRAME_TRACE(frames, FRAME_FREE, frames_pfn(frames, page), 0,
		    page_use_fields(use).kind);
		atomic_store_explicit(&page->use, use & USE_HOME,
		    memory_order_relaxed);
		zone_free_single(frames, &frames->zone[zone], pcp, page,
		    page_use_fields(use).kind);
	}
	qr_busy_leave(&pcp->busy);
	return done;
}

void
qr_frame_free_bulk(struct qr_frames *frames, struct qr_page **pages,
    size_t count)
{
	for (size_t i = 0; i < count;) {
		size_t done = free_alike(frames, &pages[i], count - i);
		if (done == 0)
			qr_frame_free(frames, pages[i++]);
		i += done;
	}
}

void
qr_frame_set_kind(struct qr_frames *frames, struct qr_page *page,
    enum qr_page_kind kind)
{
	QR_ASSERT(page->kind != QR_PAGE_FREE,
	    "[frame.1] frame 0x%llx is not in use",
	    (unsigned long long)qr_frame_pfn(frames, page));
	QR_ASSERT(kind > QR_PAGE_FREE && kind < QR_PAGE_KINDS, "kind %u",
	    (unsigned)kind);
	FRAME_TRACE(frames, FRAME_KIND, frames_pfn(frames, page), page->kind,
	    kind);
	qr_count_kind(frames, page->kind, -((int64_t)1 << page->order));
	qr_count_kind(frames, kind, (int64_t)1 << page->order);
	atomic_store_explicit(&page->kind, (uint8_t)kind, memory_order_relaxed);
}
