/* SPDX-License-Identifier: MIT */
/*
 * heap/hard.c: the checks of libquire-hard.so: each misuse of malloc ends the
 * program with a report that names it, the block, where it was allocated and
 * where it was freed.
 *
 *      block of the heap                               the program's block
 *      |                                               |
 *      | head ............ | (for the alignment) | mark | size bytes | tail |
 *
 * The head knows the block; the mark leads from the program's pointer to the
 * head and proves that both are ours. The tail is a pattern up to the end: a
 * byte beyond the block is a byte of it.
 *
 * A freed block is filled with another pattern and waits in the quarantine,
 * oldest first out, while it is not among the last QUARANTINE_BYTES. Until
 * then a second free is told from a wild one, and on leaving a byte that is
 * no longer the pattern's tells of a write after the free. At the end of the
 * program all that is left in it is looked at.
 *
 *   misuse                        noticed
 *   double free                   at the second free, from the quarantine
 *   free of no block              at the free: in the heap, but no mark
 *   free of what is not ours      at the free: not in the heap
 *   overflow, underflow           at the free
 *   write after free              when it leaves the quarantine, or at exit
 *   new, new[] and malloc mixed   at the free
 *   another size or alignment     at the free that says it
 *   alignment, no power of two    at the allocation
 *
 * Costs 80 bytes a block and some hundred instructions a call.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <execinfo.h>
#endif

#include "front_impl.h"
#include "report_impl.h"

#define HEAD_LIVE  0x6c697665626c6f63u
#define HEAD_FREED 0x6672656564626c6fu

#define TAIL_BYTE  0xb5
#define FREED_BYTE 0xd9

/* Bytes of a freed block that are filled and compared, from its start. */
#define FREED_BYTES_MAX ((size_t)64 * 1024)

#define QUARANTINE_BYTES  ((size_t)16 << 20)
#define QUARANTINE_BLOCKS 65536u

/* Longest name of a call, with what it did; most frames of a trace. */
#define REPORT_BYTES  64
#define REPORT_FRAMES 24

struct hard_head {
	uint64_t state; /* HEAD_LIVE or HEAD_FREED */
	unsigned char *user;
	size_t size; /* as asked for */
	size_t align;
	const char *alloc_call;
	const void *alloc_site;
	const char *free_call;
	const void *free_site;
	enum qr_heap_origin origin;
};

/* Right before the program's block. */
struct hard_mark {
	struct hard_head *head;
	uint64_t proof; /* made of both addresses */
};

_Static_assert(sizeof(struct hard_mark) == 16, "malloc's alignment");

/* From a head to the program's block, unless that is aligned to more. */
#define HEAD_BYTES                                                             \
	((sizeof(struct hard_head) + 2 * sizeof(struct hard_mark) - 1) &       \
	    ~(sizeof(struct hard_mark) - 1))

static struct {
	struct qr_heap_lock lock;
	struct hard_head *block[QUARANTINE_BLOCKS]; /* (l) a ring */
	unsigned first;                             /* (l) the oldest */
	unsigned count;                             /* (l) */
	size_t bytes;                               /* (l) */
} quarantine;

/* --- reports --- */

static void
report_site(const char *what, const char *call, const void *site)
{
	char text[REPORT_BYTES];
	if (site == NULL)
		return;
	snprintf(text, sizeof(text), "  %s by %s", what, call);
	qr_report_address(text, site);
}

static void
report_trace(void)
{
#if defined(__GLIBC__)
	void *frame[REPORT_FRAMES];
	int count = backtrace(frame, REPORT_FRAMES);
	qr_report_line("  the calls that led here:\n");
	backtrace_symbols_fd(frame, count, STDERR_FILENO);
#endif
}

static void
report_block(const struct hard_head *head)
{
	qr_report_line("  the block: %zu bytes at %p\n", head->size,
	    (void *)head->user);
	report_site("allocated", head->alloc_call, head->alloc_site);
	report_site("freed", head->free_call, head->free_site);
}

/* Ends the program. head may be NULL: no block is known. */
static QR_NORETURN void
report_end(const struct hard_head *head)
{
	if (head != NULL)
		report_block(head);
	report_trace();
	abort();
}

/* --- heads and marks --- */

static uint64_t
mark_proof(const struct hard_head *head, const void *user)
{
	uint64_t mix = (uint64_t)(uintptr_t)head * 0x9e3779b97f4a7c15u;
	return (mix ^ (uint64_t)(uintptr_t)user) * 0xbf58476d1ce4e5b9u;
}

/* Whether the heap has a block somewhere at this address. */
static bool
address_in_heap(const void *address)
{
	struct qr_heap_place place;
	return qr_heap_place_of(&qr_heap_process, address, &place);
}

