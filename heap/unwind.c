/* SPDX-License-Identifier: MIT */
/*
 * heap/unwind.c: the calls that led to an allocation.
 *
 * Programs are mostly built without frame pointers, but with tables for the
 * unwinding of exceptions (.eh_frame): for each instruction, where the frame
 * begins (CFA) and where the caller's registers are. On x86-64 two registers
 * are enough to go on, rsp and rbp; so what the tables say of an instruction
 * is a rule of three numbers:
 *
 *     caller's rsp = CFA = (rsp or rbp) + cfa_offset
 *     return address at CFA - 8;  caller's rbp at CFA + rbp_offset, or kept
 *
 * To read it from the tables takes a microsecond. So rules are cached by
 * address; a cached step costs a look into the loader's list of objects
 * (_dl_find_object: no lock), which also tells when another object has come
 * to lie where the rule's was.
 *
 * Where no table covers an instruction (code made at run time), and on other
 * processors, the frame pointer is followed, on this thread's own stack only.
 * That comes second as it can not be told from any other number: a function
 * without it leads to a wrong stack, not to none.
 *
 * What the tables may say beyond that ends the walk: expressions, frames of
 * signals. Everything here is under the profile's lock, and allocates nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "sample_impl.h"

/* A stack that is longer is taken for none: 64 MiB. */
#define STACK_BYTES ((uintptr_t)64 << 20)

/* The longest frame that a frame pointer may lead over: 1 MiB. */
#define FRAME_BYTES ((uintptr_t)1 << 20)

struct walk {
	uintptr_t pc;
	uintptr_t sp;
	uintptr_t fp;
	uintptr_t top; /* this stack ends before it; 0: not known */
};

extern char **environ;

void
qr_heap_unwind_init(void)
{
	/* The environment's pointers lie above main's frame. */
	qr_heap_process.profile.stack_top = (uintptr_t)environ;
}

static bool
walk_may_read(const struct walk *walk, uintptr_t at)
{
	return (at & (sizeof(uintptr_t) - 1)) == 0 && at >= walk->sp &&
	       at - walk->sp < STACK_BYTES &&
	       (walk->top == 0 || at + sizeof(uintptr_t) <= walk->top);
}

static uintptr_t
word_at(uintptr_t at)
{
	return *(const uintptr_t *)at;
}

/* Threads' variables lie above their stacks, in one piece with them. */
static uintptr_t
stack_top(uintptr_t sp)
{
	uintptr_t self = (uintptr_t)&qr_heap_self;
	if (self > sp && self - sp < STACK_BYTES)
		return self;
	uintptr_t first = qr_heap_process.profile.stack_top;
	return first > sp && first - sp < STACK_BYTES ? first : 0;
}

static bool
step_by_pointer(struct walk *walk)
{
	uintptr_t fp = walk->fp;
	if (walk->top == 0 || !walk_may_read(walk, fp) ||
	    !walk_may_read(walk, fp + sizeof(uintptr_t)) ||
	    fp - walk->sp > FRAME_BYTES)
		return false;
	walk->pc = word_at(fp + sizeof(uintptr_t));
	walk->fp = word_at(fp);
	walk->sp = fp + 2 * sizeof(uintptr_t);
	return walk->pc != 0;
}

/* Since glibc 2.35 there is a function for it. */
#if defined(__x86_64__) && defined(DLFO_STRUCT_HAS_EH_DBASE)

extern int _dl_find_object(void *address, struct dl_find_object *result)
    __attribute__((weak));

/* --- tables: bytes, read in turn --- */

#define REG_RBP 6u
#define REG_RSP 7u
#define REG_RA  16u

/* Encodings of addresses in the tables. */
#define ENCODING_PCREL_4   0x1bu
#define ENCODING_DATAREL_4 0x3bu
#define ENCODING_COUNT_4   0x03u

struct reader {
	const uint8_t *at;
	const uint8_t *end;
};

