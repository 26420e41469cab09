/* SPDX-License-Identifier: MIT */
/*
 * port/sim/mmu.c: walks the core's own page tables, remembers translations,
 * and holds the core to the contract of the mmu_* calls.
 *
 * I fill the TLBs (tlb.c) and own the young and dirty bits of an entry. The
 * meaning of the entry's bits is the hardware's (x86-64's), written down here
 * once more on purpose: were the core to encode an entry wrongly, sharing its
 * header would hide it. Keeps [sim.1] to [sim.7].
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim_impl.h"

/* What x86-64 calls these bits of an entry, and one that is the core's. */
#define BIT_PRESENT  ((uint64_t)1 << 0)
#define BIT_WRITE    ((uint64_t)1 << 1)
#define BIT_USER     ((uint64_t)1 << 2)
#define BIT_ACCESSED ((uint64_t)1 << 5)
#define BIT_DIRTY    ((uint64_t)1 << 6)
#define BIT_LARGE    ((uint64_t)1 << 7)
#define BIT_BUSY     ((uint64_t)1 << 9)
#define BIT_NX       ((uint64_t)1 << 63)
#define BITS_FRAME   ((((uint64_t)1 << 40) - 1) << 12)

#define INDEX_BITS  9u
#define INDEX_COUNT ((uint64_t)1 << INDEX_BITS)

/* Costs in virtual time, of the size that a PC has. */
#define WALK_STEP_NS 5u /* one level of a walk */

#define RELEASED_BYTE 0xd5 /* of a frame whose contents are dead */
#define WINDOW_BYTE   0xd7 /* of a stage window that was not written */

typedef _Atomic(uint64_t) entry_word;

/* A walk's end: the leaf entry, and the rights of the nodes above it. */
struct walk {
	entry_word *leaf;    /* NULL: no node */
	uint64_t span_pages; /* pages that share the answer, from the aligned
				start on */
	uint64_t rights;     /* BIT_WRITE, BIT_USER; and BIT_NX inverted */
};

#define RIGHTS_ALL (BIT_WRITE | BIT_USER | BIT_NX)

static unsigned char *
frame_bytes(const struct sim *sim, qr_pfn_t frame)
{
	SIM_CHECK(frame < sim->frames, "frame %llu of %llu",
	    (unsigned long long)frame, (unsigned long long)sim->frames);
	return sim->ram + frame * QR_PAGE_SIZE;
}

static uint64_t
page_of(qr_vaddr_t address)
{
	return address >> QR_PAGE_SHIFT;
}

static bool
address_is_valid(const struct sim *sim, qr_vaddr_t address)
{
	return page_of(address) >> (INDEX_BITS * sim->config.levels) == 0;
}

/* Rights of an entry as a mask in which more bits mean more rights. */
static uint64_t
rights_of(uint64_t bits)
{
	return (bits ^ BIT_NX) & RIGHTS_ALL;
}

/* Hardware sets accessed and dirty bits with an atomic or, whatever the core
 * is doing with the entry, as long as it is still the entry it has read. */
static bool
entry_mark(const struct sim *sim, entry_word *word, uint64_t bits,
    uint64_t marks)
{
	if ((sim->config.flags & SIM_NO_YOUNG_BIT) != 0 ||
	    (bits & marks) == marks)
		return true;
	return atomic_compare_exchange_strong(word, &bits, bits | marks);
}

static struct walk
mm_walk(const struct sim_mm *mm, qr_vaddr_t address, bool mark)
{
	const struct sim *sim = mm->sim;
	struct walk walk = { .rights = RIGHTS_ALL };
	qr_pfn_t frame = mm->root;
	for (unsigned level = sim->config.levels - 1;; level--) {
		unsigned shift = INDEX_BITS * level;
		uint64_t index = page_of(address) >> shift & (INDEX_COUNT - 1);
		entry_word *word =
		    (entry_word *)(void *)frame_bytes(sim, frame) + index;
		walk.span_pages = (uint64_t)1 << shift;
		if (level == 0) {
			walk.leaf = word;
			return walk;
		}
		uint64_t bits = atomic_load(word);
		if ((bits & BIT_PRESENT) == 0)
			return walk;
		SIM_CHECK((bits & BIT_LARGE) == 0,
		    "large leaf 0x%llx at level %u", (unsigned long long)bits,
		    level);
		/* A node's entry never changes while it is present. */
		if (mark)
			(void)entry_mark(sim, word, bits, BIT_ACCESSED);
		walk.rights &= rights_of(bits);
		frame = (bits & BITS_FRAME) >> QR_PAGE_SHIFT;
	}
}

