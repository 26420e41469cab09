/* SPDX-License-Identifier: MIT */
/*
 * heap/remote.c: frees of blocks that another thread's span holds.
 *
 * The freeing thread collects them in parcels, one an owner, and sends a full
 * parcel with one compare-and-swap onto the owner's queue. The owner takes
 * all of its queue with one exchange when a list of its own runs dry. So the
 * queue is a stack that is pushed to and emptied, never popped: no ABA.
 *
 *     thread A                                   thread B
 *     free(b) free(b) ... -> parcel for B --push--> queue --exchange--> inbox
 *                                                    inbox -> lists and spans
 *
 * A parcel is a chain of carriers: freed blocks that hold the addresses of
 * others. The owner reads the carriers and never touches the rest, whose
 * lines are in the other thread's processor: it would wait for each in turn.
 *
 *     carrier  | next | b | b | b ... | NULL if it is not full |
 *
 * A thread that allocates of the same class itself keeps a few foreign blocks
 * on its own list: where blocks go both ways, most never travel back.
 *
 * A thread that ends parks its cache; nobody may look at its queue for long.
 * So who sends looks at the state afterwards, and settles a parked queue
 * itself [heap.8]: either the sender sees PARKED, or the parking thread,
 * which empties its queue after it has set the state, sees the parcel.
 */
#include <limits.h>

#include "pagemap_impl.h"

/* A parcel is sent when it holds so many bytes, or as many blocks as that is
 * if each counts as PARCEL_LEAST. */
#define PARCEL_BYTES  8192u
#define PARCEL_LEAST  64u
#define PARCEL_BLOCKS (PARCEL_BYTES / PARCEL_LEAST)

/* Foreign blocks of a class that a thread keeps for itself between two
 * refills, and the least size of them: smaller ones share cache lines with
 * blocks that others use. */
#define ADOPT_BLOCKS 32u
#define ADOPT_BYTES  16384u
#define ADOPT_LEAST  64u

static void *
queue_take(struct qr_heap_thread *thread)
{
	/* Relaxed: an empty queue is found empty without an exchange. */
	if (atomic_load_explicit(&thread->queue, memory_order_relaxed) == NULL)
		return NULL;
	/* Acquire pairs with the compare-and-swap in queue_push. */
	return atomic_exchange_explicit(&thread->queue, NULL,
	    memory_order_acquire);
}

/* Sends a chain. True: nobody may be there to receive it. */
static bool
queue_push(struct qr_heap_thread *thread, void *head, void *tail)
{
	void *seen = atomic_load_explicit(&thread->queue, memory_order_relaxed);
	do {
		*(void **)tail = seen;
		/* seq_cst, with the load below: pairs with the store of the
		 * state and the emptying after it in qr_heap_thread_park. */
	} while (!atomic_compare_exchange_weak(&thread->queue, &seen, head));
	return atomic_load(&thread->state) == QR_HEAP_THREAD_PARKED;
}

static uint32_t
block_tag(struct qr_heap *heap, const void *block)
{
	struct qr_heap_place place;
	bool known = qr_heap_place_of(heap, block, &place);
	QR_ASSERT(known, "block %p lies in no region", block);
	return qr_heap_tag(place.word);
}

/* Addresses that a carrier of the class has room for. */
static size_t
carrier_room(unsigned size_class)
{
	size_t words = qr_size_of_class(size_class) / sizeof(void *);
	return qr_min(words - 1, PARCEL_BLOCKS);
}

/* How many addresses the carrier holds. */
static unsigned
carrier_count(struct qr_heap *heap, void *const *carrier)
{
	size_t room = carrier_room(qr_tag_class(block_tag(heap, carrier)));
	unsigned count = 0;
	while (count < room && carrier[1 + count] != NULL)
		count++;
	return count;
}

/* Makes a chain of one block, which carries nothing else. */
static void
carrier_init(void *block)
{
	void **carrier = block;
	carrier[0] = NULL;
	/* The smallest blocks have two words. */
	carrier[1] = NULL;
}

/*
 * Brings one block to its owner. Returns a chain that this uncovered, which
 * is now the caller's to settle, or NULL.
 */
static void *
block_settle(struct qr_heap *heap, void *block)
{
	for (;;) {
		uint32_t owner = qr_tag_owner(block_tag(heap, block));
		if (owner == QR_HEAP_ID_NONE)
			qr_heap_report_foreign("free", block);
		if (owner != QR_HEAP_ID_DETACHED) {
			struct qr_heap_thread *thread =
			    qr_heap_thread_of(heap, owner);
			carrier_init(block);
			return queue_push(thread, block, block)
				   ? queue_take(thread)
				   : NULL;
		}
		/* Else it was adopted meanwhile: then the tag names a thread,
		 * and only its end could make it DETACHED again. */
		if (qr_heap_free_detached(heap, block))
			return NULL;
	}
}

