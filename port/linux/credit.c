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
 *     unmanaged = RssAnon + RssShmem − frames that are resident
 *
 * The metadata of the frames (their descriptors and bitmaps) is a hundredth
 * of the budget in every process, but is touched only as frames come into
 * use. So it is not charged as the frames that it was made of but as what of
 * it is resident: unmanaged holds it.
 */
#include <errno.h>

#include "../../core/base/bits.h"
#include "files.h"
#include "futex_lock.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "pager.h"
#include "sys.h"

/* Pages that a process takes at a time: 1 MiB. */
#define CREDIT_STEP 256u

/* Beside what is unmanaged a process starts with so many: 2 MiB. */
#define CREDIT_START 512u

/* Free frames that a process keeps when it gives back what lies idle, pages. */
#define CREDIT_SLACK 512u

/* A process with less than this share of the largest's credits asks it. */
#define ASK_SHARE 2u

/* How long one that has asked waits for the answer, in steps of 200 µs. */
#define ASK_TURNS   10u
#define ASK_TURN_NS 200000u

/* The same for a process that can't do without: it gives up when nobody has
 * given anything for 2 s. Who is asked may have a slow disk to write to. */
#define PATIENCE_TURNS   1000u
#define PATIENCE_TURN_NS 2000000u

/* Who sets the balloon and the credits by what it has read of both: one after
 * the other. Not for linux_grant, which a reclaim of such a one may wait for:
 * the core takes back as much of the balloon as that has added. Never taken
 * with an entry claimed. */
static struct futex_lock balance;

/* A fork gives up after so many rounds in a row that made no room; other
 * threads may fault in what one round sends out. */
#define FORK_FRUITLESS_MAX 16u

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

static uint64_t
unmanaged_now(const struct qr_machine_stat *stat)
{
	uint64_t known = stat->frames_user + stat->frames_home;
	uint64_t resident = resident_pages();
	return resident > known ? resident - known : 0;
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
		if (!ledger_ask_largest(want - got))
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
	uint64_t want = unmanaged_now(&stat) + CREDIT_START;
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

/* Gives pages back to the ledger, making them free first. */
void
credit_return(uint64_t pages)
{
	struct qr_machine_stat stat;
	qr_machine_give(qr_linux.machine, pages);
	futex_lock_acquire(&balance);
	qr_machine_stat(qr_linux.machine, &stat);
	uint64_t reached =
	    qr_machine_balloon(qr_linux.machine, stat.frames_balloon + pages);
	if (reached > stat.frames_balloon)
		ledger_give(ledger_own(), reached - stat.frames_balloon);
	futex_lock_release(&balance);
}

/* Gives back what has lain idle. */
void
credit_idle(void)
{
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	uint64_t keep = CREDIT_SLACK + stat.frames_user / 8;
	if (stat.frames_free > keep + CREDIT_STEP)
		credit_return(stat.frames_free - keep);
}

/*
 * Credits for a fork's child: as many as this process uses. Where they can't
 * be had, this process sends pages out until both fit.
 */
int
credit_for_child(struct ledger_slot **child)
{
	struct ledger_slot *slot = ledger_slot_new();
	unsigned fruitless = 0;
	uint64_t least = UINT64_MAX; /* that was missing so far */
	bool begged = false;
	if (slot == NULL)
		return -EAGAIN;
	for (;;) {
		struct qr_machine_stat stat;
		qr_machine_stat(qr_linux.machine, &stat);
		uint64_t used = stat.frames_total - stat.frames_balloon -
				stat.frames_free - stat.frames_boot +
				CREDIT_SLACK +
				atomic_load(&qr_linux.unmanaged_pages);
		uint64_t have = atomic_load(&slot->credits);
		if (have < used)
			have += (begged ? ledger_take : take_patiently)(slot,
			    used - have);
		begged = true;
		if (have >= used)
			break;
		uint64_t missing = used - have;
		fruitless = missing < least ? 0 : fruitless + 1;
		least = qr_min(least, missing);
		if (fruitless == FORK_FRUITLESS_MAX) {
			ledger_slot_free(slot);
			return -ENOMEM;
		}
		credit_return((missing + 1) / 2);
	}
	*child = slot;
	return 0;
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
