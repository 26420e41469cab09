/* SPDX-License-Identifier: MIT */
/*
 * tests/core/policy_plain.h: plain simulations of the replacement policies that
 * keep lists only. They share nothing with the policies: they keep arrays,
 * oldest page first, and search them.
 */
#ifndef POLICY_PLAIN_H
#define POLICY_PLAIN_H

#include "policy_bed.h"

#define SPAN 600u

/* Parameters of s3fifo, as its head states them. */
#define TRIAL_SHARE 10u
#define NURSERY_MAX 128u

/* Queues of pages that are in, then of those that went. */
#define QUEUES     3u
#define ALL_QUEUES 5u
enum { NURSERY, TRIAL, MAIN, GHOSTS, GHOSTS_TOO };
enum { ONCE, AGAIN };
enum { HOT, COLD, STACK = GHOSTS };

struct queue {
	uint32_t ids[SPAN]; /* oldest first */
	size_t count;
};

struct plain {
	enum policy_touches touches;
	size_t capacity;
	uint32_t looks_max;
	struct queue queue[ALL_QUEUES];
	bool in[SPAN];
	bool touched[SPAN];
	uint64_t evicted_at[SPAN];
	uint64_t evictions;
	uint64_t misses;
	int hand;  /* index in queue[0]; -1: at the oldest */
	int fresh; /* id that came in last, -1: it went */
	uint32_t clock;
	uint32_t value[SPAN]; /* age, or time of last touch */
	bool hot[SPAN];
	size_t share;     /* of ONCE */
	unsigned queues;  /* that pages are in */
	uint64_t cost[2]; /* anonymous, files */
	uint64_t parts;   /* of a turn of the anonymous */
	size_t open;      /* generations in use, less one */
};

static void
queue_add(struct queue *queue, uint32_t id)
{
	queue->ids[queue->count++] = id;
}

static uint32_t
queue_take(struct queue *queue, size_t index)
{
	uint32_t id = queue->ids[index];
	queue->count--;
	memmove(&queue->ids[index], &queue->ids[index + 1],
	    (queue->count - index) * sizeof(queue->ids[0]));
	return id;
}

static bool
plain_test_touched(struct plain *plain, uint32_t id)
{
	bool touched = plain->touched[id];
	plain->touched[id] = false;
	return touched;
}

static void
plain_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	(void)distance;
	queue_add(&plain->queue[0], id);
}

static void
plain_hit(struct plain *plain, uint32_t id)
{
	plain->touched[id] = true;
}

static uint32_t
fifo_pick(struct plain *plain)
{
	return queue_take(&plain->queue[0], 0);
}

static uint32_t
clock_pick(struct plain *plain)
{
	struct queue *ring = &plain->queue[0];
	for (uint32_t look = 0; look < plain->looks_max; look++) {
		if (!plain_test_touched(plain, ring->ids[0]))
			break;
		queue_add(ring, queue_take(ring, 0));
	}
	return queue_take(ring, 0);
}

/* Told of a hit, a page is the newest at once. */
static void
lru_hit(struct plain *plain, uint32_t id)
{
	struct queue *order = &plain->queue[0];
	if (plain->touches == POLICY_MARKED) {
		plain->touched[id] = true;
		return;
	}
	for (size_t i = 0; i < order->count; i++) {
		if (order->ids[i] == id) {
			queue_add(order, queue_take(order, i));
			return;
		}
	}
}

static uint32_t
sieve_pick(struct plain *plain)
{
	struct queue *queue = &plain->queue[0];
	size_t at = plain->hand < 0 ? 0 : (size_t)plain->hand;
	for (uint32_t look = 0; look < plain->looks_max; look++) {
		if (!plain_test_touched(plain, queue->ids[at]))
			break;
		at = (at + 1) % queue->count;
	}
	uint32_t id = queue_take(queue, at);
	plain->hand = at == queue->count ? -1 : (int)at;
	return id;
}

static size_t
plain_count(const struct plain *plain)
{
	size_t count = 0;
	for (unsigned i = 0; i < plain->queues; i++)
		count += plain->queue[i].count;
	return count;
}

static void
s3fifo_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	size_t count = plain_count(plain);
	size_t room = count / TRIAL_SHARE;
	if (distance <= count) {
		queue_add(&plain->queue[MAIN], id);
		return;
	}
	queue_add(&plain->queue[NURSERY], id);
	if (room > NURSERY_MAX)
		room = NURSERY_MAX;
	if (plain->queue[NURSERY].count > room) {
		uint32_t grown = queue_take(&plain->queue[NURSERY], 0);
		plain->touched[grown] = false;
		queue_add(&plain->queue[TRIAL], grown);
	}
}

static struct queue *
s3fifo_source(struct plain *plain)
{
	struct queue *trial = &plain->queue[TRIAL];
	struct queue *main_queue = &plain->queue[MAIN];
	if (trial->count > plain_count(plain) / TRIAL_SHARE ||
	    (main_queue->count == 0 && trial->count != 0))
		return trial;
	return main_queue->count != 0 ? main_queue : &plain->queue[NURSERY];
}

static uint32_t
s3fifo_pick(struct plain *plain)
{
	for (uint32_t look = 0; look < plain->looks_max; look++) {
		struct queue *from = s3fifo_source(plain);
		if (!plain_test_touched(plain, from->ids[0]))
			break;
		queue_add(&plain->queue[MAIN], queue_take(from, 0));
	}
	return queue_take(s3fifo_source(plain), 0);
}

#endif
