/* SPDX-License-Identifier: MIT */
/*
 * table/table.c: page tables: walking, growing, pruning.
 *
 * 1. Purpose
 *
 * A page table says for every page of an address space what should be there:
 * a frame, a swap slot, zeroes, a guard, nothing. It is the core's own record
 * in every port. Where the machine has an MMU that reads such a table, it
 * reads this very one: the bits of a present entry are x86-64's. Elsewhere
 * the port keeps the host in step, and nothing in this folder knows.
 *
 * 2. Terms and picture
 *
 * A node is a frame full of 64-bit entries. Levels are counted from the leaf:
 * an entry of level 0 describes a page, one of level k > 0 names a node whose
 * entries are of level k - 1. The level above the top one holds a single
 * entry, the table's root. Four levels of nine bits:
 *
 *	address   47      39 38      30 29      21 20      12 11         0
 *	         | index 3  | index 2  | index 1  | index 0  |  offset    |
 *	              |          |          |          |
 *	     root  +--v--+    +--v--+    +--v--+    +--v--+
 *	           |  o------>|  o------>|  o------>| pte |
 *	           |     |    |     |    |     |    |     |
 *	           +-----+    +-----+    +-----+    +-----+
 *	level         3          2          1          0
 *
 * How many levels there are and how wide each index is, is data: struct
 * qr_geometry. The one walker below serves all layouts. A node whose index
 * has less than nine bits uses the first part of its frame.
 *
 * 3. States of an entry
 *
 *	             grow                          fill, change, clear
 *	interior:  0 ----> frame | P W U     leaf:  any <-----------> any
 *	             <----                              claim, publish
 *	             prune
 *
 * An interior entry changes twice in its life at most: when its node is hung
 * in and when it is taken out. A leaf entry changes only between a claim and
 * the publish that ends it; the entry itself is the lock, see pte.c.
 *
 * 4. Invariants
 *
 * [table.1] The indices of a layout follow one another without gap from the
 *	page's offset upwards, each 1 to 9 bits wide.
 * [table.2] An interior entry is zero, or a frame number with the present,
 *	write and user bits (the rights are the leaf's to restrict). The frame
 *	is of kind QR_PAGE_TABLE, its descriptor names this table and the level
 *	of its entries, and no other entry names it.
 * [table.3] table->nodes counts the root and all frames so named.
 * [table.4] A leaf entry is one of the encodings of pte.h; waiters implies
 *	busy.
 * [table.5] Who sleeps on a busy entry is woken by the publish that ends it.
 * [table.6] A young or dirty bit that hardware sets in an entry is found
 *	there later, or returned by the publish that overwrote the entry.
 *
 * 5. Concurrency
 *
 * No locks. A node is zeroed before one compare-and-swap hangs it in with
 * release order, and every step of a walk loads with acquire order, so who
 * sees a node sees it zeroed. Two threads that miss the same node both bring
 * a frame; the loser gives its own back. Nothing is allocated while others
 * wait, so an allocation may reclaim, and reclaim may walk this table.
 *
 * Nodes go away by prune and fini only. Freeing under the feet of a walker is
 * what would need locks or epochs, so the callers of these two keep others
 * out, and they have what it takes: a space's lock, held exclusively, stops
 * everybody but those who hold a claimed entry, and a claimed entry is not
 * zero, so its node stays. Machines that remember interior entries (x86-64
 * does) must be flushed over the range between the clearing of its leaf
 * entries and the reuse of the nodes; the unmapping that comes before a
 * prune has done so.
 *
 * 6. Failure
 *
 * Only growth can fail. Nodes that it hung in before it failed are empty and
 * stay: the next try or the next prune finds them.
 *
 * 7. Rejected
 *
 * A lock for growth. It would be held for the time of one store, once per 512
 * pages, and each growing thread would still have to look again under it.
 *
 * A count of the entries in use per leaf node, which would tell a prune which
 * nodes are empty. It costs an atomic on a second cache line for each of the
 * changes that the 512 entries see in their life; looking at a node when its
 * range is unmapped costs 64 cache lines once, and stops at the first entry
 * that is in use.
 *
 * Table descriptions as code (a macro or an inline function a level). The
 * loop over the geometry costs two loads a level that stay in the first-level
 * cache, beside one miss a level for the entry itself.
 *
 * 8. Reading
 *
 * pte.h for the encoding, pte.c for the entry as a lock, geometry.c for the
 * layouts, then this file from the top. The Intel 64 manual, volume 3,
 * chapter 4, has the hardware's side.
 */
#include "../base/bits.h"
#include "../base/check.h"
#include "table_impl.h"

#define TABLE_SIGNATURE QR_SIGNATURE('T', 'a', 'b', 'l')