static uint64_t
read_fixed(struct reader *reader, unsigned bytes)
{
	uint64_t value = 0;
	if ((size_t)(reader->end - reader->at) < bytes) {
		reader->at = reader->end;
		return 0;
	}
	memcpy(&value, reader->at, bytes);
	reader->at += bytes;
	return value;
}

static uint64_t
read_uleb(struct reader *reader)
{
	uint64_t value = 0;
	for (unsigned shift = 0; reader->at < reader->end && shift < 64;
	     shift += 7) {
		uint8_t byte = *reader->at++;
		value |= (uint64_t)(byte & 0x7fu) << shift;
		if ((byte & 0x80u) == 0)
			break;
	}
	return value;
}

static int64_t
read_sleb(struct reader *reader)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte = 0;
	while (reader->at < reader->end && shift < 64) {
		byte = *reader->at++;
		value |= (uint64_t)(byte & 0x7fu) << shift;
		shift += 7;
		if ((byte & 0x80u) == 0)
			break;
	}
	if (shift < 64 && (byte & 0x40u) != 0)
		value |= ~(uint64_t)0 << shift;
	return (int64_t)value;
}

/* --- the rules of one instruction --- */

enum rule_kind {
	RULE_NONE, /* the tables say nothing that can be used */
	RULE_END,  /* the outermost frame */
	RULE_RSP,  /* CFA is rsp + cfa_offset */
	RULE_RBP,
};

struct rule {
	int32_t cfa_offset;
	int16_t rbp_offset; /* 0: rbp is the caller's */
	uint8_t kind;
};

/* What the instructions of the tables change. */
struct row {
	uint64_t cfa_register;
	int64_t cfa_offset;
	int64_t rbp_offset; /* 0: kept */
	int64_t ra_offset;
	bool ra_undefined;
	bool strange; /* an expression that matters */
};

#define ROWS_SAVED 4u

/* A frame's description, and what is common to several (CIE). */
struct entry {
	struct reader common;
	struct reader program;
	uintptr_t start; /* of the code */
	uint64_t code_unit;
	int64_t data_unit;
	bool is_signal;
};

static void
row_saved(struct row *row, uint64_t reg, int64_t offset)
{
	if (reg == REG_RBP)
		row->rbp_offset = offset;
	else if (reg == REG_RA)
		row->ra_offset = offset;
}

static void
row_restored(struct row *row, const struct row *first, uint64_t reg)
{
	if (reg == REG_RBP)
		row->rbp_offset = first->rbp_offset;
	else if (reg == REG_RA)
		row->ra_offset = first->ra_offset;
}

/* One of those that name registers, or the CFA. */
static void
program_define(struct reader *reader, const struct entry *entry, uint8_t code,
    struct row *row)
{
	uint64_t reg;
	switch (code) {
	case 0x05: /* offset_extended */
		reg = read_uleb(reader);
		row_saved(row, reg,
		    (int64_t)read_uleb(reader) * entry->data_unit);
		break;
	case 0x11: /* offset_extended_sf */
		reg = read_uleb(reader);
		row_saved(row, reg, read_sleb(reader) * entry->data_unit);
		break;
	case 0x07: /* undefined */
		if (read_uleb(reader) == REG_RA)
			row->ra_undefined = true;
		break;
	case 0x08: /* same_value */
		row_saved(row, read_uleb(reader), 0);
		break;
	case 0x0c: /* def_cfa */
		row->cfa_register = read_uleb(reader);
		row->cfa_offset = (int64_t)read_uleb(reader);
		break;
	case 0x12: /* def_cfa_sf */
		row->cfa_register = read_uleb(reader);
		row->cfa_offset = read_sleb(reader) * entry->data_unit;
		break;
	case 0x0d: /* def_cfa_register */
		row->cfa_register = read_uleb(reader);
		break;
	case 0x0e: /* def_cfa_offset */
		row->cfa_offset = (int64_t)read_uleb(reader);
		break;
	case 0x13: /* def_cfa_offset_sf */
		row->cfa_offset = read_sleb(reader) * entry->data_unit;
		break;
	case 0x10: /* expression: of other registers it does not matter */
	case 0x16: /* val_expression */
		reg = read_uleb(reader);
		row->strange = row->strange || reg == REG_RBP || reg == REG_RA;
		reg = read_uleb(reader);
		reader->at += qr_min(reg, (size_t)(reader->end - reader->at));
		break;
	case 0x2e: /* GNU_args_size */
		(void)read_uleb(reader);
		break;
	default: /* def_cfa_expression, register, and what is not known */
		row->strange = true;
		reader->at = reader->end;
		break;
	}
}

