/* SPDX-License-Identifier: MIT */
/*
 * space/age.c: whether a page has been touched.
 *
 * The young bit of the entries tells, whoever sets it: the MMU, or, where it
 * sets none, the fault that wakes a page which was put to sleep. A page
 * asleep is resident without access rights.
 */
#include "space_impl.h"

#include "port_inline.h"

/* Pages put to sleep by one call of the port, aligned: enough that the host
 * flushes once, not page by page. */
#define SLEEP_WINDOW 64u
_Static_assert(SLEEP_WINDOW == 64, "claims of a window are bits of a word");

/* Clears the young mark of an entry; busy ones are in use. */
static bool
age_test_entry(const struct qr_port *port, qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	if (qr_pte_is_busy(pte))
		return true;
	if (!qr_pte_is_present(pte) || (pte.bits & QR_PTE_YOUNG) == 0)
		return false;
	if (qr_pte_try_claim(word, pte)) {
		pte.bits &= ~QR_PTE_YOUNG;
		(void)qr_pte_publish(port, word, pte);
	}
	return true;
}

bool
qr_spaces_test_young(struct qr_spaces *spaces, struct qr_page *page)
{
	qr_lock_assert_held(spaces->port, &spaces->page_lock);
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	bool young = false;
	while (qr_rmap_step(page, &cursor, &place))
		young |= age_test_entry(spaces->port, qr_rmap_word(&place));
	return young;
}

bool
qr_spaces_is_dirty(struct qr_spaces *spaces, struct qr_page *page)
{
	qr_lock_assert_held(spaces->port, &spaces->page_lock);
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	while (qr_rmap_step(page, &cursor, &place)) {
		const qr_pte_word *word =
		    qr_table_find(&place.space->table, place.address);
		struct qr_pte pte = { word == NULL ? 0
						   : qr_pte_read(word).bits };
		if (qr_pte_is_present(pte) && (pte.bits & QR_PTE_DIRTY) != 0)
			return true;
	}
	return false;
}

uint64_t
qr_spaces_identity(struct qr_spaces *spaces, struct qr_page *page)
{
	qr_lock_assert_held(spaces->port, &spaces->page_lock);
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	if (qr_page_is_cached(page))
		return (uintptr_t)qr_cached_object(page) * 0x9e3779b97f4a7c15 +
		       page->u.cached.index;
	if (!qr_rmap_step(page, &cursor, &place))
		return 0;
	return ((uint64_t)place.space->tag << 40) ^
	       (place.address >> QR_PAGE_SHIFT);
}

/* --- sleep --- */

struct age_window {
	struct qr_space *space;
	qr_vaddr_t start;
	qr_pte_word *words;
	size_t count;
	uint64_t claimed; /* bit i: words[i] is ours */
};

/* Claims an entry whose page only it maps and that may sleep. (page lock) */
static bool
age_claim(const struct qr_spaces *spaces, qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	if (!qr_pte_is_present(pte) || qr_pte_is_busy(pte) ||
	    (pte.bits & QR_PTE_LOCKED) != 0 || !qr_pte_try_claim(word, pte))
		return false;
	if (qr_page_is_own(qr_frame_page(spaces->frames, qr_pte_frame(pte))))
		return true;
	qr_entry_release(spaces->port, word);
	return false;
}

static void
age_claim_window(struct age_window *window)
{
	const struct qr_spaces *spaces = window->space->spaces;
	for (size_t i = 0; i < window->count; i++) {
		if (age_claim(spaces, &window->words[i]))
			window->claimed |= (uint64_t)1 << i;
	}
}

/* Gives back the entries that a pin covers. */
static void
age_spare_pinned(struct age_window *window)
{
	struct qr_space *space = window->space;
	for (size_t i = 0; i < window->count; i++) {
		uint64_t bit = (uint64_t)1 << i;
		if ((window->claimed & bit) == 0 ||
		    !qr_space_is_pinned(space,
			window->start + i * QR_PAGE_SIZE))
			continue;
		window->claimed &= ~bit;
		bool last = window->claimed == 0;
		qr_entry_release(space->spaces->port, &window->words[i]);
		if (last)
			return;
	}
}

/* Puts the run of claimed entries [from, end) to sleep. */
static void
age_sleep_run(const struct age_window *window, size_t from, size_t end)
{
	const struct qr_port *port = window->space->spaces->port;
	for (size_t i = from; i < end; i++) {
		struct qr_pte pte = qr_pte_read(&window->words[i]);
		struct qr_pte asleep =
		    qr_pte_map(qr_pte_frame(pte), QR_PROT_NONE);
		asleep.bits |= QR_PTE_ASLEEP;
		(void)qr_pte_update(&window->words[i],
		    ~(QR_PTE_BUSY | QR_PTE_WAITERS), asleep.bits);
	}
	/* Where the port refuses, the pages stay accessible: their touch is
	 * not seen, and a fault finds rights to give back all the same. */
	(void)port->ops->mmu_protect(port->ctx, window->space->mm,
	    window->start + from * QR_PAGE_SIZE,
	    window->start + end * QR_PAGE_SIZE, QR_PROT_NONE);
	/* The last publish may be the end of the space. */
	for (size_t i = from; i < end; i++)
		qr_entry_release(port, &window->words[i]);
}

static void
age_sleep(struct age_window *window)
{
	while (window->claimed != 0) {
		size_t from = qr_bit_lowest(window->claimed);
		uint64_t above = ~(window->claimed >> from);
		size_t end =
		    above == 0 ? SLEEP_WINDOW : from + qr_bit_lowest(above);
		uint64_t rest =
		    end == SLEEP_WINDOW ? 0 : window->claimed >> end << end;
		age_sleep_run(window, from, end);
		window->claimed = rest;
	}
}

void
qr_spaces_put_to_sleep(struct qr_spaces *spaces, struct qr_page *page)
{
	const struct qr_port *port = spaces->port;
	qr_lock_assert_held(port, &spaces->page_lock);
	struct age_window window = { .space = NULL };
	if (qr_page_is_own(page))
		window.space = page->u.user.mapping;
	if (window.space != NULL) {
		/* The page's own entry keeps the node as long as the page
		 * lock is held, a claimed one after that. */
		window.start = qr_round_down(page->u.user.address,
		    SLEEP_WINDOW * QR_PAGE_SIZE);
		window.words = qr_table_next(&window.space->table,
		    &window.start, window.start + SLEEP_WINDOW * QR_PAGE_SIZE,
		    &window.count);
		if (window.words != NULL)
			age_claim_window(&window);
	}
	qr_lock_release(port, &spaces->page_lock);
	if (window.claimed == 0)
		return;
	/* Pairs with the fence in qr_space_pin. */
	atomic_thread_fence(memory_order_seq_cst);
	age_spare_pinned(&window);
	age_sleep(&window);
}
