/* SPDX-License-Identifier: MIT */
/*
 * tests/port/test_replay.c: proves that the memory system calls of
 * <qr/calls.h> answer as the kernel below does: random calls are made of the
 * host and of a space on the simulated machine, in a window of addresses, and
 * errno must be equal after each; rights, contents, residency and locked pages
 * of every page after some. Memory is private, shared, or of a file (of the
 * host's memory), which is written to, cut and made longer meanwhile. QUIRE_SEED repeats a run, QUIRE_REPLAY sets the
 * number of calls.
 *
 * Where the kernel chooses an address, that it was the wanted one or another
 * is compared, and the result is brought back to an agreed place.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>
#include <qr/calls.h>
#include <qr/object.h>

#include "port/sim/sim.h"
#include "random.h"

/* Far from where the kernel and sanitizers put things. */
#define BASE  ((uint64_t)0x300000000000)
#define PAGES 64u
#define CALLS 100000u

/* Of the file, at most. */
#define FILE_PAGES 24u

/* Calls between two comparisons of everything. */
#define VERIFY_EVERY 40u

#define PAGE ((uint64_t)QR_PAGE_SIZE)

enum op {
	OP_MMAP,
	OP_MUNMAP,
	OP_MPROTECT,
	OP_MREMAP,
	OP_MADVISE,
	OP_MLOCK,
	OP_MUNLOCK,
	OP_MSYNC,
	OP_MINCORE,
	OP_WRITE,
	OP_READ,
	OP_FTRUNCATE,
	OP_PWRITE,
	OP_PREAD,
	OPS,
};

static const struct {
	const char *name;
	unsigned weight;
} ops[OPS] = {
	[OP_MMAP] = { "mmap", 30 },
	[OP_MUNMAP] = { "munmap", 10 },
	[OP_MPROTECT] = { "mprotect", 16 },
	[OP_MREMAP] = { "mremap", 14 },
	[OP_MADVISE] = { "madvise", 10 },
	[OP_MLOCK] = { "mlock2", 4 },
	[OP_MUNLOCK] = { "munlock", 4 },
	[OP_MSYNC] = { "msync", 3 },
	[OP_MINCORE] = { "mincore", 3 },
	[OP_WRITE] = { "write", 24 },
	[OP_READ] = { "read", 6 },
	[OP_FTRUNCATE] = { "ftruncate", 2 },
	[OP_PWRITE] = { "pwrite", 3 },
	[OP_PREAD] = { "pread", 2 },
};

struct call {
	enum op op;
	uint64_t address;
	uint64_t length;
	uint64_t length_new; /* mremap */
	uint64_t to;         /* mremap */
	uint64_t offset;     /* mmap */
	unsigned prot;       /* or the byte to write */
	unsigned flags;      /* or advice */
};

#define HISTORY 8u

struct replay {
	struct sim *sim;
	struct qr_machine *machine;
	struct qr_space *space;
	struct qr_object *object; /* the file */
	struct test_random random;
	struct call history[HISTORY];
	uint64_t done;
	uint64_t locked_before; /* by the process itself, KiB */
	uint64_t agreed;        /* calls that succeeded */
	bool has_new_mremap;    /* the host's is that of 6.17 or newer */
};

static int host_file; /* its descriptor */

/* What a call gave: 0 or a positive errno, and an address. */
struct answer {
	int error;
	uint64_t address;
};

/* --- random calls --- */

static uint64_t
below(struct replay *replay, uint64_t limit)
{
	return test_random_below(&replay->random, limit);
}

/* Mostly whole pages of the window, sometimes anything; but not the highest
 * 4095 bytes: Linux takes a fixed address there for an error of its own and
 * returns it. */
static uint64_t
draw_address(struct replay *replay)
{
	static const uint64_t odd[] = { BASE + 1, BASE + 5000,
		UINT64_MAX - 4095, UINT64_MAX - 5000, (uint64_t)1 << 62,
		BASE - PAGE };
	if (below(replay, 50) == 0)
		return odd[below(replay, sizeof(odd) / sizeof(odd[0]))];
	return BASE + below(replay, PAGES) * PAGE;
}

