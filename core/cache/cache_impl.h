/* SPDX-License-Identifier: MIT */
/* cache/cache_impl.h: what the files of cache/ call in each other. */
#ifndef QR_CACHE_IMPL_H
#define QR_CACHE_IMPL_H

#include "../base/check.h"
#include "cache.h"

/* What an index has for a number: nothing, a page, a slot of swap, or a shadow:
 * when the page was evicted. The two lowest bits tell; a page's are clear. */
#define WORD_SLOT   ((uint64_t)1)
#define WORD_SHADOW ((uint64_t)2)
#define WORD_KIND   ((uint64_t)3)

static inline uint64_t
word_of_page(const struct qr_page *page)
{
	return (uintptr_t)page;
}

static inline bool
word_is_page(uint64_t word)
{
	return word != 0 && (word & WORD_KIND) == 0;
}

static inline struct qr_page *
word_page(uint64_t word)
{
	return (struct qr_page *)(uintptr_t)word;
}

static inline uint64_t
word_of_slot(uint64_t slot)
{
	return slot << 2 | WORD_SLOT;
}

static inline bool
word_is_slot(uint64_t word)
{
	return (word & WORD_KIND) == WORD_SLOT;
}

static inline uint64_t
word_of_shadow(uint32_t shadow)
{
	return (uint64_t)shadow << 2 | WORD_SHADOW;
}

static inline bool
word_is_shadow(uint64_t word)
{
	return (word & WORD_KIND) == WORD_SHADOW;
}

/* The slot's number, or the shadow. */
static inline uint64_t
word_value(uint64_t word)
{
	return word >> 2;
}

static inline void
object_assert(const struct qr_object *object)
{
	QR_ASSERT(object->signature == QR_OBJECT_SIGNATURE,
	    "object %p has signature 0x%x", (const void *)object,
	    object->signature);
}

static inline void
count_add(_Atomic(uint64_t) *count, uint64_t more)
{
	/* Relaxed: counts that order nothing. */
	atomic_fetch_add_explicit(count, more, memory_order_relaxed);
}

static inline void
count_sub(_Atomic(uint64_t) *count, uint64_t less)
{
	/* Relaxed: as above. */
	atomic_fetch_sub_explicit(count, less, memory_order_relaxed);
}

static inline uint64_t
count_load(_Atomic(uint64_t) *count)
{
	/* Relaxed: as above. */
	return atomic_load_explicit(count, memory_order_relaxed);
}

/* --- page.c --- */

/* A page that somebody holds, and its word then; state 0: not any more. */
struct qr_cached_busy {
	struct qr_page *page;
	uint32_t state;
};

/* The page of an index's word, held; NULL: it is none, or *busy. (object
 * lock) */
struct qr_page *qr_cached_find(uint64_t word, struct qr_cached_busy *busy);

/* Sleeps until that page may be free. No lock held. */
void qr_cached_wait(const struct qr_port *port,
    const struct qr_cached_busy *busy);

/* Sleeps a moment where an entry was in somebody's hands. No lock held. */
void qr_cached_pause(const struct qr_cache *cache);

/* The page's bytes. */
void *qr_cached_data(const struct qr_page *page);

/* Takes a held page out of all entries. */
void qr_cached_unmap(struct qr_page *page);

/* A held page that nothing maps leaves the index, which has word for it from
 * now on (0: nothing), and its frame is freed. */
void qr_cached_remove(struct qr_page *page, uint64_t word);

/* What is known of a word that is no page, and goes. (object lock) */
void qr_cached_forget(struct qr_object *object, uint64_t word);

/* A held page is no longer dirty, or is again. (object lock) */
void qr_cached_mark(struct qr_object *object, const struct qr_page *page,
    bool dirty);

/* The promise of one page, where an object's pages are promised one by one. */
QR_MUST_CHECK int qr_cached_charge(struct qr_object *object);
void qr_cached_uncharge(struct qr_object *object);

/* --- read.c --- */

/* As qr_cache_get, of a page that will be written over: zeroes will do. */
QR_MUST_CHECK int qr_cache_get_blank(struct qr_object *object, uint64_t number,
    struct qr_page **page);

/* Bytes of the file in count pages from number on; 0: it ends before. */
uint64_t qr_cache_io_bytes(const struct qr_object *object, uint64_t number,
    size_t count);

/* --- write.c --- */

/* Writes dirty pages of [first, end) back, up to pages; how many went to
 * written. The first error. */
struct qr_write_back {
	uint64_t first;
	uint64_t end;
	uint64_t pages;
	bool wait; /* for those that are in somebody's hands, too */
	uint64_t written;
};
QR_MUST_CHECK int qr_cache_write_range(struct qr_object *object,
    struct qr_write_back *work);

/* Writes a held page that nothing maps, and dirty pages behind it. */
QR_MUST_CHECK int qr_cache_write_victim(struct qr_page *page);

/* --- purge.c --- */

/* The object's ranges are forgotten. */
void qr_cache_forget_loose(struct qr_object *object);

/* --- resize.c --- */

/* Takes all of [first, end) out of the object; what is dirty is lost. */
void qr_cache_remove_range(struct qr_object *object, uint64_t first,
    uint64_t end);

#endif