/* The head of a block, live or freed. NULL: there is no block here. */
static struct hard_head *
head_of(const void *user)
{
	uintptr_t at = (uintptr_t)user;
	if ((at & (sizeof(struct hard_mark) - 1)) != 0 ||
	    !address_in_heap(user) || !address_in_heap((const char *)user - 1))
		return NULL;
	struct hard_mark mark;
	memcpy(&mark, (const char *)user - sizeof(mark), sizeof(mark));
	if (mark.proof != mark_proof(mark.head, user))
		return NULL;
	return mark.head;
}

/* The first byte of [start, end) that is not value, or end. */
static const unsigned char *
bytes_differ(const unsigned char *start, const unsigned char *end,
    unsigned char value)
{
	while (start < end && *start == value)
		start++;
	return start;
}

static const unsigned char *
head_end(const struct hard_head *head)
{
	return (const unsigned char *)head + qr_heap_usable_size(head);
}

static void
tail_check(const struct hard_head *head, const char *call)
{
	const unsigned char *start = head->user + head->size;
	const unsigned char *end = head_end(head);
	const unsigned char *bad = bytes_differ(start, end, TAIL_BYTE);
	if (bad == end)
		return;
	qr_report_line("quire: overflow: byte %zu of a block of %zu bytes was "
		       "written, seen by %s(%p)\n",
	    (size_t)(bad - head->user), head->size, call, (void *)head->user);
	report_end(head);
}

static size_t
freed_bytes(const struct hard_head *head)
{
	return qr_min(head->size, FREED_BYTES_MAX);
}

static void
freed_check(const struct hard_head *head)
{
	const unsigned char *end = head->user + freed_bytes(head);
	const unsigned char *bad = bytes_differ(head->user, end, FREED_BYTE);
	if (bad == end)
		return;
	qr_report_line(
	    "quire: use after free: byte %zu of a block of %zu bytes "
	    "was written after the block was freed\n",
	    (size_t)(bad - head->user), head->size);
	report_end(head);
}

/* --- the quarantine --- */

/* Takes the oldest block out. NULL: it is empty. Lock held. */
static struct hard_head *
quarantine_take(void)
{
	if (quarantine.count == 0)
		return NULL;
	struct hard_head *head = quarantine.block[quarantine.first];
	quarantine.first = (quarantine.first + 1) % QUARANTINE_BLOCKS;
	quarantine.count--;
	quarantine.bytes -= head->size;
	return head;
}

static void
block_release(struct hard_head *head)
{
	freed_check(head);
	struct hard_mark *mark = (void *)(head->user - sizeof(*mark));
	mark->proof = 0;
	head->state = 0;
	qr_heap_free(head);
}

static void
quarantine_put(struct hard_head *head)
{
	qr_heap_lock_acquire(&quarantine.lock);
	unsigned last =
	    (quarantine.first + quarantine.count) % QUARANTINE_BLOCKS;
	quarantine.block[last] = head;
	quarantine.count++;
	quarantine.bytes += head->size;
	while (quarantine.bytes > QUARANTINE_BYTES ||
	       quarantine.count == QUARANTINE_BLOCKS) {
		struct hard_head *oldest = quarantine_take();
		qr_heap_lock_release(&quarantine.lock);
		block_release(oldest);
		qr_heap_lock_acquire(&quarantine.lock);
	}
	qr_heap_lock_release(&quarantine.lock);
}

/* What was written to after its free and never left. */
__attribute__((destructor)) static void
quarantine_check(void)
{
	for (;;) {
		qr_heap_lock_acquire(&quarantine.lock);
		const struct hard_head *head = quarantine_take();
		qr_heap_lock_release(&quarantine.lock);
		if (head == NULL)
			return;
		/* With no lock held: a report allocates. */
		freed_check(head);
	}
}

static void
quarantine_fork_prepare(void)
{
	qr_heap_lock_acquire(&quarantine.lock);
}

static void
quarantine_fork_done(void)
{
	qr_heap_lock_release(&quarantine.lock);
}

__attribute__((constructor)) static void
hard_load(void)
{
	(void)pthread_atfork(quarantine_fork_prepare, quarantine_fork_done,
	    quarantine_fork_done);
}

/* --- allocating --- */

void
qr_hard_align_check(const char *call, size_t align, const void *site)
{
	if (qr_is_pow2(align))
		return;
	qr_report_line("quire: invalid alignment: %s with an alignment of %zu, "
		       "which is no power of two\n",
	    call, align);
	report_site("called", call, site);
	report_end(NULL);
}