/* Bytes of the operand of advance_loc1, 2 and 4; 0: it is another. */
static unsigned
advance_bytes(uint8_t code)
{
	return code >= 0x02 && code <= 0x04 ? 1u << (code - 2) : 0;
}

/* Runs a program up to the instruction at offset bytes of code. Each turn
 * reads a byte at least. */
static void
program_run(struct reader reader, const struct entry *entry, uint64_t offset,
    const struct row *first, struct row *row)
{
	struct row saved[ROWS_SAVED];
	unsigned depth = 0;
	uint64_t at = 0;
	while (reader.at < reader.end && at <= offset && !row->strange) {
		uint8_t code = *reader.at++;
		unsigned low = code & 0x3fu;
		if (code >> 6 == 1) {
			at += low * entry->code_unit;
		} else if (code >> 6 == 2) {
			row_saved(row, low,
			    (int64_t)read_uleb(&reader) * entry->data_unit);
		} else if (code >> 6 == 3) {
			row_restored(row, first, low);
		} else if (advance_bytes(code) != 0) {
			at += read_fixed(&reader, advance_bytes(code)) *
			      entry->code_unit;
		} else if (code == 0x06) { /* restore_extended */
			row_restored(row, first, read_uleb(&reader));
		} else if (code == 0x0a) { /* remember_state */
			row->strange = depth == ROWS_SAVED;
			if (depth < ROWS_SAVED)
				saved[depth++] = *row;
		} else if (code == 0x0b) { /* restore_state */
			row->strange = depth == 0;
			if (depth > 0)
				*row = saved[--depth];
		} else if (code != 0) { /* nop */
			program_define(&reader, entry, code, row);
		}
	}
}

/* The bytes of an entry behind its length. False: of a kind that is not
 * known. */
static bool
entry_bytes(const uint8_t *start, struct reader *reader)
{
	uint32_t bytes;
	memcpy(&bytes, start, sizeof(bytes));
	reader->at = start + sizeof(bytes);
	reader->end = reader->at + bytes;
	return bytes != 0 && bytes < UINT32_MAX;
}

/* Reads what is common to entries. False: not of a kind that is known. */
static bool
common_read(const uint8_t *start, struct entry *entry)
{
	struct reader *reader = &entry->common;
	if (!entry_bytes(start, reader) || read_fixed(reader, 4) != 0)
		return false;
	uint64_t version = read_fixed(reader, 1);
	const char *text = (const char *)reader->at;
	size_t length = strnlen(text, (size_t)(reader->end - reader->at));
	reader->at += qr_min(length + 1, (size_t)(reader->end - reader->at));
	entry->code_unit = read_uleb(reader);
	entry->data_unit = read_sleb(reader);
	uint64_t ra = version == 1 ? read_fixed(reader, 1) : read_uleb(reader);
	if (ra != REG_RA || text[0] != 'z' || (version != 1 && version != 3))
		return false;
	uint64_t bytes = read_uleb(reader);
	if (bytes > (size_t)(reader->end - reader->at))
		return false;
	const uint8_t *program = reader->at + bytes;
	uint64_t encoding = 0;
	for (unsigned i = 1; i < length; i++) {
		switch (text[i]) {
		case 'R':
			encoding = read_fixed(reader, 1);
			break;
		case 'L':
			(void)read_fixed(reader, 1);
			break;
		case 'P': {
			uint64_t kind = read_fixed(reader, 1) & 7u;
			(void)read_fixed(reader, kind == 3 ? 4 : 8);
			break;
		}
		case 'S':
			entry->is_signal = true;
			break;
		default:
			return false;
		}
	}
	reader->at = program;
	return encoding == ENCODING_PCREL_4;
}

