/* SPDX-License-Identifier: MIT */
/*
 * tests/core/policy_plain_history.h: as policy_plain.h, for the policies with a
 * number for each page or a memory of those that went, and for nru.
 */
#ifndef POLICY_PLAIN_HISTORY_H
#define POLICY_PLAIN_HISTORY_H

#include "policy_plain.h"

/* --- plain nru, ageing, wsclock --- */

static void
nru_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	struct queue *ring = &plain->queue[0];
	(void)distance;
	if (ring->count != 0) {
		uint32_t oldest = queue_take(ring, 0);
		plain->touched[oldest] = false;
		queue_add(ring, oldest);
	}
	queue_add(ring, id);
}

static uint32_t
nru_pick(struct plain *plain)
{
	struct queue *ring = &plain->queue[0];
	for (unsigned class = 0; class < 4; class ++) {
		for (size_t i = 0; i < ring->count && i <= plain->looks_max;
		     i++) {
			uint32_t id = ring->ids[i];
			unsigned has =
			    plain->touched[id] * 2u + policy_id_is_dirty(id);
			if (has == class)
				return queue_take(ring, i);
		}
	}
	abort();
}

/* How many pages one pick looks at, and the first index of them. */
static size_t
ring_looks(const struct plain *plain, size_t *at)
{
	size_t count = plain->queue[0].count;
	*at = plain->hand < 0 ? 0 : (size_t)plain->hand;
	return count < plain->looks_max ? count : plain->looks_max;
}

/* Takes the id out; the hand is at index next, if the ring were whole. */
static uint32_t
ring_take(struct plain *plain, uint32_t id, size_t next)
{
	struct queue *ring = &plain->queue[0];
	size_t index = 0;
	while (ring->ids[index] != id)
		index++;
	/* From the newest page on the hand has left the list. */
	bool left = next == ring->count;
	(void)queue_take(ring, index);
	if (index < next)
		next--;
	plain->hand = left || next == ring->count ? -1 : (int)next;
	return id;
}

static void
ageing_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	plain->value[id] = 0;
	plain_insert(plain, id, distance);
}

static uint32_t
ageing_pick(struct plain *plain)
{
	const struct queue *ring = &plain->queue[0];
	size_t at;
	size_t looks = ring_looks(plain, &at);
	uint32_t best = 0;
	uint32_t best_age = 256;
	for (; looks > 0 && best_age != 0; looks--) {
		if (at == ring->count)
			at = 0;
		uint32_t id = ring->ids[at++];
		uint32_t age = plain->value[id] >> 1;
		if (plain_test_touched(plain, id))
			age |= 128;
		plain->value[id] = age;
		if (age < best_age) {
			best = id;
			best_age = age;
		}
	}
	return ring_take(plain, best, at);
}

static void
wsclock_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	plain->value[id] = ++plain->clock;
	plain_insert(plain, id, distance);
}

static uint32_t
wsclock_pick(struct plain *plain)
{
	const struct queue *ring = &plain->queue[0];
	size_t at;
	size_t looks = ring_looks(plain, &at);
	int dirty = -1;
	int idlest = -1;
	for (; looks > 0; looks--) {
		if (at == ring->count)
			at = 0;
		uint32_t id = ring->ids[at++];
		if (plain_test_touched(plain, id))
			plain->value[id] = plain->clock;
		if (idlest < 0 || plain->value[id] < plain->value[idlest])
			idlest = (int)id;
		if (plain->clock - plain->value[id] <= ring->count)
			continue;
		if (!policy_id_is_dirty(id))
			return ring_take(plain, id, at);
		if (dirty < 0)
			dirty = (int)id;
	}
	return ring_take(plain, (uint32_t)(dirty >= 0 ? dirty : idlest), at);
}

/* --- plain 2q --- */

static bool
queue_find(const struct queue *queue, uint32_t id, size_t *index)
{
	for (*index = 0; *index < queue->count; (*index)++) {
		if (queue->ids[*index] == id)
			return true;
	}
	return false;
}

/* Takes the id out of a queue, if it is there. */
static bool
queue_drop(struct queue *queue, uint32_t id)
{
	size_t index;
	bool found = queue_find(queue, id, &index);
	if (found)
		(void)queue_take(queue, index);
	return found;
}

static void
twoq_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	(void)distance;
	queue_add(&plain->queue[queue_drop(&plain->queue[GHOSTS], id)], id);
}

static void
twoq_hit(struct plain *plain, uint32_t id)
{
	if (plain->touches == POLICY_MARKED)
		plain->touched[id] = true;
	else if (queue_drop(&plain->queue[1], id))
		queue_add(&plain->queue[1], id);
}

static uint32_t
twoq_pick(struct plain *plain)
{
	struct queue *in = &plain->queue[0];
	struct queue *order = &plain->queue[1];
	struct queue *out = &plain->queue[GHOSTS];
	size_t pages = in->count + order->count;
	if (in->count > pages / 4 || order->count == 0) {
		uint32_t id = queue_take(in, 0);
		queue_add(out, id);
		if (out->count > pages / 2)
			(void)queue_take(out, 0);
		return id;
	}
	for (uint32_t look = 0; look < plain->looks_max; look++) {
		if (!plain_test_touched(plain, order->ids[0]))
			break;
		queue_add(order, queue_take(order, 0));
	}
	return queue_take(order, 0);
}

/* --- plain arc --- */

static void
note_fresh(struct plain *plain, uint32_t id)
{
	if (plain->fresh >= 0)
		plain->touched[plain->fresh] = false;
	plain->fresh = (int)id;
}

