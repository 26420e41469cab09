/* SPDX-License-Identifier: MIT */
/*
 * gate/patch.c: calls that pass the gate without a trap.
 *
 * 1. Purpose. A trap costs more than ten system calls, and nearly all of that
 * is the kernel's signal frame. Some functions of libc make most calls of
 * most programs: those of read, write, epoll_wait and the like are patched
 * to jump to the gate. The pages that they are on are the process's own then,
 * so all other calls on these pages that can be are patched too.
 *
 * 2. What is written. A site is found in the code of the function that libc
 * exports by that name, as one of two sequences of instructions:
 *
 *      before                             after
 *      b8 nn nn 00 00  mov $n, %eax       e9 ...   jmp entry
 *      0f 05           syscall            0f 05    syscall
 *
 *      31 c0           xor %eax, %eax     eb ..    jmp hole
 *      0f 05           syscall            0f 05    syscall
 *      48 3d ...       cmp
 *      77 ..           ja
 *      c3              ret
 *      (nop)                        hole: e9 ...   jmp entry
 *
 * One instruction takes the place of one, and nothing moves: the system call
 * instruction stays where it was, and traps, for whoever jumps to it. The
 * hole is what the compiler has put in after a `ret` to align what follows,
 * so nothing runs there. So a site may be left at any moment by going to its
 * system call with the number in eax [patch.1]; that is the answer to
 * everything that is not the common case.
 *
 * 3. The way. patch_entry.S finds the thread's record in a word of libc's
 * TLS, changes to the Quire stack, keeps the registers and has the call
 * planned, by the same table as any. If it is to be made as it is, the
 * registers are put back and it is made by the site's stub; all else leaves
 * by [patch.1] and is planned anew in the trap.
 *
 * 4. Signals. The stub is the same as ever. Before it, where the instruction
 * pointer is says what a signal finds:
 *   on the program's stack   nothing is begun: moved to the site's system
 *                            call (patch_settle), then as in any other place
 *   on the Quire stack       the handler has to wait [gate.3]: the signal is
 *                            kept in the record, all are blocked, and the way
 *                            ends in a trap, where the mask is put back and
 *                            the handler runs before the call is made
 * The thread looks for a kept signal last, at qr_patch_check; whoever is
 * interrupted between there and the change of stacks is sent back there.
 *
 * 5. The word. It holds the record and its complement, so that a thread whose
 * TLS was not made by libc, with anything there, is not taken for one of
 * ours; if nothing is there the fault is answered by [patch.1]. It is set by
 * a thread's first trap from a patched site, and only if the TLS is its own:
 * a guest runs on its parent's. Before a birth without a TLS of its own the
 * parent's is therefore taken out, and comes back by itself [patch.2]. It is
 * taken out at the thread's end, too.
 *
 * 6. Failure. What is not as expected is left alone: another libc, a function
 * compiled in another way, text that may not be written. Patched text is a
 * copy of the process's own, some sixteen pages.
 *
 * 7. What differs from the kernel. The arithmetic flags are not kept over a
 * call; no compiler expects them.
 *
 * 8. Rejected. Patching every site of libc: most are made rarely, each page
 * patched is a page of memory, and inside of unknown functions it is less
 * sure that bytes are instructions. Moving instructions into a stub: the
 * address after the call is then no longer one of the program's, which
 * handlers and unwinders see. Patching what is seen to trap often: then other
 * threads may be executing it.
 */
#include <link.h>
#include <sys/mman.h>

#include "../../../core/base/check.h"
#include "plan.h"
#include "signal_impl.h"

#define SYSCALL_SIZE 2u /* bytes of the instruction */
#define JUMP_SIZE    5u /* of jmp rel32 */
#define ENTRY_SIZE   16u
#define GOT_SELF     16u /* of libc's thread pointer to itself, bytes */

/* A patched site. patch_entry.S knows the layout. */
struct patch_site {
	uintptr_t call;  /* its system call instruction */
	uintptr_t stub;  /* makes it */
	uint64_t number; /* of the call */
	uintptr_t jump;  /* what is to be written over, 5 bytes; at a hole
			    not the site */
};

/* On the Quire stack while a call is planned. */
struct patch_frame {
	uint64_t index; /* of the site */
	uint64_t args[6];
	uint64_t sp;
	uint64_t number;
	uint64_t target; /* where to go on */
	unsigned char vectors[256];
};

