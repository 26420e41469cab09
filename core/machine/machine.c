/* SPDX-License-Identifier: MIT */
/*
 * machine/machine.c: puts the parts of the core together, and takes them
 * apart.
 *
 * 1. Purpose
 *
 * A machine is one of everything: RAM, frames, object caches, swap, spaces,
 * reclaim. No part knows the machine; each is given the parts below it. What
 * must go upward is registered: reclaim/ with frame/ and space/.
 *
 * 2. Boot order, and what each step needs of the world
 *
 *	place     the port's RAM map and direct map
 *	boot      the machine's own memory
 *	frame     boot: takes the rest of RAM, seals boot
 *	slab      frames, without reclaim: there is nothing to reclaim
 *	swap      slab
 *	spaces    swap
 *	reclaim   all of them; from here on an allocation may reclaim
 *
 * The core has no globals, so the first struct needs memory before anything
 * can give some. machine_place() finds a gap in the RAM map by itself, for
 * the whole of struct qr_machine, boot allocator included, and boot/ is told
 * at once that it is taken. The stack is no place for 6 KiB.
 *
 * A step that fails undoes those before it. What frame/ was given is not
 * given back to anyone: the RAM stays the port's as it was, and a machine
 * that could not be made leaves no trace but in its contents.
 *
 * 3. Invariants, beside those of the parts
 *
 * [machine.1] With nothing running, frames with a mapped page are as many as
 *	spaces/ counts, and frames of the pool as many as swap/ counts.
 *
 * 4. Locks
 *
 * None here. All calls but create, destroy and check may be made at once.
 *
 * 5. Rejected
 *
 * Memory for struct qr_machine from the embedder: one more size to ask for,
 * and two owners of one machine's memory. A boot allocator on the stack: see
 * above.
 */
#include "machine_impl.h"

#include "../base/bits.h"

/* Where the pool may overflow to a device, it does above this share: of its
 * own limit nearly at the end, of memory before it starves mapped pages. */
#define WRITE_BACK_NUMERATOR   9u
#define WRITE_BACK_DENOMINATOR 10u
#define WRITE_BACK_MEMORY_PART 4u

/* Blocks that the background makes when one was wanted in vain. */
#define COMPACT_BLOCKS 4u

/* Frames asked for in one go when others want memory. */
#define GIVE_BATCH ((size_t)QR_EVICT_MAX)

static void
machine_check_signature(const struct qr_machine *machine)
{
	QR_ASSERT(machine->signature == QR_MACHINE_SIGNATURE,
	    "machine %p has signature 0x%x", (const void *)machine,
	    machine->signature);
}

/* --- place --- */

/* One past the region's last byte, or the highest address. */
static qr_paddr_t
region_end(const struct qr_ram_region *region)
{
	return region->size_bytes <= UINT64_MAX - region->start
		   ? region->start + region->size_bytes
		   : UINT64_MAX;
}

/* The end of a reserved region that overlaps [start, end), else 0. */
static qr_paddr_t
place_conflict(const struct qr_port *port, qr_paddr_t start, qr_paddr_t end)
{
	struct qr_ram_region region;
	for (size_t i = 0; port->ops->ram_region(port->ctx, i, &region); i++) {
		if (region.kind == QR_RAM_RESERVED && region.size_bytes != 0 &&
		    region.start < end && region_end(&region) > start)
			return region_end(&region);
	}
	return 0;
}

/* The lowest place in one usable region that nothing reserves. */
static bool
place_in_region(const struct qr_port *port, const struct qr_ram_region *in,
    qr_paddr_t *place)
{
	qr_paddr_t end = region_end(in);
	qr_paddr_t from = in->start;
	if (port->direct_map_end != 0 && end > port->direct_map_end)
		end = port->direct_map_end;
	qr_paddr_t at = qr_round_up(from, QR_PAGE_SIZE);
	/* Each turn passes the end of a reserved region. Rounding up may pass
	 * the highest address, to 0. */
	while (
	    at >= from && at < end && end - at >= sizeof(struct qr_machine)) {
		qr_paddr_t past =
		    place_conflict(port, at, at + sizeof(struct qr_machine));
		if (past == 0) {
			*place = at;
			return true;
		}
		from = past;
		at = qr_round_up(from, QR_PAGE_SIZE);
	}
	return false;
}

