/* SPDX-License-Identifier: MIT */
/* cases_code.c: what instructions do with memory that is out. */
#include <dlfcn.h>
#include <fcntl.h>
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "case.h"

/* Copies of every size near those that libc has ways of its own for, over
 * borders of pages that are out. */
static void
copies(void)
{
	static const size_t sizes[] = { 1, 7, 15, 16, 31, 33, 63, 64, 65, 127,
		129, 255, 511, 1000, 4095, 4097, 9000, 70000 };
	unsigned char *from = cell_fill(70000, 1);
	unsigned char *to = cell(70000);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i];
		memset(to, 0, 70000);
		chill();
		memcpy(to, from + 3, size - size / 40);
		chill();
		memmove(to + 1, to, size / 2);
		chill();
		say("%d ", memcmp(to + 1, from + 3, size / 2));
	}
	chill();
	say("\n%zu\n", strnlen((char *)to, 70000));
	chill();
	say("%d\n", memchr(to, 0, 70000) != NULL);
	say_bytes("to", to, 70000);
}

static void
string_instructions(void)
{
	unsigned char *from = cell_fill(30000, 2);
	unsigned char *to = cell(30000);
	void *f = from;
	void *t = to;
	size_t n = 30000;
	chill();
	__asm__ volatile("rep movsb" : "+S"(f), "+D"(t), "+c"(n) : : "memory");
	say("%zu %d\n", n, memcmp(from, to, 30000));
	t = to;
	n = 3000;
	chill();
	__asm__ volatile("rep stosq"
			 : "+D"(t), "+c"(n)
			 : "a"(0x0102030405060708L)
			 : "memory");
	say("%zu\n", n);
	f = from;
	t = to;
	n = 30000;
	chill();
	__asm__ volatile("repe cmpsb"
			 : "+S"(f), "+D"(t), "+c"(n)
			 :
			 : "cc", "memory");
	say("%zu\n", n);
	say_bytes("to", to, 30000);
}

__attribute__((target("avx2"))) static void
avx2_work(const unsigned char *from, unsigned char *to)
{
	for (size_t i = 0; i + 32 <= 8000; i += 32) {
		if (i % 800 == 0)
			chill();
		__m256i v = _mm256_loadu_si256((const void *)(from + i));
		v = _mm256_add_epi8(v, _mm256_set1_epi8(3));
		_mm256_storeu_si256((void *)(to + i), v);
	}
	__m256i at = _mm256_setr_epi32(0, 500, 1000, 1500, 1030, 20, 700, 1999);
	chill();
	__m256i got =
	    _mm256_i32gather_epi32((const int *)(const void *)from, at, 4);
	chill();
	_mm256_maskstore_epi32((int *)(void *)to,
	    _mm256_setr_epi32(-1, 0, -1, 0, -1, 0, -1, -1), got);
}

static void
vectors(void)
{
	unsigned char *from = cell_fill(8000, 3);
	unsigned char *to = cell(8000);
	if (!__builtin_cpu_supports("avx2")) {
		say_skipped("no AVX2 here");
		return;
	}
	avx2_work(from, to);
	say_bytes("to", to, 8000);
}

__attribute__((target("avx512f,avx512bw"))) static void
avx512_work(const unsigned char *from, unsigned char *to)
{
	for (size_t i = 0; i + 64 <= 8000; i += 64) {
		if (i % 1600 == 0)
			chill();
		__m512i v = _mm512_loadu_si512(from + i);
		_mm512_storeu_si512(to + i,
		    _mm512_xor_si512(v, _mm512_set1_epi8(9)));
	}
	chill();
	/* Lanes that are masked out may lie where nothing may be touched. */
	__m512i some = _mm512_maskz_loadu_epi8(0xff, from + 7992);
	chill();
	_mm512_mask_storeu_epi8(to + 7992, 0xff, some);
	__m512i at = _mm512_set_epi32(0, 1, 2, 500, 600, 700, 800, 900, 1000,
	    1100, 1023, 1024, 1025, 1999, 3, 4);
	chill();
	_mm512_i32scatter_epi32(to, at, _mm512_set1_epi32(77), 4);
}