_Static_assert(sizeof(struct patch_site) == 32, "see patch_entry.S");
_Static_assert(sizeof(struct patch_frame) == 336, "see patch_entry.S");
_Static_assert(offsetof(struct patch_frame, sp) == 56, "see patch_entry.S");
_Static_assert(offsetof(struct qr_thread, patch) == QR_THREAD_PATCH_AT,
    "see sys_config.h");

/* Written by patch_install, then constant. */
struct patch_site qr_patch_sites[QR_PATCH_COUNT]
    __attribute__((visibility("hidden")));

static struct {
	unsigned count;
	uintptr_t text_start; /* pages that are written to */
	uintptr_t text_end;
} patch;

extern unsigned char qr_patch_first[];
extern unsigned char qr_patch_enter[];
extern unsigned char qr_patch_load[];
extern unsigned char qr_patch_loaded[];
extern unsigned char qr_patch_check[];
extern unsigned char qr_patch_outside[];
extern unsigned char qr_patch_refuse[];
extern unsigned char qr_patch_refused[];
extern unsigned char qr_patch_end[];

long qr_patch_offset(void);
void patch_plan(struct qr_thread *thread, struct patch_frame *frame);

/* Functions of libc, and the call that each makes. Its plan must do nothing
 * that can't be done again, and want nothing of the context. */
static const struct {
	const char *name;
	uint32_t number;
} functions[] = {
	{ "read", SYS_read },
	{ "write", SYS_write },
	{ "pread64", SYS_pread64 },
	{ "pwrite64", SYS_pwrite64 },
	{ "readv", SYS_readv },
	{ "writev", SYS_writev },
	{ "lseek64", SYS_lseek },
	{ "fstatat64", SYS_newfstatat },
	{ "open64", SYS_openat },
	{ "poll", SYS_poll },
	{ "epoll_wait", SYS_epoll_wait },
	{ "epoll_ctl", SYS_epoll_ctl },
	{ "recv", SYS_recvfrom },
	{ "recvfrom", SYS_recvfrom },
	{ "recvmsg", SYS_recvmsg },
	{ "send", SYS_sendto },
	{ "sendto", SYS_sendto },
	{ "sendmsg", SYS_sendmsg },
	{ "close", SYS_close },
	{ "__close_nocancel", SYS_close },
	{ "__pread64_nocancel", SYS_pread64 },
	{ "__read_nocancel", SYS_read },
	{ "fcntl64", SYS_fcntl },
	{ "getdents64", SYS_getdents64 },
	{ "ioctl", SYS_ioctl },
	{ "access", SYS_access },
	{ "wait4", SYS_wait4 },
	{ "accept4", SYS_accept4 },
	{ "clock_nanosleep", SYS_clock_nanosleep },
	{ "sched_yield", SYS_sched_yield },
	{ "getpid", SYS_getpid },
	{ "__lll_lock_wait_private", SYS_futex },
	{ "pthread_cond_signal", SYS_futex },
	{ "pthread_cond_wait", SYS_futex },
};

/* --- finding libc's functions --- */

struct library {
	uintptr_t base;
	const ElfW(Sym) * symbols;
	const char *names;
	const uint32_t *hash; /* DT_GNU_HASH */
};

static bool
text_equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static bool
is_libc(const char *path)
{
	const char *name = path;
	for (; *path != '\0'; path++) {
		if (*path == '/')
			name = path + 1;
	}
	return text_equal(name, "libc.so.6");
}

/* The dynamic linker has the list of what is loaded. */
static bool
library_find(struct library *library)
{
	const struct link_map *map = _r_debug.r_map;
	while (map != NULL && !is_libc(map->l_name))
		map = map->l_next;
	if (map == NULL)
		return false;
	*library = (struct library){ .base = map->l_addr };
	for (const ElfW(Dyn) *dyn = map->l_ld; dyn->d_tag != DT_NULL; dyn++) {
		/* Relocated in place, or not. */
		uintptr_t at = dyn->d_un.d_ptr;
		if (at < map->l_addr)
			at += map->l_addr;
		if (dyn->d_tag == DT_SYMTAB)
			library->symbols = (const ElfW(Sym) *)at;
		else if (dyn->d_tag == DT_STRTAB)
			library->names = (const char *)at;
		else if (dyn->d_tag == DT_GNU_HASH)
			library->hash = (const uint32_t *)at;
	}
	return library->symbols != NULL && library->names != NULL &&
	       library->hash != NULL;
}

/* The table: bucket count, first symbol, bloom words, bloom shift; bloom
 * filter of 64-bit words; buckets; a hash a symbol, bit 0 ends a chain. */
