/* SPDX-License-Identifier: MIT */
/*
 * port/sim/sim.c: a simulated machine, on which the core runs as it would on
 * a real one, in an ordinary process.
 *
 * 1. Purpose. The same core that manages a program's memory elsewhere can be
 * run here bit for bit repeatably, checked after every step, and shown every
 * failure that hardware can produce, on demand. Tests and `quire sim` stand
 * on it.
 *
 * 2. Picture.
 *
 *       test or trace          sim_read, sim_write, sim_touch
 *            |                            |
 *            |                      +-----v-----+  miss   +-------------+
 *       qr_space_*                  |    TLB    |-------->| walk of the |
 *            |         refused      |  per CPU  |<--------| core's page |
 *            |       +--------------|           |  fill   | table       |
 *            v       v              +-----------+         +------+------+
 *       +--------------------+            | hit                  |
 *       |        core        |            v                      v
 *       |                    |------> +-----------------------------+
 *       +--------------------+ direct |   RAM: one mapping          |
 *            | struct qr_port   map   |   frame n at n * page size  |
 *            v                        +-----------------------------+
 *       mmu.c, tlb.c, disk.c, file.c, thread.c
 *
 * 3. RAM is one private mapping of the host, as long as the RAM map's end.
 * What the map leaves out is not accessible: a core that touches a hole
 * crashes where it does so. With direct_bytes there are two mappings of the
 * same RAM, the sim's own and the core's, and the core's ends there: frames
 * beyond (highmem) are out of its reach but through a window. A frame that gets a mapped page is filled with
 * a pattern first, since its old contents are dead by contract.
 *
 * 4. The MMU walks the page table that the core keeps in simulated frames;
 * its root comes with mm_create. So an entry counts from when it is written,
 * as on hardware. Nodes have 512 entries; a geometry whose top level is
 * smaller just never fills the rest. The young bit is set in every entry
 * that a walk passes, the dirty bit in the leaf by a write (with
 * SIM_NO_YOUNG_BIT neither, for cores that must learn of touches by
 * faulting).
 *
 * 5. The TLB is what makes this machine strict. It has sets and ways, one or
 * two levels and address-space ids, see tlb.c. A translation stays until
 * another one takes its place or a flush throws it away, even if the entry
 * has changed since; and an access that finds it uses it, as hardware would.
 * So a flush that is forgotten shows:
 *
 *   [sim.1] One thread: an access never uses a translation that grants what
 *           its entry does not grant. The panic names page and entry.
 *   [sim.2] A frame that is released for a new use has no translation left
 *           on any CPU. Any number of threads.
 *   [sim.3] A space that ends has no translation left.
 *
 * With several threads a translation may rightly be stale while another
 * thread is between changing the entry and flushing; such uses are counted
 * and [sim.2] decides. A flush waits for accesses in flight, as a shootdown
 * waits for the other CPU to answer.
 *
 * The mmu_* calls also hold the core to its side of the contract, so that
 * what would go wrong on a host with tables of its own goes wrong here:
 *
 *   [sim.4] What the entries grant when freeze, drop, protect or peek is
 *           called is at most what that call's contract says.
 *   [sim.5] mmu_map comes while the entries are busy.
 *   [sim.6] What mmu_map maps was staged for it, or is declared zero.
 *   [sim.7] mmu_peek comes when no CPU can write to the page any more.
 *
 * With SIM_STAGE_WINDOW the contents are staged in a window and copied by
 * mmu_map, as such a host would do it; a core that writes to the frame
 * itself loses its data then.
 *
 * 6. Time is a counter of ns that walks, flushes, transfers and readings of
 * the clock move on, by what a middle-class PC takes. It orders events and
 * makes latencies comparable; it predicts nothing.
 *
 * 7. Threads. The default is one thread at a time: everything is a function
 * of the calls and the seed. Then a wait that nobody can end is a deadlock
 * and panics. With SIM_THREADS real threads may call; time is real, waiting
 * sleeps, and SIM_JITTER yields at random port calls to widen races. Locks
 * of this folder are leaves: nothing is called while one is held.
 *
 * 8. Failure on demand. Each kind of port call that may fail has a counter;
 * sim_fail_after() and sim_fail_every() say which calls fail and with what.
 * sim_calls() tells how many there were, so that a test can run once to
 * count and then once for each call, failing it. The device can be short,
 * full, shrinking or corrupted.
 *
 * A panic of the core ends the process, unless a test expects it: then the
 * stack is unwound to sim_expect_panic() and the machine is a ruin whose RAM
 * is freed with the sim.
 *
 * 9. Rejected. A page table of the sim's own, filled by the mmu_* calls,
 * would test the calls but not the entries; real memory protection and
 * SIGSEGV would be slower, and could not be asked what it remembers; a TLB
 * that flushes by itself would hide the very errors it is here for.
 *
 * 10. Reading: sim.h, sim_impl.h, then mmu.c, access.c, disk.c, file.c,
 * thread.c.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim_impl.h"

#define DEFAULT_RAM_BYTES   ((uint64_t)16 << 20)
#define DEFAULT_LEVELS      4u
#define DEFAULT_TLB_ENTRIES 64u
#define CPUS_MAX            QR_CPUS_MAX

#define JITTER_ONE_IN 4u /* port calls that yield */

