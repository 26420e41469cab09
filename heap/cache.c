/* SPDX-License-Identifier: MIT */
/*
 * heap/cache.c: the slow half of a thread's lists: where blocks come from
 * when a list is empty and go to when it is full.
 *
 * How long a list may get is learned: its cap begins small, doubles each time
 * the list proves too short, up to CAP_BYTES_MAX, and all caps of a thread
 * together stay within CAP_BYTES_THREAD: beyond that a growing class takes
 * what another was given. Every class may keep CAP_BYTES_MIN at any time.
 */
#include "sample_impl.h"
#include "span_impl.h"

/* Bytes of blocks that a list may hold: always, and at most; and all of a
 * thread's lists above their least. */
#define CAP_BYTES_MIN    1024u
#define CAP_BYTES_MAX    262144u
#define CAP_BLOCKS_MAX   16u /* if these are more bytes */
#define CAP_BYTES_THREAD ((size_t)512 * 1024)

/* Bytes of frees between two looks at the length of a list that was found
 * short: a look costs some 20 instructions, and 3 a block that it finds. */
#define LOOK_BYTES 16384u

/* Most blocks of others' that one refill looks at, so that no single malloc
 * takes long. */
#define REFILL_RECEIVE 1024u

/* A heap grows if fewer pages are dirty than so many spans have. */
#define GROW_DIRTY_SPANS ((size_t)4)

/* Classes that are asked for their cap before a class gives up growing. */
#define CAP_VICTIMS 16u

static int32_t
cap_of(size_t bytes, unsigned size_class)
{
	return (int32_t)qr_max(bytes / qr_size_of_class(size_class), 1);
}

/* How many blocks the list has, or more than most if it has more. */
static int32_t
list_length(const struct qr_heap_list *list, int32_t most)
{
	int32_t length = 0;
	for (void *block = list->head; block != NULL && length <= most;
	     block = *(void **)block)
		length++;
	return length;
}

static void
cap_set(struct qr_heap_thread *thread, unsigned size_class, int32_t cap)
{
	struct qr_heap_list *list = &thread->list[size_class];
	int32_t more = cap - list->cap;
	list->cap = cap;
	qr_sample_set_room(thread, size_class, list->room + more);
}

/* Bytes that the class's cap counts as. */
static size_t
cap_charge(int32_t cap, unsigned size_class)
{
	int32_t least = cap_of(CAP_BYTES_MIN, size_class);
	return cap <= least
		   ? 0
		   : (size_t)(cap - least) * qr_size_of_class(size_class);
}

/* Takes another class's cap back to the least. False: none has more. */
static bool
cap_steal(struct qr_heap_thread *thread, unsigned size_class)
{
	for (unsigned turn = 0; turn < CAP_VICTIMS; turn++) {
		unsigned victim = thread->cap_victim;
		thread->cap_victim = (victim + 1) % QR_SIZE_CLASSES;
		struct qr_heap_list *list = &thread->list[victim];
		size_t charge = cap_charge(list->cap, victim);
		if (victim == size_class || charge == 0)
			continue;
		qr_heap_list_flush(thread, victim);
		cap_set(thread, victim, cap_of(CAP_BYTES_MIN, victim));
		thread->cap_bytes -= charge;
		return true;
	}
	return false;
}

/* The list was too short: lets it be longer, if that may be. */
static void
cap_grow(struct qr_heap_thread *thread, unsigned size_class)
{
	struct qr_heap_list *list = &thread->list[size_class];
	int32_t most = (int32_t)qr_max(CAP_BLOCKS_MAX,
	    (size_t)cap_of(CAP_BYTES_MAX, size_class));
	if (list->cap >= most)
		return;
	int32_t cap = cap_of(CAP_BYTES_MIN, size_class);
	if (list->cap >= cap)
		cap = list->cap < most / 2 ? list->cap * 2 : most;
	size_t more =
	    cap_charge(cap, size_class) - cap_charge(list->cap, size_class);
	if (thread->cap_bytes + more > CAP_BYTES_THREAD &&
	    (!cap_steal(thread, size_class) ||
		thread->cap_bytes + more > CAP_BYTES_THREAD))
		return;
	thread->cap_bytes += more;
	cap_set(thread, size_class, cap);
}