static uint64_t
draw_length(struct replay *replay, uint64_t address)
{
	static const uint64_t odd[] = { 0, 1, 5000, UINT64_MAX,
		UINT64_MAX - 4095, (uint64_t)1 << 62, (uint64_t)1 << 48 };
	if (below(replay, 40) == 0)
		return odd[below(replay, sizeof(odd) / sizeof(odd[0]))];
	uint64_t room = PAGES;
	if (address >= BASE && address < BASE + PAGES * PAGE)
		room = PAGES - (address - BASE) / PAGE;
	uint64_t most = below(replay, 4) == 0 ? room : 6;
	return (1 + below(replay, most < room ? most : room)) * PAGE;
}

static unsigned
draw_prot(struct replay *replay)
{
	static const unsigned prots[] = { PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
		PROT_NONE, PROT_READ | PROT_EXEC,
		PROT_READ | PROT_WRITE | PROT_EXEC };
	return prots[below(replay, 7)];
}

static void
draw_mmap(struct replay *replay, struct call *call)
{
	static const unsigned places[] = { MAP_FIXED, MAP_FIXED, MAP_FIXED,
		MAP_FIXED_NOREPLACE, 0 };
	static const unsigned more[] = { MAP_NORESERVE, MAP_POPULATE,
		MAP_GROWSDOWN, MAP_LOCKED, MAP_STACK };
	static const unsigned types[] = { MAP_ANONYMOUS | MAP_PRIVATE,
		MAP_ANONYMOUS | MAP_PRIVATE, MAP_ANONYMOUS | MAP_SHARED,
		MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE };
	call->flags = types[below(replay, 6)] | places[below(replay, 5)];
	if (below(replay, 3) == 0)
		call->flags |= more[below(replay, 5)];
	if (below(replay, 60) == 0)
		call->flags &= ~(unsigned)MAP_TYPE;
	if ((call->flags & MAP_ANONYMOUS) == 0)
		call->offset = below(replay, FILE_PAGES + 4) * PAGE;
	if (below(replay, 60) == 0)
		call->offset = below(replay, 2) == 0 ? 12 : UINT64_MAX - 4095;
	call->prot = draw_prot(replay);
	/* Neither goes below the lowest addresses. */
	if (call->address < PAGE * 100)
		call->address = BASE;
}

static void
draw_mremap(struct replay *replay, struct call *call)
{
	static const unsigned flags[] = { 0, MREMAP_MAYMOVE,
		MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_FIXED,
		MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, MREMAP_FIXED,
		MREMAP_DONTUNMAP, 64 };
	unsigned pick = (unsigned)below(replay, 40);
	call->flags = flags[pick < 8 ? pick : pick % 5];
	call->length_new = below(replay, 3) == 0
			       ? call->length
			       : draw_length(replay, call->address);
	call->to = draw_address(replay);
}

static void
draw_madvise(struct replay *replay, struct call *call)
{
	static const unsigned advice[] = { MADV_NORMAL, MADV_RANDOM,
		MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_DONTNEED,
		MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_COLD, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_DONTNEED_LOCKED, 77 };
	call->flags = advice[below(replay, 16)];
	/* Holes are passed over: it must not get to this program's own. */
	if (call->length >> 47 == 1 || call->length >> 62 == 1 ||
	    call->length >> 48 == 1)
		call->length = PAGE;
}

