/* SPDX-License-Identifier: MIT */
/*
 * space/migrate.c: a page moves to another frame, for who needs the one it is
 * in: a larger block, or memory that is about to be taken away.
 *
 *	on a list --claim--> claimed --freeze, drop--> away --map--> moved
 *	                         |                       |             |
 *	                         +-------- stays --------+      old frame: the
 *	                                                        caller's to free
 *
 * Only pages on the policy's lists are looked at: that they are is seen in
 * their flags under the page lock, and a listed page stays what it is while
 * that lock is held. So a frame number that is nobody's or somebody else's by
 * now does no harm. Locked and pinned pages, and such as are on their way in or
 * out, stay.
 *
 * A page of spaces' own goes with all its mappings, one or as many as forks
 * have made: all entries are claimed, so none can come or go. Each entry
 * remembers by itself what it was (MIGRATE_AWAY), so their number does not
 * matter. That the old frame keeps the contents (QR_PORT_PAGES_MOVE) makes it
 * simple to go back, until the first entry has the new frame; should the port
 * refuse one after that, it has the new frame without rights, and the next
 * touch asks again. A program that touches the page meanwhile waits for the
 * entry. Young and dirty marks go along.
 *
 * A page of an object is taken from all who map it, as by an eviction, and goes
 * on in its new frame; the next touch finds it in the cache.
 *
 * Keeps [space.4], [cache.2].
 */
#include "space_impl.h"

#include "pages_impl.h"
#include "port_inline.h"

/* In a claimed entry that is not present: it was, and is to be so again. Large
 * leaves have no business here, so the bit is free. */
#define MIGRATE_AWAY QR_PTE_LARGE

/* What makes an entry present; the write bit is where freezing put it. */
#define MIGRATE_RIGHTS (QR_PTE_PRESENT | QR_PTE_USER)

#define MIGRATE_RESIDENT ((uint64_t)QR_PTE_RESIDENT << 1)

/* A page that is being moved. */
struct migration {
	struct qr_spaces *spaces;
	struct qr_page *page;
	struct qr_page *to;
	qr_pfn_t frame; /* of to */
	unsigned cpu;
	bool is_thawed_by_port; /* it was frozen as the only mapping */
};

static struct qr_range
place_range(const struct qr_rmap_place *place)
{
	return (
	    struct qr_range){ place->address, place->address + QR_PAGE_SIZE };
}

static bool
word_is_away(const qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	return !qr_pte_is_present(pte) && (pte.bits & MIGRATE_AWAY) != 0;
}

/* --- claim --- */

/* Takes the page off its list and claims its entries. (page lock) */
static int
migrate_claim(const struct migration *move)
{
	struct qr_spaces *spaces = move->spaces;
	if (!qr_rmap_claim(spaces, move->page))
		return -QR_EBUSY;
	spaces->ops->page_gone(spaces->ops_ctx, move->page);
	return 0;
}

/* The page stays where it is, and may be touched again. */
static void
migrate_put_back(const struct migration *move)
{
	struct qr_spaces *spaces = move->spaces;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	spaces->ops->page_stays(spaces->ops_ctx, move->page);
	while (qr_rmap_step(move->page, &cursor, &place))
		qr_entry_release(spaces->port, qr_rmap_word(&place));
	qr_lock_release(spaces->port, &spaces->page_lock);
}

/* --- freeze --- */

/* The first mapping that is present; false: all sleep. */
static bool
migrate_first(const struct migration *move, struct qr_rmap_place *place)
{
	struct qr_rmap_cursor cursor = { 0 };
	while (qr_rmap_step(move->page, &cursor, place)) {
		if (qr_pte_is_present(qr_pte_read(qr_rmap_word(place))))
			return true;
	}
	return false;
}

/* Nobody can write to the page any more. Where several map it nobody could:
 * there is nothing to undo then. */
static int
migrate_freeze(struct migration *move)
{
	const struct qr_port *port = move->spaces->port;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	int frozen = 0;
	while (frozen >= 0 && qr_rmap_step(move->page, &cursor, &place)) {
		const struct qr_range range = place_range(&place);
		qr_pte_word *word = qr_rmap_word(&place);
		if (!qr_pte_is_present(qr_pte_read(word)))
			continue;
		qr_entry_freeze(word);
		frozen = port->ops->mmu_freeze(port->ctx, place.space->mm,
		    &range, 1, false);
		move->is_thawed_by_port =
		    frozen == 0 && !qr_page_is_shared(move->page);
	}
	return frozen < 0 ? frozen : 0;
}