/* --- giving away --- */

/* Blocks were put into a span of the thread's: puts it on the list where it
 * belongs now, or away. */
static void
span_filled(struct qr_heap_thread *thread, struct qr_span *span)
{
	struct qr_heap *heap = thread->heap;
	qr_span_ref_t *lists = thread->spans[span->size_class];
	if (span->full) {
		/* The list that it is on was chosen before the put. */
		qr_span_list_remove(heap, lists, span);
		qr_span_list_insert(heap, lists, span);
	}
	/* One empty span a class stays, so that a program that swings about
	 * the end of a span does not make and destroy it each time. */
	if (!qr_span_is_empty(span) || (span->next == 0 && span->prev == 0))
		return;
	qr_span_list_remove(heap, lists, span);
	qr_span_destroy(heap, span);
}

static void
assert_own(const struct qr_heap_thread *thread, const struct qr_span *span)
{
	QR_DEBUG(qr_heap_lock_is_mine(&thread->lock), "thread %u's lock",
	    thread->number);
	QR_ASSERT(span->owner == thread->number,
	    "a span of thread %u in the cache of thread %u", span->owner,
	    thread->number);
}

void
qr_heap_put_own(struct qr_heap_thread *thread, struct qr_span *span,
    void *block)
{
	assert_own(thread, span);
	if (qr_span_put(thread->heap, span, block))
		span_filled(thread, span);
}

/* The span of a block if it is this thread's; else sends the block off and
 * returns NULL. */
static struct qr_span *
span_or_send(struct qr_heap_thread *thread, void *block)
{
	const struct qr_heap_region *region;
	const struct qr_heap_word *word =
	    qr_heap_word_of(thread, block, &region);
	uint32_t tag = qr_heap_tag(word);
	if (QR_LIKELY(qr_tag_owner(tag) == thread->number))
		return qr_heap_span_at(region, word);
	qr_heap_send(thread, block, tag);
	return NULL;
}

void
qr_heap_put_own_block(struct qr_heap_thread *thread, void *block)
{
	struct qr_span *span = span_or_send(thread, block);
	if (span != NULL)
		qr_heap_put_own(thread, span, block);
}

/* One that the loop below leaves: of another window, or another's. */
static QR_NOINLINE void
chain_put_other(struct qr_heap_thread *thread, void *block)
{
	qr_heap_put_own_block(thread, block);
}

/* Puts all blocks of a chain into their spans, or sends them there. Returns
 * how many. */
static int32_t
chain_put(struct qr_heap_thread *thread, void *chain)
{
	int32_t count = 0;
	uintptr_t base = thread->window_base;
	size_t bytes = thread->window_bytes;
	const struct qr_heap_word *map = thread->window_map;
	const struct qr_heap_region *region = thread->heap->region[0];
	while (chain != NULL) {
		void *block = chain;
		/* A block that is sent is written to. */
		chain = *(void **)block;
		count++;
		uintptr_t at = (uintptr_t)block - base;
		const struct qr_heap_word *word = &map[at >> QR_PAGE_SHIFT];
		if (QR_UNLIKELY(at >= bytes) ||
		    QR_UNLIKELY(
			qr_tag_owner(qr_heap_tag(word)) != thread->number)) {
			chain_put_other(thread, block);
			continue;
		}
		struct qr_span *span = qr_heap_span_at(region, word);
		size_t start = (size_t)span->page << QR_PAGE_SHIFT;
		if (QR_UNLIKELY(qr_span_put_at(span, block, at - start)))
			span_filled(thread, span);
	}
	return count;
}

/* --- blocks that are kept aside: see sample_impl.h --- */