/* Reads a frame's entry. False: it does not cover pc, or is not known. */
static bool
entry_read(const uint8_t *start, uintptr_t pc, struct entry *entry)
{
	struct reader *reader = &entry->program;
	if (!entry_bytes(start, reader))
		return false;
	const uint8_t *here = reader->at;
	if (!common_read(here - (size_t)read_fixed(reader, 4), entry))
		return false;
	here = reader->at;
	int32_t relative = (int32_t)(uint32_t)read_fixed(reader, 4);
	entry->start = (uintptr_t)(here + relative);
	uint64_t code_bytes = read_fixed(reader, 4);
	uint64_t skip = read_uleb(reader);
	reader->at += qr_min(skip, (size_t)(reader->end - reader->at));
	return pc - entry->start < code_bytes;
}

/* The entry of the last function that begins at or before pc, by the sorted
 * table of the header. NULL: there is none. */
static const uint8_t *
header_find(const uint8_t *header, uintptr_t pc)
{
	if (header[0] != 1 || header[2] != ENCODING_COUNT_4 ||
	    header[3] != ENCODING_DATAREL_4)
		return NULL;
	uint32_t count;
	memcpy(&count, header + 8, sizeof(count));
	struct pair {
		int32_t start;
		int32_t entry;
	};
	const struct pair *pair = (const void *)(header + 12);
	intptr_t offset = (intptr_t)(pc - (uintptr_t)header);
	uint32_t low = 0;
	while (low < count) {
		uint32_t middle = low + (count - low) / 2;
		if (pair[middle].start <= offset)
			low = middle + 1;
		else
			count = middle;
	}
	return low == 0 ? NULL : header + pair[low - 1].entry;
}

static struct rule
rule_read(const uint8_t *header, uintptr_t pc)
{
	const struct rule none = { .kind = RULE_NONE };
	struct entry entry = { 0 };
	const uint8_t *start = header_find(header, pc);
	if (start == NULL || !entry_read(start, pc, &entry) || entry.is_signal)
		return none;
	struct row first = { 0 };
	program_run(entry.common, &entry, 0, &first, &first);
	struct row row = first;
	program_run(entry.program, &entry, pc - entry.start, &first, &row);
	if (row.ra_undefined)
		return (struct rule){ .kind = RULE_END };
	if (row.strange || row.ra_offset != -8 ||
	    row.cfa_offset != (int32_t)row.cfa_offset ||
	    row.rbp_offset != (int16_t)row.rbp_offset ||
	    (row.cfa_register != REG_RSP && row.cfa_register != REG_RBP))
		return none;
	return (struct rule){ .cfa_offset = (int32_t)row.cfa_offset,
		.rbp_offset = (int16_t)row.rbp_offset,
		.kind = row.cfa_register == REG_RSP ? RULE_RSP : RULE_RBP };
}

/* --- the cache --- */

#define RULES_CACHED 1024u

/* By address and object: one that was loaded in the place of another has
 * other tables, or the same. */
struct rule_cached {
	uintptr_t pc;
	uint32_t object;
	struct rule rule;
};

size_t
qr_heap_unwind_bytes(void)
{
	return RULES_CACHED * sizeof(struct rule_cached);
}

static struct rule
rule_of(const struct dl_find_object *object, uintptr_t pc)
{
	size_t index = (pc ^ pc >> 10 ^ pc >> 20) % RULES_CACHED;
	uintptr_t known = (uintptr_t)object->dlfo_eh_frame ^
			  (uintptr_t)object->dlfo_map_end << 7 ^
			  (uintptr_t)object->dlfo_link_map << 3;
	uint32_t mixed = (uint32_t)(known ^ known >> 32);
	struct rule_cached *cached = qr_heap_process.profile.rules;
	cached += index;
	if (cached->pc == pc && cached->object == mixed)
		return cached->rule;
	cached->pc = pc;
	cached->object = mixed;
	cached->rule = rule_read(object->dlfo_eh_frame, pc);
	return cached->rule;
}