static int
machine_place(const struct qr_port *port, qr_paddr_t *place)
{
	struct qr_ram_region region;
	for (size_t i = 0; port->ops->ram_region(port->ctx, i, &region); i++) {
		if (region.kind == QR_RAM_USABLE &&
		    place_in_region(port, &region, place))
			return 0;
	}
	return -QR_ENOMEM;
}

/* --- create, destroy --- */

static int
machine_check_config(const struct qr_port *port,
    const struct qr_machine_config *config)
{
	if (port->cpu_count == 0 || port->cpu_count > QR_CPUS_MAX)
		return -QR_EINVAL;
	if (qr_policy_find(config->policy) == NULL)
		return -QR_EINVAL;
	return 0;
}

static int
machine_start_frames(struct qr_machine *machine,
    const struct qr_machine_config *config, qr_paddr_t place)
{
	int error = qr_boot_init(&machine->boot, machine->port);
	if (error != 0)
		return error;
	error = qr_boot_reserve(&machine->boot, place, sizeof(*machine));
	if (error != 0)
		return error;
	struct qr_frame_config frame_config = {
		.min_free_pages = config->min_free_pages,
		.deflate_on_oom = config->deflate_on_oom,
		.plug_slots = config->plug_slots,
		.plug_end = config->plug_end,
	};
	error = qr_frame_create(machine->port, &machine->boot, &frame_config,
	    &machine->frames);
	if (error != 0)
		return error;
	struct qr_frame_stat stat;
	qr_frame_stat(machine->frames, &stat);
	machine->maximum_pages = stat.total;
	atomic_init(&machine->balloon_kept, QR_BALLOON_FREE);
	return 0;
}

static int
machine_start_swap(struct qr_machine *machine,
    const struct qr_machine_config *config)
{
	struct qr_frame_stat stat;
	uint64_t pool_pages_max = config->pool_pages_max;
	qr_frame_stat(machine->frames, &stat);
	/* Where mapped pages are limited by themselves, the rest is its. */
	if (pool_pages_max == 0 && config->user_pages_max != 0 &&
	    config->user_pages_max < stat.total)
		pool_pages_max = stat.total - config->user_pages_max;
	struct qr_swap_config swap_config = {
		.codec = config->codec,
		.pool_pages_max = pool_pages_max,
		.pool_pages_writeback =
		    pool_pages_max != 0
			? pool_pages_max / WRITE_BACK_DENOMINATOR *
			      WRITE_BACK_NUMERATOR
			: stat.total / WRITE_BACK_MEMORY_PART,
		.keep_raw = config->user_pages_max != 0,
	};
	return qr_swap_create(machine->frames, machine->slabs, &swap_config,
	    &machine->swap);
}

/* All above the frames, undone in reverse if a step fails. */
static int
machine_start(struct qr_machine *machine,
    const struct qr_machine_config *config)
{
	machine->slabs = qr_slab_start(machine->frames);
	if (machine->slabs == NULL)
		return -QR_ENOMEM;
	int error = machine_start_swap(machine, config);
	if (error != 0)
		goto undo_slabs;
	error = qr_spaces_init(&machine->spaces, machine->frames,
	    machine->slabs, machine->swap, config);
	if (error != 0)
		goto undo_swap;
	error = qr_reclaim_init(&machine->reclaim, &machine->spaces, config);
	if (error != 0)
		goto undo_spaces;
	return 0;

undo_spaces:
	qr_spaces_fini(&machine->spaces);
undo_swap:
	qr_swap_destroy(machine->swap);
undo_slabs:
	qr_slab_stop(machine->slabs);
	return error;
}

int
qr_machine_create(const struct qr_port *port,
    const struct qr_machine_config *config, struct qr_machine **machine)
{
	const struct qr_machine_config defaults = { 0 };
	if (config == NULL)
		config = &defaults;
	int error = machine_check_config(port, config);
	if (error != 0)
		return error;
	unsigned char *direct_map = port->ops->direct_map(port->ctx);
	if (direct_map == NULL)
		return -QR_EINVAL;
	qr_paddr_t place;
	error = machine_place(port, &place);
	if (error != 0)
		return error;
	struct qr_machine *made = (void *)(direct_map + place);
	__builtin_memset(made, 0, sizeof(*made));
	made->port = port;
	error = machine_start_frames(made, config, place);
	if (error == 0)
		error = machine_start(made, config);
	if (error != 0)
		return error;
	made->signature = QR_MACHINE_SIGNATURE;
	*machine = made;
	return 0;
}

