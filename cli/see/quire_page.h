/* SPDX-License-Identifier: MIT */
/* quire_page.h: what programs in a budget show of themselves, read without
 * stopping or signalling them; see <qr/stat_page.h>. */
#ifndef CLI_SEE_QUIRE_PAGE_H
#define CLI_SEE_QUIRE_PAGE_H

#include <qr/stat_page.h>

#include "view.h"

/* A process's page, and which tree it belongs to. */
struct quire_page {
	struct qr_stat_page page;
	uint64_t tree; /* the same for all that share a budget */
};

/* False: the process is not on Quire, or not ours to look at. */
QR_MUST_CHECK bool quire_page_read(int pid, struct quire_page *quire);

/* Sets the columns that a row has of it. */
void quire_page_set(const struct quire_page *quire, struct table *table,
    size_t row);

/* Says below a table how a process on Quire stands; nothing of others. */
void quire_page_note(struct session *session, struct table *table, int pid);

/* Calls visit for each process on Quire that may be looked at. */
void quire_pages_each(struct session *session,
    void (*visit)(void *ctx, int pid, const struct quire_page *quire),
    void *ctx);

#endif