/* Brings them back, behind those on the list. */
static void
aside_join(struct qr_heap_thread *thread)
{
	void **link = &thread->list[thread->aside_class].head;
	/* No more turns than there was room. */
	while (*link != NULL)
		link = *link;
	*link = thread->aside;
	qr_sample_moved(thread, thread->aside_class, -thread->aside_length);
	thread->aside = NULL;
	thread->aside_class = 0;
}

static void *list_cut(struct qr_heap_list *list, int32_t keep);

/* Room for a list of length blocks, so much if it can be, and no more blocks
 * on it than that the next one that is due is met. One list has blocks aside
 * at a time; what another had is met at its next look, if it is too late. */
static void
list_arrange(struct qr_heap_thread *thread, unsigned size_class, int32_t length,
    int32_t room)
{
	int32_t left = qr_sample_left(thread, size_class, length);
	if (!qr_sample_runs(thread, size_class) || left >= length + room) {
		qr_sample_set_room(thread, size_class, room);
		return;
	}
	int32_t keep = left > 0 ? left / 2 : 0;
	keep = keep < length ? keep : length;
	int32_t least = left > 0 ? left - keep : 0;
	qr_sample_set_room(thread, size_class, room < least ? room : least);
	if (keep == length)
		return;
	if (thread->aside_class != 0)
		aside_join(thread);
	thread->aside = list_cut(&thread->list[size_class], keep);
	thread->aside_class = size_class;
	thread->aside_length = length - keep;
	qr_sample_moved(thread, size_class, thread->aside_length);
}

/* The next block is due and one was freed: puts it to the others, so that many
 * frees in a row stay cheap. False: there is more to do. */
static bool
aside_add(struct qr_heap_thread *thread, unsigned size_class, int32_t most)
{
	struct qr_heap_list *list = &thread->list[size_class];
	void **block = list->head;
	if (*block != NULL || thread->aside_length >= most ||
	    qr_sample_left(thread, size_class, 1) > 0)
		return false;
	*block = thread->aside;
	thread->aside = block;
	thread->aside_length++;
	list->head = NULL;
	qr_sample_moved(thread, size_class, 1);
	qr_sample_set_room(thread, size_class, 0);
	return true;
}

/* A malloc has found the list empty whose other blocks are aside. */
static void *
aside_take(struct qr_heap_thread *thread, unsigned size_class)
{
	struct qr_heap_list *list = &thread->list[size_class];
	int32_t length = thread->aside_length - 1;
	bool due = qr_sample_left(thread, size_class, 0) <= 0;
	aside_join(thread);
	void *block = list->head;
	list->head = *(void **)block;
	if (due) {
		qr_sample_draw(thread, size_class, length);
		thread->sampled = block;
	}
	int32_t most = qr_heap_list_most(list, size_class);
	list_arrange(thread, size_class, length,
	    length < most ? most - length : 1);
	return block;
}

void
qr_heap_list_flush(struct qr_heap_thread *thread, unsigned size_class)
{
	struct qr_heap_list *list = &thread->list[size_class];
	if (size_class != 0 && thread->aside_class == size_class)
		aside_join(thread);
	void *chain = list->head;
	list->head = NULL;
	qr_sample_moved(thread, size_class, chain_put(thread, chain));
	list_arrange(thread, size_class, 0, list->cap);
}

/* Cuts the list behind its first keep blocks, the ones freed last; returns
 * the rest. */
static void *
list_cut(struct qr_heap_list *list, int32_t keep)
{
	void **link = &list->head;
	for (int32_t i = 0; i < keep; i++)
		link = *link;
	void *rest = *link;
	*link = NULL;
	return rest;
}

/* What a trim in another thread has asked for. */
static void
flush_if_wanted(struct qr_heap_thread *thread)
{
	/* Relaxed: a wish, fulfilled now or at the next look. */
	if (!atomic_load_explicit(&thread->flush_wanted, memory_order_relaxed))
		return;
	atomic_store_explicit(&thread->flush_wanted, false,
	    memory_order_relaxed);
	qr_heap_thread_flush(thread);
}