static void
wide_vectors(void)
{
	unsigned char *from = cell_fill(8000, 4);
	unsigned char *to = cell(8000);
	if (!__builtin_cpu_supports("avx512bw")) {
		say_skipped("no AVX-512 here");
		return;
	}
	avx512_work(from, to);
	say_bytes("to", to, 8000);
}

static void
atomics(void)
{
	_Atomic(uint64_t) *word = cell(sizeof(*word));
	unsigned __int128 *pair = cell(sizeof(*pair));
	uint64_t expected = 5;
	atomic_init(word, 5);
	chill();
	say("%d\n", atomic_compare_exchange_strong(word, &expected, 9));
	chill();
	say("%lu\n", (unsigned long)atomic_fetch_add(word, 3));
	chill();
	say("%lu\n", (unsigned long)atomic_exchange(word, 100));
	chill();
	uint64_t low = 0;
	uint64_t high = 0;
	bool swapped;
	__asm__ volatile("lock cmpxchg16b %1; setz %0"
			 : "=q"(swapped), "+m"(*pair), "+a"(low), "+d"(high)
			 : "b"(7L), "c"(8L)
			 : "cc");
	say("%d %lu\n", swapped, (unsigned long)*pair);
	chill();
	__asm__ volatile("lock btsq $3, %0" : "+m"(*word) : : "cc");
	say("%lu\n", (unsigned long)*word);
}

/* The CPU's own long stores. */
static void
states(void)
{
	unsigned char *area = cell_pages(2 * PAGE);
	double value = 1.25;
	double got = 0;
	chill();
	__asm__ volatile("fldl %1; fxsave64 (%2); fstpl %0"
			 : "=m"(got)
			 : "m"(value), "r"(area + PAGE - 256)
			 : "memory");
	chill();
	__asm__ volatile("fxrstor64 (%1); fstpl %0"
			 : "=m"(got)
			 : "r"(area + PAGE - 256)
			 : "memory");
	say("%g\n", got);
	long double *wide = cell(sizeof(*wide));
	chill();
	*wide = (long double)got * 3;
	chill();
	say("%Lg\n", *wide);
}

/* mov $n, %eax; ret */
static void
code_put(unsigned char *at, unsigned n)
{
	unsigned char code[] = { 0xb8, 0, 0, 0, 0, 0xc3 };
	memcpy(code + 1, &n, 4);
	memcpy(at, code, sizeof(code));
}

static unsigned
code_run(const unsigned char *at)
{
	unsigned (*function)(void);
	memcpy(&function, &at, sizeof(function));
	return function();
}