static const ElfW(Sym) *
    symbol_find(const struct library *library, const char *name)
{
	uint32_t hash = 5381;
	for (const char *c = name; *c != '\0'; c++)
		hash = hash * 33 + (unsigned char)*c;
	const uint32_t *buckets = library->hash + 4 + library->hash[2] * 2;
	const uint32_t *chain = buckets + library->hash[0];
	uint32_t first = library->hash[1];
	uint32_t i = buckets[hash % library->hash[0]];
	if (i < first)
		return NULL;
	for (;; i++) {
		const ElfW(Sym) *symbol = &library->symbols[i];
		if (((chain[i - first] ^ hash) >> 1) == 0 &&
		    ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
		    symbol->st_shndx != SHN_UNDEF &&
		    text_equal(library->names + symbol->st_name, name))
			return symbol;
		if ((chain[i - first] & 1) != 0)
			return NULL;
	}
}

/* --- finding sites --- */

/* A function's code. */
struct code {
	const unsigned char *at;
	size_t size_bytes;
	uintptr_t hole; /* dead bytes in it */
	size_t hole_bytes;
};

static const unsigned char xor_call[] = { 0x31, 0xc0, 0x0f, 0x05 };

/* Behind xor_call: cmp, ja, ret, nop; -1: any. */
static const int16_t hole_before[] = { 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77,
	-1, 0xc3, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 };
#define HOLE_OFFSET 9u
#define HOLE_SIZE   10u
#define HOLE_REACH  127 /* of jmp rel8, bytes */

static bool
bytes_equal(const unsigned char *at, const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (at[i] != bytes[i])
			return false;
	}
	return true;
}

static void
site_add(const unsigned char *call, uint32_t number, uintptr_t jump)
{
	uintptr_t from = jump + JUMP_SIZE;
	uintptr_t stub = stub_for((uintptr_t)call + SYSCALL_SIZE);
	intptr_t far = (intptr_t)((uintptr_t)qr_patch_first - from);
	if (patch.count == QR_PATCH_COUNT || stub == 0 || far > INT32_MAX / 2 ||
	    far < INT32_MIN / 2)
		return;
	qr_patch_sites[patch.count++] =
	    (struct patch_site){ (uintptr_t)call, stub, number, jump };
	if (patch.text_start == 0 || jump < patch.text_start)
		patch.text_start = jump;
	if ((uintptr_t)call > patch.text_end)
		patch.text_end = (uintptr_t)call;
	if (jump > patch.text_end)
		patch.text_end = jump;
}

static void
find_hole(struct code *code)
{
	size_t need = sizeof(xor_call) + HOLE_OFFSET + HOLE_SIZE;
	for (size_t i = 0; i + need <= code->size_bytes; i++) {
		const unsigned char *at = code->at + i;
		if (!bytes_equal(at, xor_call, sizeof(xor_call)))
			continue;
		at += sizeof(xor_call);
		size_t n = 0;
		while (n < HOLE_OFFSET + HOLE_SIZE &&
		       (hole_before[n] < 0 || hole_before[n] == at[n]))
			n++;
		if (n != HOLE_OFFSET + HOLE_SIZE)
			continue;
		code->hole = (uintptr_t)at + HOLE_OFFSET;
		code->hole_bytes = HOLE_SIZE;
		return;
	}
}

static void
find_zero_sites(struct code *code)
{
	find_hole(code);
	for (size_t i = 0; i + sizeof(xor_call) <= code->size_bytes; i++) {
		const unsigned char *at = code->at + i;
		intptr_t far = (intptr_t)(code->hole - (uintptr_t)at) - 2;
		if (!bytes_equal(at, xor_call, sizeof(xor_call)) ||
		    code->hole_bytes < JUMP_SIZE || far > HOLE_REACH ||
		    far < -HOLE_REACH)
			continue;
		site_add(at + 2, 0, code->hole);
		code->hole += JUMP_SIZE;
		code->hole_bytes -= JUMP_SIZE;
	}
}

static void
find_sites(struct code *code, uint32_t number)
{
	const unsigned char bytes[] = { 0xb8, (unsigned char)number,
		(unsigned char)(number >> 8), 0, 0, 0x0f, 0x05 };
	if (number == 0) {
		find_zero_sites(code);
		return;
	}
	for (size_t i = 0; i + sizeof(bytes) <= code->size_bytes; i++) {
		const unsigned char *at = code->at + i;
		if (bytes_equal(at, bytes, sizeof(bytes)))
			site_add(at + JUMP_SIZE, number, (uintptr_t)at);
	}
}

