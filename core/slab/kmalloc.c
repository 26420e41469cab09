/* SPDX-License-Identifier: MIT */
/*
 * slab/kmalloc.c: objects of any size, from one cache a size class.
 *
 * The classes are those of base/size_class.h, which the heap cuts its spans by
 * too: less than an eighth is lost above 1 KiB, at most 15 bytes below. A cache
 * is made when its class is first asked for; two threads may do that at once, and
 * the second one's goes again. What is larger than
 * QR_KMALLOC_SLAB_MAX is a block of frames of its own.
 *
 * Nothing is kept beside an object: where it lies tells its frame, the frame's
 * descriptor its slab and that the cache. A slab's further frames have no
 * descriptor of their own, so the head is looked for at the four places where
 * it can be (orders 0 to 3); they lie side by side.
 */
#include "../base/bits.h"
#include "../base/check.h"
#include "../base/size_class.h"
#include "slab_impl.h"

#define KMALLOC_SIGNATURE QR_SIGNATURE('K', 'm', 'a', 'l')

/* What is asked for apart: can't be asked back, can. */
enum kmalloc_kind {
	KMALLOC_PLAIN,
	KMALLOC_RECLAIMABLE,
	KMALLOC_KINDS,
};

#define NAME_BYTES 20u

struct kmalloc_class {
	_Atomic(struct qr_slab_cache *) cache; /* (a) NULL: not asked for yet */
	char name[NAME_BYTES];                 /* (c) */
};

struct qr_kmalloc {
	uint32_t signature;
	struct qr_slabs *slabs; /* (c) */
	struct qr_page *block;  /* (c) holds this struct */
	struct kmalloc_class class[KMALLOC_KINDS][QR_SIZE_CLASSES];
};

static unsigned
struct_order(void)
{
	return qr_order_of(
	    qr_div_round_up(sizeof(struct qr_kmalloc), QR_PAGE_SIZE));
}

/* "kmalloc-192", "kmalloc-rcl-192" */
static void
class_name(char *name, enum kmalloc_kind kind, size_t size_bytes)
{
	const char *text =
	    kind == KMALLOC_RECLAIMABLE ? "kmalloc-rcl-" : "kmalloc-";
	char digits[8];
	size_t count = 0;
	for (; *text != '\0'; text++)
		*name++ = *text;
	for (; size_bytes != 0; size_bytes /= 10)
		digits[count++] = (char)('0' + size_bytes % 10);
	while (count > 0)
		*name++ = digits[--count];
	*name = '\0';
}

struct qr_kmalloc *
qr_kmalloc_create(struct qr_slabs *slabs)
{
	struct qr_page *block = qr_frame_alloc(slabs->frames,
	    QR_GFP_KERNEL | QR_GFP_ZERO, struct_order(), QR_PAGE_KERNEL);
	if (block == NULL)
		return NULL;
	struct qr_kmalloc *kmalloc = qr_frame_data(slabs->frames, block);
	kmalloc->slabs = slabs;
	kmalloc->block = block;
	for (unsigned kind = 0; kind < KMALLOC_KINDS; kind++)
		for (unsigned i = 0; i < QR_SIZE_CLASSES; i++)
			class_name(kmalloc->class[kind][i].name,
			    (enum kmalloc_kind)kind, qr_size_of_class(i));
	kmalloc->signature = KMALLOC_SIGNATURE;
	return kmalloc;
}

void
qr_kmalloc_destroy(struct qr_kmalloc *kmalloc)
{
	QR_ASSERT(kmalloc->signature == KMALLOC_SIGNATURE, "signature 0x%x",
	    kmalloc->signature);
	for (unsigned kind = 0; kind < KMALLOC_KINDS; kind++) {
		for (unsigned i = 0; i < QR_SIZE_CLASSES; i++) {
			struct qr_slab_cache *cache =
			    atomic_load(&kmalloc->class[kind][i].cache);
			if (cache != NULL)
				qr_slab_destroy(cache);
		}
	}
	kmalloc->signature = 0;
	qr_frame_free(kmalloc->slabs->frames, kmalloc->block);
}

/* --- caches --- */

/* What the class's objects are aligned to: the largest power of two that
 * divides their size, up to a page. */
static size_t
class_align(size_t size_bytes)
{
	return qr_min((size_t)1 << qr_bit_lowest(size_bytes), QR_PAGE_SIZE);
}

/* What is asked for: its class and which of its caches. */
struct kmalloc_need {
	enum kmalloc_kind kind;
	unsigned index;
	qr_gfp_t gfp;
};

static QR_NOINLINE struct qr_slab_cache *
class_make(struct qr_kmalloc *kmalloc, const struct kmalloc_need *need)
{
	struct kmalloc_class *class = &kmalloc->class[need->kind][need->index];
	size_t size_bytes = qr_size_of_class(need->index);
	const struct qr_slab_config config = {
		.name = class->name,
		.size_bytes = size_bytes,
		.align = class_align(size_bytes),
		.reclaimable = need->kind == KMALLOC_RECLAIMABLE,
		.may_merge = true,
	};
	struct qr_slab_cache *cache =
	    qr_slab_create_gfp(kmalloc->slabs, &config, need->gfp);
	struct qr_slab_cache *first = NULL;
	if (cache == NULL)
		return NULL;
	if (atomic_compare_exchange_strong(&class->cache, &first, cache))
		return cache;
	qr_slab_destroy(cache);
	return first;
}