/* Rights of an interior entry: all, the leaf's restrict them. */
#define INTERIOR_BITS (QR_PTE_PRESENT | QR_PTE_WRITE | QR_PTE_USER)

/* --- nodes --- */

static qr_pte_word *
node_of_pfn(const struct qr_table *table, qr_pfn_t pfn)
{
	return (qr_pte_word *)(void *)(table->direct_map + pfn * QR_PAGE_SIZE);
}

/* A zeroed node for entries of the level; NULL: no memory under gfp. */
static struct qr_page *
node_alloc(struct qr_table *table, unsigned level, qr_gfp_t gfp)
{
	struct qr_page *page = qr_frame_alloc(table->frames,
	    (gfp & ~QR_GFP_USER) | QR_GFP_ZERO, 0, QR_PAGE_TABLE);
	if (page == NULL)
		return NULL;
	/* The direct map's place for the frame is in use from here on. */
	(void)qr_frame_data(table->frames, page);
	page->u.table.table = table;
	page->u.table.level = level;
	atomic_fetch_add_explicit(&table->nodes, 1, memory_order_relaxed);
	return page;
}

static void
node_free(struct qr_table *table, struct qr_page *page)
{
	QR_ASSERT(page->u.table.table == (void *)table,
	    "table.2: node of table %p freed by %p", page->u.table.table,
	    (void *)table);
	page->u.table.table = NULL;
	atomic_fetch_sub_explicit(&table->nodes, 1, memory_order_relaxed);
	qr_frame_free(table->frames, page);
}

static bool
node_is_empty(const qr_pte_word *node, size_t entries)
{
	/* Relaxed: nobody writes an entry that is zero meanwhile; see 5. */
	for (size_t i = 0; i < entries; i++)
		if (atomic_load_explicit(&node[i], memory_order_relaxed) != 0)
			return false;
	return true;
}

/* --- walking --- */

/*
 * Descends to the entry of the address at the level, or to the first one on
 * the way that names no node; *reached is the level it came to.
 */
static qr_pte_word *
walk_down(const struct qr_table *table, qr_vaddr_t address, unsigned level,
    unsigned *reached)
{
	const struct qr_geometry *geometry = table->geometry;
	qr_pte_word *node = table->root_entries;
	unsigned at = geometry->levels - 1;
	for (;;) {
		qr_pte_word *word =
		    &node[geometry_index(geometry, at, address)];
		*reached = at;
		if (at == level)
			return word;
		/* Acquire, in qr_pte_read, pairs with node_hang_in. */
		struct qr_pte pte = qr_pte_read(word);
		if (!qr_pte_is_present(pte))
			return word;
		node = node_of_pfn(table, qr_pte_frame(pte));
		at--;
	}
}

/* How many entries from this one on, left of them at most, name nothing. */
static size_t
walk_absent(const qr_pte_word *word, size_t left)
{
	size_t count = 0;
	/* Relaxed: one that is there is walked to again. */
	while (count < left &&
	       atomic_load_explicit(&word[count], memory_order_relaxed) == 0)
		count++;
	return count;
}

/*
 * The first run of entries of the level in [*address, end) whose node exists:
 * its first entry, address and length, or NULL. Each turn but the last skips
 * the subtrees that are absent next to each other in one node.
 */
static qr_pte_word *
walk_run(const struct qr_table *table, unsigned level, qr_vaddr_t *address,
    qr_vaddr_t end, size_t *count)
{
	const struct qr_geometry *geometry = table->geometry;
	qr_vaddr_t at = *address;
	while (at < end) {
		unsigned reached;
		qr_pte_word *word = walk_down(table, at, level, &reached);
		qr_vaddr_t span = geometry_span(geometry, reached);
		qr_vaddr_t base = qr_round_down(at, span);
		size_t left = geometry_entries(geometry, reached) -
			      geometry_index(geometry, reached, at);
		left = qr_min(left, (size_t)qr_div_round_up(end - base, span));
		if (reached == level) {
			*address = at;
			*count = left;
			return word;
		}
		/* If it has come to be meanwhile, none are absent. */
		at = qr_max(at, base + walk_absent(word, left) * span);
	}
	return NULL;
}

qr_pte_word *
qr_table_find(const struct qr_table *table, qr_vaddr_t address)
{
	QR_ASSERT(address < qr_geometry_end(table->geometry),
	    "address 0x%llx is beyond the table", (unsigned long long)address);
	unsigned reached;
	qr_pte_word *word = walk_down(table, address, 0, &reached);
	return reached == 0 ? word : NULL;
}

qr_pte_word *
qr_table_next(const struct qr_table *table, qr_vaddr_t *address, qr_vaddr_t end,
    size_t *count)
{
	QR_ASSERT(end <= qr_geometry_end(table->geometry),
	    "end 0x%llx is beyond the table", (unsigned long long)end);
	return walk_run(table, 0, address, end, count);
}