static struct call
draw_call(struct replay *replay)
{
	struct call call = { .op = OP_MMAP };
	unsigned sum = 0;
	for (unsigned i = 0; i < OPS; i++)
		sum += ops[i].weight;
	uint64_t pick = below(replay, sum);
	for (unsigned i = 0; pick >= ops[i].weight; i++) {
		pick -= ops[i].weight;
		call.op = (enum op)(i + 1);
	}
	call.address = draw_address(replay);
	call.length = draw_length(replay, call.address);
	switch (call.op) {
	case OP_MMAP:
		draw_mmap(replay, &call);
		break;
	case OP_MPROTECT:
		call.prot = draw_prot(replay);
		if (below(replay, 50) == 0)
			call.prot = 0x40;
		break;
	case OP_MREMAP:
		draw_mremap(replay, &call);
		break;
	case OP_MADVISE:
		draw_madvise(replay, &call);
		break;
	case OP_MLOCK:
		call.flags = (unsigned)below(replay, 3);
		break;
	case OP_MSYNC:
		call.flags = (unsigned)below(replay, 9);
		break;
	case OP_MINCORE:
		/* The answers must fit the buffer. */
		if (call.length > PAGES * PAGE && call.length < BASE)
			call.length = PAGE;
		break;
	case OP_WRITE:
	case OP_READ:
		call.address = BASE + below(replay, PAGES * PAGE);
		call.prot = (unsigned)below(replay, 255) + 1;
		break;
	case OP_FTRUNCATE:
		call.length = below(replay, FILE_PAGES + 1) * PAGE;
		if (below(replay, 4) == 0)
			call.length = FILE_PAGES * PAGE;
		break;
	case OP_PWRITE:
		/* The file always ends with a page: kernels differ in what is
		 * behind its end in the last one when it grows again. */
		call.offset = (1 + below(replay, FILE_PAGES)) * PAGE - 1;
		call.prot = (unsigned)below(replay, 255) + 1;
		break;
	case OP_PREAD:
		call.offset = below(replay, FILE_PAGES * PAGE - 1);
		call.prot = (unsigned)below(replay, 255) + 1;
		break;
	case OP_MUNMAP:
	case OP_MUNLOCK:
	case OPS:
		break;
	}
	return call;
}

/* --- the host --- */

static sigjmp_buf host_escape;
static volatile sig_atomic_t host_touches;

/* Any other fault is one of this program's own. */
static void
host_signal(int number)
{
	if (host_touches == 0) {
		signal(number, SIG_DFL);
		return;
	}
	host_touches = 0;
	siglongjmp(host_escape, number);
}

/* One access by the processor; EFAULT stands for SIGSEGV, ENXIO for SIGBUS. */
static int
host_touch(uint64_t address, bool write, unsigned char *byte)
{
	volatile unsigned char *at = (volatile unsigned char *)address;
	int number = sigsetjmp(host_escape, 1);
	if (number != 0)
		return number == SIGBUS ? ENXIO : EFAULT;
	host_touches = 1;
	if (write)
		*at = *byte;
	else
		*byte = *at;
	host_touches = 0;
	return 0;
}

static long
host_system_call(const struct call *call, unsigned char *vec)
{
	switch (call->op) {
	case OP_MMAP:
		return syscall(SYS_mmap, call->address, call->length,
		    call->prot, call->flags,
		    (call->flags & MAP_ANONYMOUS) != 0 ? -1 : host_file,
		    call->offset);
	case OP_MUNMAP:
		return syscall(SYS_munmap, call->address, call->length);
	case OP_MPROTECT:
		return syscall(SYS_mprotect, call->address, call->length,
		    call->prot);
	case OP_MREMAP:
		return syscall(SYS_mremap, call->address, call->length,
		    call->length_new, call->flags, call->to);
	case OP_MADVISE:
		return syscall(SYS_madvise, call->address, call->length,
		    call->flags);
	case OP_MLOCK:
		return syscall(SYS_mlock2, call->address, call->length,
		    call->flags);
	case OP_MUNLOCK:
		return syscall(SYS_munlock, call->address, call->length);
	case OP_MSYNC:
		return syscall(SYS_msync, call->address, call->length,
		    call->flags);
	case OP_MINCORE:
		return syscall(SYS_mincore, call->address, call->length, vec);
	case OP_FTRUNCATE:
		return ftruncate(host_file, (off_t)call->length);
	case OP_WRITE:
	case OP_READ:
	case OP_PWRITE:
	case OP_PREAD:
	case OPS:
	default:
		return -1;
	}
}

/* One byte of the file; errno, and the byte. */
static struct answer
host_file_byte(const struct call *call)
{
	unsigned char byte = (unsigned char)call->prot;
	ssize_t done = call->op == OP_PWRITE
			   ? pwrite(host_file, &byte, 1, (off_t)call->offset)
			   : pread(host_file, &byte, 1, (off_t)call->offset);
	if (done < 0)
		return (struct answer){ errno, 0 };
	return (struct answer){ 0, done == 0 ? 256 : byte };
}