/* --- upcalls of no other file --- */

static bool
sim_ram_region(void *ctx, size_t index, struct qr_ram_region *region)
{
	const struct sim *sim = ctx;
	if (index >= sim->config.region_count)
		return false;
	*region = sim->config.regions[index];
	return true;
}

static void *
sim_direct_map(void *ctx)
{
	return ((struct sim *)ctx)->direct;
}

static void
sim_wake_reclaim(void *ctx)
{
	atomic_store(&((struct sim *)ctx)->reclaim_wanted, true);
}

bool
sim_reclaim_wanted(struct sim *sim)
{
	return atomic_exchange(&sim->reclaim_wanted, false);
}

static uint64_t
sim_grant(void *ctx, uint64_t want)
{
	struct sim *sim = ctx;
	uint64_t have = atomic_load(&sim->grant_pages);
	uint64_t given;
	do {
		given = want < have ? want : have;
	} while (!atomic_compare_exchange_weak(&sim->grant_pages, &have,
	    have - given));
	return given;
}

static bool
sim_oom(void *ctx, void *mm, const struct qr_oom_report *report)
{
	struct sim *sim = ctx;
	atomic_fetch_add(&sim->oom_calls, 1);
	return sim->oom != NULL && sim->oom(sim->oom_ctx, mm, report);
}

static int sim_kernel_map(void *ctx, qr_vaddr_t start, const qr_pfn_t *frames,
    size_t count);
static void sim_kernel_unmap(void *ctx, const struct qr_range *ranges,
    size_t count);

static const struct qr_port_ops sim_ops = {
	.ram_region = sim_ram_region,
	.direct_map = sim_direct_map,
	.frame_release = sim_frame_release,
	.stage = sim_stage,
	.kernel_map = sim_kernel_map,
	.kernel_unmap = sim_kernel_unmap,
	.mm_create = sim_mm_create,
	.mm_destroy = sim_mm_destroy,
	.mmu_map = sim_mmu_map,
	.mmu_freeze = sim_mmu_freeze,
	.mmu_thaw = sim_mmu_thaw,
	.mmu_drop = sim_mmu_drop,
	.mmu_protect = sim_mmu_protect,
	.mmu_peek = sim_mmu_peek,
	.cpu = sim_thread_cpu,
	.self = sim_thread_self,
	.wait = sim_thread_wait,
	.wake = sim_thread_wake,
	.barrier = sim_thread_barrier,
	.alive = sim_thread_alive,
	.clock = sim_thread_clock,
	.random = sim_thread_random,
	.swap_size = sim_disk_size,
	.swap_read = sim_disk_read,
	.swap_write = sim_disk_write,
	.swap_trim = sim_disk_trim,
	.file_io = sim_file_io,
	.grant = sim_grant,
	.wake_reclaim = sim_wake_reclaim,
	.oom = sim_oom,
};

/* --- making and ending --- */

