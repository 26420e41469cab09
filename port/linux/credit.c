/* SPDX-License-Identifier: MIT */
/*
 * credit.c: how many of its frames this process may use.
 *
 *     frames described = balloon + metadata + usable
 *     usable           = credits − unmanaged
 *
 * Credits come from the ledger in steps, when the core runs short, and go
 * back when others ask or when they lie idle. Unmanaged is what the process
 * holds in RAM beside its frames: stacks, data, copied file pages, shared
 * memory that it made. It can't be forbidden, so it is measured, and the
 * balloon takes as much out of use.
 *
 *     unmanaged = RssAnon + RssShmem − frames that are resident − shared
 *
 * Shared is what other processes of the tree answer for: of a page that n map,
 * n − 1 parts of n. Without it a server that forks would pay for its shared
 * memory once for each child. Only the kernel's walk over the whole process
 * tells (smaps_rollup), which takes some 10 ms a GiB, so it is asked twice a
 * second at most, and where there are several processes and enough to share.
 *
 * The metadata of the frames (their descriptors and bitmaps) is a hundredth
 * of the budget in every process, but is touched only as frames come into
 * use. So it is not charged as the frames that it was made of but as what of
 * it is resident: unmanaged holds it.
 */
#include <errno.h>
#include <fcntl.h>

#include "../../core/base/bits.h"
#include "files.h"
#include "futex_lock.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "pager.h"
#include "sys.h"

/* Pages that a process takes at a time: 1 MiB. */
#define CREDIT_STEP UINT64_C(256)

/* Beside what is unmanaged a process starts with so many pages, 2 MiB, and
 * keeps so many free frames when it gives back what lies idle; but in a tree of
 * many all of them together no more than one part of the budget. */
#define CREDIT_SLACK     UINT64_C(512)
#define CREDIT_SLACK_MIN UINT64_C(64)
#define SLACK_PART       8u

/* A process that could give less than this share of what another could asks
 * it, for so many pages at least. */
#define ASK_SHARE 2u
#define ASK_LEAST UINT64_C(64)

/* How long one that has asked waits for the answer, in steps of 200 µs. */
#define ASK_TURNS   10u
#define ASK_TURN_NS 200000u

/* The same for a process that can't do without: it gives up when nobody has
 * given anything for 2 s. Who is asked may have a slow disk to write to. */
#define PATIENCE_TURNS   1000u
#define PATIENCE_TURN_NS 2000000u

/* What is shared is looked at again after this time, and takes at most one
 * part of so many, or four where much has come since; with less unmanaged
 * (1 MiB) it does not matter. */
#define SHARED_PERIOD_NS UINT64_C(500000000)
#define SHARED_COST      100u
#define SHARED_HURRY     4u
#define SHARED_LEAST     256u

/* What has come since the last look is looked at sooner if it is more, pages. */
#define SHARED_GROWTH UINT64_C(256)

/* Who sets the balloon and the credits by what it has read of both: one after
 * the other. Not for linux_grant, which a reclaim of such a one may wait for:
 * the core takes back as much of the balloon as that has added. Never taken
 * with an entry claimed. */
static struct futex_lock balance;

/* A fork gives up after so many turns of 2 ms in a row in which neither this
 * process nor another had anything for it. */
#define FORK_VAIN_MAX 250u

/* The number behind name in /proc/self/status, in pages; its unit is KiB. */
static uint64_t
status_pages(const char *text, const char *name)
{
	for (const char *line = text; *line != '\0';) {
		size_t i = 0;
		while (name[i] != '\0' && line[i] == name[i])
			i++;
		if (name[i] == '\0') {
			uint64_t kib = 0;
			for (line += i; *line == ' ' || *line == '\t'; line++)
				;
			for (; *line >= '0' && *line <= '9'; line++)
				kib = kib * 10 + (uint64_t)(*line - '0');
			return kib / (QR_PAGE_SIZE / 1024);
		}
		while (*line != '\0' && *line != '\n')
			line++;
		if (*line == '\n')
			line++;
	}
	return 0;
}

uint64_t
credit_status_pages(const char *text)
{
	return status_pages(text, "RssAnon:") + status_pages(text, "RssShmem:");
}

static uint64_t
resident_pages(void)
{
	char text[2048];
	long n = qr_sys4(SYS_pread64, own_fd(OWN_STATUS), text,
	    sizeof(text) - 1, 0L);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return credit_status_pages(text);
}