static struct answer
host_answer(const struct call *call, unsigned char *vec)
{
	unsigned char byte = (unsigned char)call->prot;
	if (call->op == OP_WRITE || call->op == OP_READ) {
		int error =
		    host_touch(call->address, call->op == OP_WRITE, &byte);
		return (struct answer){ error, error == 0 ? byte : 0 };
	}
	if (call->op == OP_PWRITE || call->op == OP_PREAD)
		return host_file_byte(call);
	long result = host_system_call(call, vec);
	if (result == -1)
		return (struct answer){ errno, 0 };
	return (struct answer){ 0, (uint64_t)result };
}

/* --- the core --- */

static int
core_touch(struct replay *replay, const struct call *call, unsigned char *byte)
{
	if (call->op == OP_WRITE)
		return sim_write(replay->sim, replay->space, call->address,
		    byte, 1);
	return sim_read(replay->sim, replay->space, call->address, byte, 1);
}

static int
core_mmap(struct replay *replay, const struct call *call, uint64_t *address)
{
	const struct qr_mmap mmap_call = { call->address, call->length,
		call->prot, call->flags, call->offset, replay->object,
		QR_ACCESS_READ | QR_ACCESS_WRITE };
	return qr_call_mmap(replay->space, &mmap_call, address);
}

static int
core_mremap(struct replay *replay, const struct call *call, uint64_t *address)
{
	const struct qr_mremap mremap_call = { call->address, call->length,
		call->length_new, call->flags, call->to };
	return qr_call_mremap(replay->space, &mremap_call, address);
}

static int
core_file_byte(struct replay *replay, const struct call *call,
    uint64_t *address)
{
	unsigned char byte = (unsigned char)call->prot;
	struct qr_object_copy copy = { call->offset, 1 };
	int error = call->op == OP_PWRITE
			? qr_object_write(replay->object, &byte, &copy)
			: qr_object_read(replay->object, &byte, &copy);
	*address = copy.size_bytes == 0 ? 256 : byte;
	return error;
}

static struct answer
core_answer(struct replay *replay, const struct call *call, unsigned char *vec)
{
	struct qr_space *space = replay->space;
	struct answer answer = { 0, 0 };
	unsigned char byte = (unsigned char)call->prot;
	int error = 0;
	switch (call->op) {
	case OP_MMAP:
		error = core_mmap(replay, call, &answer.address);
		break;
	case OP_MUNMAP:
		error = qr_call_munmap(space, call->address, call->length);
		break;
	case OP_MPROTECT:
		error = qr_call_mprotect(space, call->address, call->length,
		    call->prot);
		break;
	case OP_MREMAP:
		error = core_mremap(replay, call, &answer.address);
		break;
	case OP_MADVISE:
		error = qr_call_madvise(space, call->address, call->length,
		    (int)call->flags);
		break;
	case OP_MLOCK:
		error = qr_call_mlock2(space, call->address, call->length,
		    call->flags);
		break;
	case OP_MUNLOCK:
		error = qr_call_munlock(space, call->address, call->length);
		break;
	case OP_MSYNC:
		error = qr_call_msync(space, call->address, call->length,
		    call->flags);
		break;
	case OP_MINCORE:
		error =
		    qr_call_mincore(space, call->address, call->length, vec);
		break;
	case OP_WRITE:
	case OP_READ:
		error = core_touch(replay, call, &byte);
		answer.address = error == 0 ? byte : 0;
		break;
	case OP_FTRUNCATE:
		error = qr_object_resize(replay->object, call->length);
		break;
	case OP_PWRITE:
	case OP_PREAD:
		error = core_file_byte(replay, call, &answer.address);
		break;
	case OPS:
	default:
		break;
	}
	answer.error = -error;
	return answer;
}

/* --- comparing --- */

static void
print_call(const struct call *call)
{
	print_error("  %s(page %lld, length 0x%llx", ops[call->op].name,
	    (long long)(call->address - BASE) / (long long)PAGE,
	    (unsigned long long)call->length);
	if (call->op == OP_MREMAP)
		print_error(", to page %lld, length 0x%llx",
		    (long long)(call->to - BASE) / (long long)PAGE,
		    (unsigned long long)call->length_new);
	print_error(", prot 0x%x, flags 0x%x, offset 0x%llx)\n", call->prot,
	    call->flags, (unsigned long long)call->offset);
}