/* Puts one chain of carriers before another. */
static void *
chain_join(void *first, void *second)
{
	if (first == NULL)
		return second;
	void **end = first;
	while (*end != NULL)
		end = *end;
	*end = second;
	return first;
}

/*
 * Ends: a block is taken up again only if its owner parked after the tag was
 * read, and before parking all its spans were detached.
 */
void
qr_heap_settle(struct qr_heap *heap, void *chain)
{
	while (chain != NULL) {
		void **carrier = chain;
		unsigned count = carrier_count(heap, carrier);
		void *more = NULL;
		/* From the last on: what is left is a whole carrier. */
		while (count > 0) {
			void *block = carrier[count];
			carrier[count--] = NULL;
			more = chain_join(block_settle(heap, block), more);
		}
		chain = carrier[0];
		more = chain_join(block_settle(heap, carrier), more);
		chain = chain_join(more, chain);
	}
}

void
qr_heap_settle_block(struct qr_heap *heap, void *block)
{
	carrier_init(block);
	qr_heap_settle(heap, block);
}

/* --- sending --- */

static void
parcel_send(struct qr_heap *heap, struct qr_heap_parcel *parcel)
{
	struct qr_heap_thread *owner = qr_heap_thread_of(heap, parcel->owner);
	void *head = parcel->head;
	void *tail = parcel->tail;
	if (parcel->slot != parcel->slot_end)
		*parcel->slot = NULL;
	*parcel = (struct qr_heap_parcel){ 0 };
	if (queue_push(owner, head, tail))
		qr_heap_settle(heap, queue_take(owner));
}

void
qr_heap_send_all(struct qr_heap_thread *thread)
{
	for (unsigned i = 0; i < QR_HEAP_PARCELS; i++) {
		if (thread->parcel[i].owner != 0)
			parcel_send(thread->heap, &thread->parcel[i]);
	}
}

/* What a block counts for in its parcel: its size, at least PARCEL_LEAST. */
static inline uint32_t
parcel_charge(uint32_t tag)
{
	/* In a tag the class of even steps is the size itself. */
	uint32_t bytes = tag & ((uint32_t)0xff << QR_HEAP_TAG_CLASS);
	if (bytes > QR_SIZE_STEP_MAX)
		bytes = (uint32_t)qr_size_of_class(qr_tag_class(tag));
	return bytes > PARCEL_LEAST ? bytes : PARCEL_LEAST;
}

/* Adds a block as a carrier of those that follow. */
static void
parcel_add_carrier(struct qr_heap_parcel *parcel, void *block,
    unsigned size_class)
{
	void **carrier = block;
	carrier[0] = parcel->head;
	if (parcel->head == NULL)
		parcel->tail = block;
	parcel->head = block;
	parcel->slot = carrier + 1;
	parcel->slot_end = parcel->slot + carrier_room(size_class);
}

static void
parcel_add(struct qr_heap_thread *thread, void *block, uint32_t tag)
{
	uint32_t owner = qr_tag_owner(tag);
	struct qr_heap_parcel *parcel =
	    &thread->parcel[owner % QR_HEAP_PARCELS];
	if (parcel->owner != owner) {
		if (parcel->owner != 0)
			parcel_send(thread->heap, parcel);
		parcel->owner = owner;
		parcel->room = PARCEL_BYTES;
	}
	if (parcel->slot != parcel->slot_end)
		*parcel->slot++ = block;
	else
		parcel_add_carrier(parcel, block, qr_tag_class(tag));
	uint32_t charge = parcel_charge(tag);
	parcel->room -= charge < parcel->room ? charge : parcel->room;
	if (parcel->room < PARCEL_LEAST)
		parcel_send(thread->heap, parcel);
}

/* Keeps a foreign block on the thread's own list, if it is of use there. */
static bool
block_adopt(struct qr_heap_thread *thread, void *block, unsigned size_class)
{
	struct qr_heap_list *list = &thread->list[size_class];
	/* A cap is there once the thread has allocated of the class. */
	if (list->cap == 0 || list->room <= 0)
		return false;
	size_t size = qr_size_of_class(size_class);
	if (size < ADOPT_LEAST)
		return false;
	uint8_t *adopted = &thread->adopted[size_class];
	if (*adopted >= ADOPT_BLOCKS || *adopted * size >= ADOPT_BYTES)
		return false;
	++*adopted;
	*(void **)block = list->head;
	list->head = block;
	list->room--;
	return true;
}