static void *
kmalloc_small(struct qr_kmalloc *kmalloc, size_t size_bytes, qr_gfp_t gfp)
{
	const struct kmalloc_need need = {
		.kind = (gfp & QR_GFP_RECLAIMABLE) != 0 ? KMALLOC_RECLAIMABLE
							: KMALLOC_PLAIN,
		.index = qr_size_class_of(size_bytes),
		.gfp = gfp & ~(QR_GFP_ZERO | QR_GFP_RECLAIMABLE),
	};
	/* Acquire pairs with the exchange in class_make. */
	struct qr_slab_cache *cache =
	    atomic_load_explicit(&kmalloc->class[need.kind][need.index].cache,
		memory_order_acquire);
	if (QR_UNLIKELY(cache == NULL)) {
		cache = class_make(kmalloc, &need);
		if (cache == NULL)
			return NULL;
	}
	void *object = qr_slab_alloc(cache, need.gfp);
	if (object != NULL && (gfp & QR_GFP_ZERO) != 0)
		__builtin_memset(object, 0, qr_size_of_class(need.index));
	return object;
}

static void *
kmalloc_large(struct qr_kmalloc *kmalloc, size_t size_bytes, qr_gfp_t gfp)
{
	uint64_t pages = qr_div_round_up(size_bytes, QR_PAGE_SIZE);
	unsigned order = qr_order_of(pages);
	if (order >= QR_FRAME_ORDERS)
		return NULL;
	struct qr_page *page = qr_frame_alloc(kmalloc->slabs->frames,
	    gfp & ~QR_GFP_USER, order, QR_PAGE_KERNEL);
	if (page == NULL)
		return NULL;
	return qr_frame_data(kmalloc->slabs->frames, page);
}

void *
qr_kmalloc(struct qr_kmalloc *kmalloc, size_t size_bytes, qr_gfp_t gfp)
{
	if (QR_LIKELY(size_bytes <= QR_KMALLOC_SLAB_MAX))
		return kmalloc_small(kmalloc, size_bytes, gfp);
	return kmalloc_large(kmalloc, size_bytes, gfp);
}

/* --- from an object to what it is of --- */

/* First descriptor of the block that the object lies in; NULL: of none. */
static struct qr_page *
object_block(const struct qr_kmalloc *kmalloc, const void *object)
{
	const struct qr_slabs *slabs = kmalloc->slabs;
	uint64_t offset =
	    (uint64_t)((const unsigned char *)object - slabs->direct_map);
	qr_pfn_t pfn = offset >> QR_PAGE_SHIFT;
	for (unsigned order = 0; order <= SLAB_ORDER_MAX; order++) {
		qr_pfn_t first = qr_round_down(pfn, (uint64_t)1 << order);
		struct qr_page *page = qr_frame_page(slabs->frames, first);
		if (page->kind != QR_PAGE_FREE)
			return pfn - first < (uint64_t)1 << page->order ? page
									: NULL;
	}
	return NULL;
}

/* The block of a large object; panics if it is none. */
static struct qr_page *
large_block(const struct qr_kmalloc *kmalloc, const void *object)
{
	struct qr_page *page = object_block(kmalloc, object);
	QR_ASSERT(page != NULL && page->kind == QR_PAGE_KERNEL &&
		      page != kmalloc->block &&
		      qr_frame_data(kmalloc->slabs->frames, page) == object,
	    "kmalloc: %p was not allocated here, or is free", object);
	return page;
}

/* Bytes of the cache's objects that are theirs, which may be more than its
 * first user asked for, if it was merged. Hard builds merge none. */
static size_t
cache_size(const struct qr_slab_cache *cache)
{
	return QR_CONFIG_HARD ? cache->size_bytes : cache->stride;
}

/* The cache of a small object, NULL for a large one. */
static struct qr_slab_cache *
object_cache(const struct qr_kmalloc *kmalloc, const void *object)
{
	struct qr_page *page = object_block(kmalloc, object);
	if (page == NULL || page->kind != QR_PAGE_SLAB)
		return NULL;
	struct qr_slab_cache *cache = page->u.slab.cache;
	unsigned index = qr_size_class_of(cache_size(cache));
	enum kmalloc_kind kind =
	    cache->reclaimable ? KMALLOC_RECLAIMABLE : KMALLOC_PLAIN;
	/* Relaxed: the object came from there. */
	QR_ASSERT(index < QR_SIZE_CLASSES &&
		      atomic_load_explicit(&kmalloc->class[kind][index].cache,
			  memory_order_relaxed) == cache,
	    "kmalloc: %p is of cache %s, which is not of these", object,
	    cache->name);
	return cache;
}

void
qr_kfree(struct qr_kmalloc *kmalloc, void *object)
{
	if (object == NULL)
		return;
	struct qr_slab_cache *cache = object_cache(kmalloc, object);
	if (cache != NULL)
		qr_slab_free(cache, object);
	else
		qr_frame_free(kmalloc->slabs->frames,
		    large_block(kmalloc, object));
}

size_t
qr_ksize(struct qr_kmalloc *kmalloc, const void *object)
{
	struct qr_slab_cache *cache = object_cache(kmalloc, object);
	if (cache != NULL)
		return cache_size(cache);
	return QR_PAGE_SIZE << large_block(kmalloc, object)->order;
}

void *
qr_krealloc(struct qr_kmalloc *kmalloc, void *object, size_t size_bytes,
    qr_gfp_t gfp)
{
	if (object == NULL)
		return qr_kmalloc(kmalloc, size_bytes, gfp);
	size_t had = qr_ksize(kmalloc, object);
	/* What fits and is not too roomy stays. */
	if (size_bytes <= had && size_bytes > had / 2)
		return object;
	void *fresh = qr_kmalloc(kmalloc, size_bytes, gfp);
	if (fresh == NULL)
		return NULL;
	__builtin_memcpy(fresh, object, qr_min(had, size_bytes));
	qr_kfree(kmalloc, object);
	return fresh;
}
