/* SPDX-License-Identifier: MIT */
/* frames.h: files below /proc with a word for each page frame. */
#ifndef CLI_SEE_FRAMES_H
#define CLI_SEE_FRAMES_H

#include "view.h"

/* Of kpageflags: there is no RAM at that address. */
#define FRAME_NOPAGE ((uint64_t)1 << 20)

/* A descriptor of it; -1: session->problem says why not. */
QR_MUST_CHECK int frames_open(struct session *session, const char *path);

#endif
