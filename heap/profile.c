/* SPDX-License-Identifier: MIT */
/*
 * heap/profile.c: the profile's sample of blocks: which block is taken, the
 * table that it is kept in, and its end.
 *
 * 1. What it is for. A user who asks why a program is as large as it is wants
 * the calls that its memory is from. To note them for every block would cost
 * more than the malloc; noted for one in 512 KiB they tell as much of what
 * matters, and cost so little that it is on in every program that holds 4 MiB.
 * Below that no memory is worth its table (some 20 KiB) and the unwinder's
 * pages of other files.
 *
 * 2. Which block. Bytes are a Poisson process: the distance to the next sample
 * is drawn from an exponential distribution, so that no pattern of the program
 * can keep in step with it. As that has no memory, each class of each thread
 * may have a countdown of its own (sample_impl.h). Blocks of pages count down
 * their thread's sample_large.
 *
 * 3. The table (qr/heap_profile.h) is a reservation of its own:
 *
 *     | table and buckets | stacks, one after the other | samples, an array |
 *
 * Both areas are committed as they grow. A stack stays for good, once for each
 * different one; a sample's place is used again when its block is freed.
 * Records are written before they are linked, for readers from outside.
 *
 * 4. How the free of a sampled block is noticed, at no cost to others: the mark
 * QR_HEAP_TAG_SAMPLED in the word of its first page. It makes the tag no
 * thread's own, so frees of that page's blocks take the slow way and look
 * into the table; 1 of 128 pages at 512 KiB. The mark is set and taken away
 * under the profile's lock, and goes with the page's last sample. [heap.10]
 * A page has the mark iff a block of the table starts in it.
 *
 * 5. Rejected: a page of its own for each sampled block, as its free is then
 * met without a mark: 0.8 % more memory. A hash of all sampled addresses that
 * each free looks into: cost on the fast path. A shared mapping for readers:
 * it needs a descriptor at some moment of the program's, and after a fork both
 * processes would write to it. A countdown on the malloc path: two
 * instructions more of 12.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pagemap_impl.h"
#include "sample_impl.h"

#define SAMPLE_INTERVAL ((size_t)512 << 10) /* bytes */

/* Pages held from which on it is worth it: 4 MiB. */
#define SAMPLE_HELD ((size_t)(4 << 20) >> QR_PAGE_SHIFT)

/* Of the reservation; 8 MiB of samples are of 170 GiB at 512 KiB. */
#define STACKS_BYTES  ((size_t)8 << 20)
#define SAMPLES_BYTES ((size_t)8 << 20)

/* Steps of the two areas. */
#define PROFILE_STEP QR_HEAP_TABLE_STEP

/* Most blocks of a countdown, of 2^30 that fit. */
#define BLOCKS_MAX ((int32_t)1 << 28)

#define LN2_16 45426u /* ln 2 times 2^16 */

struct qr_heap_profile_root qr_heap_profile_root = {
	.magic = QR_HEAP_PROFILE_MAGIC,
	.version = QR_HEAP_PROFILE_VERSION,
	.root_bytes = sizeof(struct qr_heap_profile_root),
};

/* --- when --- */

static size_t
profile_interval(const struct qr_heap *heap)
{
	/* Relaxed: a setting. */
	return atomic_load_explicit(&heap->profile.interval,
	    memory_order_relaxed);
}

/* Thread's next random number, of 64 bits (xorshift64*). */
static uint64_t
seed_next(struct qr_heap_thread *thread)
{
	uint64_t seed = thread->sample_seed;
	if (seed == 0)
		seed = (uintptr_t)thread * 0x9e3779b97f4a7c15u ^
		       qr_heap_clock() ^ thread->number;
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	thread->sample_seed = seed;
	return seed * 0x2545f4914f6cdd1du;
}

