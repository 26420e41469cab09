/* SPDX-License-Identifier: MIT */
/*
 * space/window.c: pages that leave together because they lie together.
 *
 * Where the machine has to be asked for each change of a mapping, and
 * interrupts its CPUs for it, one call for a window costs hardly more than one
 * for a page. So a victim's neighbours go along, and what lies between them,
 * if it is out already, is claimed too: then nothing can come in there while
 * the range as a whole is frozen and dropped. Keeps [space.3]: an entry that
 * says where a page is lies in a managed area, so a range never reaches over
 * something else.
 */
#include "space_impl.h"

size_t
qr_spaces_window(struct qr_spaces *spaces, const struct qr_page *page,
    struct qr_page **near, size_t max)
{
	struct qr_space *space =
	    qr_page_is_own(page) ? page->u.user.mapping : NULL;
	uint64_t size_bytes = spaces->port->mmu_window * QR_PAGE_SIZE;
	size_t found = 0;
	size_t count;
	qr_lock_assert_held(spaces->port, &spaces->page_lock);
	if (size_bytes <= QR_PAGE_SIZE || space == NULL)
		return 0;
	qr_vaddr_t start = qr_round_down(page->u.user.address, size_bytes);
	/* The page's own entry keeps the node. */
	qr_pte_word *words =
	    qr_table_next(&space->table, &start, start + size_bytes, &count);
	for (size_t i = 0; words != NULL && i < count && found < max; i++) {
		struct qr_pte pte = qr_pte_read(&words[i]);
		if (qr_pte_is_busy(pte) || !qr_pte_has_frame(pte))
			continue;
		struct qr_page *other =
		    qr_frame_page(spaces->frames, qr_pte_frame(pte));
		if (other != page && qr_page_is_own(other))
			near[found++] = other;
	}
	return found;
}

/* Claims an entry whose page is out. */
static bool
gap_claim(qr_pte_word *word)
{
	struct qr_pte pte = qr_pte_read(word);
	if (qr_pte_is_busy(pte) || qr_pte_is_present(pte))
		return false;
	enum qr_pte_kind kind = qr_pte_kind(pte);
	return (kind == QR_PTE_SWAPPED || kind == QR_PTE_ZERO) &&
	       qr_pte_try_claim(word, pte);
}

/* The entries between two of one window, both claimed. */
static size_t
gap_words(struct qr_space *space, qr_vaddr_t below, qr_vaddr_t above,
    qr_pte_word **words)
{
	*words = qr_table_find(&space->table, below);
	QR_ASSERT(*words != NULL, "space.4: no node for a mapping at 0x%llx",
	    (unsigned long long)below);
	(*words)++;
	return (size_t)((above - below) >> QR_PAGE_SHIFT) - 1;
}

bool
qr_window_join(struct qr_space *space, qr_vaddr_t below, qr_vaddr_t above)
{
	uint64_t size_bytes = space->spaces->port->mmu_window * QR_PAGE_SIZE;
	qr_pte_word *words;
	if (size_bytes <= QR_PAGE_SIZE ||
	    ((below ^ above) & ~(size_bytes - 1)) != 0)
		return false;
	size_t count = gap_words(space, below, above, &words);
	for (size_t i = 0; i < count; i++) {
		if (gap_claim(&words[i]))
			continue;
		while (i-- > 0)
			qr_entry_release(space->spaces->port, &words[i]);
		return false;
	}
	return true;
}

void
qr_window_part(struct qr_space *space, qr_vaddr_t below, qr_vaddr_t above)
{
	qr_pte_word *words;
	size_t count = gap_words(space, below, above, &words);
	for (size_t i = 0; i < count; i++)
		qr_entry_release(space->spaces->port, &words[i]);
}
