/* SPDX-License-Identifier: MIT */
/*
 * space/migrate.c: a mapped page moves to another frame, for who needs the one
 * it is in: a larger block, or memory that is about to be taken away.
 *
 *	on a list --claim--> claimed --freeze--> copied --drop, map--> moved
 *	                         |                  |                    |
 *	                         +--- stays --------+            old frame: the
 *	                                                         caller's to free
 *
 * Only pages on the policy's lists are looked at: that they are is seen in
 * their flags under the page lock, and a listed page is mapped and stays so
 * while that lock is held. So a frame number that is nobody's or somebody
 * else's by now does no harm. Locked and pinned pages, and such as are on
 * their way in or out, stay; so do pages that a fork has shared, which several
 * machines' tables would have to change at once.
 *
 * A program that touches the page meanwhile waits for the entry. Its young and
 * dirty marks go along. Keeps [space.4].
 */
#include "space_impl.h"

#include "pages_impl.h"
#include "port_inline.h"

/* A page that is being moved; its entry is claimed. */
struct migration {
	struct qr_spaces *spaces;
	struct qr_space *space;
	qr_vaddr_t address;
	qr_pte_word *word;
	struct qr_pte pte; /* what the entry was when it was claimed */
	struct qr_page *page;
	struct qr_page *to;
};

/* Takes the page off its list and claims its entry. (page lock) */
static int
migrate_claim(struct migration *move)
{
	struct qr_spaces *spaces = move->spaces;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	if (!qr_page_is_listed(move->page))
		return -QR_EPERM;
	if (!qr_page_is_own(move->page) ||
	    !qr_rmap_step(move->page, &cursor, &place))
		return -QR_EPERM;
	move->space = place.space;
	move->address = place.address;
	move->word = qr_table_find(&place.space->table, place.address);
	QR_ASSERT(move->word != NULL,
	    "space.4: no node for a mapping at "
	    "0x%llx",
	    (unsigned long long)place.address);
	move->pte = qr_pte_read(move->word);
	if (qr_pte_is_busy(move->pte) || !qr_pte_is_present(move->pte) ||
	    !qr_pte_try_claim(move->word, move->pte))
		return -QR_EBUSY;
	spaces->ops->page_gone(spaces->ops_ctx, move->page);
	return 0;
}

/* The page stays where it is, and may be touched again. */
static void
migrate_put_back(struct migration *move)
{
	struct qr_spaces *spaces = move->spaces;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	spaces->ops->page_stays(spaces->ops_ctx, move->page);
	qr_entry_release(spaces->port, move->word);
	qr_lock_release(spaces->port, &spaces->page_lock);
}

/* Copies the frozen page to where mmu_map will take it from. */
static int
migrate_stage(const struct migration *move, qr_pfn_t to, unsigned cpu)
{
	const struct qr_port *port = move->spaces->port;
	struct qr_lock *lock = &move->spaces->peek_lock[cpu];
	const struct qr_peek at = { move->address, qr_pte_frame(move->pte), cpu,
		qr_pte_is_present(move->pte) };
	qr_lock_acquire(port, lock);
	const void *from = port->ops->mmu_peek(port->ctx, move->space->mm, &at);
	if (from != NULL)
		__builtin_memcpy(port->ops->stage(port->ctx, cpu, to, 0), from,
		    QR_PAGE_SIZE);
	qr_lock_release(port, lock);
	return from != NULL ? 0 : -QR_EBUSY;
}

static unsigned
pte_prot(struct qr_pte pte)
{
	unsigned prot = QR_PROT_READ;
	if ((pte.bits & QR_PTE_WRITE) != 0)
		prot |= QR_PROT_WRITE;
	if ((pte.bits & QR_PTE_NX) == 0)
		prot |= QR_PROT_EXEC;
	return prot;
}

/* Puts the staged copy in the page's place. The old frame keeps the contents
 * (QR_PORT_PAGES_MOVE), so a refusal is undone by the entry alone. */
static int
migrate_replace(const struct migration *move, qr_pfn_t to, unsigned cpu)
{
	const struct qr_port *port = move->spaces->port;
	const struct qr_range range = { move->address,
		move->address + QR_PAGE_SIZE };
	uint64_t old_bits =
	    qr_pte_read(move->word).bits & ~(QR_PTE_BUSY | QR_PTE_WAITERS);
	struct qr_pte away = qr_pte_of_kind(QR_PTE_RESIDENT);
	away.bits |= old_bits & QR_PTE_FRAME;
	(void)qr_pte_update(move->word, old_bits, away.bits);
	if (port->ops->mmu_drop(port->ctx, move->space->mm, &range, 1) == 1) {
		const struct qr_map_run run = {
			.start = move->address,
			.frames = &to,
			.count = 1,
			.prot = pte_prot(move->pte),
		};
		int error =
		    port->ops->mmu_map(port->ctx, move->space->mm, cpu, &run);
		if (error == 0)
			return 0;
	}
	(void)qr_pte_update(move->word, away.bits, old_bits);
	return -QR_EBUSY;
}

static int
migrate_contents(const struct migration *move)
{
	const struct qr_port *port = move->spaces->port;
	qr_pfn_t to = qr_frame_pfn(move->spaces->frames, move->to);
	const struct qr_range range = { move->address,
		move->address + QR_PAGE_SIZE };
	unsigned cpu = qr_port_cpu(port);
	qr_entry_freeze(move->word);
	int frozen =
	    port->ops->mmu_freeze(port->ctx, move->space->mm, &range, 1, false);
	int error = frozen < 0 ? frozen : 0;
	if (error == 0) {
		qr_lock_acquire(port, &move->spaces->stage_lock[cpu]);
		error = migrate_stage(move, to, cpu);
		if (error == 0)
			error = migrate_replace(move, to, cpu);
		qr_lock_release(port, &move->spaces->stage_lock[cpu]);
	}
	if (error == 0)
		return 0;
	qr_entry_thaw(move->word);
	if (frozen == 0)
		port->ops->mmu_thaw(port->ctx, move->space->mm, &range, 1);
	return -QR_EBUSY;
}

/* The new frame has the mapping, and its place on a list. */
static void
migrate_publish(struct migration *move)
{
	struct qr_spaces *spaces = move->spaces;
	struct qr_pte pte = move->pte;
	qr_pfn_t to = qr_frame_pfn(spaces->frames, move->to);
	pte.bits = (pte.bits & ~QR_PTE_FRAME) | to << QR_PAGE_SHIFT;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	move->page->u.user.mapping = NULL;
	qr_rmap_set(move->to, move->space, move->address);
	spaces->ops->page_in(spaces->ops_ctx, move->to, UINT64_MAX);
	(void)qr_pte_publish(spaces->port, move->word, pte);
	qr_lock_release(spaces->port, &spaces->page_lock);
}

int
qr_spaces_migrate(struct qr_spaces *spaces, struct qr_page *page,
    struct qr_page *to)
{
	struct migration move = { .spaces = spaces, .page = page, .to = to };
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	int error = migrate_claim(&move);
	qr_lock_release(spaces->port, &spaces->page_lock);
	if (error != 0)
		return error;
	/* Pairs with the fence in qr_space_pin. */
	atomic_thread_fence(memory_order_seq_cst);
	error = qr_space_is_pinned(move.space, move.address)
		    ? -QR_EPERM
		    : migrate_contents(&move);
	if (error == 0)
		migrate_publish(&move);
	else
		migrate_put_back(&move);
	return error;
}