static bool
is_known(uintptr_t call)
{
	for (unsigned i = 0; i < patch.count; i++) {
		if (qr_patch_sites[i].call == call)
			return true;
	}
	return false;
}

/* Whether 0xb8 there may be the last byte of an instruction's beginning, with
 * a number behind it: mov to %r8d, or an operation on a place in memory. */
static bool
is_inside(const unsigned char *at)
{
	static const unsigned char with_number[] = { 0xc7, 0x81, 0x69, 0xf7 };
	if (at[-1] == 0x41 || at[-1] == 0x48 || at[-1] == 0x49)
		return true;
	for (unsigned i = 0; i < sizeof(with_number); i++) {
		if (at[-2] == with_number[i] || at[-3] == with_number[i])
			return true;
	}
	return false;
}

/* The calls of all of a page, whatever function they are in. */
static void
find_on_page(uintptr_t page)
{
	const unsigned char *at = (const unsigned char *)page + 3;
	const unsigned char *end = (const unsigned char *)page + QR_PAGE_SIZE -
				   JUMP_SIZE - SYSCALL_SIZE;
	for (; at <= end; at++) {
		uint32_t number = at[1] | (uint32_t)at[2] << 8;
		if (at[0] != 0xb8 || at[5] != 0x0f || at[6] != 0x05 ||
		    at[3] != 0 || at[4] != 0 || is_inside(at) ||
		    is_known((uintptr_t)at + JUMP_SIZE) ||
		    !plan_is_repeatable(number))
			continue;
		site_add(at + JUMP_SIZE, number, (uintptr_t)at);
	}
}

/* The pages of what has been found by name. */
static void
find_on_pages(void)
{
	unsigned named = patch.count;
	for (unsigned i = 0; i < named; i++) {
		uintptr_t page = qr_patch_sites[i].jump & ~(QR_PAGE_SIZE - 1);
		bool seen = false;
		for (unsigned k = 0; k < i && !seen; k++)
			seen = (qr_patch_sites[k].jump & ~(QR_PAGE_SIZE - 1)) ==
			       page;
		if (!seen)
			find_on_page(page);
	}
}

/* --- writing them --- */

static void
site_write(unsigned index)
{
	const struct patch_site *site = &qr_patch_sites[index];
	unsigned char *jump = (unsigned char *)site->jump;
	uintptr_t entry = (uintptr_t)qr_patch_first + index * ENTRY_SIZE;
	uint32_t far = (uint32_t)(entry - (site->jump + JUMP_SIZE));
	jump[0] = 0xe9;
	for (unsigned i = 0; i < 4; i++)
		jump[1 + i] = (unsigned char)(far >> (8 * i));
	if (site->jump + JUMP_SIZE == site->call)
		return;
	unsigned char *number = (unsigned char *)site->call - SYSCALL_SIZE;
	number[0] = 0xeb;
	number[1] = (unsigned char)(site->jump - site->call);
}

void
patch_install(void)
{
	struct library libc;
	if (!library_find(&libc))
		return;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		const ElfW(Sym) *symbol = symbol_find(&libc, functions[i].name);
		if (symbol == NULL)
			continue;
		uintptr_t at = libc.base + symbol->st_value;
		struct code code = { .at = (const unsigned char *)at,
			.size_bytes = symbol->st_size };
		find_sites(&code, functions[i].number);
	}
	find_on_pages();
	if (patch.count == 0)
		return;
	uintptr_t start = patch.text_start & ~(QR_PAGE_SIZE - 1);
	size_t size = patch.text_end + JUMP_SIZE - start;
	if (qr_sys3(SYS_mprotect, start, size, PROT_READ | PROT_WRITE) != 0) {
		patch.count = 0;
		return;
	}
	for (unsigned i = 0; i < patch.count; i++)
		site_write(i);
	long result = qr_sys3(SYS_mprotect, start, size, PROT_READ | PROT_EXEC);
	QR_ASSERT(result == 0, "libc's text can't be run again, error %ld",
	    result);
}

/* --- the thread's word --- */

void
patch_allow(struct qr_thread *thread, bool own_tls)
{
	thread->gate->patch_allowed = own_tls && patch.count != 0;
}

/* Whether a trap that returns there is a patched site's. */
static bool
is_patched(uintptr_t call_return)
{
	if (call_return < patch.text_start ||
	    call_return > patch.text_end + JUMP_SIZE)
		return false;
	for (unsigned i = 0; i < patch.count; i++) {
		if (qr_patch_sites[i].call + SYSCALL_SIZE == call_return)
			return true;
	}
	return false;
}

