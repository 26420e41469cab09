#!/bin/sh
# SPDX-License-Identifier: MIT
# manuals.sh: mandoc has nothing to say about any manual page.
set -u
cd "$(dirname "$0")/../.." || exit 1
if ! command -v mandoc >/dev/null; then
	echo "manuals: skipped, there is no mandoc"
	exit 77
fi
status=0
for page in man/*.[1-9]; do
	mandoc -Tlint -W warning "$page" || status=1
done
exit $status