/* The binary logarithm of value, which is not 0, times 2^16. */
static uint64_t
log2_16(uint64_t value)
{
	unsigned top = qr_bit_highest(value);
	uint64_t square = value << (63 - top) >> 32; /* 1.31 bits */
	uint64_t result = top;
	for (unsigned bit = 0; bit < 16; bit++) {
		square = square * square >> 31;
		result <<= 1;
		if (square >> 32 != 0) {
			square >>= 1;
			result |= 1;
		}
	}
	return result;
}

/* Bytes to the next sample: -ln(u) * interval for a random u in (0, 1]. */
static uint64_t
bytes_draw(struct qr_heap_thread *thread, size_t interval)
{
	uint64_t uniform = (seed_next(thread) >> 32) + 1; /* of 2^32 */
	uint64_t log = ((uint64_t)32 << 16) - log2_16(uniform);
	uint64_t nats = log * LN2_16 >> 16; /* times 2^16, at most 22 nats */
	return interval >> 16 != 0 ? (interval >> 8) * nats >> 8
				   : interval * nats >> 16;
}

void
qr_sample_draw(struct qr_heap_thread *thread, unsigned size_class,
    int32_t length)
{
	size_t interval = profile_interval(thread->heap);
	thread->sample[size_class] = 0;
	/* The shared cache's blocks go to whoever comes. */
	if (interval == 0 || thread != qr_heap_self)
		return;
	uint64_t blocks =
	    bytes_draw(thread, interval) / qr_size_of_class(size_class);
	int32_t left = (int32_t)qr_min(blocks, (uint64_t)BLOCKS_MAX);
	qr_sample_set_base(thread, size_class,
	    left - thread->list[size_class].room - length);
}

void
qr_sample_large(struct qr_heap_thread *thread, void *block, size_t bytes)
{
	size_t interval = profile_interval(&qr_heap_process);
	if (interval == 0 || thread == &qr_heap_thread_none)
		return;
	if (thread->sample_large == 0)
		thread->sample_large = bytes_draw(thread, interval) + 1;
	bytes = qr_round_up(bytes, QR_PAGE_SIZE);
	if (bytes < thread->sample_large) {
		thread->sample_large -= bytes;
		return;
	}
	thread->sample_large = bytes_draw(thread, interval) + 1;
	thread->sampled = block;
}

void
qr_sample_notice(struct qr_heap *heap, size_t held)
{
	/* Relaxed: settings. */
	size_t begin =
	    atomic_load_explicit(&heap->profile.begin_at, memory_order_relaxed);
	if (QR_LIKELY(begin == 0 || held < begin))
		return;
	atomic_store_explicit(&heap->profile.begin_at, 0, memory_order_relaxed);
	atomic_store_explicit(&heap->profile.interval, SAMPLE_INTERVAL,
	    memory_order_relaxed);
}

void
qr_heap_profile_set_interval(size_t bytes)
{
	struct qr_heap_profile *profile = &qr_heap_process.profile;
	/* Relaxed: settings. */
	atomic_store_explicit(&profile->begin_at, 0, memory_order_relaxed);
	atomic_store_explicit(&profile->interval, bytes, memory_order_relaxed);
}

size_t
qr_heap_profile_interval(void)
{
	return profile_interval(&qr_heap_process);
}

void
qr_sample_init(void)
{
	qr_heap_unwind_init();
	const char *text = getenv("QUIRE_HEAP_SAMPLE");
	size_t bytes = SAMPLE_INTERVAL;
	if (text != NULL && !qr_heap_bytes_from_text(&text, &bytes)) {
		qr_heap_say("QUIRE_HEAP_SAMPLE is ignored: it is a number of "
			    "bytes, K, M, G or T");
		text = NULL;
	}
	if (text != NULL || getenv("QUIRE_HEAP_PROFILE") != NULL)
		qr_heap_profile_set_interval(bytes);
	else if (qr_heap_stands_alone != NULL)
		atomic_store_explicit(&qr_heap_process.profile.begin_at,
		    SAMPLE_HELD, memory_order_relaxed);
}

/* --- the table --- */

