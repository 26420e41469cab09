/* SPDX-License-Identifier: MIT */
/*
 * swap/work.c: the memory that codecs work in, all taken at the start.
 *
 * Two kinds, with locks of their own: areas to store have the codec's memory
 * to compress and a page for the result; areas to load have its memory to
 * expand and a page for an object that lies in two frames. One of each for
 * every CPU, and what the rounding of their block leaves room for. A thread
 * takes its CPU's, else any that is free, and waits for its CPU's otherwise.
 */
#include "swap_impl.h"

/* They may take this share of the memory, but one of each there is. */
#define MEMORY_SHARE 32u

static size_t
codec_round(size_t size_bytes)
{
	return (size_t)qr_round_up(size_bytes, 64);
}

static size_t
compress_bytes(const struct qr_swap *swap)
{
	return swap->codec == NULL ? 0
				   : codec_round(swap->codec->compress_bytes);
}

static size_t
expand_bytes(const struct qr_swap *swap)
{
	return swap->codec == NULL ? 0 : codec_round(swap->codec->expand_bytes);
}

/* Lays an area out at memory; returns its end. */
static unsigned char *
work_init(struct swap_work *work, unsigned char *memory, size_t codec_bytes,
    void (*init)(void *work))
{
	qr_lock_init(&work->lock, QR_RANK_WORK);
	work->page = memory;
	work->codec = codec_bytes == 0 ? NULL : memory + QR_PAGE_SIZE;
	if (work->codec != NULL && init != NULL)
		init(work->codec);
	return memory + QR_PAGE_SIZE + codec_bytes;
}

static struct qr_page *
block_alloc(struct qr_swap *swap, qr_gfp_t gfp, size_t size_bytes)
{
	unsigned order = qr_order_of(qr_div_round_up(size_bytes, QR_PAGE_SIZE));
	if (order >= QR_FRAME_ORDERS)
		return NULL;
	return qr_frame_alloc(swap->frames, gfp, order, QR_PAGE_KERNEL);
}

int
qr_swap_works_init(struct qr_swap *swap)
{
	size_t each =
	    compress_bytes(swap) + expand_bytes(swap) + 2 * QR_PAGE_SIZE;
	struct qr_frame_stat memory;
	qr_frame_stat(swap->frames, &memory);
	size_t share = (size_t)(memory.total / MEMORY_SHARE * QR_PAGE_SIZE);
	size_t count = qr_max(1, qr_min(swap->port->cpu_count, share / each));
	struct qr_page *block = NULL;
	for (; count > 0 && block == NULL; count /= 2)
		block = block_alloc(swap, QR_GFP_KERNEL, count * each);
	if (block == NULL)
		return -QR_ENOMEM;

	swap->block = block;
	swap->works =
	    (unsigned)qr_min(WORK_MAX, (QR_PAGE_SIZE << block->order) / each);
	unsigned char *memory_next = qr_frame_data(swap->frames, block);
	/* The direct map is linear. */
	swap->direct =
	    (uintptr_t)memory_next -
	    (uintptr_t)qr_frame_pfn(swap->frames, block) * QR_PAGE_SIZE;
	const struct qr_codec *codec = swap->codec;
	for (unsigned i = 0; i < swap->works; i++) {
		memory_next = work_init(&swap->store[i], memory_next,
		    compress_bytes(swap),
		    codec == NULL ? NULL : codec->compress_init);
		memory_next =
		    work_init(&swap->load[i], memory_next, expand_bytes(swap),
			codec == NULL ? NULL : codec->expand_init);
	}
	return 0;
}

void
qr_swap_works_fini(struct qr_swap *swap)
{
	if (swap->writer.block != NULL)
		qr_frame_free(swap->frames, swap->writer.block);
	qr_frame_free(swap->frames, swap->block);
}

struct swap_work *
qr_swap_work_acquire(struct qr_swap *swap, struct swap_work *works)
{
	unsigned own = qr_port_cpu(swap->port) % swap->works;
	for (unsigned i = 0; i < swap->works; i++) {
		struct swap_work *work = &works[(own + i) % swap->works];
		if (qr_lock_try_acquire(swap->port, &work->lock))
			return work;
	}
	qr_lock_acquire(swap->port, &works[own].lock);
	return &works[own];
}

void
qr_swap_work_release(struct qr_swap *swap, struct swap_work *work)
{
	qr_lock_release(swap->port, &work->lock);
}

int
qr_swap_writer_init(struct qr_swap *swap)
{
	struct swap_writer *writer = &swap->writer;
	size_t size_bytes =
	    (WRITE_PAGES + 1) * QR_PAGE_SIZE + expand_bytes(swap);
	if (writer->block != NULL)
		return 0;
	struct qr_page *block = block_alloc(swap, QR_GFP_RESERVE, size_bytes);
	if (block == NULL)
		return -QR_ENOMEM;
	const struct qr_codec *codec = swap->codec;
	unsigned char *memory = qr_frame_data(swap->frames, block);
	writer->pages = memory;
	writer->work.page = memory + WRITE_PAGES * QR_PAGE_SIZE;
	writer->work.codec = expand_bytes(swap) == 0
				 ? NULL
				 : memory + (WRITE_PAGES + 1) * QR_PAGE_SIZE;
	if (writer->work.codec != NULL && codec->expand_init != NULL)
		codec->expand_init(writer->work.codec);
	writer->block = block;
	return 0;
}
