#!/bin/sh
# SPDX-License-Identifier: MIT
# headers.sh: every public header compiles by itself, twice over, as C99, C11
# and C++17, without any warning.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0
warnings='-Wall -Wextra -Wpedantic -Wundef -Werror'

# try COMPILER LANGUAGE STANDARD HEADER
try() {
	# One word a warning.
	# shellcheck disable=SC2086
	if ! printf '#include <%s>\n#include <%s>\n' "$4" "$4" |
		"$1" -x "$2" -std="$3" $warnings -Iinclude -fsyntax-only -; then
		echo "headers: $4 does not compile as $3"
		status=1
	fi
}

for file in include/qr/*.h; do
	header=${file#include/}
	try "${CC:-cc}" c c99 "$header"
	try "${CC:-cc}" c c11 "$header"
	if command -v "${CXX:-c++}" >/dev/null; then
		try "${CXX:-c++}" c++ c++17 "$header"
	else
		echo "headers: C++ left out, there is no ${CXX:-c++}"
	fi
done
exit $status
