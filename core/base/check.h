/* SPDX-License-Identifier: MIT */
/*
 * base/check.h: assertions and structure signatures.
 *
 * QR_ASSERT stays in every build: keep it to what costs a compare. QR_HARD
 * runs in hard and debug builds, QR_DEBUG in debug builds only. Each prints
 * the condition and a message that shows the values.
 */
#ifndef QR_BASE_CHECK_H
#define QR_BASE_CHECK_H

#include <qr/port.h>

#include "config.h"

#define QR_LIKELY(x)   __builtin_expect(!!(x), 1)
#define QR_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define QR_PANIC(...) qr_port_panic(__FILE__, __LINE__, "panic", __VA_ARGS__)

#define QR_ASSERT(cond, ...)                                                   \
	do {                                                                   \
		if (QR_UNLIKELY(!(cond)))                                      \
			qr_port_panic(__FILE__, __LINE__, #cond, __VA_ARGS__); \
	} while (0)

#define QR_HARD(cond, ...)                                                     \
	do {                                                                   \
		if (QR_CONFIG_HARD)                                            \
			QR_ASSERT(cond, __VA_ARGS__);                          \
	} while (0)

#define QR_DEBUG(cond, ...)                                                    \
	do {                                                                   \
		if (QR_CONFIG_DEBUG)                                           \
			QR_ASSERT(cond, __VA_ARGS__);                          \
	} while (0)

/* How deep a qr_check_* goes: never upward. */
enum qr_check_depth {
	QR_CHECK_SIGNATURE, /* the signature alone */
	QR_CHECK_SELF,      /* own fields */
	QR_CHECK_CHILDREN,  /* all that it owns */
};

/*
 * Long-lived structs begin with a signature, written last by init and
 * destroyed first by fini.
 */
#define QR_SIGNATURE(a, b, c, d)                                               \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 |      \
	    (uint32_t)(d))

#endif