void
qr_machine_destroy(struct qr_machine *machine)
{
	machine_check_signature(machine);
	machine->signature = 0;
	qr_spaces_end_shared(&machine->spaces);
	qr_reclaim_fini(&machine->reclaim);
	qr_spaces_fini(&machine->spaces);
	qr_swap_destroy(machine->swap);
	qr_slab_stop(machine->slabs);
}

/* --- memory for others --- */

size_t
qr_machine_balance(struct qr_machine *machine)
{
	machine_check_signature(machine);
	size_t freed = qr_reclaim_balance(&machine->reclaim);
	qr_frame_tune(machine->frames);
	qr_machine_keep_balloon(machine);
	/* Somebody wanted a large block in vain. */
	unsigned order = qr_frame_compact_wanted(machine->frames);
	if (order != 0)
		(void)qr_frame_compact(machine->frames, order, COMPACT_BLOCKS);
	qr_frame_unboost(machine->frames);
	return freed;
}

/* Free frames above the low watermark. */
static size_t
machine_spare(const struct qr_machine *machine)
{
	struct qr_frame_stat stat;
	struct qr_watermarks marks = qr_frame_watermarks(machine->frames);
	qr_frame_stat(machine->frames, &stat);
	return stat.free > marks.low_pages
		   ? (size_t)(stat.free - marks.low_pages)
		   : 0;
}

/* Sends some pages out and, where the pool is large or nothing else can go,
 * some of the pool's on to the device; 0: there is no use in going on. */
static size_t
machine_free_some(struct qr_machine *machine, uint64_t want)
{
	size_t freed = qr_reclaim_pages(&machine->reclaim,
	    qr_min((size_t)want, GIVE_BATCH));
	if (freed == 0 || qr_swap_pool_is_full(machine->swap))
		freed += qr_swap_write_back(machine->swap, GIVE_BATCH);
	return freed;
}

size_t
qr_machine_give(struct qr_machine *machine, size_t want)
{
	machine_check_signature(machine);
	size_t spare = machine_spare(machine);
	/* Each turn frees a frame. Those that the pool takes meanwhile are
	 * made up for once. */
	for (size_t freed = 0; spare < want && freed < 2 * want;
	     spare = machine_spare(machine)) {
		size_t now = machine_free_some(machine, want - spare);
		if (now == 0)
			break;
		freed += now;
	}
	return spare;
}

uint64_t
qr_machine_balloon(struct qr_machine *machine, uint64_t target_pages)
{
	machine_check_signature(machine);
	atomic_store(&machine->balloon_kept, QR_BALLOON_FREE);
	uint64_t reached = qr_frame_balloon(machine->frames, target_pages);
	/* Each turn frees a frame; as above. */
	for (uint64_t freed = 0;
	     reached < target_pages && freed < 2 * target_pages;
	     reached = qr_frame_balloon(machine->frames, target_pages)) {
		size_t now = machine_free_some(machine, target_pages - reached);
		if (now == 0)
			break;
		freed += now;
	}
	return reached;
}

void
qr_machine_age(struct qr_machine *machine)
{
	machine_check_signature(machine);
	if (machine->reclaim.age_softly)
		qr_reclaim_age(&machine->reclaim);
}

int
qr_machine_oom_choose(struct qr_machine *machine,
    void (*visit)(void *ctx, const struct qr_oom_score *score), void *ctx,
    struct qr_oom_score *worst)
{
	machine_check_signature(machine);
	const struct qr_port *port = machine->port;
	struct qr_frame_stat stat;
	qr_frame_stat(machine->frames, &stat);
	const struct qr_oom_search search = {
		.visit = visit,
		.ctx = ctx,
		.memory_pages = stat.total + port->ops->swap_size(port->ctx),
	};
	return qr_spaces_oom_choose(&machine->spaces, &search, worst);
}

int
qr_space_create(struct qr_machine *machine, struct qr_space **space)
{
	machine_check_signature(machine);
	return qr_space_new(&machine->spaces, space);
}

/* --- what it does, and whether it is right --- */