/* The rights that the entries had. */
static void
migrate_thaw(const struct migration *move)
{
	const struct qr_port *port = move->spaces->port;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(move->page, &cursor, &place)) {
		const struct qr_range range = place_range(&place);
		qr_pte_word *word = qr_rmap_word(&place);
		if (!qr_pte_is_present(qr_pte_read(word)))
			continue;
		qr_entry_thaw(word);
		if (move->is_thawed_by_port)
			port->ops->mmu_thaw(port->ctx, place.space->mm, &range,
			    1);
	}
}

/* --- drop --- */

/* Entries that are away are as they were, frozen. */
static void
migrate_undrop(const struct migration *move)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(move->page, &cursor, &place)) {
		qr_pte_word *word = qr_rmap_word(&place);
		if (word_is_away(word))
			(void)qr_pte_update(word,
			    MIGRATE_AWAY | MIGRATE_RESIDENT, MIGRATE_RIGHTS);
	}
}

/* Takes the page from all, in their entries and in the machine; or from
 * none. */
static int
migrate_drop(const struct migration *move)
{
	const struct qr_port *port = move->spaces->port;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(move->page, &cursor, &place)) {
		const struct qr_range range = place_range(&place);
		qr_pte_word *word = qr_rmap_word(&place);
		if (!qr_pte_is_present(qr_pte_read(word)))
			continue;
		(void)qr_pte_update(word, MIGRATE_RIGHTS,
		    MIGRATE_AWAY | MIGRATE_RESIDENT);
		if (port->ops->mmu_drop(port->ctx, place.space->mm, &range,
			1) != 1) {
			migrate_undrop(move);
			return -QR_EBUSY;
		}
	}
	return 0;
}

/* --- copy, map --- */

/* Copies the frozen page to where mmu_map will take it from. */
static int
migrate_stage(const struct migration *move, const struct qr_rmap_place *place)
{
	const struct qr_port *port = move->spaces->port;
	struct qr_lock *lock = &move->spaces->peek_lock[move->cpu];
	const struct qr_peek at = { place->address,
		qr_frame_pfn(move->spaces->frames, move->page), move->cpu,
		true };
	qr_lock_acquire(port, lock);
	const void *from =
	    port->ops->mmu_peek(port->ctx, place->space->mm, &at);
	if (from != NULL)
		__builtin_memcpy(port->ops->stage(port->ctx, move->cpu,
				     move->frame, 0),
		    from, QR_PAGE_SIZE);
	qr_lock_release(port, lock);
	return from != NULL ? 0 : -QR_EBUSY;
}

static unsigned
pte_prot(struct qr_pte pte)
{
	unsigned prot = QR_PROT_READ;
	if ((pte.bits & QR_PTE_SAVED_W) != 0)
		prot |= QR_PROT_WRITE;
	if ((pte.bits & QR_PTE_NX) == 0)
		prot |= QR_PROT_EXEC;
	return prot;
}

/* Maps the new frame at a place; held: its contents are in it, not staged. */
static int
migrate_map(const struct migration *move, const struct qr_rmap_place *place,
    bool held)
{
	const struct qr_port *port = move->spaces->port;
	const struct qr_map_run run = {
		.start = place->address,
		.frames = &move->frame,
		.count = 1,
		.prot = pte_prot(qr_pte_read(qr_rmap_word(place))),
		.held = held,
	};
	return port->ops->mmu_map(port->ctx, place->space->mm, move->cpu, &run);
}

/* The others after the first. Where the port refuses, the next touch will
 * ask. */
static void
migrate_map_others(const struct migration *move,
    const struct qr_rmap_place *first)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(move->page, &cursor, &place)) {
		qr_pte_word *word = qr_rmap_word(&place);
		bool is_first = place.space == first->space &&
				place.address == first->address;
		if (!is_first && word_is_away(word) &&
		    migrate_map(move, &place, true) != 0)
			(void)qr_pte_update(word, MIGRATE_AWAY, 0);
	}
}

