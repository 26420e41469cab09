/* SPDX-License-Identifier: MIT */
/*
 * carry.c: programs that are statically linked.
 *
 * 1. Purpose. Nothing brings a library into a program without a dynamic
 * loader, and the kernel starts it at its own first instruction. So another
 * program is started in its place, the *carrier* (carrier.c), which is
 * dynamic, small and position independent. Our constructor runs in it as in
 * any other, maps the static program as the kernel would have, and enters it
 * instead of returning to the carrier's loader:
 *
 *      exec(carrier, the program's words, QUIRE_STATIC=fd)
 *        ld.so ──► constructor ──► carry_load: segments, .bss
 *                       │          start_run: manage, arm the gate
 *                       └────────► carry_enter: words, variables, auxiliary
 *                                  vector on the stack ──► its entry
 *
 * Afterwards the carrier's code, its libc and ld.so lie there and are not
 * used again. The program has its own libc, sets up its own TLS, and makes its
 * system calls by its own instructions, which trap at the gate as any do.
 *
 * 2. What it sees. Words, variables, name (comm), personality, descriptors and
 * credentials are what they would be; the addresses that it was linked for are
 * free, since the carrier and all that is loaded with it lie at high ones. The
 * auxiliary vector tells of its own headers and entry. /proc/self/exe names
 * the carrier, which the kernel alone could change: calls that go by that
 * path are given the program's own descriptor (gate/image.c). The break is the
 * carrier's; the first break of a process is at a random place anyhow.
 * /proc/PID/maps shows the carrier, its loader and its libraries, too, some
 * 4 MiB of address space.
 *
 * 3. The TLS register. A program of another libc, or of none, may have in FS
 * what it likes, an address that is out among others; and code that Quire is
 * linked to reads a word by it. So FS is Quire's own while a thread is inside
 * the core.
 *
 * 4. Failure. What the kernel would refuse is refused here, at a time when it
 * is too late for exec to fail: the process ends with a report. Therefore the
 * gate and the command look first whether the file is for this machine, and
 * may be executed. An image that wants addresses that are taken ends so, too.
 *
 * 5. Rejected. Writing the library into the process by ptrace at its exec:
 * that needs a tracer for the whole life of the tree, or a right that Yama
 * and containers withhold, and takes the place of the program's own
 * debugger. Adding an interpreter to a copy of the file: it must lie
 * somewhere, and its name is another one. Linux's binfmt_misc: root's.
 */
#include "carry.h"

#include <asm/hwcap2.h>
#include <asm/prctl.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "elf_image.h"
#include "files.h"
#include "linux.h"
#include "pager.h"
#include "print.h"
#include "sys.h"

/* Entries of the auxiliary vector; Linux has some 25. */
#define AUXILIARY_MAX 64u

/* One past what a program may be mapped at: 47 bits. */
#define ADDRESS_END ((uint64_t)1 << 47)

/* A segment, in pages where it says so. */
struct part {
	uintptr_t start;    /* page */
	uintptr_t file_end; /* byte behind what the file has of it */
	uintptr_t end;      /* page behind all of it */
	uint64_t offset;    /* of start in the file, page */
	int prot;
	bool has_file;
};

static struct {
	int fd; /* that it is open at; -1: there is no such program */
	Elf64_Ehdr header;
	uintptr_t bias;                /* added to the addresses in the file */
	uintptr_t entry;               /* its first instruction */
	uintptr_t headers;             /* its program headers; 0: not mapped */
	bool stack_runs;               /* it wants instructions on its stack */
	bool sets_fs;                  /* a program may set FS by itself */
	const char *name;              /* what it was started as */
	const Elf64_auxv_t *auxiliary; /* the carrier's */
} carry = { .fd = -1 };

static bool
copy_from_fd(void *ctx, uint64_t offset, void *to, size_t size)
{
	const int *fd = ctx;
	return qr_sys4(SYS_pread64, *fd, to, size, (long)offset) == (long)size;
}

static const struct elf_source source = { copy_from_fd, &carry.fd };

