/* SPDX-License-Identifier: MIT */
/*
 * remap TURNS SEED: proves that mapping calls on cold memory do what they do
 * on any: random mmap, munmap, mprotect, mremap and madvise on a window of
 * pages, beside a model of what each page holds.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  4096u
#define PAGES 2048u /* of the window */
#define RUN   96u   /* most pages of one call */

/* What the model knows of a page. */
struct page {
	int prot;     /* -1: not mapped */
	uint64_t tag; /* contents; 0: zeros */
};

static struct page model[PAGES];
static unsigned char *window;
static uint64_t state;
static sigjmp_buf escape;
static unsigned bad;

static uint64_t
next(void)
{
	state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = state;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void
on_fault(int signal_number)
{
	(void)signal_number;
	siglongjmp(escape, 1);
}

/* Reads the tag of a page: at its start, middle and end. True: it faulted. */
static int
read_tag(unsigned page, uint64_t tag[3])
{
	volatile uint64_t *words = (uint64_t *)(window + (size_t)page * PAGE);
	if (sigsetjmp(escape, 1) != 0)
		return 1;
	tag[0] = words[0];
	tag[1] = words[255];
	tag[2] = words[511];
	return 0;
}

static int
write_tag(unsigned page, uint64_t tag)
{
	volatile uint64_t *words = (uint64_t *)(window + (size_t)page * PAGE);
	if (sigsetjmp(escape, 1) != 0)
		return 1;
	words[0] = tag;
	words[255] = tag;
	words[511] = tag;
	return 0;
}

static void
complain(unsigned page, const char *what)
{
	if (bad++ < 5)
		fprintf(stderr, "page %u (prot %d, tag %llx): %s\n", page,
		    model[page].prot, (unsigned long long)model[page].tag,
		    what);
}

static void
check(unsigned page)
{
	uint64_t tag[3];
	int readable = model[page].prot > 0;
	if (read_tag(page, tag)) {
		if (readable)
			complain(page, "can't be read");
		return;
	}
	if (!readable)
		complain(page, "can be read");
	else if (tag[0] != model[page].tag || tag[1] != tag[0] ||
		 tag[2] != tag[0])
		complain(page, "has other contents");
}

static void
write_some(unsigned from, unsigned count)
{
	for (unsigned page = from; page < from + count; page++) {
		uint64_t tag = next() | 1;
		int faulted = write_tag(page, tag);
		int writable = model[page].prot >= 0 &&
			       (model[page].prot & PROT_WRITE) != 0;
		if (faulted == writable)
			complain(page,
			    writable ? "can't be written" : "can be written");
		if (!faulted)
			model[page].tag = tag;
	}
}

static void
map_some(unsigned from, unsigned count, int prot)
{
	if (mmap(window + (size_t)from * PAGE, (size_t)count * PAGE, prot,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	for (unsigned i = from; i < from + count; i++)
		model[i] = (struct page){ prot, 0 };
}

static int
all_mapped(unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++) {
		if (model[i].prot < 0 || model[i].prot != model[from].prot)
			return 0;
	}
	return 1;
}

/* Moves pages over others: only out of one mapping, so of like rights. */
static void
move_some(unsigned from, unsigned to, unsigned count)
{
	if (from + count > to && to + count > from)
		return;
	if (!all_mapped(from, count))
		return;
	void *result = mremap(window + (size_t)from * PAGE,
	    (size_t)count * PAGE, (size_t)count * PAGE,
	    MREMAP_MAYMOVE | MREMAP_FIXED, window + (size_t)to * PAGE);
	if (result == MAP_FAILED)
		return; /* the kernel sees two mappings where we see one */
	for (unsigned i = 0; i < count; i++) {
		model[to + i] = model[from + i];
		model[from + i] = (struct page){ -1, 0 };
	}
}

static void
turn(void)
{
	unsigned count = 1 + (unsigned)(next() % RUN);
	unsigned from = (unsigned)(next() % (PAGES - count));
	unsigned to = (unsigned)(next() % (PAGES - count));
	static const int rights[] = { PROT_NONE, PROT_READ,
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE };
	int prot = rights[next() % 4];
	size_t start = (size_t)from * PAGE;
	size_t size = (size_t)count * PAGE;
	switch (next() % 12) {
	case 0:
		map_some(from, count, prot);
		break;
	case 1:
		munmap(window + start, size);
		for (unsigned i = from; i < from + count; i++)
			model[i] = (struct page){ -1, 0 };
		break;
	case 2:
		if (all_mapped(from, count) &&
		    mprotect(window + start, size, prot) == 0)
			for (unsigned i = from; i < from + count; i++)
				model[i].prot = prot;
		break;
	case 3:
		if (all_mapped(from, count) &&
		    madvise(window + start, size, MADV_DONTNEED) == 0)
			for (unsigned i = from; i < from + count; i++)
				model[i].tag = 0;
		break;
	case 4:
		move_some(from, to, count);
		break;
	case 5:
	case 6:
	case 7:
		write_some(from, count);
		break;
	default:
		for (unsigned i = from; i < from + count; i++)
			check(i);
		break;
	}
}

/* Wants memory, so that the window's pages have to go. */
static void
squeeze(unsigned char *bulk, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		bulk[i] = (unsigned char)next();
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	unsigned turns = (unsigned)strtoul(argv[1], NULL, 10);
	state = strtoull(argv[2], NULL, 10);
	struct sigaction action = { .sa_handler = on_fault,
		.sa_flags = SA_NODEFER };
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	size_t bulk_size = (size_t)40 << 20;
	unsigned char *bulk = malloc(bulk_size);
	window = mmap(NULL, (size_t)PAGES * PAGE, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	map_some(0, PAGES, PROT_READ | PROT_WRITE);
	for (unsigned i = 0; i < turns; i++) {
		turn();
		if (i % 512 == 0)
			squeeze(bulk, bulk_size);
	}
	for (unsigned i = 0; i < PAGES; i++)
		check(i);
	free(bulk);
	printf("%u turns, %u bad\n", turns, bad);
	return bad != 0;
}
