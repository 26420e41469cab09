#!/bin/sh
# SPDX-License-Identifier: MIT
# files.sh REGEX: the files of the tree whose paths match, build folders aside.
# By find and not by git, so that it works in an unpacked archive too.
set -eu
cd "$(dirname "$0")/.."
find . \( -path ./.git -o -path './build*' -o -path ./.cache \) -prune -o \
	-type f -print | sed 's|^\./||' | grep -E -e "${1:?}" | LC_ALL=C sort