static bool
step_by_rule(struct walk *walk, struct rule rule)
{
	uintptr_t base = rule.kind == RULE_RSP ? walk->sp : walk->fp;
	uintptr_t cfa = base + (uintptr_t)(intptr_t)rule.cfa_offset;
	uintptr_t saved = cfa + (uintptr_t)(intptr_t)rule.rbp_offset;
	if (cfa <= walk->sp || !walk_may_read(walk, cfa - 8) ||
	    (rule.rbp_offset != 0 && !walk_may_read(walk, saved)))
		return false;
	walk->pc = word_at(cfa - 8);
	if (rule.rbp_offset != 0)
		walk->fp = word_at(saved);
	walk->sp = cfa;
	return walk->pc != 0;
}

/* To the caller. own: the walk is still in this library. False: there is no
 * caller, or nobody knows. */
static bool
walk_step(struct walk *walk, const void *self, bool *own)
{
	struct dl_find_object object;
	/* A call's return address may be the first of the next function. */
	uintptr_t pc = walk->pc - 1;
	*own = false;
	if (_dl_find_object == NULL ||
	    _dl_find_object((void *)pc, &object) != 0) // NOLINT
		return step_by_pointer(walk);
	*own = object.dlfo_link_map == self;
	if (object.dlfo_eh_frame == NULL)
		return step_by_pointer(walk);
	struct rule rule = rule_of(&object, pc);
	switch ((enum rule_kind)rule.kind) {
	case RULE_NONE:
		return step_by_pointer(walk);
	case RULE_END:
		return false;
	case RULE_RSP:
	case RULE_RBP:
		return step_by_rule(walk, rule);
	}
	return false;
}

/* The library's own frames are not the program's; a program that the heap is
 * linked into has its own with them. NULL: that. */
static const void *
walk_self(uintptr_t pc)
{
	struct dl_find_object object;
	if (_dl_find_object == NULL ||
	    _dl_find_object((void *)pc, &object) != 0) // NOLINT
		return NULL;
	const struct link_map *map = object.dlfo_link_map;
	return map->l_name != NULL && map->l_name[0] != '\0' ? map : NULL;
}

static QR_NOINLINE void
walk_start(struct walk *walk)
{
	__asm__ volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1\n\tmovq %%rbp, %2"
			 : "=r"(walk->pc), "=r"(walk->sp), "=r"(walk->fp));
	walk->pc++;
	walk->top = stack_top(walk->sp);
	/* Out of this function while its frame is there. */
	bool own;
	(void)walk_step(walk, NULL, &own);
}

#else

size_t
qr_heap_unwind_bytes(void)
{
	return 0;
}

static bool
walk_step(struct walk *walk, const void *self, bool *own)
{
	(void)self;
	*own = false;
	return step_by_pointer(walk);
}

static const void *
walk_self(uintptr_t pc)
{
	(void)pc;
	return NULL;
}

static QR_NOINLINE void
walk_start(struct walk *walk)
{
	walk->pc = (uintptr_t)__builtin_return_address(0);
	walk->fp = (uintptr_t)__builtin_frame_address(0);
	walk->sp = walk->fp;
	walk->top = stack_top(walk->sp);
}

#endif

unsigned
qr_heap_unwind(uint64_t *frame, unsigned max)
{
	struct walk walk;
	walk_start(&walk);
	const void *self = walk_self(walk.pc);
	unsigned depth = 0;
	bool own = true;
	/* Each step goes up the stack; the library's own frames are few. */
	for (unsigned turn = 0; turn < 2 * max && depth < max; turn++) {
		uintptr_t pc = walk.pc;
		bool more = walk_step(&walk, self, &own);
		if (!own)
			frame[depth++] = pc;
		if (!more)
			break;
	}
	return depth;
}