void *
qr_hard_alloc(const struct qr_hard_request *request)
{
	size_t align = qr_max(request->align, sizeof(struct hard_mark));
	size_t front = qr_round_up(HEAD_BYTES, align);
	if (request->size > PTRDIFF_MAX || align > PTRDIFF_MAX / 4) {
		errno = ENOMEM;
		return NULL;
	}
	/* One byte of tail at least. */
	size_t bytes = front + request->size + 1;
	struct hard_head *head = qr_heap_aligned_alloc(align, bytes);
	if (head == NULL)
		return NULL;
	*head = (struct hard_head){ .state = HEAD_LIVE,
		.user = (unsigned char *)head + front,
		.size = request->size,
		.align = request->align,
		.alloc_call = request->call,
		.alloc_site = request->site,
		.origin = request->origin };
	struct hard_mark *mark = (void *)(head->user - sizeof(*mark));
	mark->head = head;
	mark->proof = mark_proof(head, head->user);
	if (request->zero)
		memset(head->user, 0, request->size);
	unsigned char *end = head->user + request->size;
	memset(end, TAIL_BYTE, (size_t)(head_end(head) - end));
	return head->user;
}

/* --- freeing --- */

static const char *const origin_name[] = {
	[QR_ORIGIN_MALLOC] = "malloc",
	[QR_ORIGIN_NEW] = "operator new",
	[QR_ORIGIN_NEW_ARRAY] = "operator new[]",
};

/* A pointer without a mark, but with a head that knows it. */
static void
underflow_check(const char *call, const void *user)
{
	uintptr_t at = (uintptr_t)user;
	if ((at & (sizeof(struct hard_mark) - 1)) != 0 ||
	    !address_in_heap(user) ||
	    !address_in_heap((const char *)user - HEAD_BYTES))
		return;
	struct hard_head head;
	memcpy(&head, (const char *)user - HEAD_BYTES, sizeof(head));
	if (head.user != user || head.state != HEAD_LIVE)
		return;
	qr_report_line(
	    "quire: underflow: the bytes before a block were written, "
	    "seen by %s(%p)\n",
	    call, user);
	report_end(&head);
}

/* The head of the live block that call gives back; else a report. */
static struct hard_head *
head_live(const char *call, void *user, const void *site)
{
	struct hard_head *head = head_of(user);
	if (head != NULL && head->state == HEAD_LIVE)
		return head;
	if (head != NULL && head->state == HEAD_FREED) {
		qr_report_line("quire: double free: %s(%p)\n", call, user);
		report_site("called", call, site);
		report_end(head);
	}
	underflow_check(call, user);
	if (address_in_heap(user))
		qr_report_line("quire: wild free: %s(%p): not the start of a "
			       "block\n",
		    call, user);
	else
		qr_report_line(
		    "quire: foreign free: %s(%p): not memory of this "
		    "malloc\n",
		    call, user);
	report_site("called", call, site);
	report_end(NULL);
}

static void
origin_check(const struct hard_head *head,
    const struct qr_hard_release *release)
{
	if (head->origin != release->origin) {
		qr_report_line(
		    "quire: mismatched free: %s(%p) of a block of %s\n",
		    release->call, release->block, origin_name[head->origin]);
		report_end(head);
	}
	if (release->size != SIZE_MAX && release->size != head->size) {
		qr_report_line(
		    "quire: mismatched size: %s(%p) says %zu bytes\n",
		    release->call, release->block, release->size);
		report_end(head);
	}
	if (release->align != SIZE_MAX && release->align != head->align) {
		qr_report_line(
		    "quire: mismatched alignment: %s(%p) says %zu, the "
		    "block has %zu\n",
		    release->call, release->block, release->align, head->align);
		report_end(head);
	}
}

void
qr_hard_free(const struct qr_hard_release *release)
{
	if (release->block == NULL)
		return;
	int saved = errno;
	struct hard_head *head =
	    head_live(release->call, release->block, release->site);
	tail_check(head, release->call);
	origin_check(head, release);
	head->state = HEAD_FREED;
	head->free_call = release->call;
	head->free_site = release->site;
	memset(head->user, FREED_BYTE, freed_bytes(head));
	quarantine_put(head);
	errno = saved;
}

void *
qr_hard_realloc(void *block, size_t size, const void *site)
{
	struct qr_hard_request request = { .size = size,
		.call = "realloc",
		.site = site };
	if (block == NULL)
		return qr_hard_alloc(&request);
	struct hard_head *head = head_live("realloc", block, site);
	tail_check(head, "realloc");
	struct qr_hard_release release = { .block = block,
		.size = SIZE_MAX,
		.align = SIZE_MAX,
		.call = "realloc",
		.site = site };
	origin_check(head, &release);
	void *moved = NULL;
	if (size != 0) {
		moved = qr_hard_alloc(&request);
		if (moved == NULL)
			return NULL;
		memcpy(moved, block, qr_min(size, head->size));
	}
	qr_hard_free(&release);
	return moved;
}

size_t
qr_hard_usable_size(const void *block)
{
	const struct hard_head *head = head_of(block);
	return head != NULL && head->state == HEAD_LIVE ? head->size : 0;
}