/* Code that is made, sealed, thrown out, and run. */
static void
made_code(void)
{
	unsigned char *code = cell_pages(6 * PAGE);
	for (unsigned i = 0; i < 60; i++)
		code_put(code + i * 400 + 7, i * 3);
	CALL(mprotect(code, 6 * PAGE, PROT_READ | PROT_EXEC));
	unsigned sum = 0;
	for (unsigned i = 0; i < 60; i++) {
		if (i % 7 == 0)
			chill();
		sum += code_run(code + i * 400 + 7);
	}
	say("%u\n", sum);
	CALL(mprotect(code, 6 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	for (unsigned i = 0; i < 60; i += 5) {
		chill();
		code_put(code + i * 400 + 7, 1000);
		chill();
		sum += code_run(code + i * 400 + 7);
	}
	say("%u\n", sum);
	/* An instruction over a border of pages that are out. */
	code_put(code + PAGE - 3, 12345);
	chill();
	say("%u\n", code_run(code + PAGE - 3));
}

/* Two views of one file, as careful JITs have it. */
static void
two_views(void)
{
	int fd = memfd_create("code", 0);
	ftruncate(fd, 2 * (off_t)PAGE);
	unsigned char *write_view =
	    mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned char *run_view =
	    mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	chill_also(write_view, 2 * PAGE);
	code_put(write_view + PAGE - 2, 4242);
	chill();
	say("%u\n", code_run(run_view + PAGE - 2));
	munmap(write_view, 2 * PAGE);
	munmap(run_view, 2 * PAGE);
	close(fd);
}

static void
libraries(void)
{
	char *name = cell_text("libm.so.6");
	char *symbol = cell_text("cbrt");
	double (*function)(double);
	for (int i = 0; i < 3; i++) {
		chill();
		void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
		chill();
		void *found = dlsym(library, symbol);
		memcpy(&function, &found, sizeof(function));
		say("%g\n", function(27));
		chill();
		say("%d\n", dlclose(library));
	}
	say("%d\n", dlopen(cell_text("nothing.so"), RTLD_NOW) == NULL);
}

/* A stack of the program's own, out before every call. */
static unsigned
deep(unsigned depth, unsigned *order)
{
	volatile unsigned char room[700];
	memset((void *)room, (int)depth, sizeof(room));
	if (depth % 10 == 0)
		chill();
	order[0] = order[0] * 31 + depth;
	unsigned below = depth == 0 ? 0 : deep(depth - 1, order);
	return below + room[depth];
}

static void *
deep_run(void *arg)
{
	unsigned *order = arg;
	return (void *)(uintptr_t)deep(80, order);
}

static void
stacks(void)
{
	unsigned *order = cell(sizeof(*order));
	pthread_attr_t attr;
	pthread_t thread;
	void *sum;
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, cell_pages(128 * KIB), 128 * KIB);
	pthread_create(&thread, &attr, deep_run, order);
	pthread_join(thread, &sum);
	say("%lu %u\n", (unsigned long)sum, *order);
}

static void
long_jumps(void)
{
	jmp_buf *state = cell(sizeof(*state));
	volatile int turns = 0;
	chill();
	int got = setjmp(*state);
	turns++;
	chill();
	if (turns < 6)
		longjmp(*state, turns * 10);
	say("%d %d\n", turns, got);
}

/* Threads that touch the same pages at the same time as they come back. */
struct together {
	unsigned char *pages;
	_Atomic(unsigned) ready;
	_Atomic(uint64_t) sum;
};

static void *
together_run(void *arg)
{
	struct together *all = arg;
	for (unsigned round = 0; round < 20; round++) {
		atomic_fetch_add(&all->ready, 1);
		for (size_t i = 0; i < 40; i++)
			__atomic_fetch_add(all->pages + i * PAGE + 9, 1,
			    __ATOMIC_RELAXED);
		chill();
	}
	return NULL;
}

static void
same_pages(void)
{
	enum { COUNT = 4 };
	struct together *all = cell(sizeof(*all));
	pthread_t threads[COUNT];
	unsigned wrong = 0;
	all->pages = cell_pages(40 * PAGE);
	for (unsigned i = 0; i < COUNT; i++)
		pthread_create(&threads[i], NULL, together_run, all);
	for (unsigned i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < 40; i++)
		wrong += all->pages[i * PAGE + 9] != 20 * COUNT;
	say("%u wrong\n", wrong);
}

static void
allocator(void)
{
	enum { COUNT = 500 };
	static unsigned char *blocks[COUNT];
	unsigned wrong = 0;
	for (size_t i = 0; i < COUNT; i++) {
		size_t size = 1 + i * i % 20000;
		blocks[i] = malloc(size);
		memset(blocks[i], (int)i, size);
		if (i % 50 == 0)
			chill_also(blocks[i], size);
	}
	chill();
	for (size_t i = 0; i < COUNT; i += 3)
		blocks[i] = realloc(blocks[i], 1 + i * i % 20000 + 5000);
	for (size_t i = 0; i < COUNT; i++) {
		size_t size = 1 + i * i % 20000;
		wrong += blocks[i][0] != (unsigned char)i ||
			 blocks[i][size - 1] != (unsigned char)i;
		free(blocks[i]);
	}
	say("%u wrong\n", wrong);
}

static const struct test_case cases[] = {
	{ "copies", copies, 0 },
	{ "string_instructions", string_instructions, 0 },
	{ "vectors", vectors, 0 },
	{ "wide_vectors", wide_vectors, 0 },
	{ "atomics", atomics, 0 },
	{ "states", states, 0 },
	{ "made_code", made_code, 0 },
	{ "two_views", two_views, CASE_HELD },
	{ "libraries", libraries, 0 },
	{ "stacks", stacks, CASE_HELD },
	{ "long_jumps", long_jumps, 0 },
	{ "same_pages", same_pages, CASE_HELD },
	/* malloc's own pages are not all that chill pushes out. */
	{ "allocator", allocator, CASE_HELD },
	{ 0 },
};

const struct test_group code_group = { "code", cases, NULL };