/* The leaf entry's bits, 0 if there is no node for it. */
static uint64_t
mm_entry(const struct sim_mm *mm, qr_vaddr_t address)
{
	struct walk walk = mm_walk(mm, address, false);
	return walk.leaf == NULL ? 0 : atomic_load(walk.leaf);
}

/* --- the TLBs --- */

static void
tlb_flush(const struct sim_mm *mm, qr_vaddr_t start, qr_vaddr_t end,
    enum sim_flush flush)
{
	const struct sim_pages pages = { page_of(start), page_of(end) };
	sim_tlb_flush(mm, &pages, flush);
}

/* --- an access --- */

static bool
entry_allows(uint64_t bits, uint64_t rights, unsigned access)
{
	uint64_t have = rights_of(bits) & rights;
	if ((bits & BIT_PRESENT) == 0 || (have & BIT_USER) == 0)
		return false;
	if (access == QR_ACCESS_WRITE)
		return (have & BIT_WRITE) != 0;
	if (access == QR_ACCESS_EXEC)
		return (have & BIT_NX) != 0;
	return true;
}

/*
 * [sim.1] What the CPU remembers must be what the table says. While the core
 * is changing the entry it may differ; with one thread no access happens
 * meanwhile, so then a difference is a flush that was forgotten. With several
 * the check is left to sim_frame_release(), where a forgotten flush does its
 * harm.
 */
static void
translation_check(const struct sim_mm *mm, const struct sim_translation *t)
{
	struct sim *sim = mm->sim;
	uint64_t bits = mm_entry(mm, t->page << QR_PAGE_SHIFT);
	if ((bits & BIT_PRESENT) != 0 &&
	    (bits & BITS_FRAME) >> QR_PAGE_SHIFT == t->frame &&
	    ((bits & BIT_WRITE) != 0 || !t->write) &&
	    ((bits & BIT_NX) == 0 || !t->execute))
		return;
	if ((sim->config.flags & SIM_THREADS) != 0) {
		atomic_fetch_add(&sim->stale_uses, 1);
		return;
	}
	SIM_PANIC("sim.1: stale translation of 0x%llx to frame %llu%s used, "
		  "entry is 0x%llx",
	    (unsigned long long)t->page << QR_PAGE_SHIFT,
	    (unsigned long long)t->frame, t->write ? " for writing" : "",
	    (unsigned long long)bits);
}

/* Walks and remembers. NULL: the table does not allow it. */
static struct sim_translation *
tlb_refill(struct sim_mm *mm, struct sim_cpu *cpu,
    const struct sim_access *access)
{
	struct sim *sim = mm->sim;
	bool write = access->access == QR_ACCESS_WRITE;
	struct walk walk = mm_walk(mm, access->address, true);
	uint64_t bits;
	atomic_fetch_add(&cpu->misses, 1);
	sim_spend(sim, (uint64_t)WALK_STEP_NS * sim->config.levels);
	do {
		bits = walk.leaf == NULL ? 0 : atomic_load(walk.leaf);
		if (!entry_allows(bits, walk.rights, access->access))
			return NULL;
	} while (!entry_mark(sim, walk.leaf, bits,
	    BIT_ACCESSED | (write ? BIT_DIRTY : 0)));
	uint64_t have = rights_of(bits) & walk.rights;
	struct sim_translation fresh = { .mm = mm,
		.page = page_of(access->address),
		.frame = (bits & BITS_FRAME) >> QR_PAGE_SHIFT,
		.write = (have & BIT_WRITE) != 0,
		.execute = (have & BIT_NX) != 0,
		.dirty = write || (bits & BIT_DIRTY) != 0 };
	(void)frame_bytes(sim, fresh.frame);
	return sim_tlb_insert(cpu, &fresh);
}

static struct sim_translation *
translate(struct sim_mm *mm, struct sim_cpu *cpu,
    const struct sim_access *access)
{
	sim_tlb_switch(cpu, mm);
	struct sim_translation *slot =
	    sim_tlb_find(cpu, mm, page_of(access->address));
	bool write = access->access == QR_ACCESS_WRITE;
	if (slot == NULL)
		return tlb_refill(mm, cpu, access);
	translation_check(mm, slot);
	/* A right that was not there, or the first write: look again. */
	if ((write && !(slot->write && slot->dirty)) ||
	    (access->access == QR_ACCESS_EXEC && !slot->execute)) {
		sim_tlb_forget(slot);
		return tlb_refill(mm, cpu, access);
	}
	atomic_fetch_add(&cpu->hits, 1);
	return slot;
}

