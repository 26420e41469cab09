/* SPDX-License-Identifier: MIT */
/*
 * fill MIB THREADS SEED: proves that memory keeps what was written to it.
 * Threads fill pages with words that follow from the page's number and a
 * generation, then rewrite and verify them in random order. Pages are of four
 * kinds: zero, one word repeated, compressible, random.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE  4096u
#define WORDS (PAGE / sizeof(uint64_t))

struct job {
	uint64_t *memory;
	unsigned char *generation; /* of each page */
	size_t pages;
	uint64_t seed;
	uint64_t bad;
};

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t
word_of(uint64_t key, size_t index)
{
	switch (key >> 2 & 3) {
	case 0:
		return 0;
	case 1:
		return key;
	case 2:
		return (key & 0xffff0000) | index;
	default:
		return mix(key + index);
	}
}

static uint64_t
key_of(const struct job *job, size_t page)
{
	return mix(job->seed + page * 257 + job->generation[page]);
}

static void
write_page(struct job *job, size_t page)
{
	uint64_t key = key_of(job, page);
	for (size_t i = 0; i < WORDS; i++)
		job->memory[page * WORDS + i] = word_of(key, i);
}

static void
verify_page(struct job *job, size_t page)
{
	uint64_t key = key_of(job, page);
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t is = job->memory[page * WORDS + i];
		uint64_t want = word_of(key, i);
		if (is == want)
			continue;
		if (job->bad++ < 3)
			fprintf(stderr,
			    "page %zu word %zu: %016llx, not %016llx\n", page,
			    i, (unsigned long long)is,
			    (unsigned long long)want);
		return;
	}
}

static void *
run(void *arg)
{
	struct job *job = arg;
	for (size_t page = 0; page < job->pages; page++)
		write_page(job, page);
	for (size_t turn = 0; turn < job->pages * 2; turn++) {
		size_t page = mix(job->seed ^ turn) % job->pages;
		verify_page(job, page);
		if (turn % 3 == 0) {
			job->generation[page]++;
			write_page(job, page);
		}
	}
	for (size_t page = 0; page < job->pages; page++)
		verify_page(job, page);
	return NULL;
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	size_t threads = strtoul(argv[2], NULL, 10);
	size_t pages = (strtoul(argv[1], NULL, 10) << 20) / PAGE / threads;
	struct job jobs[16];
	pthread_t ids[16];
	uint64_t bad = 0;
	if (threads == 0 || threads > 16)
		return 2;
	for (size_t i = 0; i < threads; i++) {
		jobs[i] = (struct job){
			.memory = malloc(pages * PAGE),
			.generation = calloc(pages, 1),
			.pages = pages,
			.seed = strtoull(argv[3], NULL, 10) * 1000 + i,
		};
		if (jobs[i].memory == NULL || jobs[i].generation == NULL)
			return 1;
		pthread_create(&ids[i], NULL, run, &jobs[i]);
	}
	for (size_t i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		bad += jobs[i].bad;
		free(jobs[i].memory);
		free(jobs[i].generation);
	}
	printf("%zu threads, %zu pages each, %llu bad\n", threads, pages,
	    (unsigned long long)bad);
	return bad != 0;
}
