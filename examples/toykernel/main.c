/* SPDX-License-Identifier: MIT */
/*
 * toykernel/main.c: a kernel of one file that manages its memory by Quire's
 * core: it boots a machine, maps, takes page faults, forks, shares, maps a
 * file, swaps, runs out of memory, kills, and prints its tables. Everything it
 * needs is in <qr/machine.h>, <qr/object.h> and <qr/port.h>.
 *
 * Each step checks what it did; the kernel ends with 0 if all was right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qr/object.h>

#include "toy.h"

#define EXPECT(condition)                                                      \
	do {                                                                   \
		if (!(condition))                                              \
			expect_failed(__LINE__, #condition);                   \
	} while (0)

static void
expect_failed(int line, const char *condition)
{
	fprintf(stderr, "toykernel: main.c:%d: not so: %s\n", line, condition);
	exit(1);
}

struct kernel {
	struct toy toy;
	struct qr_port port;
	struct qr_machine *machine;
};

/* --- what the processor and its page-fault handler do --- */

/* One access of a program. A page fault goes to the core, and the access is
 * made again. Its error is what the program would get as a signal. */
static int
access_byte(struct kernel *kernel, struct qr_space *space, qr_vaddr_t address,
    unsigned access, unsigned char *byte)
{
	unsigned char *at;
	while ((at = toy_translate(&kernel->toy, qr_space_mm(space), address,
		    access)) == NULL) {
		int error = qr_space_fault(space, address, access);
		if (error != 0)
			return error;
		if (kernel->toy.reclaim_asked) {
			kernel->toy.reclaim_asked = false;
			(void)qr_machine_balance(kernel->machine);
		}
	}
	if (access == QR_ACCESS_WRITE)
		*at = *byte;
	else
		*byte = *at;
	return 0;
}

static int
store(struct kernel *kernel, struct qr_space *space, qr_vaddr_t address,
    unsigned char byte)
{
	return access_byte(kernel, space, address, QR_ACCESS_WRITE, &byte);
}

static unsigned char
load(struct kernel *kernel, struct qr_space *space, qr_vaddr_t address)
{
	unsigned char byte = 0;
	EXPECT(access_byte(kernel, space, address, QR_ACCESS_READ, &byte) == 0);
	return byte;
}

static qr_vaddr_t
map(struct qr_space *space, uint64_t pages, unsigned prot)
{
	struct qr_map_request request = {
		.size_bytes = pages * QR_PAGE_SIZE,
		.prot = prot,
	};
	qr_vaddr_t address;
	qr_space_lock(space);
	EXPECT(qr_space_map(space, &request, &address) == 0);
	qr_space_unlock(space);
	return address;
}

/* --- what there is to see --- */

static void
print_area(void *ctx, const struct qr_area_info *info)
{
	(void)ctx;
	printf("  %012llx-%012llx %c%c%c\n", (unsigned long long)info->start,
	    (unsigned long long)info->end,
	    (info->prot & QR_PROT_READ) != 0 ? 'r' : '-',
	    (info->prot & QR_PROT_WRITE) != 0 ? 'w' : '-',
	    (info->prot & QR_PROT_EXEC) != 0 ? 'x' : '-');
}

static void
print_areas(struct qr_space *space, const char *who)
{
	printf("areas of %s:\n", who);
	qr_space_lock(space);
	qr_space_for_each_area(space, print_area, NULL);
	qr_space_unlock(space);
}

/* The entries that lead to a page, from the top level down. */
static void
print_walk(struct kernel *kernel, struct qr_space *space, qr_vaddr_t address)
{
	printf("walk of %012llx:", (unsigned long long)address);
	for (unsigned level = 4; level-- > 0;)
		printf(" %llx", (unsigned long long)toy_entry(&kernel->toy,
				    qr_space_mm(space), address, level));
	printf("\n");
}

static struct qr_machine_stat
print_memory(struct kernel *kernel, const char *when)
{
	struct qr_machine_stat stat;
	qr_machine_stat(kernel->machine, &stat);
	printf("%-18s frames %llu free, %llu mapped, %llu kernel; out %llu, "
	       "of these on disk %llu\n",
	    when, (unsigned long long)stat.frames_free,
	    (unsigned long long)stat.frames_user,
	    (unsigned long long)stat.frames_meta,
	    (unsigned long long)stat.swap_slots,
	    (unsigned long long)stat.swap_on_device);
	qr_check_machine(kernel->machine);
	return stat;
}

static void
print_score(void *ctx, const struct qr_oom_score *score)
{
	(void)ctx;
	printf("  badness %lld: %llu pages in RAM, %llu out, %llu of tables\n",
	    (long long)score->badness,
	    (unsigned long long)score->resident_pages,
	    (unsigned long long)score->swapped_pages,
	    (unsigned long long)score->table_pages);
}

