/* SPDX-License-Identifier: MIT */
/*
 * swap/area.c: which pages of the swap device are taken.
 *
 * A bit a page, 64 to a word, which is a cluster of 256 KiB; 32768 to a
 * frame, which stands in a table of frames and is made when the device is
 * first used so far. Its descriptor counts pages taken and clusters wholly
 * free. A search goes on, in this order:
 *
 *   1. in the cluster where the last one ended, behind it;
 *   2. in the next cluster that is wholly free, round the whole device;
 *   3. wherever a page is free, round the whole device.
 *
 * So pages that leave together lie together as long as the device has a free
 * cluster. 2 and 3 read a word for 64 pages, and pass over a frame that has
 * nothing for them by its descriptor: 4 us for a full device of 1 TiB.
 *
 * The device's size is asked for each time. It may shrink: pages beyond the
 * end stay taken until they are given back, and no new ones are taken there.
 * A page that failed stays taken for ever. Keeps [swap.6].
 */
#include "swap_impl.h"

#define WORDS_PER_LEAF (AREA_PAGES_PER_LEAF / AREA_CLUSTER)
#define CLUSTER_ALL    UINT64_MAX

static uint64_t
device_size(const struct qr_swap *swap)
{
	return swap->port->ops->swap_size(swap->port->ctx);
}

int
qr_swap_area_init(struct qr_swap *swap)
{
	qr_lock_init(&swap->area.lock, QR_RANK_POOL);
	return qr_swap_table_init(swap, &swap->area.table);
}

void
qr_swap_area_fini(struct qr_swap *swap)
{
	struct swap_area *area = &swap->area;
	QR_ASSERT(area->used == area->retired,
	    "%llu device pages taken at the end",
	    (unsigned long long)(area->used - area->retired));
	qr_swap_table_fini(swap, &area->table);
}

static int
leaf_add(struct qr_swap *swap, uint32_t index)
{
	int error = qr_swap_table_add(swap, &swap->area.table, index);
	if (error != 0)
		return error;
	struct qr_page *leaf =
	    qr_swap_table_page(swap, &swap->area.table, index);
	leaf->u.map.used = 0;
	leaf->u.map.clusters = WORDS_PER_LEAF;
	return 0;
}

/* The word's pages that are free and on the device. */
static uint64_t
word_free(uint64_t taken, uint64_t first, uint64_t size)
{
	uint64_t there = CLUSTER_ALL;
	if (first >= size)
		there = 0;
	else if (size - first < AREA_CLUSTER)
		there = ((uint64_t)1 << (size - first)) - 1;
	return ~taken & there;
}

/* What is searched for. */
struct search {
	uint64_t size;  /* of the device, pages */
	bool whole;     /* a cluster wholly free, else any page */
	uint64_t found; /* first page of the cluster; AREA_NIL */
	uint64_t free;  /* its free pages */
};

/* Looks at clusters [from, to) of a leaf. */
static bool
leaf_search(struct qr_swap *swap, uint32_t index, uint32_t from, uint32_t to,
    struct search *search)
{
	struct swap_table *table = &swap->area.table;
	struct qr_page *leaf = qr_swap_table_page(swap, table, index);
	uint64_t *words = qr_swap_table_at(swap, table, index);
	if (search->whole ? leaf->u.map.clusters == 0
			  : leaf->u.map.used == AREA_PAGES_PER_LEAF)
		return false;
	for (uint32_t i = from; i < to; i++) {
		uint64_t first =
		    ((uint64_t)index * WORDS_PER_LEAF + i) * AREA_CLUSTER;
		uint64_t free = word_free(words[i], first, search->size);
		if (search->whole ? free == CLUSTER_ALL : free != 0) {
			search->found = first;
			search->free = free;
			return true;
		}
	}
	return false;
}