/* What others answer for, at the last look. (balance) */
static struct {
	uint64_t next_ns;   /* no look before */
	uint64_t soon_ns;   /* nor before this, if much has come since */
	uint64_t unmanaged; /* pages then, the shared ones among them */
	uint64_t pages;     /* shared */
} shared;

static void
shared_look(uint64_t resident, uint64_t unmanaged)
{
	char text[2048];
	uint64_t start_ns = linux_clock(NULL);
	bool grew = unmanaged > shared.unmanaged + SHARED_GROWTH;
	if (start_ns < (grew ? shared.soon_ns : shared.next_ns))
		return;
	shared.pages = 0;
	shared.unmanaged = unmanaged;
	int fd = proc_open("self/smaps_rollup", O_RDONLY);
	if (fd >= 0) {
		long n = qr_sys3(SYS_read, fd, text, sizeof(text) - 1);
		qr_sys1(SYS_close, fd);
		text[n > 0 ? n : 0] = '\0';
		uint64_t share = status_pages(text, "Pss_Anon:") +
				 status_pages(text, "Pss_Shmem:");
		/* Older kernels know neither. */
		if (share != 0 && share < resident)
			shared.pages = qr_min(resident - share, unmanaged);
	}
	uint64_t end_ns = linux_clock(NULL);
	uint64_t rest_ns = SHARED_COST * (end_ns - start_ns);
	shared.next_ns = end_ns + qr_max(SHARED_PERIOD_NS, rest_ns);
	shared.soon_ns = end_ns + rest_ns / SHARED_HURRY;
}

/* Pages of these that others answer for. */
static uint64_t
shared_pages(uint64_t resident, uint64_t unmanaged)
{
	if (unmanaged < SHARED_LEAST ||
	    atomic_load(&ledger_get()->totals.processes) < 2)
		return 0;
	shared_look(resident, unmanaged);
	/* What has gone since may have been of these. */
	return unmanaged < shared.unmanaged
		   ? shared.pages * unmanaged / shared.unmanaged
		   : shared.pages;
}

/* (balance) */
static uint64_t
unmanaged_now(const struct qr_machine_stat *stat)
{
	uint64_t known = stat->frames_user + stat->frames_home;
	uint64_t resident = resident_pages();
	if (resident <= known)
		return 0;
	uint64_t unmanaged = resident - known;
	return unmanaged - shared_pages(resident, unmanaged);
}

static uint64_t
slack_pages(void)
{
	uint64_t part =
	    ledger_get()->budget_pages / SLACK_PART / ledger_processes();
	return qr_max(qr_min(part, CREDIT_SLACK), CREDIT_SLACK_MIN);
}

static void
set_balloon(uint64_t credits, uint64_t unmanaged, uint64_t metadata)
{
	uint64_t usable = credits > unmanaged ? credits - unmanaged : 0;
	uint64_t most = qr_linux.frames - metadata;
	qr_machine_balloon(qr_linux.machine, most > usable ? most - usable : 0);
}

void
credit_measure(void)
{
	struct qr_machine_stat stat;
	futex_lock_acquire(&balance);
	qr_machine_stat(qr_linux.machine, &stat);
	uint64_t unmanaged = unmanaged_now(&stat);
	atomic_store(&qr_linux.unmanaged_pages, unmanaged);
	if (unmanaged > atomic_load(&qr_linux.unmanaged_pages_peak))
		atomic_store(&qr_linux.unmanaged_pages_peak, unmanaged);
	struct ledger_slot *own = ledger_own();
	uint64_t before = atomic_exchange(&own->unmanaged, unmanaged);
	if (unmanaged > before)
		ledger_take(own, unmanaged - before);
	set_balloon(atomic_load(&own->credits), unmanaged, stat.frames_boot);
	futex_lock_release(&balance);
}

/*
 * Credits that must be had, from whoever has the most: all of want, or as
 * many as there were when nobody gave any for PATIENCE_TURNS.
 */
static uint64_t
take_patiently(struct ledger_slot *slot, uint64_t want)
{
	uint64_t got = ledger_take(slot, want);
	for (unsigned vain = 0; got < want && vain < PATIENCE_TURNS; vain++) {
		if (!ledger_ask_largest(qr_max(want - got, ASK_LEAST)))
			break;
		linux_port_ops.wait(NULL, &qr_linux.dead, 0, PATIENCE_TURN_NS);
		uint64_t more = ledger_take(slot, want - got);
		if (more != 0)
			vain = 0;
		got += more;
	}
	return got;
}

