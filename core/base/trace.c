/* SPDX-License-Identifier: MIT */
/*
 * base/trace.c: the ring of events.
 *
 * A writer takes a number, which gives it a place; it writes the event there,
 * and its number last. A reader looks at the number before and after. A writer
 * that is a whole round slower than the others may spoil an event of that place;
 * the reader sees its number change, or both agree on a torn one, for which a
 * writer must have stood still for as many events as the ring has, twice.
 */
#include "trace.h"

#include "bits.h"
#include "port_inline.h"

static const struct {
	const char *name;
	const char *field[3];
} trace_types[] = {
#define TRACE_ROW(number, text, a, b, c) { text, { a, b, c } },
	QR_TRACE_EVENTS(TRACE_ROW)
#undef TRACE_ROW
};
_Static_assert(QR_COUNT_OF(trace_types) == QR_TRACE_TYPES, "one row each");
_Static_assert(sizeof(struct qr_trace_event) == 40, "a fixed layout");

void
qr_trace_init(struct qr_trace *trace, struct qr_trace_event *events,
    size_t count)
{
	QR_ASSERT(qr_is_pow2(count), "a ring of %zu events", count);
	__builtin_memset(events, 0, count * sizeof(*events));
	*trace = (struct qr_trace){ .events = events, .mask = count - 1 };
}

void
qr_trace_put(struct qr_trace *trace, const struct qr_port *port,
    const struct qr_trace_event *event)
{
	/* Relaxed: the number alone says whose place it is. */
	uint64_t number =
	    1 + __atomic_fetch_add(&trace->next, 1, __ATOMIC_RELAXED);
	struct qr_trace_event *at = &trace->events[number & trace->mask];
	/* Relaxed, but the two of the number, which pair with those in
	 * qr_trace_read: 0 says that the event is being written. */
	__atomic_store_n(&at->number, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_release);
	__atomic_store_n(&at->clock_ns, port->ops->clock(port->ctx),
	    __ATOMIC_RELAXED);
	__atomic_store_n(&at->a, event->a, __ATOMIC_RELAXED);
	__atomic_store_n(&at->b, event->b, __ATOMIC_RELAXED);
	__atomic_store_n(&at->c, event->c, __ATOMIC_RELAXED);
	__atomic_store_n(&at->type, event->type, __ATOMIC_RELAXED);
	__atomic_store_n(&at->cpu, (uint16_t)qr_port_cpu(port),
	    __ATOMIC_RELAXED);
	__atomic_store_n(&at->number, number, __ATOMIC_RELEASE);
}

int
qr_trace_read(const struct qr_trace *trace, uint64_t *number,
    struct qr_trace_event *event)
{
	uint64_t next = __atomic_load_n(&trace->next, __ATOMIC_ACQUIRE);
	const struct qr_trace_event *at = &trace->events[*number & trace->mask];
	if (*number > next)
		return -QR_ENOENT;
	uint64_t before = __atomic_load_n(&at->number, __ATOMIC_ACQUIRE);
	event->number = *number;
	event->clock_ns = __atomic_load_n(&at->clock_ns, __ATOMIC_RELAXED);
	event->a = __atomic_load_n(&at->a, __ATOMIC_RELAXED);
	event->b = __atomic_load_n(&at->b, __ATOMIC_RELAXED);
	event->c = __atomic_load_n(&at->c, __ATOMIC_RELAXED);
	event->type = __atomic_load_n(&at->type, __ATOMIC_RELAXED);
	event->cpu = __atomic_load_n(&at->cpu, __ATOMIC_RELAXED);
	/* Pairs with the fence in qr_trace_put. */
	atomic_thread_fence(memory_order_acquire);
	uint64_t after = __atomic_load_n(&at->number, __ATOMIC_RELAXED);
	if (before == *number && after == *number)
		return 0;
	if (next - *number <= trace->mask && before < *number)
		return -QR_ENOENT; /* begun, not written */
	*number = next > trace->mask ? next - trace->mask : 1;
	return -QR_ENOSPC;
}

const char *
qr_trace_name(enum qr_trace_type type)
{
	return type < QR_TRACE_TYPES ? trace_types[type].name : "none";
}

/* --- as text --- */

struct trace_text {
	char *text;
	size_t room; /* bytes */
	size_t used; /* of the whole, which may be more */
};

static void
append(struct trace_text *to, const char *from)
{
	for (; *from != '\0'; from++) {
		if (to->used + 1 < to->room)
			to->text[to->used] = *from;
		to->used++;
	}
}

static void
append_number(struct trace_text *to, uint64_t number, unsigned base)
{
	char digits[21];
	size_t at = sizeof(digits) - 1;
	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number != 0);
	append(to, &digits[at]);
}

size_t
qr_trace_describe(const struct qr_trace_event *event, char *text,
    size_t size_bytes)
{
	struct trace_text to = { text, size_bytes, 0 };
	const uint64_t values[3] = { event->a, event->b, event->c };
	append_number(&to, event->clock_ns, 10);
	append(&to, " cpu ");
	append_number(&to, event->cpu, 10);
	append(&to, " ");
	append(&to, qr_trace_name((enum qr_trace_type)event->type));
	for (unsigned i = 0; i < 3 && event->type < QR_TRACE_TYPES; i++) {
		append(&to, " ");
		append(&to, trace_types[event->type].field[i]);
		append(&to, " 0x");
		append_number(&to, values[i], 16);
	}
	if (size_bytes != 0)
		text[qr_min(to.used, size_bytes - 1)] = '\0';
	return to.used + 1;
}
