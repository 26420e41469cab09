/* SPDX-License-Identifier: MIT */
/*
 * heap/sample_impl.h: when a block is due to be taken into the profile's
 * sample, counted where the fast paths do not go.
 *
 * Each class of each thread has its own countdown of blocks, drawn so that one
 * in interval bytes is taken; together these are the same as one countdown of
 * all bytes. It is never written where malloc and free go, as it is
 *
 *     blocks to go = base + room of the list + blocks on the list
 *
 * A free leaves the sum as it is, since it adds a block and takes room. So does
 * a refill. A malloc makes it one less. Whoever else puts blocks or room on a
 * list or takes them away changes base by as much.
 *
 * So that the moment is not missed, a list never has more blocks and room
 * together than there are to go. What is too much of its blocks is kept aside:
 * the malloc that finds none on the list comes by refill, which brings them
 * back, and takes the block into the sample if it is the one.
 */
#ifndef QR_HEAP_SAMPLE_IMPL_H
#define QR_HEAP_SAMPLE_IMPL_H

#include "calls_impl.h"

/* Whether there is a countdown. sample is twice the base and 1, or 0. */
static inline bool
qr_sample_runs(const struct qr_heap_thread *thread, unsigned size_class)
{
	return thread->sample[size_class] != 0;
}

static inline void
qr_sample_set_base(struct qr_heap_thread *thread, unsigned size_class,
    int32_t base)
{
	thread->sample[size_class] = base * 2 + 1;
}

/* Blocks to go, of a list that has so many. */
static inline int32_t
qr_sample_left(const struct qr_heap_thread *thread, unsigned size_class,
    int32_t length)
{
	int32_t base = (thread->sample[size_class] - 1) / 2;
	return base + thread->list[size_class].room + length;
}

/* Blocks have left the list, but not to the program; less than 0: they have
 * come to it, but not by room. */
static inline void
qr_sample_moved(struct qr_heap_thread *thread, unsigned size_class,
    int32_t blocks)
{
	if (qr_sample_runs(thread, size_class))
		thread->sample[size_class] += blocks * 2;
}

static inline void
qr_sample_set_room(struct qr_heap_thread *thread, unsigned size_class,
    int32_t room)
{
	struct qr_heap_list *list = &thread->list[size_class];
	qr_sample_moved(thread, size_class, list->room - room);
	list->room = room;
}

/* --- profile.c --- */

/* Draws a class's countdown anew, or stops it if no sample is taken. length:
 * blocks on its list. */
void qr_sample_draw(struct qr_heap_thread *thread, unsigned size_class,
    int32_t length);

/* A block of pages is allocated: notes it in thread->sampled if it is due. */
void qr_sample_large(struct qr_heap_thread *thread, void *block, size_t bytes);

/* Takes thread->sampled into the sample. size: what was asked for, or 0 if its
 * address must stay; else it may be another block that is returned. No lock
 * held. */
void *qr_sample_take(struct qr_heap_thread *thread, size_t size);

/* A block without a mark is gone. Profile lock held. */
void qr_sample_forget(struct qr_heap *heap, const void *block);

/* A block of a sampled page is freed; it may be one of the sample. */
void qr_sample_freed(struct qr_heap *heap, void *block,
    struct qr_heap_word *word);

/* A large block of the sample has another size now. */
void qr_sample_resized(struct qr_heap *heap, const struct qr_heap_place *place);

/* The heap holds more pages than ever. Runs lock held. */
void qr_sample_notice(struct qr_heap *heap, size_t held);

/* Pages in which blocks of the sample start, each verified to have the mark.
 * Profile lock held. */
size_t qr_sample_check(struct qr_heap *heap);

/* Takes the settings from the environment. */
void qr_sample_init(void);

/* --- guard.c --- */

/* A guarded block, if it is one's turn and there is room; NULL: there is none.
 * Profile lock held. */
void *qr_guard_alloc(size_t size);

/* Frees a guarded block. False: it is none. */
bool qr_guard_free(void *block);

/* What was asked for it, or 0: it is none. */
size_t qr_guard_size(const void *block);

/* Takes the settings from the environment. */
void qr_guard_init(void);

/* --- unwind.c --- */

/* The return addresses of the calls that led here, without those inside of
 * this library; at most max. Returns how many. Profile lock held. */
unsigned qr_heap_unwind(uint64_t *frame, unsigned max);

/* Bytes of its cache, which is at profile.rules, zero at first. */
size_t qr_heap_unwind_bytes(void);

/* Learns where this thread's, the first one's, stack ends. */
void qr_heap_unwind_init(void);

#endif