/* Goes once round the device from the cursor on. */
static bool
area_search(struct qr_swap *swap, struct search *search)
{
	struct swap_area *area = &swap->area;
	uint64_t leaves =
	    qr_min(qr_div_round_up(search->size, AREA_PAGES_PER_LEAF),
		SWAP_TABLE_MAX);
	uint64_t start = area->cursor < search->size ? area->cursor : 0;
	uint32_t at = (uint32_t)(start / AREA_PAGES_PER_LEAF);
	uint32_t word = (uint32_t)(start % AREA_PAGES_PER_LEAF / AREA_CLUSTER);
	/* The leaf that the search begins in comes once more at the end, for
	 * its first part. */
	for (uint64_t turn = 0; turn <= leaves; turn++) {
		uint32_t from = turn == 0 ? word : 0;
		uint32_t to = turn == leaves ? word : WORDS_PER_LEAF;
		bool there = qr_swap_table_at(swap, &area->table, at) != NULL;
		if (!there && leaf_add(swap, at) != 0)
			return false;
		if (leaf_search(swap, at, from, to, search))
			return true;
		at = at + 1 < leaves ? at + 1 : 0;
	}
	return false;
}

/* What is left of the cluster that the last search ended in. */
static bool
area_resume(struct qr_swap *swap, struct search *search)
{
	struct swap_area *area = &swap->area;
	uint32_t index = (uint32_t)(area->cursor / AREA_PAGES_PER_LEAF);
	uint64_t *words = qr_swap_table_at(swap, &area->table, index);
	unsigned passed = (unsigned)(area->cursor % AREA_CLUSTER);
	if (passed == 0 || words == NULL)
		return false;
	uint64_t first = area->cursor - passed;
	uint64_t word = words[first % AREA_PAGES_PER_LEAF / AREA_CLUSTER];
	search->found = first;
	search->free = word_free(word, first, search->size);
	search->free &= CLUSTER_ALL << passed;
	return search->free != 0;
}

/* Changes the bits of one cluster, keeping the counts. */
static void
cluster_set(struct qr_swap *swap, uint64_t first, uint64_t bits, bool taken)
{
	struct swap_area *area = &swap->area;
	uint32_t index = (uint32_t)(first / AREA_PAGES_PER_LEAF);
	qr_lock_assert_held(swap->port, &area->lock);
	struct qr_page *leaf = qr_swap_table_page(swap, &area->table, index);
	uint64_t *words = qr_swap_table_at(swap, &area->table, index);
	uint64_t *word = &words[first % AREA_PAGES_PER_LEAF / AREA_CLUSTER];
	uint32_t count = qr_bit_count(bits);
	QR_ASSERT((*word & bits) == (taken ? 0 : bits),
	    "[swap.6] cluster %llu is 0x%llx, not 0x%llx",
	    (unsigned long long)first, (unsigned long long)*word,
	    (unsigned long long)bits);
	bool was_free = *word == 0;
	*word ^= bits;
	bool is_free = *word == 0;
	leaf->u.map.clusters += (uint32_t)is_free - (uint32_t)was_free;
	leaf->u.map.used += taken ? count : -count;
	area->used += taken ? count : -(uint64_t)count;
}

static uint64_t
bits_run(unsigned from, size_t count)
{
	return CLUSTER_ALL >> (AREA_CLUSTER - count) << from;
}

size_t
qr_swap_area_take(struct qr_swap *swap, size_t want, uint64_t *first)
{
	struct swap_area *area = &swap->area;
	struct search search = { device_size(swap), true, AREA_NIL, 0 };
	size_t count = 0;
	qr_lock_acquire(swap->port, &area->lock);
	if (search.size <= area->full_size)
		goto out;
	area->full_size = 0;
	bool found = area_resume(swap, &search) || area_search(swap, &search);
	if (!found) {
		search.whole = false;
		found = area_search(swap, &search);
	}
	if (!found)
		goto out;

	unsigned from = qr_bit_lowest(search.free);
	uint64_t after = ~(search.free >> from);
	count = after == 0 ? AREA_CLUSTER : qr_bit_lowest(after);
	count = qr_min(count, want);
	cluster_set(swap, search.found, bits_run(from, count), true);
	*first = search.found + from;
	area->cursor = *first + count;
out:
	qr_lock_release(swap->port, &area->lock);
	return count;
}

