/* SPDX-License-Identifier: MIT */
/* machine/version.c: which Quire this is. */
#include <qr/version.h>

uint32_t
qr_version_number(void)
{
	return QR_VERSION_MAJOR * 10000 + QR_VERSION_MINOR * 100 +
	       QR_VERSION_PATCH;
}

const char *
qr_version_string(void)
{
	return QR_VERSION_STRING;
}