static void
print_host_areas(void)
{
	char line[512];
	FILE *smaps = fopen("/proc/self/smaps", "re");
	bool ours = false;
	while (smaps != NULL && fgets(line, sizeof(line), smaps) != NULL) {
		unsigned long long start;
		unsigned long long end;
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2) {
			ours = end > BASE && start < BASE + PAGES * PAGE;
			if (ours)
				print_error("  host: pages %lld to %lld ",
				    (long long)(start - BASE) / (long long)PAGE,
				    (long long)(end - BASE) / (long long)PAGE);
		}
		if (ours && strncmp(line, "VmFlags:", 8) == 0)
			print_error("%s", line);
	}
	if (smaps != NULL)
		fclose(smaps);
}

static void
print_core_areas(const struct replay *replay)
{
	struct qr_area_info info = { .end = 0 };
	qr_space_lock(replay->space);
	while (qr_space_query(replay->space, info.end, &info) == 0)
		print_error("  core: pages %lld to %lld prot %u flags 0x%x\n",
		    (long long)(info.start - BASE) / (long long)PAGE,
		    (long long)(info.end - BASE) / (long long)PAGE, info.prot,
		    info.flags);
	qr_space_unlock(replay->space);
}

static void
fail_with_history(const struct replay *replay, const char *what,
    unsigned long long host, unsigned long long core)
{
	uint64_t from = replay->done < HISTORY ? 0 : replay->done - HISTORY;
	for (uint64_t i = from; i < replay->done; i++)
		print_call(&replay->history[i % HISTORY]);
	print_host_areas();
	print_core_areas(replay);
	fail_msg("call %llu: %s: the host says %llu, the core %llu",
	    (unsigned long long)replay->done, what, host, core);
}

static bool
is_inside(uint64_t address)
{
	return address >= BASE && address < BASE + PAGES * PAGE;
}

/* An area that went out of the window comes back to an agreed place. */
static void
bring_back(struct replay *replay, uint64_t host, uint64_t core, uint64_t length)
{
	struct call back = { .op = OP_MREMAP,
		.length = length,
		.length_new = length,
		.flags = MREMAP_MAYMOVE | MREMAP_FIXED };
	uint64_t pages = (length + PAGE - 1) / PAGE;
	unsigned char vec[PAGES];
	back.to = BASE;
	if (pages < PAGES)
		back.to += below(replay, PAGES - pages) * PAGE;
	if (pages > PAGES)
		back.op = OP_MUNMAP;
	back.address = host;
	struct answer host_back = host_answer(&back, vec);
	back.address = core;
	struct answer core_back = core_answer(replay, &back, vec);
	if (host_back.error != core_back.error)
		fail_with_history(replay, "errno of the way back",
		    (unsigned)host_back.error, (unsigned)core_back.error);
}

static void
compare_places(struct replay *replay, const struct call *call,
    struct answer host, struct answer core)
{
	if (call->op == OP_WRITE || call->op == OP_READ ||
	    call->op == OP_PREAD) {
		if (host.address != core.address)
			fail_with_history(replay, "the byte", host.address,
			    core.address);
		return;
	}
	if (call->op != OP_MMAP && call->op != OP_MREMAP)
		return;
	if (is_inside(host.address) != is_inside(core.address))
		fail_with_history(replay, "the place", host.address,
		    core.address);
	if (!is_inside(host.address))
		bring_back(replay, host.address, core.address,
		    call->op == OP_MMAP ? call->length : call->length_new);
	else if (host.address != core.address)
		fail_with_history(replay, "the address", host.address,
		    core.address);
}

static void
make_call(struct replay *replay, const struct call *call)
{
	static unsigned char host_vec[2 * PAGES];
	static unsigned char core_vec[2 * PAGES];
	memset(host_vec, 0, sizeof(host_vec));
	memset(core_vec, 0, sizeof(core_vec));
	replay->history[replay->done++ % HISTORY] = *call;
	struct answer host = host_answer(call, host_vec);
	struct answer core = core_answer(replay, call, core_vec);
	if (host.error != core.error)
		fail_with_history(replay, "errno", (unsigned)host.error,
		    (unsigned)core.error);
	if (host.error != 0)
		return;
	replay->agreed++;
	compare_places(replay, call, host, core);
	if (call->op == OP_MINCORE &&
	    memcmp(host_vec, core_vec, sizeof(host_vec)) != 0)
		fail_with_history(replay, "residency", 0, 0);
}