/* --- the steps --- */

static void
boot(struct kernel *kernel)
{
	struct qr_machine_config config = { .policy = "clock" };
	kernel->toy.ram =
	    aligned_alloc(QR_PAGE_SIZE, (size_t)TOY_RAM_PAGES * QR_PAGE_SIZE);
	kernel->toy.disk = calloc(TOY_DISK_PAGES, QR_PAGE_SIZE);
	EXPECT(kernel->toy.ram != NULL);
	EXPECT(kernel->toy.disk != NULL);
	kernel->port = toy_port(&kernel->toy);
	EXPECT(
	    qr_machine_create(&kernel->port, &config, &kernel->machine) == 0);
	(void)print_memory(kernel, "booted:");
}

/* A touch brings a page of zeroes in; what is not allowed is refused. */
static void
map_and_fault(struct kernel *kernel, struct qr_space *space)
{
	qr_vaddr_t at = map(space, 8, QR_PROT_READ | QR_PROT_WRITE);
	EXPECT(toy_entry(&kernel->toy, qr_space_mm(space), at, 0) == 0);
	EXPECT(load(kernel, space, at) == 0);
	EXPECT(store(kernel, space, at, 42) == 0);
	EXPECT(load(kernel, space, at) == 42);
	print_walk(kernel, space, at);

	qr_space_lock(space);
	EXPECT(qr_space_protect(space, at, QR_PAGE_SIZE, QR_PROT_READ, 0) == 0);
	qr_space_unlock(space);
	print_areas(space, "init");
	EXPECT(store(kernel, space, at, 1) == -QR_EFAULT);
	EXPECT(load(kernel, space, at) == 42);
	EXPECT(store(kernel, space, at + QR_PAGE_SIZE, 1) == 0);
	EXPECT(store(kernel, space, 0x1000, 1) == -QR_EFAULT);
	qr_space_lock(space);
	EXPECT(qr_space_unmap(space, at, 8 * QR_PAGE_SIZE, 0) == 0);
	qr_space_unlock(space);
	EXPECT(store(kernel, space, at + QR_PAGE_SIZE, 1) == -QR_EFAULT);
}

/* A child has the parent's pages, not copies, until one of them writes. */
static void
fork_and_share(struct kernel *kernel, struct qr_space *parent)
{
	enum { PAGES = 60 };
	struct qr_space *child;
	qr_vaddr_t at = map(parent, PAGES, QR_PROT_READ | QR_PROT_WRITE);
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(store(kernel, parent, at + i * QR_PAGE_SIZE,
			   (unsigned char)i) == 0);
	struct qr_machine_stat before =
	    print_memory(kernel, "before the fork:");
	EXPECT(qr_space_fork(parent, &child) == 0);
	struct qr_machine_stat after = print_memory(kernel, "after it:");
	EXPECT(after.frames_user == before.frames_user);
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT(load(kernel, child, at + i * QR_PAGE_SIZE) == i);
	EXPECT(store(kernel, child, at, 200) == 0);
	EXPECT(load(kernel, parent, at) == 0);
	EXPECT(load(kernel, child, at) == 200);
	after = print_memory(kernel, "after a write:");
	EXPECT(after.frames_user == before.frames_user + 1);
	EXPECT(after.faults_cow == before.faults_cow + 1);
	qr_space_destroy(child);
	qr_space_lock(parent);
	EXPECT(qr_space_unmap(parent, at, PAGES * QR_PAGE_SIZE, 0) == 0);
	qr_space_unlock(parent);
}

static qr_vaddr_t
map_file(struct qr_space *space, struct qr_object *object, unsigned flags)
{
	struct qr_map_request request = {
		.size_bytes = qr_object_size(object),
		.prot = QR_PROT_READ | QR_PROT_WRITE,
		.flags = flags,
		.object = object,
	};
	qr_vaddr_t address;
	qr_space_lock(space);
	EXPECT(qr_space_map(space, &request, &address) == 0);
	qr_space_unlock(space);
	return address;
}

/* Two processes map a file: what one writes the other reads, and the file has
 * it after a sync. A third keeps what it writes to itself. */