bool
credit_beg(void)
{
	uint64_t got = take_patiently(ledger_own(), 1);
	ledger_give(ledger_own(), got);
	return got != 0;
}

int
credit_start(void)
{
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	futex_lock_acquire(&balance);
	uint64_t want = unmanaged_now(&stat) + slack_pages();
	futex_lock_release(&balance);
	if (take_patiently(ledger_own(), want) < want)
		return -ENOMEM;
	credit_measure();
	return 0;
}

/* Called by the core when it runs short, before it reclaims. */
uint64_t
linux_grant(void *ctx, uint64_t want)
{
	(void)ctx;
	struct ledger_slot *own = ledger_own();
	uint64_t step = want > CREDIT_STEP ? want : CREDIT_STEP;
	uint64_t got = ledger_take(own, step);
	if (got != 0 || !ledger_others_have(ASK_SHARE))
		return got;
	ledger_ask_largest(step);
	for (unsigned turn = 0; got == 0 && turn < ASK_TURNS; turn++) {
		linux_port_ops.wait(NULL, &qr_linux.dead, 0, ASK_TURN_NS);
		got = ledger_take(own, step);
	}
	return got;
}

/* Takes pages out of use, making them free first, and out of this process's
 * credits into the slot's, or the ledger if that is NULL; returns how many. */
static uint64_t
part_with(uint64_t pages, struct ledger_slot *slot)
{
	struct qr_machine_stat stat;
	qr_machine_give(qr_linux.machine, pages);
	futex_lock_acquire(&balance);
	qr_machine_stat(qr_linux.machine, &stat);
	uint64_t reached =
	    qr_machine_balloon(qr_linux.machine, stat.frames_balloon + pages);
	uint64_t parted =
	    reached > stat.frames_balloon ? reached - stat.frames_balloon : 0;
	/* In this order, so that nobody else gets them on the way. */
	if (slot != NULL)
		atomic_fetch_add(&slot->credits, parted);
	ledger_give(ledger_own(), parted);
	futex_lock_release(&balance);
	return parted;
}

void
credit_return(uint64_t pages)
{
	(void)part_with(pages, NULL);
}

static void
keep_free(uint64_t keep)
{
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	keep += stat.frames_user / 8;
	if (stat.frames_free > keep + qr_min(keep, CREDIT_STEP))
		credit_return(stat.frames_free - keep);
}

/* Gives back what has lain idle. */
void
credit_idle(void)
{
	keep_free(slack_pages());
}

/* What the child shares with its parent, it has from now on to answer for in
 * part; and what it was given for its first steps may be more than it needs. */
void
credit_forked(void)
{
	shared.next_ns = 0;
	shared.soon_ns = 0;
	credit_measure();
	/* It may never have a helper, whom others could ask. */
	keep_free(CREDIT_SLACK_MIN);
}

/* Frames that a fork's child will have, and some to begin with. */
static uint64_t
child_pages(void)
{
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	return stat.frames_total - stat.frames_balloon - stat.frames_free -
	       stat.frames_boot + slack_pages();
}

/*
 * Credits for a fork's child: as many as this process has frames in use. Where
 * they can't be had, of others either, this process sends pages out until both
 * fit. What is not managed stays the parent's until the child has looked at its
 * share.
 */
int
credit_for_child(struct ledger_slot **child)
{
	struct ledger_slot *slot = ledger_slot_new();
	if (slot == NULL)
		return -EAGAIN;
	bool patient = true;
	(void)take_patiently(slot, child_pages());
	for (unsigned vain = 0; vain < FORK_VAIN_MAX;) {
		uint64_t have = atomic_load(&slot->credits);
		uint64_t need = child_pages();
		if (have >= need) {
			*child = slot;
			return 0;
		}
		if (ledger_take(slot, need - have) != 0 ||
		    part_with((need - have + 1) / 2, slot) != 0 ||
		    (patient && take_patiently(slot, need - have) != 0)) {
			vain = 0;
			continue;
		}
		patient = false;
		/* Another's fork may have all, and will end. */
		linux_port_ops.wait(NULL, &qr_linux.dead, 0, PATIENCE_TURN_NS);
		vain++;
	}
	ledger_slot_free(slot);
	return -ENOMEM;
}

void
credit_tick(void)
{
	if (helper_runs())
		return;
	if (atomic_fetch_add_explicit(&qr_linux.faults, 1,
		memory_order_relaxed) >= HELPER_FROM_PAGES / 4)
		helper_wanted();
}
