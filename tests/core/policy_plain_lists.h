/* SPDX-License-Identifier: MIT */
/*
 * tests/core/policy_plain_lists.h: as policy_plain.h, for the policies that
 * tell pages of files from anonymous ones.
 */
#ifndef POLICY_PLAIN_LISTS_H
#define POLICY_PLAIN_LISTS_H

#include "policy_plain_history.h"

/* --- plain two-lists --- */

/* Queues: first the inactive ones. A touched id's mark is touched[]; value[]
 * is 1 where it was found before. share: files that were in again soon. */
enum { QUIET_ANON, QUIET_FILE, BUSY_ANON, BUSY_FILE };

static void
twolists_pay(struct plain *plain, bool file, uint64_t cost)
{
	plain->cost[file] += cost;
	if (plain->cost[0] + plain->cost[1] > plain_count(plain) / 4) {
		plain->cost[0] /= 2;
		plain->cost[1] /= 2;
		plain->share /= 2;
	}
}

static void
twolists_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	bool file = policy_id_is_file(id);
	size_t others =
	    plain->queue[QUIET_ANON].count + plain->queue[QUIET_FILE].count +
	    plain->queue[BUSY_ANON].count + plain->queue[BUSY_FILE].count -
	    plain->queue[file].count;
	plain->value[id] = 0;
	queue_add(&plain->queue[distance <= others ? file + 2 : file], id);
	plain->share += file && distance <= others;
	if (distance != UINT64_MAX)
		twolists_pay(plain, file, 32);
}

static void
twolists_hit(struct plain *plain, uint32_t id)
{
	bool file = policy_id_is_file(id);
	if (plain->touches == POLICY_MARKED)
		plain->touched[id] = true;
	else if (queue_drop(&plain->queue[file], id))
		queue_add(&plain->queue[file + 2], id);
	else
		plain->touched[id] = true;
}

static bool
twolists_take_file(struct plain *plain)
{
	uint64_t anon =
	    plain->queue[QUIET_ANON].count + plain->queue[BUSY_ANON].count;
	uint64_t file =
	    plain->queue[QUIET_FILE].count + plain->queue[BUSY_FILE].count;
	if (anon == 0 || file == 0)
		return anon == 0;
	if (plain->share == 0 &&
	    plain->queue[QUIET_FILE].count >= plain->queue[BUSY_FILE].count)
		return true;
	uint64_t sum = plain->cost[0] + plain->cost[1] + 1;
	uint64_t for_anon = anon * (sum + plain->cost[1]);
	uint64_t for_file = file * (sum + plain->cost[0]);
	plain->parts += 1024 * for_anon / (for_anon + for_file);
	if (plain->parts >= 1024) {
		plain->parts -= 1024;
		return false;
	}
	return true;
}

static uint32_t
twolists_pick(struct plain *plain)
{
	bool file = twolists_take_file(plain);
	struct queue *quiet = &plain->queue[file];
	struct queue *busy = &plain->queue[file + 2];
	uint32_t look = 0;
	while (look < 32 && look < plain->looks_max &&
	       quiet->count < busy->count) {
		uint32_t id = queue_take(busy, 0);
		plain->touched[id] = false;
		plain->value[id] = 0;
		queue_add(quiet, id);
		look++;
	}
	for (; look < plain->looks_max && quiet->count != 0 &&
	       plain->touched[quiet->ids[0]];
	     look++) {
		uint32_t id = queue_take(quiet, 0);
		queue_add(plain->value[id] != 0 ? busy : quiet, id);
		plain->touched[id] = false;
		plain->value[id] = 1 - plain->value[id];
		twolists_pay(plain, file, 1);
	}
	return queue_take(quiet->count != 0 ? quiet : busy, 0);
}

/* --- plain generations --- */

/* Queue 0 is the oldest generation, queue open the youngest. */
static void
generations_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	bool first = distance > plain_count(plain) && policy_id_is_file(id);
	queue_add(&plain->queue[first ? 0 : plain->open], id);
}

static void
generations_hit(struct plain *plain, uint32_t id)
{
	if (plain->touches == POLICY_MARKED) {
		plain->touched[id] = true;
		return;
	}
	for (size_t i = 0; i <= plain->open; i++) {
		if (queue_drop(&plain->queue[i], id))
			break;
	}
	queue_add(&plain->queue[plain->open], id);
}

static void
generations_turn(struct plain *plain)
{
	while (plain->open != 0 && plain->queue[0].count == 0) {
		memmove(&plain->queue[0], &plain->queue[1],
		    plain->open * sizeof(plain->queue[0]));
		plain->queue[plain->open].count = 0;
		plain->open--;
	}
	if (plain->open < 2)
		plain->open++;
}

static uint32_t
generations_pick(struct plain *plain)
{
	generations_turn(plain);
	for (uint32_t look = 0; look < plain->looks_max; look++) {
		uint32_t id = plain->queue[0].ids[0];
		if (!plain_test_touched(plain, id))
			break;
		queue_add(&plain->queue[plain->open],
		    queue_take(&plain->queue[0], 0));
		generations_turn(plain);
	}
	return queue_take(&plain->queue[0], 0);
}

#endif