static size_t
size_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

static void
arc_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	struct queue *q = plain->queue;
	struct queue *g = &plain->queue[GHOSTS];
	size_t pages = q[ONCE].count + q[AGAIN].count + 1;
	size_t once = g[ONCE].count;
	size_t again = g[AGAIN].count;
	(void)distance;
	note_fresh(plain, id);
	if (queue_drop(&g[ONCE], id)) {
		plain->share += size_max(1, again / once);
		if (plain->share > pages)
			plain->share = pages;
		queue_add(&q[AGAIN], id);
	} else if (queue_drop(&g[AGAIN], id)) {
		size_t step = size_max(1, once / again);
		plain->share -= step < plain->share ? step : plain->share;
		queue_add(&q[AGAIN], id);
	} else {
		queue_add(&q[ONCE], id);
	}
	while (g[ONCE].count != 0 && q[ONCE].count + g[ONCE].count > pages)
		(void)queue_take(&g[ONCE], 0);
	while (g[AGAIN].count != 0 && g[ONCE].count + g[AGAIN].count > pages)
		(void)queue_take(&g[AGAIN], 0);
}

static void
arc_hit(struct plain *plain, uint32_t id)
{
	if (plain->touches == POLICY_MARKED) {
		plain->touched[id] = true;
		return;
	}
	if (!queue_drop(&plain->queue[ONCE], id))
		(void)queue_drop(&plain->queue[AGAIN], id);
	queue_add(&plain->queue[AGAIN], id);
}

static uint32_t
arc_pick(struct plain *plain)
{
	struct queue *q = plain->queue;
	for (uint32_t look = 0;; look++) {
		bool once = q[ONCE].count > plain->share || q[AGAIN].count == 0;
		struct queue *from = &q[once ? ONCE : AGAIN];
		uint32_t id = queue_take(from, 0);
		if (look < plain->looks_max && plain_test_touched(plain, id)) {
			queue_add(&q[AGAIN], id);
			continue;
		}
		queue_add(&plain->queue[once ? GHOSTS : GHOSTS_TOO], id);
		if (plain->fresh == (int)id)
			plain->fresh = -1;
		return id;
	}
}

/* --- plain lirs --- */

static size_t
lirs_hot_max(size_t pages)
{
	return pages - size_max(1, pages / 100);
}

/* Cold pages at the bottom leave the stack. */
static void
lirs_prune(struct plain *plain)
{
	struct queue *stack = &plain->queue[STACK];
	while (stack->count != 0 && !plain->hot[stack->ids[0]])
		(void)queue_take(stack, 0);
}

static void
lirs_raise(struct plain *plain, uint32_t id)
{
	(void)queue_drop(&plain->queue[STACK], id);
	queue_add(&plain->queue[STACK], id);
}

static void
lirs_heat(struct plain *plain, uint32_t id, size_t pages)
{
	struct queue *q = plain->queue;
	uint32_t looks = plain->looks_max;
	plain->hot[id] = true;
	lirs_raise(plain, id);
	queue_add(&q[HOT], id);
	lirs_prune(plain);
	while (q[HOT].count > lirs_hot_max(pages)) {
		uint32_t bottom = q[STACK].ids[0];
		if (looks > 0 && plain_test_touched(plain, bottom)) {
			looks--;
			lirs_raise(plain, bottom);
		} else {
			plain->hot[bottom] = false;
			(void)queue_drop(&q[HOT], bottom);
			queue_add(&q[COLD], bottom);
		}
		lirs_prune(plain);
	}
}

static void
lirs_touch(struct plain *plain, uint32_t id)
{
	struct queue *q = plain->queue;
	size_t index;
	size_t pages = q[HOT].count + q[COLD].count;
	if (plain->hot[id]) {
		lirs_raise(plain, id);
	} else if (queue_find(&q[STACK], id, &index)) {
		(void)queue_drop(&q[COLD], id);
		lirs_heat(plain, id, pages);
	} else {
		lirs_raise(plain, id);
		(void)queue_drop(&q[COLD], id);
		queue_add(&q[COLD], id);
	}
	lirs_prune(plain);
}

static void
lirs_hit(struct plain *plain, uint32_t id)
{
	if (plain->touches == POLICY_MARKED)
		plain->touched[id] = true;
	else
		lirs_touch(plain, id);
}

static void
lirs_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	struct queue *q = plain->queue;
	size_t pages = q[HOT].count + q[COLD].count + 1;
	size_t index;
	(void)distance;
	note_fresh(plain, id);
	if (queue_find(&q[STACK], id, &index) ||
	    q[HOT].count < lirs_hot_max(pages)) {
		lirs_heat(plain, id, pages);
		return;
	}
	lirs_raise(plain, id);
	queue_add(&q[COLD], id);
	lirs_prune(plain);
}

static uint32_t
lirs_pick(struct plain *plain)
{
	struct queue *q = plain->queue;
	for (uint32_t look = 0;; look++) {
		bool cold = q[COLD].count != 0;
		uint32_t id = cold ? q[COLD].ids[0] : q[STACK].ids[0];
		if (look < plain->looks_max && plain_test_touched(plain, id)) {
			lirs_touch(plain, id);
			continue;
		}
		(void)queue_drop(&q[cold ? COLD : HOT], id);
		plain->hot[id] = false;
		if (plain->fresh == (int)id)
			plain->fresh = -1;
		lirs_prune(plain);
		return id;
	}
}

#endif
