/* SPDX-License-Identifier: MIT */
/*
 * frame/hotplug.h: memory that comes and goes in blocks; hotplug.c explains,
 * <qr/memory.h> says what each call promises.
 */
#ifndef QR_FRAME_HOTPLUG_H
#define QR_FRAME_HOTPLUG_H

#include <qr/memory.h>

#include "frame.h"

uint32_t qr_memory_block_count(const struct qr_frames *frames);
void qr_memory_block_get(const struct qr_frames *frames, uint32_t slot,
    struct qr_memory_block *block);

QR_MUST_CHECK int qr_memory_block_add(struct qr_frames *frames,
    qr_paddr_t start, uint32_t *slot);
QR_MUST_CHECK int qr_memory_block_online(struct qr_frames *frames,
    uint32_t slot);

/* No lock held; may reclaim. */
QR_MUST_CHECK int qr_memory_block_offline(struct qr_frames *frames,
    uint32_t slot);
QR_MUST_CHECK int qr_memory_block_remove(struct qr_frames *frames,
    uint32_t slot);

#endif