int32_t
qr_heap_list_most(const struct qr_heap_list *list, unsigned size_class)
{
	int32_t look = cap_of(LOOK_BYTES, size_class);
	return list->cap < look ? look : list->cap;
}

/* The list may have as many blocks as length. Lets it be if it may be longer
 * than it was, else gives all but a quarter of it away. Returns the length. */
static int32_t
overflow_give(struct qr_heap_thread *thread, unsigned size_class,
    int32_t length)
{
	struct qr_heap_list *list = &thread->list[size_class];
	cap_grow(thread, size_class);
	int32_t most = qr_heap_list_most(list, size_class);
	if (length <= most / 2 + 1)
		return length;
	void *rest = list_cut(list, most / 4);
	qr_sample_moved(thread, size_class, chain_put(thread, rest));
	return most / 4;
}

static QR_NOINLINE void
overflow_long(struct qr_heap_thread *thread, unsigned size_class,
    int32_t length)
{
	struct qr_heap_list *list = &thread->list[size_class];
	qr_heap_lock_acquire(&thread->lock);
	length = overflow_give(thread, size_class, length);
	list_arrange(thread, size_class, length,
	    qr_heap_list_most(list, size_class) - length);
	flush_if_wanted(thread);
	qr_heap_lock_release(&thread->lock);
}

/* The same where a countdown to a sample runs, which wants the length. With
 * the lock, as no thread may be cancelled between the list and what is aside. */
static QR_NOINLINE void
overflow_counted(struct qr_heap_thread *thread, unsigned size_class)
{
	struct qr_heap_list *list = &thread->list[size_class];
	qr_heap_lock_acquire(&thread->lock);
	int32_t most = qr_heap_list_most(list, size_class);
	if (thread->aside_class == size_class) {
		if (aside_add(thread, size_class, most))
			goto out;
		aside_join(thread);
	}
	int32_t length = list_length(list, INT32_MAX - 1);
	if (length > most / 2) {
		length = overflow_give(thread, size_class, length);
		most = qr_heap_list_most(list, size_class);
	}
	list_arrange(thread, size_class, length, most - length);
	flush_if_wanted(thread);
out:
	qr_heap_lock_release(&thread->lock);
}

/* At least half of the most frees lies between two looks, so that they pay for
 * the walk. */
void
qr_heap_overflow(struct qr_heap_thread *thread, size_t list_offset)
{
	struct qr_heap_list *list = (void *)((char *)thread + list_offset);
	unsigned size_class = (unsigned)(list_offset / sizeof(*list));
	if (qr_sample_runs(thread, size_class)) {
		overflow_counted(thread, size_class);
		return;
	}
	int32_t most = qr_heap_list_most(list, size_class);
	int32_t length = list_length(list, most / 2);
	if (length <= most / 2)
		list->room = most - length;
	else
		overflow_long(thread, size_class, most + 1);
}

/* --- getting --- */

void
qr_heap_give_empty(struct qr_heap_thread *thread)
{
	struct qr_heap *heap = thread->heap;
	for (unsigned k = 0; k < QR_SIZE_CLASSES; k++) {
		/* Only an only span can be empty: see span_filled. */
		qr_span_ref_t ref = thread->spans[k][QR_SPAN_PARTIAL];
		if (ref == 0)
			continue;
		struct qr_span *span = qr_span_of_ref(heap, ref);
		if (span->next == 0 && qr_span_is_empty(span)) {
			qr_span_list_remove(heap, thread->spans[k], span);
			qr_span_destroy(heap, span);
		}
	}
}

/* Whether a span of that order is likely to take pages that were never used:
 * hardly any that were are free. */
static bool
heap_will_grow(const struct qr_heap *heap, unsigned order)
{
	/* Relaxed: a hint. */
	return atomic_load_explicit(&heap->dirty, memory_order_relaxed) <
	       GROW_DIRTY_SPANS << order;
}

