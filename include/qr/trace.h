/* SPDX-License-Identifier: MIT */
/*
 * qr/trace.h: what changes in a machine, as events of a fixed layout in a ring.
 *
 * The ring's memory is the embedder's. It costs a predictable branch at each
 * change while there is none.
 */
#ifndef QR_TRACE_H
#define QR_TRACE_H

#include <qr/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All events: number's name, name as text, and what a, b and c are. The numbers
 * are the places in this list; new ones come at its end.
 */
#define QR_TRACE_EVENTS(X)                                                     \
	X(FRAME_ALLOC, "frame_alloc", "pfn", "order", "kind")                  \
	X(FRAME_FREE, "frame_free", "pfn", "order", "kind")                    \
	X(FRAME_KIND, "frame_kind", "pfn", "was", "kind")                      \
	X(LIST_REFILL, "list_refill", "zone", "frames", "high")                \
	X(LIST_SPILL, "list_spill", "zone", "frames", "high")                  \
	X(BLOCK_CLAIM, "block_claim", "zone", "block", "type")                 \
	X(BLOCK_MIX, "block_mix", "zone", "block", "type")                     \
	X(PAGE_MOVE, "page_move", "from", "to", "error")                       \
	X(RUN_TAKE, "run_take", "pfn", "frames", "error")                      \
	X(BALLOON, "balloon", "target", "reached", "of")                       \
	X(MEMORY_BLOCK, "memory_block", "slot", "state", "error")              \
	X(BOOST, "boost", "zone", "pages", "high")                             \
	X(SLAB_GROW, "slab_grow", "cache", "frames", "slabs")                  \
	X(SLAB_FREE, "slab_free", "cache", "frames", "slabs")                  \
	X(SLAB_ROUNDS, "slab_rounds", "cache", "was", "rounds")                \
	X(VMAP_ALLOC, "vmap_alloc", "page", "pages", "ranges")                 \
	X(VMAP_FREE, "vmap_free", "page", "pages", "ranges")                   \
	X(VMAP_PURGE, "vmap_purge", "ranges", "frames", "purges")

enum qr_trace_type {
#define QR_TRACE_NUMBER(number, text, a, b, c) QR_TRACE_##number,
	QR_TRACE_EVENTS(QR_TRACE_NUMBER)
#undef QR_TRACE_NUMBER
	    QR_TRACE_TYPES, /* how many there are */
};

struct qr_trace_event {
	uint64_t number; /* 1, 2, ...: of all events of the ring */
	uint64_t clock_ns;
	uint64_t a;
	uint64_t b;
	uint32_t c;
	uint16_t type; /* enum qr_trace_type */
	uint16_t cpu;
};

/* A ring; its fields are the core's. */
struct qr_trace {
	struct qr_trace_event *events;
	uint64_t mask;
	uint64_t next; /* atomic: events begun */
};

/* count events, a power of two, of the caller's memory; kept as long as the
 * machine may write to it. */
void qr_trace_init(struct qr_trace *trace, struct qr_trace_event *events,
    size_t count);

/* What changes is written to the ring from now on; NULL: no more. A thread that
 * is inside may still write one event to the last one. */
void qr_machine_trace(struct qr_machine *machine, struct qr_trace *trace);

/* The event of that number. -QR_ENOENT: it is not there yet; -QR_ENOSPC: others
 * have taken its place, *number is the oldest one that is there. */
QR_MUST_CHECK int qr_trace_read(const struct qr_trace *trace, uint64_t *number,
    struct qr_trace_event *event);

/* "frame_alloc", ... */
const char *qr_trace_name(enum qr_trace_type type);

/* Writes "123456 cpu 0 frame_alloc pfn 0x12 order 0x0 kind 0x1", as far as it
 * fits size_bytes with a final NUL; returns the bytes of the whole. */
size_t qr_trace_describe(const struct qr_trace_event *event, char *text,
    size_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