/* Makes an area usable up to need. */
static bool
area_grow(struct qr_heap *heap, uint64_t area, size_t *committed, size_t need,
    size_t most)
{
	if (need <= *committed)
		return true;
	if (need > most ||
	    heap->source->ops->commit(heap->source->ctx,
		(char *)(uintptr_t)area + *committed, PROFILE_STEP) != 0)
		return false;
	*committed += PROFILE_STEP;
	return true;
}

/* Reserves the table. NULL: there is no memory for it, now and later. */
static struct qr_heap_profile_table *
table_get(struct qr_heap *heap)
{
	struct qr_heap_profile *profile = &heap->profile;
	const struct qr_page_source *source = heap->source;
	if (profile->table != NULL || profile->failed)
		return profile->table;
	size_t rules = qr_round_up(sizeof(*profile->table), QR_PAGE_SIZE);
	size_t head = qr_round_up(rules + qr_heap_unwind_bytes(), PROFILE_STEP);
	size_t bytes = head + STACKS_BYTES + SAMPLES_BYTES;
	void *start;
	profile->failed = true;
	if (source->ops->reserve(source->ctx, bytes, 0, &start) != 0)
		return NULL;
	if (source->ops->commit(source->ctx, start, head) != 0) {
		source->ops->release(source->ctx, start, bytes);
		return NULL;
	}
	struct qr_heap_profile_table *table = start;
	table->stacks = (uintptr_t)start + head;
	table->stacks_bytes = sizeof(uint64_t); /* offset 0 is none */
	table->samples = table->stacks + STACKS_BYTES;
	table->samples_count = 1;
	/* Relaxed: a statistic. */
	table->before_bytes =
	    atomic_load_explicit(&heap->held, memory_order_relaxed)
	    << QR_PAGE_SHIFT;
	profile->failed = false;
	profile->table = table;
	profile->rules = (char *)start + rules;
	qr_heap_profile_root.table = (uintptr_t)start;
	return table;
}

static struct qr_heap_profile_stack *
stack_at(const struct qr_heap_profile_table *table, uint32_t offset)
{
	return (void *)(uintptr_t)(table->stacks + offset);
}

static struct qr_heap_profile_sample *
sample_at(const struct qr_heap_profile_table *table, uint32_t number)
{
	struct qr_heap_profile_sample *samples =
	    (void *)(uintptr_t)table->samples;
	return &samples[number];
}

static uint32_t *
sample_bucket(struct qr_heap_profile_table *table, uint64_t block)
{
	return &table->sample_bucket[(block >> QR_PAGE_SHIFT) %
				     QR_HEAP_PROFILE_SAMPLE_BUCKETS];
}

/* The record of these frames, made if need be; 0: there is no room. */
static uint32_t
stack_get(struct qr_heap *heap, const uint64_t *frame, unsigned depth)
{
	struct qr_heap_profile_table *table = heap->profile.table;
	uint64_t hash = depth;
	for (unsigned i = 0; i < depth; i++)
		hash = (hash ^ frame[i]) * 0x9e3779b97f4a7c15u;
	hash ^= hash >> 32;
	uint32_t *bucket =
	    &table->stack_bucket[hash % QR_HEAP_PROFILE_STACK_BUCKETS];
	for (uint32_t at = *bucket; at != 0; at = stack_at(table, at)->next) {
		struct qr_heap_profile_stack *stack = stack_at(table, at);
		if (stack->hash == hash && stack->depth == depth &&
		    memcmp(stack + 1, frame, depth * sizeof(*frame)) == 0)
			return at;
	}
	size_t bytes =
	    sizeof(struct qr_heap_profile_stack) + depth * sizeof(*frame);
	if (!area_grow(heap, table->stacks, &heap->profile.stacks_committed,
		table->stacks_bytes + bytes, STACKS_BYTES))
		return 0;
	uint32_t offset = (uint32_t)table->stacks_bytes;
	struct qr_heap_profile_stack *stack = stack_at(table, offset);
	*stack = (struct qr_heap_profile_stack){ .next = *bucket,
		.depth = depth,
		.hash = hash };
	memcpy(stack + 1, frame, depth * sizeof(*frame));
	table->stacks_bytes += bytes;
	atomic_signal_fence(memory_order_release);
	*bucket = offset;
	return offset;
}

