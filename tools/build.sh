#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh PRESET [CMAKE OPTION]...: configures and builds a preset; quiet but
# for what ninja says.
set -eu
cd "$(dirname "$0")/.."
preset=${1:?usage: build.sh PRESET}
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake --preset "$preset" "$@" >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
echo "build: preset $preset"
cmake --build --preset "$preset"