/* --- everything --- */

#define ABSENT 8u

/* Rights of each page of the window, ABSENT: no area. areas[i]: a number that
 * differs between the host's areas, 0: none. */
static void
host_rights(unsigned rights[PAGES], unsigned areas[PAGES])
{
	char line[512];
	unsigned area = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	for (unsigned i = 0; i < PAGES; i++) {
		rights[i] = ABSENT;
		areas[i] = 0;
	}
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long long start;
		unsigned long long end;
		char text[8];
		if (sscanf(line, "%llx-%llx %7s", &start, &end, text) != 3)
			continue;
		area++;
		if (start < BASE && end > BASE)
			start = BASE;
		for (; start < end && is_inside(start); start += PAGE) {
			unsigned i = (unsigned)((start - BASE) / PAGE);
			rights[i] = (text[0] == 'r') * 1u +
				    (text[1] == 'w') * 2u +
				    (text[2] == 'x') * 4u;
			areas[i] = area;
		}
	}
	fclose(maps);
}

static void
core_rights(struct replay *replay, unsigned rights[PAGES],
    uint64_t starts[PAGES])
{
	struct qr_area_info info;
	qr_space_lock(replay->space);
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t address = BASE + i * PAGE;
		rights[i] = ABSENT;
		starts[i] = 0;
		if (qr_space_query(replay->space, address, &info) != 0 ||
		    info.start > address)
			continue;
		rights[i] = info.prot;
		starts[i] = info.start;
	}
	qr_space_unlock(replay->space);
}

static uint64_t
host_locked_kib(void)
{
	char line[256];
	unsigned long long kib = 0;
	FILE *status = fopen("/proc/self/status", "re");
	assert_non_null(status);
	while (fgets(line, sizeof(line), status) != NULL) {
		if (sscanf(line, "VmLck: %llu", &kib) == 1)
			break;
	}
	fclose(status);
	return kib;
}

static void
verify_page(struct replay *replay, unsigned index)
{
	uint64_t address = BASE + index * PAGE;
	unsigned char host_in;
	unsigned char core_in;
	static unsigned char bytes[QR_PAGE_SIZE];
	assert_int_equal(syscall(SYS_mincore, address, PAGE, &host_in), 0);
	assert_int_equal(qr_call_mincore(replay->space, address, PAGE,
			     &core_in),
	    0);
	if ((host_in & 1) != core_in)
		fail_with_history(replay,
		    core_in != 0 ? "only the core has in RAM page"
				 : "only the host has in RAM page",
		    index, index);
	int host_error = host_touch(address, false, bytes);
	int core_error =
	    sim_read(replay->sim, replay->space, address, bytes, PAGE);
	if (host_error != -core_error)
		fail_with_history(replay, "a touch", (unsigned)host_error,
		    (unsigned)-core_error);
	if (host_error != 0)
		return;
	if (memcmp(bytes, (const void *)address, PAGE) != 0)
		fail_with_history(replay, "contents of page", index, index);
}

static void
verify(struct replay *replay)
{
	unsigned host[PAGES];
	unsigned core[PAGES];
	unsigned areas[PAGES];
	uint64_t starts[PAGES];
	struct qr_space_stat stat;
	host_rights(host, areas);
	core_rights(replay, core, starts);
	for (unsigned i = 0; i < PAGES; i++) {
		if (host[i] != core[i])
			fail_with_history(replay, "rights of a page", host[i],
			    core[i]);
	}
	qr_space_stat(replay->space, &stat);
	uint64_t locked = host_locked_kib() - replay->locked_before;
	if (locked != stat.locked_pages * (PAGE / 1024))
		fail_with_history(replay, "locked KiB", locked,
		    stat.locked_pages * (PAGE / 1024));
	for (unsigned i = 0; i < PAGES; i++) {
		if (host[i] != ABSENT && (host[i] & PROT_READ) != 0)
			verify_page(replay, i);
	}
	qr_check_machine(replay->machine);
}