/* A record that is not in use; 0: there is no room. */
static uint32_t
sample_get(struct qr_heap *heap)
{
	struct qr_heap_profile_table *table = heap->profile.table;
	uint32_t number = table->sample_free;
	if (number != 0) {
		table->sample_free = sample_at(table, number)->next;
		return number;
	}
	number = (uint32_t)table->samples_count;
	if (!area_grow(heap, table->samples, &heap->profile.samples_committed,
		(number + 1) * sizeof(struct qr_heap_profile_sample),
		SAMPLES_BYTES))
		return 0;
	table->samples_count = number + 1;
	return number;
}

/* Enters a block with the calls that led here. place: its, NULL of a guarded
 * block. Profile lock held. */
static void
sample_add(struct qr_heap *heap, const struct qr_heap_place *place,
    uint64_t block, size_t bytes)
{
	uint64_t frame[QR_HEAP_PROFILE_FRAMES];
	struct qr_heap_profile_table *table = table_get(heap);
	if (table == NULL)
		return;
	unsigned depth = qr_heap_unwind(frame, QR_HEAP_PROFILE_FRAMES);
	uint32_t offset = stack_get(heap, frame, depth);
	uint32_t number = offset != 0 ? sample_get(heap) : 0;
	if (number == 0) {
		table->lost++;
		return;
	}
	table->interval = profile_interval(heap);
	struct qr_heap_profile_stack *stack = stack_at(table, offset);
	stack->live_blocks++;
	stack->live_bytes += bytes;
	stack->total_blocks++;
	stack->total_bytes += bytes;
	uint32_t *bucket = sample_bucket(table, block);
	*sample_at(table, number) =
	    (struct qr_heap_profile_sample){ block, bytes, offset, *bucket };
	atomic_signal_fence(memory_order_release);
	*bucket = number;
	/* Relaxed: the block's free comes after its malloc. */
	if (place != NULL)
		atomic_fetch_or_explicit(&place->word->tag, QR_HEAP_TAG_SAMPLED,
		    memory_order_relaxed);
}

void *
qr_sample_take(struct qr_heap_thread *thread, size_t size)
{
	struct qr_heap *heap = thread->heap;
	void *block = thread->sampled;
	struct qr_heap_place place;
	thread->sampled = NULL;
	if (!qr_heap_place_of(heap, block, &place))
		return block;
	size_t bytes = qr_heap_usable_size(block);
	qr_heap_lock(heap, QR_HEAP_LOCK_PROFILE);
	/* The table first: the unwinder's cache is in it. */
	void *guarded = table_get(heap) != NULL ? qr_guard_alloc(size) : NULL;
	if (guarded != NULL)
		sample_add(heap, NULL, (uintptr_t)guarded, bytes);
	else
		sample_add(heap, &place, (uintptr_t)block, bytes);
	qr_heap_unlock(heap, QR_HEAP_LOCK_PROFILE);
	if (guarded == NULL)
		return block;
	qr_heap_free(block);
	return guarded;
}

/* --- the end of a sampled block --- */

/* Takes the block out of its bucket. Returns its number, or 0; *alone: no
 * other of its page is there. */
static uint32_t
sample_unlink(struct qr_heap_profile_table *table, uint64_t block, bool *alone)
{
	uint32_t *link = sample_bucket(table, block);
	uint32_t found = 0;
	*alone = true;
	while (*link != 0) {
		struct qr_heap_profile_sample *sample = sample_at(table, *link);
		if (sample->block == block) {
			found = *link;
			*link = sample->next;
			continue;
		}
		if (sample->block >> QR_PAGE_SHIFT == block >> QR_PAGE_SHIFT)
			*alone = false;
		link = &sample->next;
	}
	return found;
}