static void
config_complete(struct sim *sim)
{
	struct sim_config *config = &sim->config;
	if (config->ram_bytes == 0)
		config->ram_bytes = DEFAULT_RAM_BYTES;
	if (config->cpus == 0)
		config->cpus = 1;
	if (config->levels == 0)
		config->levels = DEFAULT_LEVELS;
	if (config->tlb_entries == 0)
		config->tlb_entries = DEFAULT_TLB_ENTRIES;
	if (config->tlb_ways == 0)
		config->tlb_ways = 1;
	if (config->tlb2_ways == 0)
		config->tlb2_ways = 1;
	if (config->regions == NULL) {
		sim->region.size_bytes = config->ram_bytes;
		config->regions = &sim->region;
		config->region_count = 1;
	}
	qr_paddr_t end = 0;
	for (size_t i = 0; i < config->region_count; i++) {
		const struct qr_ram_region *region = &config->regions[i];
		qr_paddr_t at = region->start + region->size_bytes;
		if (region->kind == QR_RAM_USABLE && at > end)
			end = at;
	}
	if (config->plug_bytes > end)
		end = config->plug_bytes;
	sim->frames = (end + QR_PAGE_SIZE - 1) >> QR_PAGE_SHIFT;
}

static bool
tlb_is_sane(unsigned entries, unsigned ways)
{
	unsigned sets = entries / ways;
	return entries % ways == 0 && (sets & (sets - 1)) == 0;
}

static bool
config_is_sane(const struct sim *sim)
{
	const struct sim_config *config = &sim->config;
	if ((config->flags & SIM_CPU_OWNED) != 0 && !sim_thread_has_barrier())
		return false;
	return config->cpus <= CPUS_MAX && config->levels >= 2 &&
	       config->levels <= 5 &&
	       tlb_is_sane(config->tlb_entries, config->tlb_ways) &&
	       tlb_is_sane(config->tlb2_entries, config->tlb2_ways) &&
	       sim->frames != 0;
}

/* RAM as far as it is below end. Everything is out of reach but the usable
 * regions' pages. NULL: no memory. */
static unsigned char *
ram_map(const struct sim *sim, qr_pfn_t frames_end)
{
	size_t bytes = sim->frames * QR_PAGE_SIZE;
	int flags =
	    sim->ram_file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	void *ram = mmap(NULL, bytes, PROT_NONE, flags | MAP_NORESERVE,
	    sim->ram_file, 0);
	if (ram == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < sim->config.region_count; i++) {
		const struct qr_ram_region *region = &sim->config.regions[i];
		if (region->kind != QR_RAM_USABLE || region->size_bytes == 0)
			continue;
		qr_pfn_t first = region->start >> QR_PAGE_SHIFT;
		qr_pfn_t end =
		    (region->start + region->size_bytes + QR_PAGE_SIZE - 1) >>
		    QR_PAGE_SHIFT;
		if (end > frames_end)
			end = frames_end;
		if (first >= end)
			continue;
		if (mprotect((unsigned char *)ram + first * QR_PAGE_SIZE,
			(end - first) * QR_PAGE_SIZE,
			PROT_READ | PROT_WRITE) != 0) {
			munmap(ram, bytes);
			return NULL;
		}
	}
	return ram;
}