static bool
is_locked(struct replay *replay, uint64_t address)
{
	struct qr_area_info info;
	qr_space_lock(replay->space);
	int error = qr_space_query(replay->space, address, &info);
	qr_space_unlock(replay->space);
	return error == 0 && info.start <= address &&
	       (info.flags & QR_MAP_LOCKED) != 0;
}

/*
 * Where areas end decides what mremap says, and two things make them differ:
 * the host can't join areas whose pages were touched apart from each other, and
 * it takes a charge back when an untouched area becomes read-only. Such calls
 * are not made; nor those of locked memory with DONTUNMAP, where Linux unlocks
 * the whole area but goes on counting it. Before 6.17 mremap answered otherwise
 * where several areas are concerned.
 */
static bool
call_is_fair(struct replay *replay, const struct call *call)
{
	unsigned rights[PAGES];
	unsigned areas[PAGES];
	uint64_t starts[PAGES];
	if (call->op != OP_MREMAP)
		return true;
	if (!replay->has_new_mremap)
		return false;
	if (!is_inside(call->address))
		return (call->flags & MREMAP_DONTUNMAP) == 0;
	core_rights(replay, rights, starts);
	host_rights(rights, areas);
	uint64_t first = (call->address - BASE) / PAGE;
	uint64_t end = first + call->length / PAGE + (call->length % PAGE != 0);
	for (uint64_t i = first; i < PAGES && i < end; i++) {
		if ((call->flags & MREMAP_DONTUNMAP) != 0 &&
		    is_locked(replay, BASE + i * PAGE))
			return false;
	}
	for (uint64_t i = first + 1; i < PAGES && i <= end; i++) {
		bool host_ends = areas[i] != areas[i - 1];
		bool core_ends = starts[i] != starts[i - 1];
		if (host_ends != core_ends)
			return false;
	}
	return true;
}

static bool
host_is_since(unsigned major, unsigned minor)
{
	struct utsname name;
	unsigned has_major = 0;
	unsigned has_minor = 0;
	if (uname(&name) != 0 ||
	    sscanf(name.release, "%u.%u", &has_major, &has_minor) != 2)
		return false;
	return has_major > major || (has_major == major && has_minor >= minor);
}

static void
test_replay(void **state)
{
	const char *text = getenv("QUIRE_REPLAY");
	uint64_t calls = text != NULL ? strtoull(text, NULL, 0) : CALLS;
	/* A short run is one to find the guilty call in. */
	uint64_t every = calls < 2000 ? 1 : VERIFY_EVERY;
	struct sim_config sim_config = { .ram_bytes = 4 << 20 };
	struct qr_machine_config config = { .fault_around = 1 };
	static struct replay replay;
	(void)state;
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	struct sigaction action = { .sa_handler = host_signal };
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	host_file = memfd_create("replay", MFD_CLOEXEC);
	assert_true(host_file >= 0);
	replay.random = test_random_start("replay");
	replay.sim = sim_create(&sim_config);
	assert_non_null(replay.sim);
	assert_int_equal(qr_machine_create(sim_port(replay.sim), &config,
			     &replay.machine),
	    0);
	assert_int_equal(qr_space_create(replay.machine, &replay.space), 0);
	assert_int_equal(qr_memory_create(replay.machine, 0, 0, &replay.object),
	    0);
	qr_call_may_lock(replay.space, true);
	replay.has_new_mremap = host_is_since(6, 17);
	replay.locked_before = host_locked_kib();
	while (replay.done < calls) {
		struct call call = draw_call(&replay);
		if (!call_is_fair(&replay, &call))
			continue;
		make_call(&replay, &call);
		if (replay.done % every == 0)
			verify(&replay);
	}
	printf("%llu calls, %llu of them without an error\n",
	    (unsigned long long)replay.done, (unsigned long long)replay.agreed);
	assert_int_equal(syscall(SYS_munmap, BASE, PAGES * PAGE), 0);
	qr_space_destroy(replay.space);
	qr_object_put(replay.object);
	assert_int_equal(close(host_file), 0);
	qr_machine_destroy(replay.machine);
	sim_destroy(replay.sim);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