/* Relaxed: counts that order nothing. */
static uint64_t
load(_Atomic(uint64_t) *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static void
stat_levels(struct qr_machine *machine, const struct qr_swap_stat *swap,
    struct qr_machine_stat *stat)
{
	struct qr_frame_stat frames;
	qr_frame_stat(machine->frames, &frames);
	stat->frames_total = frames.total;
	stat->frames_free = frames.free;
	stat->frames_user = frames.user;
	stat->frames_pool = frames.pool;
	stat->frames_meta =
	    frames.slab + frames.table + frames.meta + frames.kernel;
	stat->frames_cached = frames.cached;
	stat->frames_balloon = frames.balloon;
	stat->frames_home = frames.home;
	stat->frames_boot = frames.boot;
	stat->frames_user_peak = frames.user_peak;
	stat->frames_pool_peak = frames.pool_peak;
	stat->swap_slots = swap->slots;
	stat->swap_same_filled = swap->same_filled;
	stat->swap_pooled = swap->pooled;
	stat->swap_pooled_bytes = swap->pooled_bytes;
	stat->swap_on_device = swap->on_device;
	stat->swap_device_pages = swap->device_pages;
	stat->commit_pages = load(&machine->spaces.commit_pages);
}

static void
stat_events(struct qr_machine *machine, const struct qr_swap_stat *swap,
    struct qr_machine_stat *stat)
{
	struct qr_spaces *spaces = &machine->spaces;
	stat->faults_first_touch = load(&spaces->count.first_touch);
	stat->faults_pool = load(&spaces->count.pool);
	stat->faults_device = load(&spaces->count.device);
	stat->faults_cow = load(&spaces->count.cow);
	stat->faults_soft = load(&spaces->count.soft);
	stat->faults_cached = load(&spaces->count.cached);
	stat->faults_spurious = load(&spaces->count.spurious);
	stat->faults_bad = load(&spaces->count.bad);
	stat->pages_in = load(&spaces->count.pages_in);
	stat->pages_out = load(&spaces->count.pages_out);
	stat->pages_out_zero = load(&spaces->count.pages_out_zero);
	stat->pages_refaulted = load(&spaces->count.refaulted);
	stat->reclaim_direct = load(&machine->reclaim.direct);
	stat->reclaim_background = load(&machine->reclaim.background);
	stat->pages_written_back = swap->written_back;
	stat->swap_io_errors = swap->io_errors;
	stat->oom = load(&spaces->count.oom);
}

void
qr_machine_trace(struct qr_machine *machine, struct qr_trace *trace)
{
	machine_check_signature(machine);
	/* Release pairs with the acquire in QR_TRACE. */
	atomic_store_explicit(qr_frame_trace(machine->frames), trace,
	    memory_order_release);
}

void
qr_machine_stat(struct qr_machine *machine, struct qr_machine_stat *stat)
{
	machine_check_signature(machine);
	struct qr_swap_stat swap;
	qr_swap_stat(machine->swap, &swap);
	stat_levels(machine, &swap, stat);
	stat_events(machine, &swap, stat);
}

void
qr_check_machine(struct qr_machine *machine)
{
	machine_check_signature(machine);
	qr_check_boot(&machine->boot);
	qr_check_frames(machine->frames, QR_CHECK_CHILDREN);
	qr_check_slabs(machine->slabs, QR_CHECK_CHILDREN);
	qr_check_swap(machine->swap, QR_CHECK_CHILDREN);
	qr_check_spaces(&machine->spaces, QR_CHECK_CHILDREN);
	qr_check_reclaim(&machine->reclaim, QR_CHECK_CHILDREN);

	struct qr_machine_stat stat;
	struct qr_swap_stat swap;
	qr_machine_stat(machine, &stat);
	qr_swap_stat(machine->swap, &swap);
	uint64_t user_pages = load(&machine->spaces.user_pages);
	QR_ASSERT(stat.frames_user == user_pages,
	    "machine.1: %llu frames are mapped, spaces count %llu",
	    (unsigned long long)stat.frames_user,
	    (unsigned long long)user_pages);
	QR_ASSERT(stat.frames_pool == swap.pool_frames,
	    "machine.1: %llu frames are the pool's, swap counts %llu",
	    (unsigned long long)stat.frames_pool,
	    (unsigned long long)swap.pool_frames);
}