/* Takes the block out of the table. Returns whether its page has none now. */
static bool
sample_remove(struct qr_heap *heap, uint64_t block)
{
	bool alone;
	struct qr_heap_profile_table *table = heap->profile.table;
	if (table == NULL)
		return false;
	uint32_t number = sample_unlink(table, block, &alone);
	if (number == 0)
		return false;
	struct qr_heap_profile_sample *sample = sample_at(table, number);
	struct qr_heap_profile_stack *stack = stack_at(table, sample->stack);
	stack->live_blocks--;
	stack->live_bytes -= sample->bytes;
	*sample = (struct qr_heap_profile_sample){ .next = table->sample_free };
	table->sample_free = number;
	return alone;
}

void
qr_sample_forget(struct qr_heap *heap, const void *block)
{
	(void)sample_remove(heap, (uintptr_t)block);
}

void
qr_sample_freed(struct qr_heap *heap, void *block, struct qr_heap_word *word)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_PROFILE);
	/* Relaxed: as it was set. */
	if (sample_remove(heap, (uintptr_t)block))
		atomic_fetch_and_explicit(&word->tag, ~QR_HEAP_TAG_SAMPLED,
		    memory_order_relaxed);
	qr_heap_unlock(heap, QR_HEAP_LOCK_PROFILE);
}

void
qr_sample_resized(struct qr_heap *heap, const struct qr_heap_place *place)
{
	if ((qr_heap_raw_tag(place->word) & QR_HEAP_TAG_SAMPLED) == 0)
		return;
	uint64_t block =
	    (uintptr_t)qr_heap_page_address(place->region, place->page);
	uint64_t bytes = (uint64_t)place->word->value << QR_PAGE_SHIFT;
	qr_heap_lock(heap, QR_HEAP_LOCK_PROFILE);
	struct qr_heap_profile_table *table = heap->profile.table;
	for (uint32_t at = *sample_bucket(table, block); at != 0;
	     at = sample_at(table, at)->next) {
		struct qr_heap_profile_sample *sample = sample_at(table, at);
		if (sample->block != block)
			continue;
		stack_at(table, sample->stack)->live_bytes +=
		    bytes - sample->bytes;
		sample->bytes = bytes;
		break;
	}
	qr_heap_unlock(heap, QR_HEAP_LOCK_PROFILE);
}

/* Whether an earlier sample of the bucket is of the same page. */
static bool
sample_page_is_known(const struct qr_heap_profile_table *table, uint32_t first,
    uint32_t at)
{
	uint64_t page = sample_at(table, at)->block >> QR_PAGE_SHIFT;
	for (; first != at; first = sample_at(table, first)->next) {
		if (sample_at(table, first)->block >> QR_PAGE_SHIFT == page)
			return true;
	}
	return false;
}

size_t
qr_sample_check(struct qr_heap *heap)
{
	const struct qr_heap_profile_table *table = heap->profile.table;
	size_t pages = 0;
	for (unsigned i = 0;
	     table != NULL && i < QR_HEAP_PROFILE_SAMPLE_BUCKETS; i++) {
		uint32_t first = table->sample_bucket[i];
		for (uint32_t at = first; at != 0;
		     at = sample_at(table, at)->next) {
			struct qr_heap_place place;
			const void *block =
			    (const void *)(uintptr_t)sample_at(table, at)
				->block;
			if (qr_guard_size(block) != 0)
				continue;
			bool known = qr_heap_place_of(heap, block, &place);
			QR_ASSERT(known, "heap.10: %p is in the sample", block);
			QR_ASSERT((qr_heap_raw_tag(place.word) &
				      QR_HEAP_TAG_SAMPLED) != 0,
			    "heap.10: %p is in the sample, tag 0x%x", block,
			    qr_heap_raw_tag(place.word));
			pages += !sample_page_is_known(table, first, at);
		}
	}
	return pages;
}