int
sim_mmu_access(struct sim_mm *mm, const struct sim_access *access)
{
	struct sim *sim = mm->sim;
	if (!address_is_valid(sim, access->address))
		return -QR_EFAULT;
	struct sim_cpu *cpu = &sim->cpus[sim_thread_cpu(sim)];
	sim_lock(&cpu->lock);
	const struct sim_translation *slot = translate(mm, cpu, access);
	if (slot != NULL) {
		unsigned char *bytes = frame_bytes(sim, slot->frame) +
				       access->address % QR_PAGE_SIZE;
		if (access->to != NULL)
			memcpy(access->to, bytes, access->size_bytes);
		if (access->from != NULL)
			memcpy(bytes, access->from, access->size_bytes);
	}
	sim_unlock(&cpu->lock);
	if (slot != NULL)
		return 0;
	atomic_fetch_add(&sim->refused, 1);
	return -QR_EFAULT;
}

int
sim_try(struct sim *sim, struct sim_mm *mm, qr_vaddr_t address, unsigned access,
    unsigned char *byte)
{
	struct sim_access touch = { .address = address,
		.access = access,
		.size_bytes = 1 };
	(void)sim;
	if (access == QR_ACCESS_WRITE)
		touch.from = byte;
	else
		touch.to = byte;
	return sim_mmu_access(mm, &touch);
}

/* --- frames and windows --- */

/* A counter for each frame of an address range that may be huge and hold
 * little: the host gives memory where counters are used. */
static int
translations_init(struct sim *sim)
{
	void *counters = mmap(NULL, sim->frames * sizeof(*sim->translations),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (counters == MAP_FAILED)
		return -QR_ENOMEM;
	sim->translations = counters;
	return 0;
}

int
sim_mmu_init(struct sim *sim)
{
	unsigned count = sim->port.cpu_count;
	sim->cpus = calloc(count, sizeof(*sim->cpus));
	if (sim->cpus == NULL || translations_init(sim) != 0)
		return -QR_ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		struct sim_cpu *cpu = &sim->cpus[i];
		pthread_mutex_init(&cpu->lock, NULL);
		if (!sim_tlb_init(&sim->config, cpu))
			return -QR_ENOMEM;
		if ((sim->config.flags & SIM_STAGE_WINDOW) == 0)
			continue;
		cpu->window = malloc(QR_STAGE_PAGES * QR_PAGE_SIZE);
		if (cpu->window == NULL)
			return -QR_ENOMEM;
		memset(cpu->window, WINDOW_BYTE, QR_STAGE_PAGES * QR_PAGE_SIZE);
	}
	return 0;
}

void
sim_mmu_fini(struct sim *sim)
{
	for (unsigned i = 0; sim->cpus != NULL && i < sim->port.cpu_count;
	     i++) {
		sim_tlb_fini(&sim->cpus[i]);
		free(sim->cpus[i].window);
	}
	free(sim->cpus);
	if (sim->translations != NULL)
		munmap(sim->translations,
		    sim->frames * sizeof(*sim->translations));
}

/* [sim.2] A frame is put to a new use only when no CPU translates to it. */
static void
frame_retire(struct sim *sim, qr_pfn_t frame)
{
	unsigned char *bytes = frame_bytes(sim, frame);
	SIM_CHECK(atomic_load(&sim->translations[frame]) == 0,
	    "sim.2: frame %llu gets a new use while a CPU still translates to "
	    "it",
	    (unsigned long long)frame);
	memset(bytes, RELEASED_BYTE, QR_PAGE_SIZE);
}

void
sim_frame_release(void *ctx, const struct qr_frame_run *runs, size_t count)
{
	SIM_CHECK(count >= 1 && count <= QR_RANGES_MAX, "%zu runs", count);
	for (size_t i = 0; i < count; i++) {
		for (uint64_t page = 0; page < runs[i].pages; page++)
			frame_retire(ctx, runs[i].first + page);
	}
}

void *
sim_stage(void *ctx, unsigned cpu, qr_pfn_t frame, size_t index)
{
	struct sim *sim = ctx;
	unsigned char *bytes = frame_bytes(sim, frame);
	SIM_CHECK(cpu < sim->port.cpu_count, "CPU %u of %u", cpu,
	    sim->port.cpu_count);
	SIM_CHECK(index < QR_STAGE_PAGES, "stage page %zu", index);
	struct sim_cpu *at = &sim->cpus[cpu];
	at->staged[index] = frame;
	return at->window == NULL ? bytes : at->window + index * QR_PAGE_SIZE;
}

