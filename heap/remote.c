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
 * A thread that ends parks its cache; nobody may look at its queue for long.
 * So who sends looks at the state afterwards, and settles a parked queue
 * itself [heap.8]: either the sender sees PARKED, or the parking thread,
 * which empties its queue after it has set the state, sees the parcel.
 */
#include "pagemap_impl.h"

/* A parcel is sent when it holds so many blocks or bytes. */
#define PARCEL_BLOCKS 64u
#define PARCEL_BYTES  4096u

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

/*
 * Ends: a block is taken up again only if its owner parked after the tag was
 * read, and before parking all its spans were detached.
 */
void
qr_heap_settle(struct qr_heap *heap, void *chain)
{
	while (chain != NULL) {
		void *block = chain;
		chain = *(void **)block;
		void *more = block_settle(heap, block);
		while (more != NULL) {
			void *first = more;
			more = *(void **)first;
			*(void **)first = chain;
			chain = first;
		}
	}
}

/* --- sending --- */

static void
parcel_send(struct qr_heap *heap, struct qr_heap_parcel *parcel)
{
	struct qr_heap_thread *owner = qr_heap_thread_of(heap, parcel->owner);
	void *head = parcel->head;
	void *tail = parcel->tail;
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

static void
parcel_add(struct qr_heap_thread *thread, void *block, uint32_t owner,
    size_t bytes)
{
	struct qr_heap_parcel *parcel =
	    &thread->parcel[owner % QR_HEAP_PARCELS];
	if (parcel->owner != owner && parcel->owner != 0)
		parcel_send(thread->heap, parcel);
	*(void **)block = parcel->head;
	if (parcel->head == NULL) {
		parcel->tail = block;
		parcel->owner = owner;
	}
	parcel->head = block;
	parcel->blocks++;
	parcel->bytes += bytes;
	if (parcel->blocks >= PARCEL_BLOCKS || parcel->bytes >= PARCEL_BYTES)
		parcel_send(thread->heap, parcel);
}

void
qr_heap_free_remote(struct qr_heap_thread *thread, void *block, uint32_t tag)
{
	uint32_t owner = qr_tag_owner(tag);
	int cancel_type = qr_heap_cancel_defer();
	if (thread != &qr_heap_thread_none && owner != QR_HEAP_ID_DETACHED) {
		parcel_add(thread, block, owner,
		    qr_size_of_class(qr_tag_class(tag)));
	} else {
		*(void **)block = NULL;
		qr_heap_settle(thread->heap, block);
	}
	qr_heap_cancel_restore(cancel_type);
}

/* --- receiving --- */

/* One block of the inbox. Its span may be another's by now. */
static void
receive_one(struct qr_heap_thread *thread, void *block, unsigned wanted)
{
	struct qr_heap_place place;
	bool known = qr_heap_place_of(thread->heap, block, &place);
	QR_ASSERT(known, "block %p lies in no region", block);
	uint32_t tag = qr_heap_tag(place.word);
	if (qr_tag_owner(tag) != thread->number) {
		*(void **)block = NULL;
		qr_heap_settle(thread->heap, block);
		return;
	}
	struct qr_heap_list *list = &thread->list[wanted % QR_SIZE_CLASSES];
	if (qr_tag_class(tag) == wanted && list->room > 0) {
		*(void **)block = list->head;
		list->head = block;
		list->room--;
		return;
	}
	qr_heap_put_own(thread, qr_span_of_word(&place), block);
}

void
qr_heap_receive(struct qr_heap_thread *thread, unsigned limit, unsigned wanted)
{
	for (unsigned i = 0; i < limit; i++) {
		if (thread->inbox == NULL)
			thread->inbox = queue_take(thread);
		void *block = thread->inbox;
		if (block == NULL)
			return;
		thread->inbox = *(void **)block;
		receive_one(thread, block, wanted);
	}
}