/* The frozen page's contents to the new frame, and that to all who are away. */
static int
migrate_replace(const struct migration *move, const struct qr_rmap_place *first)
{
	const struct qr_port *port = move->spaces->port;
	struct qr_lock *lock = &move->spaces->stage_lock[move->cpu];
	qr_lock_acquire(port, lock);
	int error = migrate_stage(move, first);
	if (error == 0)
		error = migrate_drop(move);
	if (error == 0) {
		error = migrate_map(move, first, false);
		if (error != 0)
			migrate_undrop(move);
		else
			migrate_map_others(move, first);
	}
	qr_lock_release(port, lock);
	return error;
}

static int
migrate_contents(struct migration *move)
{
	struct qr_rmap_place first;
	if (!migrate_first(move, &first))
		return -QR_EBUSY;
	int error = migrate_freeze(move);
	if (error == 0)
		error = migrate_replace(move, &first);
	if (error == 0)
		return 0;
	migrate_thaw(move);
	return -QR_EBUSY;
}

/* --- end --- */

/* What an entry says of the new frame. */
static struct qr_pte
migrate_pte(const struct migration *move, const qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	uint64_t bits = pte.bits & ~(QR_PTE_FRAME | QR_PTE_BUSY |
				       QR_PTE_WAITERS | QR_PTE_SAVED_W);
	bits |= move->frame << QR_PAGE_SHIFT;
	if (word_is_away(word)) {
		bits &= ~(MIGRATE_AWAY | MIGRATE_RESIDENT);
		bits |= MIGRATE_RIGHTS;
		if ((pte.bits & QR_PTE_SAVED_W) != 0)
			bits |= QR_PTE_WRITE;
	}
	return (struct qr_pte){ bits };
}

/* The new frame has the mappings, and the page's place on a list. */
static void
migrate_publish(const struct migration *move)
{
	struct qr_spaces *spaces = move->spaces;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	qr_rmap_transfer(move->page, move->to);
	spaces->ops->page_in(spaces->ops_ctx, move->to, UINT64_MAX);
	while (qr_rmap_step(move->to, &cursor, &place)) {
		qr_pte_word *word = qr_rmap_word(&place);
		(void)qr_pte_publish(spaces->port, word,
		    migrate_pte(move, word));
	}
	qr_lock_release(spaces->port, &spaces->page_lock);
}

/* A claimed page of spaces' own. */
static int
migrate_own(struct migration *move)
{
	/* Pairs with the fence in qr_space_pin. */
	atomic_thread_fence(memory_order_seq_cst);
	int error =
	    qr_rmap_is_pinned(move->page) ? -QR_EPERM : migrate_contents(move);
	if (error == 0)
		migrate_publish(move);
	else
		migrate_put_back(move);
	return error;
}

/* Takes an object's page from all who map it. (page lock) */
static int
migrate_take_cached(const struct migration *move)
{
	struct qr_spaces *spaces = move->spaces;
	/* A hint, for who wants to know why; taking it looks again. */
	if (qr_rmap_is_pinned(move->page))
		return -QR_EPERM;
	spaces->ops->page_gone(spaces->ops_ctx, move->page);
	return qr_view_take(spaces, move->page) ? 0 : -QR_EBUSY;
}

int
qr_spaces_migrate(struct qr_spaces *spaces, struct qr_page *page,
    struct qr_page *to)
{
	struct migration move = {
		.spaces = spaces,
		.page = page,
		.to = to,
		.frame = qr_frame_pfn(spaces->frames, to),
		.cpu = qr_port_cpu(spaces->port),
	};
	bool cached = qr_page_is_cached(to);
	int error;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	if (!qr_page_is_listed(page))
		error = -QR_EPERM;
	else if (qr_page_is_cached(page) != cached)
		error = -QR_EBUSY; /* it has another use by now */
	else if (cached)
		error = migrate_take_cached(&move);
	else
		error = migrate_claim(&move);
	qr_lock_release(spaces->port, &spaces->page_lock);
	if (error != 0)
		return error;
	if (!cached)
		return migrate_own(&move);
	qr_cache_move(page, to);
	return 0;
}