/* --- address spaces --- */

int
sim_mm_create(void *ctx, qr_pfn_t root, uint32_t tag, void **mm)
{
	struct sim *sim = ctx;
	int error = sim_enter(sim, SIM_MM_CREATE);
	if (error != 0)
		return error;
	(void)frame_bytes(sim, root);
	struct sim_mm *made = calloc(1, sizeof(*made));
	if (made == NULL)
		return -QR_ENOMEM;
	made->sim = sim;
	made->root = root;
	made->tag = tag;
	*mm = made;
	return 0;
}

/* [sim.3] A space ends only when no CPU remembers anything of it. */
void
sim_mm_destroy(void *ctx, void *mm)
{
	struct sim_mm *it = mm;
	(void)ctx;
	uint64_t left = atomic_load(&it->translations);
	SIM_CHECK(left == 0, "sim.3: space %u ends with %llu translations",
	    it->tag, (unsigned long long)left);
	free(it);
}

static void
range_check(const struct sim_mm *mm, qr_vaddr_t start, qr_vaddr_t end)
{
	SIM_CHECK(start % QR_PAGE_SIZE == 0 && end % QR_PAGE_SIZE == 0,
	    "range 0x%llx to 0x%llx is not of whole pages",
	    (unsigned long long)start, (unsigned long long)end);
	SIM_CHECK(start < end && address_is_valid(mm->sim, end - 1),
	    "range 0x%llx to 0x%llx is empty or no address of the space",
	    (unsigned long long)start, (unsigned long long)end);
}

/* What an entry grants. */
static unsigned
bits_prot(uint64_t bits)
{
	unsigned prot = 0;
	if ((bits & BIT_PRESENT) != 0) {
		prot = QR_PROT_READ;
		prot |= (bits & BIT_WRITE) != 0 ? QR_PROT_WRITE : 0;
		prot |= (bits & BIT_NX) == 0 ? QR_PROT_EXEC : 0;
	}
	return prot;
}

/*
 * [sim.4] When the core asks to make the machine agree, the entries of the
 * range are as the call's contract says: no present one has a right that is
 * not in allowed.
 */
static void
range_check_rights(const struct sim_mm *mm, qr_vaddr_t start, qr_vaddr_t end,
    unsigned allowed)
{
	range_check(mm, start, end);
	uint64_t page = page_of(start);
	while (page < page_of(end)) {
		struct walk walk = mm_walk(mm, page << QR_PAGE_SHIFT, false);
		uint64_t bits = walk.leaf == NULL ? 0 : atomic_load(walk.leaf);
		unsigned has = bits_prot(bits);
		SIM_CHECK((has & ~allowed) == 0,
		    "sim.4: entry 0x%llx of 0x%llx grants %u, at most %u is "
		    "allowed here",
		    (unsigned long long)bits,
		    (unsigned long long)page << QR_PAGE_SHIFT, has, allowed);
		page = (page & ~(walk.span_pages - 1)) + walk.span_pages;
	}
}

static void
ranges_check(const struct sim_mm *mm, const struct qr_range *ranges,
    size_t count, unsigned allowed)
{
	SIM_CHECK(count >= 1 && count <= QR_RANGES_MAX, "%zu ranges", count);
	for (size_t i = 0; i < count; i++) {
		SIM_CHECK(ranges[i].start < ranges[i].end &&
			      (i == 0 || ranges[i - 1].end < ranges[i].start),
		    "range %zu, from 0x%llx to 0x%llx, is not in order", i,
		    (unsigned long long)ranges[i].start,
		    (unsigned long long)ranges[i].end);
		range_check_rights(mm, ranges[i].start, ranges[i].end, allowed);
	}
}

static void
run_check(const struct sim_mm *mm, const struct qr_map_run *run)
{
	SIM_CHECK(run->count >= 1 && run->count <= QR_STAGE_PAGES,
	    "run of %zu pages", run->count);
	range_check(mm, run->start, run->start + run->count * QR_PAGE_SIZE);
	for (size_t i = 0; i < run->count; i++) {
		qr_vaddr_t address = run->start + i * QR_PAGE_SIZE;
		uint64_t bits = mm_entry(mm, address);
		SIM_CHECK((bits & BIT_BUSY) != 0,
		    "sim.5: 0x%llx is mapped while its entry 0x%llx is not "
		    "busy",
		    (unsigned long long)address, (unsigned long long)bits);
	}
}