/* --- what it is --- */

bool
carry_is_on(void)
{
	return carry.fd >= 0;
}

void
carry_note(const char *value, char **environment)
{
	if (value == NULL)
		return;
	carry.fd = 0;
	for (; *value >= '0' && *value <= '9'; value++)
		carry.fd = carry.fd * 10 + (*value - '0');
	carry.name = *value == ':' ? value + 1 : value;
	while (*environment != NULL)
		environment++;
	carry.auxiliary = (const Elf64_auxv_t *)(environment + 1);
	for (const Elf64_auxv_t *at = carry.auxiliary; at->a_type != AT_NULL;
	     at++) {
		if (at->a_type == AT_HWCAP2)
			carry.sets_fs = (at->a_un.a_val & HWCAP2_FSGSBASE) != 0;
	}
}

bool
pager_image(char text[PAGER_IMAGE_SIZE])
{
	struct print print;
	print_init(&print, text, PAGER_IMAGE_SIZE);
	print_format(&print, "/proc/self/fd/%d", own_fd(OWN_IMAGE));
	return own_fd(OWN_IMAGE) >= 0;
}

static const char *
last_part(const char *path)
{
	const char *last = path;
	for (; *path != '\0'; path++) {
		if (*path == '/')
			last = path + 1;
	}
	return last;
}

/* As the kernel: by what it was started as, and if that is a descriptor by
 * its file. */
static void
name_process(void)
{
	static const char descriptor[] = "/dev/fd/";
	char file[QR_LINUX_PATH_MAX];
	char link[PAGER_IMAGE_SIZE];
	const char *name = last_part(carry.name);
	if (strncmp(carry.name, descriptor, strlen(descriptor)) == 0 &&
	    name == carry.name + strlen(descriptor) && pager_image(link)) {
		long n = qr_sys3(SYS_readlink, link, file, sizeof(file) - 1);
		file[n < 0 ? 0 : n] = '\0';
		name = last_part(file);
	}
	qr_sys2(SYS_prctl, (long)PR_SET_NAME, name);
}

/* --- the TLS register --- */

/* Sets it; what it was. */
static uintptr_t
fs_swap(uintptr_t fs)
{
	uintptr_t old;
	if (carry.sets_fs) {
		__asm__ volatile("rdfsbase %0" : "=r"(old));
		__asm__ volatile("wrfsbase %0" : : "r"(fs) : "memory");
		return old;
	}
	qr_sys2(SYS_arch_prctl, (long)ARCH_GET_FS, &old);
	qr_sys2(SYS_arch_prctl, (long)ARCH_SET_FS, fs);
	return old;
}

void
carry_enter_core(struct qr_thread *thread)
{
	thread->program_fs = fs_swap((uintptr_t)thread->tcb);
}

void
carry_leave_core(struct qr_thread *thread)
{
	(void)fs_swap(thread->program_fs);
}

/* --- mapping --- */

static uintptr_t
page_down(uintptr_t address)
{
	return address & ~(QR_PAGE_SIZE - 1);
}

static uintptr_t
page_up(uintptr_t address)
{
	return page_down(address + QR_PAGE_SIZE - 1);
}

