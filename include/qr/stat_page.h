/* SPDX-License-Identifier: MIT */
/*
 * qr/stat_page.h: what a process in a budget shows of itself to others.
 *
 * Each process that `quire run -m` manages has a memfd of this name and
 * layout open. Who may open /proc/PID/fd/N of it, the same user, finds it by
 * the link's text ("/memfd:quire-stat"), maps it for reading, and needs
 * nothing else of the process. Nobody can change it from outside, and the
 * mapping outlives the process, so its last numbers can still be read.
 *
 * Reading. Words are in the host's byte order. sequence is odd while the
 * page is being written: load it, copy the page, load it again; if it was odd
 * or has changed, do it again. updated_ns says how old the numbers are: they
 * are renewed some twenty times a second in a process that holds more than
 * 4 MiB, else at its start and end only.
 *
 * Layout. Within a version fields are only ever appended, and size_bytes says
 * how far the page goes. Counts are of pages of QR_PAGE_SIZE or of events
 * since the start, as in struct qr_machine_stat.
 */
#ifndef QR_STAT_PAGE_H
#define QR_STAT_PAGE_H

#include <qr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QR_STAT_PAGE_NAME    "quire-stat"
#define QR_STAT_PAGE_MAGIC   UINT64_C(0x7461745365726951)
#define QR_STAT_PAGE_VERSION 1u

/* Values of state. */
#define QR_STAT_PAGE_RUNS  0u
#define QR_STAT_PAGE_ENDED 1u /* it ended in order; these are the last */

/* The machine's counters, by their names in struct qr_machine_stat. */
/* clang-format off */
#define QR_STAT_PAGE_MACHINE(X)                                               \
	X(frames_total) X(frames_free) X(frames_user) X(frames_pool)          \
	X(frames_meta) X(frames_balloon) X(frames_home) X(frames_boot)        \
	X(frames_user_peak) X(frames_pool_peak)                               \
	X(swap_slots) X(swap_same_filled) X(swap_pooled)                      \
	X(swap_pooled_bytes) X(swap_on_device) X(swap_device_pages)           \
	X(commit_pages)                                                       \
	X(faults_first_touch) X(faults_pool) X(faults_device) X(faults_cow)   \
	X(faults_soft) X(faults_spurious) X(faults_bad)                       \
	X(pages_in) X(pages_out) X(pages_out_zero) X(pages_refaulted)         \
	X(reclaim_direct) X(reclaim_background) X(pages_written_back)         \
	X(swap_io_errors) X(oom)
/* clang-format on */

struct qr_stat_page {
	uint64_t magic;      /* QR_STAT_PAGE_MAGIC */
	uint32_t version;    /* QR_STAT_PAGE_VERSION */
	uint32_t size_bytes; /* of this struct, as its writer knows it */
	uint64_t sequence;   /* odd: being written */
	uint64_t start_ns;   /* CLOCK_MONOTONIC, when Quire took over */
	uint64_t updated_ns; /* likewise */
	uint32_t process;    /* its id in its own namespace */
	uint32_t state;      /* QR_STAT_PAGE_RUNS, … */

	/* The budget and what of it is in use, in pages. The first three are
	 * of the whole tree of processes. */
	uint64_t budget_pages;
	uint64_t used_pages;
	uint64_t used_pages_peak;
	uint64_t credit_pages;    /* this process may use */
	uint64_t unmanaged_pages; /* it holds outside of its frames */
	uint64_t unmanaged_pages_peak;

#define QR_STAT_PAGE_FIELD(name) uint64_t name;
	QR_STAT_PAGE_MACHINE(QR_STAT_PAGE_FIELD)
#undef QR_STAT_PAGE_FIELD
};

#ifdef __cplusplus
}
#endif

#endif
