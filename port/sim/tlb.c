/* SPDX-License-Identifier: MIT */
/*
 * port/sim/tlb.c: what CPUs remember of page tables: one or two levels of
 * sets, each of some ways, and address-space ids.
 *
 *	   find     +---------+  victim  +---------+  victim
 *	 ---------->| level 0 |--------->| level 1 |---------> forgotten
 *	   insert   |         |<---------|         |
 *	            +---------+   hit    +---------+
 *
 * A translation is in one level only and in one place there, so that counts by
 * frame and by space are right. The ways of a set are kept in the order of
 * their last use. A CPU tells spaces apart by an id, of which it has as many as
 * the config says; a space that comes with the id of another one takes it over,
 * and the CPU forgets what it knew under it. Nothing else goes by itself: what
 * an entry said when it was read stays until a flush names its page.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_impl.h"

#define FLUSH_NS 400u /* a ranged flush on all CPUs, in virtual time */

static bool
level_init(struct sim_tlb_level *level, unsigned entries, unsigned ways)
{
	level->ways = ways;
	level->sets = entries / ways;
	level->entries = calloc(entries, sizeof(*level->entries));
	return level->entries != NULL;
}

bool
sim_tlb_init(const struct sim_config *config, struct sim_cpu *cpu)
{
	if (config->tlb_ids != 0) {
		cpu->owners = calloc(config->tlb_ids, sizeof(*cpu->owners));
		if (cpu->owners == NULL)
			return false;
	}
	return level_init(&cpu->tlb[0], config->tlb_entries,
		   config->tlb_ways) &&
	       (config->tlb2_entries == 0 ||
		   level_init(&cpu->tlb[1], config->tlb2_entries,
		       config->tlb2_ways));
}

void
sim_tlb_fini(struct sim_cpu *cpu)
{
	for (unsigned i = 0; i < SIM_TLB_LEVELS; i++)
		free(cpu->tlb[i].entries);
	free(cpu->owners);
}

/* The first way of the set that the page belongs to. */
static struct sim_translation *
level_set(const struct sim_tlb_level *level, const struct sim_mm *mm,
    uint64_t page)
{
	uint64_t hash = page + (uint64_t)mm->tag * 0x9e3779b1u;
	return &level->entries[(hash & (level->sets - 1)) * level->ways];
}

void
sim_tlb_forget(struct sim_translation *slot)
{
	if (slot->mm == NULL)
		return;
	struct sim *sim = slot->mm->sim;
	atomic_fetch_sub(&sim->translations[slot->frame], 1);
	atomic_fetch_sub(&slot->mm->translations, 1);
	slot->mm = NULL;
}

/* Makes with the set's latest; what falls out of it, or an invalid one. */
static struct sim_translation
set_push(struct sim_translation *set, unsigned ways,
    const struct sim_translation *with)
{
	struct sim_translation fresh = *with;
	unsigned way = 0;
	while (way + 1 < ways && set[way].mm != NULL)
		way++;
	struct sim_translation out = set[way];
	memmove(&set[1], &set[0], way * sizeof(set[0]));
	set[0] = fresh;
	return out;
}

/* Puts a translation that is counted into level 0. */
static struct sim_translation *
tlb_push(struct sim_cpu *cpu, const struct sim_translation *with)
{
	struct sim_translation *set =
	    level_set(&cpu->tlb[0], with->mm, with->page);
	struct sim_translation out = set_push(set, cpu->tlb[0].ways, with);
	if (out.mm != NULL && cpu->tlb[1].entries != NULL)
		out = set_push(level_set(&cpu->tlb[1], out.mm, out.page),
		    cpu->tlb[1].ways, &out);
	sim_tlb_forget(&out);
	return set;
}

static struct sim_translation *
level_find(const struct sim_tlb_level *level, const struct sim_mm *mm,
    uint64_t page)
{
	if (level->entries == NULL)
		return NULL;
	struct sim_translation *set = level_set(level, mm, page);
	for (unsigned way = 0; way < level->ways; way++) {
		if (set[way].mm == mm && set[way].page == page)
			return &set[way];
	}
	return NULL;
}