/* --- growing --- */

/* Makes the empty entry name the node; false: another thread was faster. */
static bool
node_hang_in(struct qr_table *table, qr_pte_word *word,
    const struct qr_page *page)
{
	uint64_t empty = 0;
	uint64_t bits =
	    qr_frame_pfn(table->frames, page) << QR_PAGE_SHIFT | INTERIOR_BITS;
	/* Release pairs with the acquire in walk_down. */
	return atomic_compare_exchange_strong_explicit(word, &empty, bits,
	    memory_order_release, memory_order_relaxed);
}

static QR_NOINLINE qr_pte_word *
table_grow(struct qr_table *table, qr_vaddr_t address, qr_gfp_t gfp)
{
	/* A turn each level at most: nodes do not go away meanwhile. */
	for (;;) {
		unsigned level;
		qr_pte_word *word = walk_down(table, address, 0, &level);
		if (level == 0)
			return word;
		struct qr_page *page = node_alloc(table, level - 1, gfp);
		if (page == NULL)
			return NULL;
		if (!node_hang_in(table, word, page))
			node_free(table, page);
	}
}

qr_pte_word *
qr_table_ensure(struct qr_table *table, qr_vaddr_t address, qr_gfp_t gfp)
{
	qr_pte_word *word = qr_table_find(table, address);
	if (QR_LIKELY(word != NULL))
		return word;
	return table_grow(table, address, gfp);
}

/* --- pruning --- */

/* Takes out and frees the node that the entry names, if it is empty. */
static void
prune_entry(struct qr_table *table, qr_pte_word *word, unsigned level)
{
	struct qr_pte pte = qr_pte_read(word);
	if (!qr_pte_is_present(pte))
		return;
	qr_pfn_t pfn = qr_pte_frame(pte);
	if (!node_is_empty(node_of_pfn(table, pfn),
		geometry_entries(table->geometry, level - 1)))
		return;
	/* Relaxed: nobody walks here meanwhile. */
	atomic_store_explicit(word, 0, memory_order_relaxed);
	node_free(table, qr_frame_page(table->frames, pfn));
}

void
qr_table_prune(struct qr_table *table, qr_vaddr_t start, qr_vaddr_t end)
{
	QR_ASSERT(end <= qr_geometry_end(table->geometry),
	    "end 0x%llx is beyond the table", (unsigned long long)end);
	/* From the leaves up, so that a level is pruned when those below are:
	 * a node may become empty by it. */
	for (unsigned level = 1; level < table->geometry->levels; level++) {
		qr_vaddr_t span = geometry_span(table->geometry, level);
		qr_vaddr_t at = start;
		size_t count;
		qr_pte_word *word;
		while (
		    (word = walk_run(table, level, &at, end, &count)) != NULL) {
			for (size_t i = walk_absent(word, count); i < count;
			     i += 1 + walk_absent(&word[i + 1], count - i - 1))
				prune_entry(table, &word[i], level);
			at = qr_round_down(at, span) + count * span;
		}
	}
}

/* --- the whole table --- */

int
qr_table_init(struct qr_table *table, struct qr_frames *frames,
    const struct qr_geometry *geometry)
{
	qr_check_geometry(geometry);
	table->frames = frames;
	table->geometry = geometry;
	atomic_init(&table->nodes, 0);
	struct qr_page *root =
	    node_alloc(table, geometry->levels - 1, QR_GFP_KERNEL);
	if (root == NULL)
		return -QR_ENOMEM;
	unsigned char *bytes = qr_frame_data(frames, root);
	table->root = root;
	table->root_entries = (qr_pte_word *)(void *)bytes;
	table->direct_map = bytes - qr_frame_pfn(frames, root) * QR_PAGE_SIZE;
	table->signature = TABLE_SIGNATURE;
	return 0;
}

static void
table_refuse_entry(void *ctx, qr_vaddr_t address, struct qr_pte pte)
{
	(void)ctx;
	QR_PANIC("table.2: entry 0x%llx of address 0x%llx left at the end",
	    (unsigned long long)pte.bits, (unsigned long long)address);
}

void
qr_table_fini(struct qr_table *table)
{
	qr_check_table(table, QR_CHECK_SIGNATURE);
	uint64_t nodes =
	    atomic_load_explicit(&table->nodes, memory_order_relaxed);
	if (nodes != 1)
		qr_table_prune(table, 0, qr_geometry_end(table->geometry));
	nodes = atomic_load_explicit(&table->nodes, memory_order_relaxed);
	if (nodes != 1)
		qr_table_for_each(table, table_refuse_entry, NULL);
	QR_ASSERT(nodes == 1, "table.3: %llu nodes left at the end",
	    (unsigned long long)nodes);
	table->signature = 0;
	node_free(table, table->root);
}

