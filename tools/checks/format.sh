#!/bin/sh
# SPDX-License-Identifier: MIT
# format.sh: every C file is as clang-format leaves it.
set -u
cd "$(dirname "$0")/../.." || exit 1
if ! command -v clang-format >/dev/null; then
	echo "format: skipped, there is no clang-format"
	exit 77
fi
files=$(tools/files.sh '\.[ch]$')
# One word a file; none has blanks.
# shellcheck disable=SC2086
if clang-format --dry-run -Werror $files; then
	exit 0
fi
echo "format: run make format" >&2
exit 1