static void
map_a_file(struct kernel *kernel, struct qr_space *first)
{
	unsigned char *bytes = kernel->toy.file;
	struct qr_object *file;
	struct qr_space *second;
	bytes[5] = 55;
	EXPECT(qr_file_open(kernel->machine, bytes, sizeof(kernel->toy.file),
		   &file) == 0);
	EXPECT(qr_space_create(kernel->machine, &second) == 0);
	qr_vaddr_t shared = map_file(first, file, QR_MAP_SHARED);
	qr_vaddr_t other = map_file(second, file, QR_MAP_SHARED);
	qr_vaddr_t copy = map_file(second, file, 0);
	EXPECT(load(kernel, first, shared + 5) == 55);
	EXPECT(store(kernel, second, other + 5, 56) == 0);
	EXPECT(load(kernel, first, shared + 5) == 56);
	EXPECT(store(kernel, second, copy + 5, 57) == 0);
	EXPECT(load(kernel, second, other + 5) == 56);
	EXPECT(bytes[5] == 55);
	EXPECT(qr_object_sync(file, 0, UINT64_MAX, NULL) == 0);
	EXPECT(bytes[5] == 56);
	(void)print_memory(kernel, "a file mapped:");
	EXPECT(qr_object_resize(file, QR_PAGE_SIZE) == 0);
	EXPECT(store(kernel, second, copy + QR_PAGE_SIZE, 1) == -QR_ENXIO);
	qr_space_destroy(second);
	qr_space_lock(first);
	EXPECT(qr_space_unmap(first, shared, sizeof(kernel->toy.file), 0) == 0);
	qr_space_unlock(first);
	qr_object_put(file);
}

/* More pages than there is RAM for: the rest is on the disk, and comes back as
 * it was. */
static void
swap(struct kernel *kernel, struct qr_space *space)
{
	enum { PAGES = 800 };
	qr_vaddr_t at = map(space, PAGES, QR_PROT_READ | QR_PROT_WRITE);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < PAGES; i++) {
			qr_vaddr_t page = at + i * QR_PAGE_SIZE;
			unsigned char byte = (unsigned char)(i % 255 + round);
			if (round > 0)
				EXPECT(load(kernel, space, page + i) ==
				       (unsigned char)(i % 255));
			EXPECT(store(kernel, space, page + i, byte) == 0);
		}
	}
	struct qr_machine_stat stat = print_memory(kernel, "more than RAM:");
	EXPECT(stat.swap_on_device > PAGES - TOY_RAM_PAGES);
	EXPECT(stat.faults_device > 0);
	qr_space_lock(space);
	EXPECT(qr_space_unmap(space, at, PAGES * QR_PAGE_SIZE, 0) == 0);
	qr_space_unlock(space);
	stat = print_memory(kernel, "given back:");
	EXPECT(stat.swap_slots == 0);
}

/* RAM and disk are full: the program that wants more is killed, and another
 * that waited goes on. */
static void
run_out(struct kernel *kernel, struct qr_space *other)
{
	enum { PAGES = 4000 };
	struct qr_space *greedy;
	qr_vaddr_t kept = map(other, 1, QR_PROT_READ | QR_PROT_WRITE);
	EXPECT(store(kernel, other, kept, 7) == 0);
	EXPECT(qr_space_create(kernel->machine, &greedy) == 0);
	qr_vaddr_t at = map(greedy, PAGES, QR_PROT_READ | QR_PROT_WRITE);
	unsigned had = 0;
	int error = 0;
	while (error == 0 && had < PAGES) {
		error = store(kernel, greedy, at + had * QR_PAGE_SIZE, 1);
		had++;
	}
	EXPECT(error == -QR_ENOMEM);
	EXPECT(kernel->toy.oom_calls == 1);
	(void)print_memory(kernel, "out of memory:");
	printf("killed after %u pages: %llu of %llu frames free, %llu of %llu "
	       "disk pages\n",
	    had, (unsigned long long)kernel->toy.oom.frames_free,
	    (unsigned long long)kernel->toy.oom.frames_total,
	    (unsigned long long)kernel->toy.oom.swap_free,
	    (unsigned long long)kernel->toy.oom.swap_pages);
	struct qr_oom_score worst;
	EXPECT(qr_machine_oom_choose(kernel->machine, print_score, NULL,
		   &worst) == 0);
	EXPECT(worst.space == greedy);
	qr_space_destroy(worst.space);
	EXPECT(load(kernel, other, kept) == 7);
	struct qr_machine_stat stat = print_memory(kernel, "killed:");
	EXPECT(stat.frames_free > TOY_RAM_PAGES / 2);
}

int
main(void)
{
	static struct kernel kernel;
	struct qr_space *init;
	boot(&kernel);
	EXPECT(qr_space_create(kernel.machine, &init) == 0);
	map_and_fault(&kernel, init);
	fork_and_share(&kernel, init);
	map_a_file(&kernel, init);
	swap(&kernel, init);
	run_out(&kernel, init);
	print_areas(init, "init");
	qr_space_destroy(init);
	qr_machine_destroy(kernel.machine);
	free(kernel.toy.ram);
	free(kernel.toy.disk);
	printf("toykernel: all done\n");
	return 0;
}