static void
cluster_trim(struct qr_swap *swap, uint64_t first)
{
	uint64_t size = device_size(swap);
	if (first < size)
		swap->port->ops->swap_trim(swap->port->ctx, first,
		    qr_min(AREA_CLUSTER, size - first));
}

/*
 * Marks a page as free. A cluster that thereby becomes free is
 * first taken as a whole, so that nobody gets a page of it, and the device
 * told with no lock held.
 */
void
qr_swap_area_give(struct qr_swap *swap, uint64_t page)
{
	struct swap_area *area = &swap->area;
	uint64_t first = qr_round_down(page, AREA_CLUSTER);
	uint64_t bits = (uint64_t)1 << (page - first);
	qr_lock_acquire(swap->port, &area->lock);
	uint64_t *words = qr_swap_table_at(swap, &area->table,
	    (uint32_t)(first / AREA_PAGES_PER_LEAF));
	QR_ASSERT(words != NULL, "[swap.6] wild device page %llu",
	    (unsigned long long)page);
	uint64_t taken = words[first % AREA_PAGES_PER_LEAF / AREA_CLUSTER];
	if (taken == bits) {
		cluster_set(swap, first, ~bits, true);
		qr_lock_release(swap->port, &area->lock);
		cluster_trim(swap, first);
		qr_lock_acquire(swap->port, &area->lock);
		bits = CLUSTER_ALL;
	}
	cluster_set(swap, first, bits, false);
	area->full_size = 0;
	qr_lock_release(swap->port, &area->lock);
}

void
qr_swap_area_untake(struct qr_swap *swap, uint64_t page)
{
	uint64_t first = qr_round_down(page, AREA_CLUSTER);
	qr_lock_acquire(swap->port, &swap->area.lock);
	cluster_set(swap, first, (uint64_t)1 << (page - first), false);
	qr_lock_release(swap->port, &swap->area.lock);
}

void
qr_swap_area_retire(struct qr_swap *swap)
{
	qr_lock_acquire(swap->port, &swap->area.lock);
	swap->area.retired++;
	qr_lock_release(swap->port, &swap->area.lock);
}

void
qr_swap_area_set_full(struct qr_swap *swap)
{
	uint64_t size = device_size(swap);
	qr_lock_acquire(swap->port, &swap->area.lock);
	swap->area.full_size = size;
	qr_lock_release(swap->port, &swap->area.lock);
}

/* --- checks --- */

static uint32_t
check_leaf(struct qr_swap *swap, uint32_t index)
{
	struct swap_table *table = &swap->area.table;
	struct qr_page *leaf = qr_swap_table_page(swap, table, index);
	const uint64_t *words = qr_swap_table_at(swap, table, index);
	uint32_t used = 0, clusters = 0;
	for (uint32_t i = 0; i < WORDS_PER_LEAF; i++) {
		used += qr_bit_count(words[i]);
		clusters += words[i] == 0;
	}
	QR_ASSERT(used == leaf->u.map.used,
	    "[swap.6] map %u counts %u pages, has %u", index, leaf->u.map.used,
	    used);
	QR_ASSERT(clusters == leaf->u.map.clusters,
	    "[swap.6] map %u counts %u free clusters, has %u", index,
	    leaf->u.map.clusters, clusters);
	return used;
}

void
qr_check_swap_area(struct qr_swap *swap)
{
	struct swap_area *area = &swap->area;
	uint64_t used = 0;
	qr_lock_acquire(swap->port, &area->lock);
	for (uint32_t i = 0; i < area->table.end; i++)
		if (qr_swap_table_page(swap, &area->table, i) != NULL)
			used += check_leaf(swap, i);
	QR_ASSERT(used == area->used, "[swap.6] %llu pages taken, has %llu",
	    (unsigned long long)area->used, (unsigned long long)used);
	uint64_t on_device = swap_counted(&swap->count.on_device);
	QR_ASSERT(used == on_device + area->retired,
	    "[swap.6] %llu pages taken for %llu slots, %llu retired",
	    (unsigned long long)used, (unsigned long long)on_device,
	    (unsigned long long)area->retired);
	qr_lock_release(swap->port, &area->lock);
}