/* A new span, smaller than was due if there are no more pages together. */
static struct qr_span *
span_new(struct qr_heap_thread *thread, unsigned size_class)
{
	unsigned least = qr_span_order_min(size_class);
	unsigned order = thread->order[size_class];
	if (order < least)
		order = least;
	/* The next is larger: demand has shown itself. */
	if (order < qr_span_order_max(size_class))
		thread->order[size_class] = (uint8_t)(order + 1);
	if (heap_will_grow(thread->heap, order))
		qr_heap_give_empty(thread);
	struct qr_span *span;
	do {
		span = qr_span_create(thread->heap, size_class, order,
		    thread->number);
	} while (span == NULL && order-- > least);
	return span;
}

/* A span of this thread with room, first on its list. NULL: no memory. */
static struct qr_span *
span_with_room(struct qr_heap_thread *thread, unsigned size_class)
{
	struct qr_heap *heap = thread->heap;
	qr_span_ref_t *lists = thread->spans[size_class];
	if (lists[QR_SPAN_PARTIAL] != 0)
		return qr_span_of_ref(heap, lists[QR_SPAN_PARTIAL]);

	struct qr_span *span = qr_heap_adopt(thread, size_class);
	if (span == NULL)
		span = span_new(thread, size_class);
	if (span == NULL)
		return NULL;
	qr_span_list_insert(heap, lists, span);
	return span;
}

/* Moves blocks from a span to the empty list. False: no memory. */
static bool
list_fill(struct qr_heap_thread *thread, unsigned size_class)
{
	struct qr_span *span = span_with_room(thread, size_class);
	if (span == NULL)
		return false;
	struct qr_heap *heap = thread->heap;
	struct qr_heap_list *list = &thread->list[size_class];
	int32_t limit = list->cap / 2;
	/* Which is less than there was room when a block is due soon. */
	limit = limit < list->room ? limit : list->room;
	limit = limit > 0 ? limit : 1;
	unsigned count = qr_span_take(heap, span, (unsigned)limit, &list->head);
	list->room -= (int32_t)count;
	if (qr_span_is_full(span)) {
		qr_span_list_remove(heap, thread->spans[size_class], span);
		qr_span_list_insert(heap, thread->spans[size_class], span);
	}
	return true;
}

static void *
list_pop(struct qr_heap_list *list)
{
	void *block = list->head;
	if (block != NULL)
		list->head = *(void **)block;
	return block;
}

void *
qr_heap_refill(struct qr_heap_thread *thread, unsigned size_class)
{
	struct qr_heap_list *list = &thread->list[size_class];
	void *block;
	qr_heap_lock_acquire(&thread->lock);
	flush_if_wanted(thread);
	if (QR_UNLIKELY(thread->aside_class == size_class)) {
		block = aside_take(thread, size_class);
		goto out;
	}
	if (QR_UNLIKELY(!qr_sample_runs(thread, size_class)))
		qr_sample_draw(thread, size_class, 0);
	bool due = qr_sample_runs(thread, size_class) &&
		   qr_sample_left(thread, size_class, 0) <= 0;
	if (QR_UNLIKELY(due)) {
		/* Without this block, which is yet to leave the list. */
		qr_sample_draw(thread, size_class, 0);
		qr_sample_moved(thread, size_class, 1);
	}
	thread->adopted[size_class] = 0;
	cap_grow(thread, size_class);
	list_arrange(thread, size_class, 0, list->cap);
	qr_heap_receive(thread, REFILL_RECEIVE, true);
	block = list_pop(list);
	if (block == NULL && !list_fill(thread, size_class)) {
		/* Whatever the thread still holds back may be enough. */
		qr_heap_thread_flush(thread);
		list_fill(thread, size_class);
	}
	if (block == NULL)
		block = list_pop(list);
	if (due)
		thread->sampled = block;
out:
	qr_heap_lock_release(&thread->lock);
	return block;
}