/* Addresses for the core's own mappings, all out of reach at first. */
static int
kernel_init(struct sim *sim)
{
	size_t bytes = sim->config.kernel_bytes;
	if (bytes == 0)
		return 0;
	void *kernel = mmap(NULL, bytes, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (kernel == MAP_FAILED)
		return -QR_ENOMEM;
	sim->kernel = kernel;
	sim->port.kernel_start = (uintptr_t)kernel;
	sim->port.kernel_end = (uintptr_t)kernel + bytes;
	return 0;
}

static int
sim_kernel_map(void *ctx, qr_vaddr_t start, const qr_pfn_t *frames,
    size_t count)
{
	struct sim *sim = ctx;
	int error = sim_enter(sim, SIM_KERNEL_MAP);
	if (error != 0)
		return error;
	SIM_CHECK(start >= sim->port.kernel_start &&
		      start + count * QR_PAGE_SIZE <= sim->port.kernel_end,
	    "pages from 0x%llx on are not the core's",
	    (unsigned long long)start);
	for (size_t i = 0; i < count; i++) {
		void *at = (void *)(uintptr_t)(start + i * QR_PAGE_SIZE);
		void *got = mmap(at, QR_PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, sim->ram_file,
		    (off_t)(frames[i] << QR_PAGE_SHIFT));
		SIM_CHECK(got == at, "frame %llu can't be mapped",
		    (unsigned long long)frames[i]);
	}
	return 0;
}

static void
sim_kernel_unmap(void *ctx, const struct qr_range *ranges, size_t count)
{
	struct sim *sim = ctx;
	atomic_fetch_add(&sim->flushes, 1);
	for (size_t i = 0; i < count; i++) {
		size_t bytes = ranges[i].end - ranges[i].start;
		void *at = (void *)(uintptr_t)ranges[i].start;
		SIM_CHECK(ranges[i].start >= sim->port.kernel_start &&
			      ranges[i].end <= sim->port.kernel_end,
		    "pages from %p on are not the core's", at);
		void *got = mmap(at, bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0);
		SIM_CHECK(got == at, "%p can't be unmapped", at);
	}
}

static int
ram_init(struct sim *sim)
{
	uint64_t direct_frames = sim->config.direct_bytes >> QR_PAGE_SHIFT;
	if (direct_frames != 0 || sim->config.kernel_bytes != 0) {
		sim->ram_file = memfd_create("quire-sim", MFD_CLOEXEC);
		if (sim->ram_file < 0 ||
		    ftruncate(sim->ram_file,
			(off_t)(sim->frames * QR_PAGE_SIZE)) != 0)
			return -QR_ENOMEM;
	}
	sim->ram = ram_map(sim, sim->frames);
	sim->direct =
	    direct_frames == 0 ? sim->ram : ram_map(sim, direct_frames);
	if (sim->ram == NULL || sim->direct == NULL)
		return -QR_ENOMEM;
	return kernel_init(sim);
}

static void
ram_fini(struct sim *sim)
{
	size_t bytes = sim->frames * QR_PAGE_SIZE;
	if (sim->direct != NULL && sim->direct != sim->ram)
		munmap(sim->direct, bytes);
	if (sim->ram != NULL)
		munmap(sim->ram, bytes);
	if (sim->kernel != NULL)
		munmap(sim->kernel, sim->config.kernel_bytes);
	if (sim->ram_file >= 0)
		(void)close(sim->ram_file);
}

/* All of RAM is there, but out of reach where there is none. */
static void
ram_protect(struct sim *sim, qr_paddr_t start, uint64_t size_bytes, int prot)
{
	SIM_CHECK(start + size_bytes <= sim->frames * QR_PAGE_SIZE,
	    "no socket for memory at 0x%llx", (unsigned long long)start);
	SIM_CHECK(sim->ram_file < 0, "RAM that has a file can't be plugged");
	SIM_CHECK(mprotect(sim->ram + start, size_bytes, prot) == 0 &&
		      madvise(sim->ram + start, size_bytes, MADV_DONTNEED) == 0,
	    "0x%llx can't be plugged", (unsigned long long)start);
}

void
sim_plug(struct sim *sim, qr_paddr_t start, uint64_t size_bytes)
{
	ram_protect(sim, start, size_bytes, PROT_READ | PROT_WRITE);
}

void
sim_unplug(struct sim *sim, qr_paddr_t start, uint64_t size_bytes)
{
	ram_protect(sim, start, size_bytes, PROT_NONE);
}

struct sim *
sim_create(const struct sim_config *config)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	if (sim == NULL)
		return NULL;
	sim->config = *config;
	sim->ram_file = -1;
	config_complete(sim);
	pthread_mutex_init(&sim->fault_lock, NULL);
	sim_files_init(sim);
	atomic_init(&sim->random_state, config->seed);
	sim->port = (struct qr_port){ .ops = &sim_ops,
		.ctx = sim,
		.cpu_count = sim->config.cpus,
		.flags = QR_PORT_ZEROED_RAM | QR_PORT_PAGES_MOVE,
		.mmu_window =
		    (config->flags & SIM_DEAR_MMU) != 0 ? QR_MMU_WINDOW_MAX : 1,
		.direct_map_end =
		    config->direct_bytes & ~(uint64_t)(QR_PAGE_SIZE - 1),
		.cpu_node = config->cpu_node,
		.node_distance = config->node_distance };
	if ((config->flags & SIM_NO_YOUNG_BIT) == 0)
		sim->port.flags |= QR_PORT_HARDWARE_AD;
	if ((config->flags & SIM_CPU_OWNED) != 0)
		sim->port.flags |= QR_PORT_CPU_OWNED;
	if (!config_is_sane(sim) || ram_init(sim) != 0 ||
	    sim_mmu_init(sim) != 0 ||
	    sim_disk_init(&sim->disk, config->swap_pages) != 0) {
		sim_destroy(sim);
		return NULL;
	}
	return sim;
}

