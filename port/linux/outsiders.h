/* SPDX-License-Identifier: MIT */
/* outsiders.h: processes of the tree that run without Quire; outsiders.c. */
#ifndef QR_LINUX_OUTSIDERS_H
#define QR_LINUX_OUTSIDERS_H

/* Looks for them and charges the budget with what they hold. Cheap to call
 * often: it does something every 100 ms, and only in one process of the
 * tree. By the helper only, not inside the core. */
void outsiders_look(void);

#endif