void
patch_remember(struct qr_thread *thread, uintptr_t call_return)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	const int arch_get_fs = 0x1003;
	uintptr_t base = 0;
	uintptr_t self = 0;
	if (!is_patched(call_return))
		return;
	gate_thread->patch_allowed = false;
	if (qr_sys2(SYS_arch_prctl, (long)arch_get_fs, &base) != 0 ||
	    user_read(&self, base + GOT_SELF, sizeof(self)) != 0 ||
	    self != base)
		return; /* not a TLS of libc's */
	const uintptr_t words[2] = { (uintptr_t)thread, ~(uintptr_t)thread };
	uintptr_t at = base + (uintptr_t)qr_patch_offset();
	if (user_write(at, words, sizeof(words)) == 0)
		gate_thread->patch_words = at;
}

void
patch_forget(struct qr_thread *thread, bool for_good)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	const uintptr_t words[2] = { 0 };
	if (gate_thread->patch_words != 0) {
		/* Nobody but the program can have taken it away. */
		if (user_write(gate_thread->patch_words, words,
			sizeof(words)) == 0)
			gate_thread->patch_allowed = true;
		gate_thread->patch_words = 0;
	}
	if (for_good)
		gate_thread->patch_allowed = false;
}

/* --- the way of a call, and signals on it --- */

void
patch_plan(struct qr_thread *thread, struct patch_frame *frame)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	const struct patch_site *site = &qr_patch_sites[frame->index];
	struct gate_call *call = &gate_thread->call;

	pager_unpin(thread);
	gate_thread->call_return = site->call + SYSCALL_SIZE;
	call->number = (long)site->number;
	for (unsigned i = 0; i < 6; i++)
		call->args[i] = (long)frame->args[i];
	frame->number = site->number;
	frame->target = site->stub;
	if (QR_LIKELY(plan_call(thread, NULL, call) == GATE_ISSUE))
		return;
	gate_thread->finish = NULL;
	frame->target = site->call;
}

bool
patch_settle(struct qr_thread *thread, struct gate_context *context)
{
	uintptr_t rip = context->reg[GATE_RIP];
	if (rip < (uintptr_t)qr_patch_first || rip >= (uintptr_t)qr_patch_end)
		return false;
	thread->patch &= ~(uint32_t)QR_PATCH_INSIDE;
	if (rip == (uintptr_t)qr_patch_refused ||
	    (rip >= (uintptr_t)qr_patch_outside &&
		rip < (uintptr_t)qr_patch_refuse)) {
		context->reg[GATE_RIP] = context->reg[GATE_R11];
		return true;
	}
	size_t index = (rip - (uintptr_t)qr_patch_first) / ENTRY_SIZE;
	/* The last instruction that has it in rax alone loads the number. */
	if (rip >= (uintptr_t)qr_patch_enter)
		index = context->reg[GATE_RAX];
	QR_ASSERT(index < patch.count, "no site %zu, at 0x%lx", index,
	    (unsigned long)rip);
	context->reg[GATE_RIP] = qr_patch_sites[index].call;
	context->reg[GATE_RAX] = qr_patch_sites[index].number;
	return true;
}

bool
patch_fixup(struct qr_thread *thread, struct gate_context *context)
{
	uintptr_t rip = context->reg[GATE_RIP];
	return rip >= (uintptr_t)qr_patch_load &&
	       rip < (uintptr_t)qr_patch_loaded &&
	       patch_settle(thread, context);
}

void
patch_put_off(struct qr_thread *thread, struct gate_context *context,
    const siginfo_t *info)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	uintptr_t rip = context->reg[GATE_RIP];
	if (info != NULL) {
		gate_thread->put_off = *info;
		gate_thread->put_off_mask = context->mask;
		context->mask = ~GATE_HELD;
	}
	thread->patch |= QR_PATCH_PUT_OFF;
	if (rip > (uintptr_t)qr_patch_check &&
	    rip < (uintptr_t)qr_patch_outside)
		context->reg[GATE_RIP] = (uintptr_t)qr_patch_check;
}

bool
patch_take(struct qr_thread *thread, struct gate_context *context,
    siginfo_t *info)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	thread->patch &= ~(uint32_t)QR_PATCH_PUT_OFF;
	if (gate_thread->put_off.si_signo == 0)
		return false;
	*info = gate_thread->put_off;
	context->mask = gate_thread->put_off_mask;
	gate_thread->put_off.si_signo = 0;
	return true;
}