struct sim_translation *
sim_tlb_peek(const struct sim_cpu *cpu, const struct sim_mm *mm, uint64_t page)
{
	struct sim_translation *slot = level_find(&cpu->tlb[0], mm, page);
	return slot != NULL ? slot : level_find(&cpu->tlb[1], mm, page);
}

struct sim_translation *
sim_tlb_find(struct sim_cpu *cpu, const struct sim_mm *mm, uint64_t page)
{
	struct sim_translation *slot = level_find(&cpu->tlb[0], mm, page);
	if (slot == NULL) {
		slot = level_find(&cpu->tlb[1], mm, page);
		if (slot == NULL)
			return NULL;
		atomic_fetch_add(&cpu->hits2, 1);
	}
	struct sim_translation found = *slot;
	slot->mm = NULL; /* It moves and stays counted. */
	return tlb_push(cpu, &found);
}

struct sim_translation *
sim_tlb_insert(struct sim_cpu *cpu, const struct sim_translation *fresh)
{
	atomic_fetch_add(&fresh->mm->sim->translations[fresh->frame], 1);
	atomic_fetch_add(&fresh->mm->translations, 1);
	return tlb_push(cpu, fresh);
}

void
sim_tlb_switch(struct sim_cpu *cpu, const struct sim_mm *mm)
{
	unsigned ids = mm->sim->config.tlb_ids;
	if (ids == 0 || cpu->owners[mm->tag % ids] == mm)
		return;
	cpu->owners[mm->tag % ids] = mm;
	for (unsigned i = 0; i < SIM_TLB_LEVELS; i++) {
		struct sim_tlb_level *level = &cpu->tlb[i];
		for (unsigned k = 0; k < level->sets * level->ways; k++) {
			struct sim_translation *slot = &level->entries[k];
			if (slot->mm != NULL && slot->mm != mm &&
			    slot->mm->tag % ids == mm->tag % ids)
				sim_tlb_forget(slot);
		}
	}
}

/* --- flushes --- */

static void
flush_slot(struct sim_translation *slot, enum sim_flush flush)
{
	struct sim *sim = slot->mm->sim;
	slot->write = false;
	if (flush == SIM_FLUSH_ALL)
		sim_tlb_forget(slot);
	atomic_fetch_add(&sim->dropped, 1);
}

/* Short ranges are looked up, long ones make it look at everything. */
static void
flush_cpu(const struct sim_mm *mm, struct sim_cpu *cpu,
    const struct sim_pages *pages, enum sim_flush flush)
{
	if (pages->end - pages->first < cpu->tlb[0].sets) {
		for (uint64_t page = pages->first; page < pages->end; page++) {
			struct sim_translation *slot =
			    sim_tlb_peek(cpu, mm, page);
			if (slot != NULL)
				flush_slot(slot, flush);
		}
		return;
	}
	for (unsigned i = 0; i < SIM_TLB_LEVELS; i++) {
		struct sim_tlb_level *level = &cpu->tlb[i];
		for (unsigned k = 0; k < level->sets * level->ways; k++) {
			struct sim_translation *slot = &level->entries[k];
			if (slot->mm == mm && slot->page >= pages->first &&
			    slot->page < pages->end)
				flush_slot(slot, flush);
		}
	}
}

void
sim_tlb_flush(const struct sim_mm *mm, const struct sim_pages *pages,
    enum sim_flush flush)
{
	struct sim *sim = mm->sim;
	for (unsigned i = 0; i < sim->port.cpu_count; i++) {
		struct sim_cpu *cpu = &sim->cpus[i];
		sim_lock(&cpu->lock);
		flush_cpu(mm, cpu, pages, flush);
		sim_unlock(&cpu->lock);
	}
	atomic_fetch_add(&sim->flushes, 1);
	sim_spend(sim, FLUSH_NS);
}