/* What a segment is to look like in memory. False: no kernel would map it. */
static bool
part_of(const Elf64_Phdr *segment, struct part *part)
{
	uint64_t file_end, end;
	if (segment->p_filesz > segment->p_memsz ||
	    __builtin_add_overflow(segment->p_vaddr, segment->p_memsz, &end) ||
	    end > ADDRESS_END ||
	    (segment->p_vaddr - segment->p_offset) % QR_PAGE_SIZE != 0)
		return false;
	file_end = segment->p_vaddr + segment->p_filesz;
	part->start = page_down(carry.bias + segment->p_vaddr);
	part->file_end = carry.bias + file_end;
	part->end = page_up(carry.bias + end);
	part->offset = page_down(segment->p_offset);
	part->has_file = segment->p_filesz != 0;
	part->prot = ((segment->p_flags & PF_R) != 0 ? PROT_READ : 0) |
		     ((segment->p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
		     ((segment->p_flags & PF_X) != 0 ? PROT_EXEC : 0);
	return true;
}

static long
map(uintptr_t at, size_t size, int prot, int flags, uint64_t offset)
{
	bool file = (flags & MAP_ANONYMOUS) == 0;
	return qr_sys6(SYS_mmap, (long)at, (long)size, prot,
	    flags | MAP_PRIVATE, file ? carry.fd : -1, (long)offset);
}

/* What the file has of it, then zeros. */
static int
part_map(const struct part *part)
{
	const int fixed = MAP_FIXED;
	uintptr_t zeros = part->start;
	if (part->has_file) {
		long at = map(part->start, part->file_end - part->start,
		    part->prot, fixed, part->offset);
		if (qr_sys_failed(at))
			return (int)at;
		zeros = page_up(part->file_end);
		/* As the kernel: where it may be written to. */
		if ((part->prot & PROT_WRITE) != 0 && part->end >= zeros) {
			volatile char *byte = (volatile char *)part->file_end;
			while ((uintptr_t)byte < zeros)
				*byte++ = 0;
		}
	}
	if (zeros >= part->end)
		return 0;
	long at =
	    map(zeros, part->end - zeros, part->prot, fixed | MAP_ANONYMOUS, 0);
	return qr_sys_failed(at) ? (int)at : 0;
}

/* The addresses that the segments lie between; -ENOEXEC: they are none that
 * can be mapped. */
static int
find_span(uintptr_t *start, uintptr_t *end, uintptr_t *align)
{
	Elf64_Phdr segment;
	struct part part;
	*start = *end = 0;
	*align = QR_PAGE_SIZE;
	for (unsigned i = 0;
	     elf_image_segment(&source, &carry.header, i, &segment); i++) {
		if (segment.p_type == PT_GNU_STACK)
			carry.stack_runs = (segment.p_flags & PF_X) != 0;
		if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
			continue;
		if (!part_of(&segment, &part) ||
		    (*end != 0 && part.start < page_down(*end - 1)))
			return -ENOEXEC;
		*start = *end == 0 ? part.start : *start;
		*end = part.end;
		if (segment.p_align > *align &&
		    (segment.p_align & (segment.p_align - 1)) == 0 &&
		    segment.p_align < ADDRESS_END / 2)
			*align = segment.p_align;
	}
	return *end != 0 ? 0 : -ENOEXEC;
}

/* Takes the addresses: its own, or any if it does not mind. */
static int
take_span(uintptr_t start, uintptr_t end, uintptr_t align)
{
	const int flags = MAP_ANONYMOUS | MAP_NORESERVE;
	if (carry.header.e_type == ET_EXEC) {
		long at = map(start, end - start, PROT_NONE,
		    flags | MAP_FIXED_NOREPLACE, 0);
		return qr_sys_failed(at) ? (int)at : 0;
	}
	size_t size = end - start + align;
	long got = map(0, size, PROT_NONE, flags, 0);
	if (qr_sys_failed(got))
		return (int)got;
	uintptr_t base = (uintptr_t)got;
	uintptr_t at =
	    ((base + align - 1) & ~(align - 1)) + (start & (align - 1));
	if (at + (end - start) > base + size)
		at -= align;
	if (at > base)
		qr_sys2(SYS_munmap, base, at - base);
	uintptr_t behind = at + (end - start);
	if (base + size > behind)
		qr_sys2(SYS_munmap, behind, base + size - behind);
	carry.bias = at - start;
	return 0;
}

static void
note_headers(const Elf64_Phdr *segment)
{
	uint64_t at = carry.header.e_phoff;
	if (at >= segment->p_offset &&
	    at - segment->p_offset < segment->p_filesz)
		carry.headers =
		    carry.bias + segment->p_vaddr + (at - segment->p_offset);
}

/* Maps all segments into the addresses that were taken, and gives back those
 * between them. */
static int
map_segments(uintptr_t start)
{
	Elf64_Phdr segment;
	struct part part;
	uintptr_t reached = start + carry.bias;
	for (unsigned i = 0;
	     elf_image_segment(&source, &carry.header, i, &segment); i++) {
		if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
			continue;
		if (!part_of(&segment, &part))
			return -ENOEXEC;
		if (part.start > reached)
			qr_sys2(SYS_munmap, reached, part.start - reached);
		int failed = part_map(&part);
		if (failed != 0)
			return failed;
		reached = part.end;
		note_headers(&segment);
	}
	return 0;
}

int
carry_load(void)
{
	uintptr_t start, end, align;
	if (carry.fd < 0)
		return 0;
	if (!elf_image_header(&source, &carry.header) ||
	    carry.header.e_machine != elf_own_machine() ||
	    (carry.header.e_type != ET_EXEC && carry.header.e_type != ET_DYN))
		return -ENOEXEC;
	int failed = find_span(&start, &end, &align);
	if (failed == 0)
		failed = take_span(start, end, align);
	if (failed == 0)
		failed = map_segments(start);
	if (failed != 0)
		return failed;
	carry.entry = carry.bias + carry.header.e_entry;
	failed = own_fd_set(OWN_IMAGE, carry.fd);
	if (failed < 0)
		return failed;
	name_process();
	return 0;
}

/* --- entering --- */

/* What the kernel tells a new program, where it differs for this one. */
static uint64_t
auxiliary_value(const Elf64_auxv_t *entry)
{
	switch (entry->a_type) {
	case AT_PHDR:
		return carry.headers;
	case AT_PHENT:
		return carry.header.e_phentsize;
	case AT_PHNUM:
		return carry.header.e_phnum;
	case AT_BASE:
		return 0;
	case AT_ENTRY:
		return carry.entry;
	case AT_EXECFN:
		return (uintptr_t)carry.name;
	default:
		return entry->a_un.a_val;
	}
}

static size_t
list_count(char **list)
{
	size_t n = 0;
	while (list[n] != NULL)
		n++;
	return n;
}

static uintptr_t *
list_put(uintptr_t *to, char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		*to++ = (uintptr_t)list[i];
	*to++ = 0;
	return to;
}

QR_NORETURN static void
jump(uintptr_t entry, uintptr_t *stack)
{
	/* No function to be called at the end, in rdx; all else is the
	 * program's to set. */
	__asm__ volatile("movq %0, %%rsp\n\t"
			 "xorl %%edx, %%edx\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "jmp *%1"
			 :
			 : "r"(stack), "a"(entry)
			 : "memory");
	__builtin_unreachable();
}

void
carry_enter(char **words, char **environment)
{
	if (carry.fd < 0)
		return;
	size_t word_count = list_count(words);
	size_t variable_count = list_count(environment);
	size_t auxiliary_count = 0;
	while (auxiliary_count < AUXILIARY_MAX &&
	       carry.auxiliary[auxiliary_count].a_type != AT_NULL)
		auxiliary_count++;
	size_t cells =
	    1 + word_count + 1 + variable_count + 1 + 2 * (auxiliary_count + 1);
	/* As the kernel leaves it: the count of the words is where the stack
	 * pointer is, and that is a multiple of 16. */
	uintptr_t *stack = __builtin_alloca_with_align((cells + 1) * 8, 128);
	uintptr_t *at = stack;
	*at++ = word_count;
	at = list_put(at, words, word_count);
	at = list_put(at, environment, variable_count);
	for (size_t i = 0; i < auxiliary_count; i++) {
		*at++ = carry.auxiliary[i].a_type;
		*at++ = auxiliary_value(&carry.auxiliary[i]);
	}
	*at++ = AT_NULL;
	*at++ = 0;
	if (carry.stack_runs)
		qr_sys3(SYS_mprotect, page_down((uintptr_t)stack), QR_PAGE_SIZE,
		    (long)(PROT_READ | PROT_WRITE | PROT_EXEC |
			   PROT_GROWSDOWN));
	jump(carry.entry, stack);
}
