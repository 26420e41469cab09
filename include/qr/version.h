/* SPDX-License-Identifier: MIT */
/* qr/version.h: which Quire this is, at compile time and at run time. */
#ifndef QR_VERSION_H
#define QR_VERSION_H

#include <qr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QR_VERSION_MAJOR  0
#define QR_VERSION_MINOR  1
#define QR_VERSION_PATCH  0
#define QR_VERSION_STRING "0.1.0"

/* major * 10000 + minor * 100 + patch of the library that is loaded. */
QR_PUBLIC uint32_t qr_version_number(void);

/* "major.minor.patch"; static, never freed. */
QR_PUBLIC const char *qr_version_string(void);

#ifdef __cplusplus
}
#endif

#endif