void
qr_heap_send(struct qr_heap_thread *thread, void *block, uint32_t tag)
{
	if (qr_tag_owner(tag) == QR_HEAP_ID_DETACHED)
		qr_heap_settle_block(thread->heap, block);
	else
		parcel_add(thread, block, tag);
}

/* Adds the block to a parcel that has room for its address. */
static inline bool
parcel_try_add(struct qr_heap_thread *thread, void *block, uint32_t tag)
{
	uint32_t owner = qr_tag_owner(tag);
	uint32_t charge = parcel_charge(tag);
	struct qr_heap_parcel *parcel =
	    &thread->parcel[owner % QR_HEAP_PARCELS];
	if (parcel->owner != owner || parcel->slot == parcel->slot_end ||
	    parcel->room < charge)
		return false;
	*parcel->slot++ = block;
	parcel->room -= charge;
	return true;
}

/* The block's span has become this thread's since its tag was read. */
static void
put_own_locked(struct qr_heap_thread *thread, void *block)
{
	qr_heap_lock_acquire(&thread->lock);
	qr_heap_put_own_block(thread, block);
	qr_heap_lock_release(&thread->lock);
}

static QR_NOINLINE void
free_remote_slow(struct qr_heap_thread *thread, void *block, uint32_t tag)
{
	int cancel_type = qr_heap_cancel_defer();
	/* A thread that only frees needs a cache as well: for its parcels. */
	if (thread == &qr_heap_thread_none &&
	    qr_heap_thread_get(&qr_heap_process) != NULL)
		thread = qr_heap_self;
	if (thread == &qr_heap_thread_none)
		qr_heap_settle_block(&qr_heap_process, block);
	else if (qr_tag_owner(tag) == thread->number)
		put_own_locked(thread, block);
	else
		qr_heap_send(thread, block, tag);
	qr_heap_cancel_restore(cancel_type);
}

void
qr_heap_free_remote(struct qr_heap_thread *thread, void *block, uint32_t tag)
{
	/* Neither does anything for a thread without a cache. */
	if (block_adopt(thread, block, qr_tag_class(tag)) ||
	    parcel_try_add(thread, block, tag))
		return;
	free_remote_slow(thread, block, tag);
}

/* --- receiving --- */

/* One block that was sent. Its span may be another's by now. */
static void
receive_block(struct qr_heap_thread *thread, void *block, bool to_lists)
{
	const struct qr_heap_region *region;
	const struct qr_heap_word *word =
	    qr_heap_word_of(thread, block, &region);
	uint32_t tag = qr_heap_tag(word);
	if (QR_UNLIKELY(qr_tag_owner(tag) != thread->number)) {
		qr_heap_settle_block(thread->heap, block);
		return;
	}
	/* As if the thread had freed it itself, while there is room. */
	struct qr_heap_list *list = &thread->list[qr_tag_class(tag)];
	if (to_lists && list->room > 0) {
		*(void **)block = list->head;
		list->head = block;
		list->room--;
		return;
	}
	qr_heap_put_own(thread, qr_heap_span_at(region, word), block);
}

/* Unloads the inbox's first carrier and then the carrier. Returns how many
 * blocks that were. */
static unsigned
receive_carrier(struct qr_heap_thread *thread, bool to_lists)
{
	void **carrier = thread->inbox;
	unsigned count = carrier_count(thread->heap, carrier);
	thread->inbox = carrier[0];
	for (unsigned i = 1; i <= count; i++)
		receive_block(thread, carrier[i], to_lists);
	receive_block(thread, carrier, to_lists);
	return count + 1;
}

void
qr_heap_receive(struct qr_heap_thread *thread, unsigned limit, bool to_lists)
{
	unsigned done = 0;
	while (done < limit) {
		if (thread->inbox == NULL)
			thread->inbox = queue_take(thread);
		if (thread->inbox == NULL)
			return;
		done += receive_carrier(thread, to_lists);
	}
}

void
qr_heap_drain(struct qr_heap_thread *thread)
{
	/* Relaxed: what comes now is as good as what comes later. */
	if (atomic_load_explicit(&thread->queue, memory_order_relaxed) == NULL)
		return;
	qr_heap_lock_acquire(&thread->lock);
	qr_heap_receive(thread, UINT_MAX, false);
	qr_heap_lock_release(&thread->lock);
}