/* [sim.5] Pages are mapped under busy entries; [sim.6] their contents are
 * zero, or were there before, or were staged by this CPU, in this order, since
 * its last run. */
int
sim_mmu_map(void *ctx, void *mm, unsigned cpu, const struct qr_map_run *run)
{
	struct sim *sim = ctx;
	struct sim_cpu *at = &sim->cpus[cpu];
	int error = sim_enter(sim, SIM_MMU_MAP);
	run_check(mm, run);
	if (error != 0)
		return error;
	for (size_t i = 0; i < run->count; i++) {
		unsigned char *bytes = frame_bytes(sim, run->frames[i]);
		if (run->zero) {
			memset(bytes, 0, QR_PAGE_SIZE);
			continue;
		}
		if (run->held)
			continue;
		SIM_CHECK(at->staged[i] == run->frames[i],
		    "sim.6: page %zu of the run is frame %llu, staged was "
		    "%llu",
		    i, (unsigned long long)run->frames[i],
		    (unsigned long long)at->staged[i]);
		at->staged[i] = UINT64_MAX;
		if (at->window == NULL)
			continue;
		unsigned char *window = at->window + i * QR_PAGE_SIZE;
		memcpy(bytes, window, QR_PAGE_SIZE);
		memset(window, WINDOW_BYTE, QR_PAGE_SIZE);
	}
	return 0;
}

/* Only writes must stop. A CPU may read the page again at once, so here it
 * never forgets how to: mmu_drop can't be left out. */
int
sim_mmu_freeze(void *ctx, void *mm, const struct qr_range *ranges, size_t count,
    bool lasting)
{
	(void)lasting;
	int error = sim_enter(ctx, SIM_MMU_FREEZE);
	ranges_check(mm, ranges, count, QR_PROT_READ | QR_PROT_EXEC);
	if (error != 0)
		return error;
	for (size_t i = 0; i < count; i++)
		tlb_flush(mm, ranges[i].start, ranges[i].end, SIM_FLUSH_WRITE);
	return 0;
}

/* A CPU that remembers less than the entry allows looks again by itself. */
void
sim_mmu_thaw(void *ctx, void *mm, const struct qr_range *ranges, size_t count)
{
	(void)ctx;
	ranges_check(mm, ranges, count,
	    QR_PROT_READ | QR_PROT_WRITE | QR_PROT_EXEC);
}

/* A call that is made to fail refuses the last range, and flushes it all the
 * same: a CPU may forget at any time, and the entries that the core leaves
 * then may grant less. */
size_t
sim_mmu_drop(void *ctx, void *mm, const struct qr_range *ranges, size_t count)
{
	int error = sim_enter(ctx, SIM_MMU_DROP);
	ranges_check(mm, ranges, count, QR_PROT_NONE);
	for (size_t i = 0; i < count; i++)
		tlb_flush(mm, ranges[i].start, ranges[i].end, SIM_FLUSH_ALL);
	return error == 0 ? count : count - 1;
}

int
sim_mmu_protect(void *ctx, void *mm, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot)
{
	int error = sim_enter(ctx, SIM_MMU_PROTECT);
	unsigned allowed = prot;
	if (prot != QR_PROT_NONE)
		allowed |= QR_PROT_READ; /* what is present can be read */
	range_check_rights(mm, start, end, allowed);
	tlb_flush(mm, start, end, SIM_FLUSH_ALL);
	return error;
}

/* [sim.7] What is peeked at can't be written meanwhile. */
static void
check_frozen(const struct sim_mm *mm, qr_vaddr_t address)
{
	struct sim *sim = mm->sim;
	range_check_rights(mm, address, address + QR_PAGE_SIZE,
	    QR_PROT_READ | QR_PROT_EXEC);
	for (unsigned i = 0; i < sim->port.cpu_count; i++) {
		struct sim_cpu *cpu = &sim->cpus[i];
		sim_lock(&cpu->lock);
		const struct sim_translation *slot =
		    sim_tlb_peek(cpu, mm, page_of(address));
		bool writable = slot != NULL && slot->write;
		sim_unlock(&cpu->lock);
		SIM_CHECK(!writable, "sim.7: CPU %u may still write to 0x%llx",
		    i, (unsigned long long)address);
	}
}

const void *
sim_mmu_peek(void *ctx, void *mm, const struct qr_peek *at)
{
	check_frozen(mm, at->address);
	return frame_bytes(ctx, at->frame);
}
