/* SPDX-License-Identifier: MIT */
/*
 * bench/budget/access.c: touches memory in one of three patterns and says
 * what an access costs.
 *
 *     access seq|random|zipf MIB [THREADS]
 *
 * Pages look like those of a heap: records of two pointers into the same
 * region, a small number, a short text, and some noise; lz4 shrinks them
 * about 2.4 times. Each access reads a record and changes it. After filling
 * and one warming pass over a tenth of the accesses the rest is timed. Prints
 * one line: pattern, MiB, threads, accesses, ns per access, and a sum over
 * the contents, which is the same in every run of the same arguments.
 */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE         4096u
#define RECORD_WORDS 8u
#define PAGE_RECORDS (PAGE / (RECORD_WORDS * 8))
#define ZIPF_S       0.99

struct job {
	const char *pattern;
	uint64_t *memory;
	uint64_t pages;
	uint64_t accesses;
	uint64_t seed;
	uint64_t sum;
	double ns_per_access;
};

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t
now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
fill_page(const struct job *job, uint64_t page)
{
	static const char words[8][9] = { "account ", "balance ", "customer",
		"delivery", "invoice ", "product ", "quantity", "warehous" };
	uint64_t *record = job->memory + page * PAGE / 8;
	for (unsigned i = 0; i < PAGE_RECORDS; i++, record += RECORD_WORDS) {
		uint64_t r = mix(page * PAGE_RECORDS + i + job->seed);
		record[0] = UINT64_C(0x00007f5500000000) + (r & 0x3fffffc0);
		record[1] =
		    UINT64_C(0x00007f5500000000) + (r >> 20 & 0x3fffffc0);
		record[2] = r & 0xff;
		memcpy(&record[3], words[r >> 40 & 7], 8);
		memcpy(&record[4], words[r >> 43 & 7], 8);
		record[5] = r;
		record[6] = 0;
		record[7] = i;
	}
}

/*
 * Rank of a zipf(0.99) variate by inversion of the continuous distribution;
 * ranks are scattered over the pages.
 */
static uint64_t
zipf_page(const struct job *job, uint64_t random)
{
	double u = (double)(random >> 11) / 9007199254740992.0;
	double n = (double)job->pages;
	double power = 1.0 - ZIPF_S;
	double rank = pow((pow(n, power) - 1.0) * u + 1.0, 1.0 / power) - 1.0;
	return mix((uint64_t)rank + 1) % job->pages;
}

static uint64_t
next_page(const struct job *job, uint64_t i)
{
	uint64_t random = mix(job->seed * 1000003 + i);
	if (job->pattern[0] == 's')
		return i % job->pages;
	if (job->pattern[0] == 'r')
		return random % job->pages;
	return zipf_page(job, random);
}

static uint64_t
touch(struct job *job, uint64_t from, uint64_t to)
{
	uint64_t sum = 0;
	for (uint64_t i = from; i < to; i++) {
		uint64_t page = next_page(job, i);
		uint64_t *record = job->memory + page * PAGE / 8 +
				   (i * 7 % PAGE_RECORDS) * RECORD_WORDS;
		sum += record[0] + record[5] + record[6];
		record[6]++;
	}
	return sum;
}

static void *
run(void *arg)
{
	struct job *job = arg;
	for (uint64_t page = 0; page < job->pages; page++)
		fill_page(job, page);
	uint64_t warm = job->accesses / 10;
	job->sum = touch(job, 0, warm);
	uint64_t began = now_ns();
	job->sum += touch(job, warm, job->accesses);
	job->ns_per_access =
	    (double)(now_ns() - began) / (double)(job->accesses - warm);
	return NULL;
}

int
main(int argc, char **argv)
{
	if (argc < 3 || strchr("srz", argv[1][0]) == NULL) {
		fprintf(stderr,
		    "usage: access seq|random|zipf MIB [THREADS [ACCESSES]]\n");
		return 2;
	}
	uint64_t mib = strtoull(argv[2], NULL, 10);
	unsigned threads = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
	if (mib == 0 || threads == 0 || threads > 64)
		return 2;
	uint64_t pages = mib * 256 / threads;
	uint64_t accesses = argc > 4 ? strtoull(argv[4], NULL, 10) : pages * 4;
	uint64_t *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	struct job jobs[64];
	pthread_t ids[64];
	for (unsigned i = 0; i < threads; i++) {
		jobs[i] = (struct job){ .pattern = argv[1],
			.memory = memory + i * pages * PAGE / 8,
			.pages = pages,
			.accesses = accesses,
			.seed = i + 1 };
		pthread_create(&ids[i], NULL, run, &jobs[i]);
	}
	double ns = 0;
	uint64_t sum = 0;
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		ns += jobs[i].ns_per_access / threads;
		sum += jobs[i].sum;
	}
	fprintf(stderr, "%.1f\n", ns);
	printf("%s %llu MiB, %u threads, %llu accesses, sum %016llx\n", argv[1],
	    (unsigned long long)mib, threads, (unsigned long long)accesses,
	    (unsigned long long)sum);
	return 0;
}
