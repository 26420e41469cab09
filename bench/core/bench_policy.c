/* SPDX-License-Identifier: MIT */
/*
 * bench_policy.c: misses of each replacement policy in percent of accesses,
 * with touches seen as on a machine: as marks, when a page's turn has come, or
 * not at all, as where the MMU keeps no marks. Pages evicted one at a time; memory for a tenth, a quarter and half of the
 * pages. The seed is QUIRE_SEED.
 */
#include <stdio.h>

#include "core/machine/machine_impl.h"
#include "port/sim/sim.h"
#include "tests/core/policy_bed.h"

#define PAGES    16384u
#define ACCESSES 1000000u

static double
miss_percent(struct qr_frames *frames, const char *policy, size_t capacity,
    enum policy_touches touches, const struct policy_trace *trace)
{
	struct policy_bed *bed =
	    policy_bed_new(frames, policy, capacity, touches);
	if (bed == NULL)
		abort();
	/* The first half fills the memory and is not counted. */
	for (size_t i = 0; i < trace->length / 2; i++)
		policy_bed_access(bed, trace->ids[i]);
	bed->misses = 0;
	for (size_t i = trace->length / 2; i < trace->length; i++)
		policy_bed_access(bed, trace->ids[i]);
	double percent = 200.0 * (double)bed->misses / (double)trace->length;
	policy_bed_end(bed);
	return percent;
}

static void
print_trace(struct qr_frames *frames, enum policy_touches touches,
    const struct policy_trace *trace)
{
	static const size_t divisors[] = { 10, 4, 2 };
	for (size_t d = 0; d < 3; d++) {
		printf("%-7s %-7s 1/%-2zu",
		    touches == POLICY_MARKED ? "marked" : "unseen", trace->name,
		    divisors[d]);
		for (size_t i = 0; qr_policies[i] != NULL; i++)
			printf("%9.2f",
			    miss_percent(frames, qr_policies[i]->name,
				trace->span / divisors[d], touches, trace));
		printf("\n");
	}
}

int
main(void)
{
	struct sim_config config = { .ram_bytes = (uint64_t)128 << 20 };
	struct sim *sim = sim_create(&config);
	struct qr_machine *machine;
	if (sim == NULL ||
	    qr_machine_create(sim_port(sim), NULL, &machine) != 0)
		return 1;
	struct test_random random = test_random_start("bench_policy");
	struct policy_trace traces[] = {
		policy_trace_random(&random, ACCESSES, PAGES),
		policy_trace_skewed(&random, ACCESSES, PAGES),
		policy_trace_scan(&random, ACCESSES, PAGES),
		policy_trace_drift(&random, ACCESSES, PAGES),
		policy_trace_loop(ACCESSES, PAGES),
	};
	printf("touches trace   memory");
	for (size_t i = 0; qr_policies[i] != NULL; i++)
		printf("%9s", qr_policies[i]->name);
	printf("   %% misses\n");
	for (size_t t = 0; t < QR_COUNT_OF(traces); t++) {
		print_trace(machine->frames, POLICY_MARKED, &traces[t]);
		print_trace(machine->frames, POLICY_UNSEEN, &traces[t]);
		free(traces[t].ids);
	}
	qr_machine_destroy(machine);
	sim_destroy(sim);
	return 0;
}
