#!/bin/sh
# SPDX-License-Identifier: MIT
# check-all.sh: every preset with gcc and with clang, then gcc's analyzer and
# clang-tidy. Goes on after a failure and lists the failures at the end.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=$(nproc)
failed=

# one COMPILER PRESET: builds and tests that combination in a folder of its own.
one() {
	folder=build-all/$1-$2
	echo "check-all: $1, $2"
	cmake --preset "$2" -B "$folder" -DCMAKE_C_COMPILER="$1" >/dev/null &&
		cmake --build "$folder" &&
		ctest --test-dir "$folder" -j "$jobs" --output-on-failure \
			--no-tests=error ||
		failed="$failed $1-$2"
}

for compiler in gcc clang; do
	for preset in check debug hard asan ubsan tsan; do
		one "$compiler" "$preset"
	done
done
one gcc coverage

# gcc 12 does not see that assertions rule NULL out.
echo "check-all: gcc -fanalyzer"
cmake --preset check -B build-all/analyze -DCMAKE_C_COMPILER=gcc \
	-DQUIRE_TESTS=OFF \
	-DCMAKE_C_FLAGS='-fanalyzer -Wno-analyzer-null-dereference' >/dev/null &&
	cmake --build build-all/analyze || failed="$failed analyzer"

echo "check-all: clang-tidy"
tools/tidy.sh build-all/clang-check || failed="$failed clang-tidy"

if [ -n "$failed" ]; then
	echo "check-all: failed:$failed" >&2
	exit 1
fi
echo "check-all: all passed"