void
sim_destroy(struct sim *sim)
{
	ram_fini(sim);
	sim_mmu_fini(sim);
	sim_disk_fini(&sim->disk);
	sim_files_fini(sim);
	pthread_mutex_destroy(&sim->fault_lock);
	free(sim);
}

const struct qr_port *
sim_port(const struct sim *sim)
{
	return &sim->port;
}

void *
sim_frame(const struct sim *sim, qr_pfn_t frame)
{
	SIM_CHECK(frame < sim->frames, "frame %llu of %llu",
	    (unsigned long long)frame, (unsigned long long)sim->frames);
	return sim->ram + frame * QR_PAGE_SIZE;
}

/* --- faults on demand --- */

void
sim_fail_after(struct sim *sim, enum sim_call call, uint64_t n, int error)
{
	sim_lock(&sim->fault_lock);
	sim->faults[call].after = n;
	sim->faults[call].after_error = error;
	sim_unlock(&sim->fault_lock);
}

void
sim_fail_every(struct sim *sim, enum sim_call call, uint64_t n, int error)
{
	sim_lock(&sim->fault_lock);
	sim->faults[call].every = n;
	sim->faults[call].since = 0;
	sim->faults[call].every_error = error;
	sim_unlock(&sim->fault_lock);
}

void
sim_fail_never(struct sim *sim)
{
	sim_lock(&sim->fault_lock);
	memset(sim->faults, 0, sizeof(sim->faults));
	sim_unlock(&sim->fault_lock);
}

uint64_t
sim_calls(const struct sim *sim, enum sim_call call)
{
	return atomic_load(&sim->calls[call]);
}

void
sim_set_hook(struct sim *sim, void (*hook)(void *ctx, enum sim_call call),
    void *ctx)
{
	sim->hook = hook;
	sim->hook_ctx = ctx;
}

static int
fault_due(struct sim_fault *fault)
{
	int error = 0;
	if (fault->after != 0 && --fault->after == 0)
		error = fault->after_error;
	if (fault->every != 0 && ++fault->since == fault->every) {
		fault->since = 0;
		error = fault->every_error;
	}
	return error;
}

int
sim_enter(struct sim *sim, enum sim_call call)
{
	atomic_fetch_add(&sim->calls[call], 1);
	if (sim->hook != NULL)
		sim->hook(sim->hook_ctx, call);
	if ((sim->config.flags & SIM_JITTER) != 0 &&
	    sim_thread_random(sim) % JITTER_ONE_IN == 0)
		sched_yield();
	sim_lock(&sim->fault_lock);
	int error = fault_due(&sim->faults[call]);
	sim_unlock(&sim->fault_lock);
	return error;
}

void
sim_set_oom(struct sim *sim,
    bool (
	*oom)(void *ctx, struct sim_mm *mm, const struct qr_oom_report *report),
    void *ctx)
{
	sim->oom = oom;
	sim->oom_ctx = ctx;
}

void
sim_set_grant(struct sim *sim, uint64_t pages)
{
	atomic_store(&sim->grant_pages, pages);
}

void
sim_spend(struct sim *sim, uint64_t ns)
{
	atomic_fetch_add(&sim->clock_ns, ns);
}

void
sim_advance(struct sim *sim, uint64_t ns)
{
	sim_spend(sim, ns);
}

void
sim_stat(const struct sim *sim, struct sim_stat *stat)
{
	*stat = (struct sim_stat){
		.tlb_flushes = atomic_load(&sim->flushes),
		.tlb_dropped = atomic_load(&sim->dropped),
		.stale_uses = atomic_load(&sim->stale_uses),
		.faults = atomic_load(&sim->refused),
		.oom_calls = atomic_load(&sim->oom_calls),
		.disk_reads = sim->disk.reads,
		.disk_writes = sim->disk.writes,
		.disk_trims = sim->disk.trims,
		.disk_pages = sim->disk.pages_filled,
		.file_reads = atomic_load(&sim->file_reads),
		.file_writes = atomic_load(&sim->file_writes),
		.file_calls = atomic_load(&sim->file_calls),
		.clock_ns = atomic_load(&sim->clock_ns),
	};
	for (unsigned i = 0; i < sim->port.cpu_count; i++) {
		stat->tlb_hits += atomic_load(&sim->cpus[i].hits);
		stat->tlb2_hits += atomic_load(&sim->cpus[i].hits2);
		stat->tlb_misses += atomic_load(&sim->cpus[i].misses);
	}
}
