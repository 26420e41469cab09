/* SPDX-License-Identifier: MIT */
/*
 * ledger.h: one budget for a tree of processes.
 *
 * A memfd that every managed process of the tree maps. It has no locks:
 * single words, changed atomically. A process owns one slot and may use as
 * many frames as the slot's credits say; it raises its own credits first and
 * takes that back if the sum of all then exceeds the budget, so two at once
 * may both be refused but never both be served [ledger.1]. A slot's owner
 * holds a write lock on the slot's byte of the file; the kernel drops it when
 * the owner dies, however that comes about, and whoever finds a slot without
 * its lock clears it, which gives its credits back [ledger.2]. A slot that is
 * made for a fork's child bears its maker's mark until the child has locked
 * it, and goes with the maker; one that is being cleared bears the mark of who
 * does that, so that another can take over. A mark is a slot's number and
 * which owner of that slot it was.
 */
#ifndef QR_LINUX_LEDGER_H
#define QR_LINUX_LEDGER_H

#include <stdatomic.h>

#include <qr/machine.h>

#define LEDGER_SLOTS    1000u
#define LEDGER_NAMES    8u          /* outsiders that the summary names */
#define LEDGER_NAME_MAX 16u         /* bytes of a name with its 0 */
#define LEDGER_MAGIC    0x31657269u /* "ire1" */

#define LEDGER_ASKED_MAX (UINT32_MAX >> 1)

struct ledger_slot {
	_Atomic(uint32_t) pid;       /* 0: free; or a mark, see ledger.c */
	_Atomic(uint32_t) owners;    /* that it ever had; modulo */
	_Atomic(uint32_t) asked;     /* pages others want back, and flags above
				       LEDGER_ASKED_MAX that are the owner's;
				       its helper sleeps on this word */
	_Atomic(uint32_t) listens;   /* 1: it has a helper, who answers */
	_Atomic(uint64_t) credits;   /* pages */
	_Atomic(uint64_t) unmanaged; /* pages, at the last look */
};

/* What the whole tree did; added to by each process as it ends. */
struct ledger_totals {
	_Atomic(uint64_t) processes; /* managed, ever */
	_Atomic(uint64_t) first_touch;
	_Atomic(uint64_t) from_pool;
	_Atomic(uint64_t) from_device;
	_Atomic(uint64_t) pages_out;
	_Atomic(uint64_t) pages_out_zero;
	_Atomic(uint64_t) written_back;
	_Atomic(uint64_t) stored_peak; /* most pages out in one process */
	_Atomic(uint64_t) io_errors;
	_Atomic(uint64_t) used_peak;  /* most credits in use in the tree */
	_Atomic(uint64_t) floor_told; /* unmanaged pages, when it was said
					 that the budget is too small */
};

struct ledger {
	uint32_t magic;
	uint32_t slot_bytes; /* sizeof(struct ledger_slot) */
	uint64_t budget_pages;
	struct ledger_totals totals;
	/* Processes of the tree without a slot; see outsiders.c. */
	_Atomic(uint64_t) outsiders;      /* pages, at the last look */
	_Atomic(uint64_t) outsiders_peak; /* pages */
	char outsider_names[LEDGER_NAMES][LEDGER_NAME_MAX];
	struct ledger_slot slots[LEDGER_SLOTS];
};

/* Maps the ledger at fd, or makes one if fd is -1, and takes a slot in it.
 * 0 or -errno. */
int ledger_open(int fd, uint64_t budget_pages);

struct ledger *ledger_get(void);
struct ledger_slot *ledger_own(void); /* this process's */

/* Round the closing of any descriptor of the ledger, which loses the slot's
 * lock: meanwhile nobody finds the slot deserted. */
void ledger_lock_away(void);
void ledger_lock_back(void);

/* Up to want pages more for a slot; returns how many. */
uint64_t ledger_take(struct ledger_slot *slot, uint64_t want);
void ledger_give(struct ledger_slot *slot, uint64_t pages);
uint64_t ledger_free_pages(void);
uint64_t ledger_unmanaged_pages(void); /* of the whole tree */
uint64_t ledger_processes(void);       /* that have a slot now; 1 at least */

/* A slot for a child that is about to be: NULL, there is none. The child
 * makes it its own by ledger_adopt, with the credits that it had at the fork:
 * if the parent was killed the slot may have been cleared, and another is
 * taken. 0 or -EAGAIN. */
struct ledger_slot *ledger_slot_new(void);
void ledger_slot_free(struct ledger_slot *slot);
int ledger_adopt(struct ledger_slot *slot, uint64_t credits);

/* Whether a process has a slot; whether this one's is the first in use. */
bool ledger_has(uint32_t pid);
bool ledger_is_first(void);

/* What the processes without a slot hold, which the others can't have; and
 * one's name, as /proc/PID/comm has it. By one process at a time. */
void ledger_charge_outsiders(uint64_t pages);
void ledger_name_outsider(const char *name);

/* Whether some process could give more than so many times what this one
 * could: credits for what is not managed can't be given. */
bool ledger_others_have(unsigned times);

/* The process is about to exec: the next image may be no managed one, so the
 * slot is given up; and taken again with its credits if the exec fails. */
void ledger_leave(void);
int ledger_return(void);

/* A process more, or with -1 one less, that the tree ever had. */
void ledger_count(int processes);

/* Asks the process that could give the most, of those that answer and if that
 * is more than this one could, to give pages back. False: there is none, so it
 * is of no use to wait. */
bool ledger_ask_largest(uint64_t pages);

/* Whether this process answers when it is asked; and the credits of those that
 * do not, pages. */
void ledger_listen(bool listens);
uint64_t ledger_deaf_pages(void);

/* Clears the slots whose owners are gone. */
void ledger_reap(void);

#endif