void
qr_table_for_each(const struct qr_table *table,
    void (*visit)(void *ctx, qr_vaddr_t address, struct qr_pte pte), void *ctx)
{
	qr_vaddr_t end = qr_geometry_end(table->geometry);
	qr_vaddr_t at = 0;
	size_t count;
	const qr_pte_word *word;
	while ((word = walk_run(table, 0, &at, end, &count)) != NULL) {
		for (size_t i = 0; i < count; i++, at += QR_PAGE_SIZE) {
			struct qr_pte pte = qr_pte_read(&word[i]);
			if (!qr_pte_is_none(pte))
				visit(ctx, at, pte);
		}
	}
}

/* --- checking --- */

/* Where a node is hung in: what the checker's messages show. */
struct check_place {
	const struct qr_table *table;
	qr_vaddr_t address;
	unsigned level;
};

/* [table.2] for one interior entry. */
static void
check_interior(const struct check_place *place, struct qr_pte pte)
{
	unsigned long long address = place->address;
	unsigned long long bits = pte.bits;
	/* x86-64 marks interior entries as touched too. */
	QR_ASSERT((bits & ~(QR_PTE_FRAME | QR_PTE_YOUNG)) == INTERIOR_BITS,
	    "table.2: interior entry 0x%llx at 0x%llx", bits, address);
	const struct qr_page *page =
	    qr_frame_page(place->table->frames, qr_pte_frame(pte));
	QR_ASSERT(page->kind == QR_PAGE_TABLE,
	    "table.2: node at 0x%llx is a frame of kind %u", address,
	    page->kind);
	QR_ASSERT(page->u.table.table == (const void *)place->table,
	    "table.2: node at 0x%llx is of table %p", address,
	    page->u.table.table);
	QR_ASSERT(page->u.table.level == place->level - 1,
	    "table.2: node at 0x%llx is of level %u, not %u", address,
	    page->u.table.level, place->level - 1);
}

/* [table.4] */
static void
check_leaf(qr_vaddr_t address, struct qr_pte pte)
{
	unsigned long long where = address;
	unsigned long long bits = pte.bits;
	QR_ASSERT(qr_pte_is_busy(pte) || (bits & QR_PTE_WAITERS) == 0,
	    "table.4: entry 0x%llx at 0x%llx is awaited but not busy", bits,
	    where);
	if (qr_pte_is_present(pte))
		return;
	QR_ASSERT(qr_pte_kind(pte) <= QR_PTE_RESIDENT,
	    "table.4: entry 0x%llx at 0x%llx has no such kind", bits, where);
	QR_ASSERT(qr_pte_kind(pte) != QR_PTE_NONE || qr_pte_is_none(pte),
	    "table.4: entry 0x%llx at 0x%llx is none but not empty", bits,
	    where);
}

/* Returns how many nodes it names. */
static unsigned
check_entry(const struct check_place *place, struct qr_pte pte)
{
	if (place->level == 0) {
		check_leaf(place->address, pte);
		return 0;
	}
	if (pte.bits == 0)
		return 0;
	check_interior(place, pte);
	return 1;
}

/* Checks all entries of the level; returns how many nodes they name. */
static uint64_t
check_level(const struct qr_table *table, unsigned level)
{
	qr_vaddr_t end = qr_geometry_end(table->geometry);
	qr_vaddr_t span = geometry_span(table->geometry, level);
	struct check_place place = { table, 0, level };
	uint64_t children = 0;
	size_t count;
	const qr_pte_word *word;
	while ((word = walk_run(table, level, &place.address, end, &count)) !=
	       NULL) {
		for (size_t i = 0; i < count; i++, place.address += span)
			children += check_entry(&place, qr_pte_read(&word[i]));
	}
	return children;
}

void
qr_check_table(const struct qr_table *table, enum qr_check_depth depth)
{
	QR_ASSERT(table->signature == TABLE_SIGNATURE,
	    "table %p has signature 0x%x", (const void *)table,
	    table->signature);
	if (depth == QR_CHECK_SIGNATURE)
		return;
	qr_check_geometry(table->geometry);
	QR_ASSERT(table->root->u.table.level == table->geometry->levels - 1,
	    "table.2: the root is of level %u", table->root->u.table.level);
	if (depth == QR_CHECK_SELF)
		return;
	uint64_t found = 1;
	for (unsigned level = table->geometry->levels; level-- > 0;)
		found += check_level(table, level);
	uint64_t nodes =
	    atomic_load_explicit(&table->nodes, memory_order_relaxed);
	QR_ASSERT(found == nodes, "table.3: %llu nodes counted, %llu found",
	    (unsigned long long)nodes, (unsigned long long)found);
}
