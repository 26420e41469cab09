#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh: what `make check` runs once set-up is done. First the tests that
# need no system calls of their own, under two sanitizers; then all tests and
# the checks of the tree, in the release build. Ends with ctest's own lines.
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc)

# The tests of these folders run under the sanitizers, too.
sanitized='^(core|port|codec|heap|cli)\.'

for preset in asan ubsan; do
	echo "check: building for $preset"
	tools/build.sh "$preset"
	echo "check: unit tests under $preset"
	ctest --preset "$preset" -j "$jobs" -R "$sanitized" --no-tests=error
done
echo "check: building the release"
tools/build.sh check
echo "check: all tests"
exec ctest --preset check -j "$jobs" --no-tests=error
