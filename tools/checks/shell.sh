#!/bin/sh
# SPDX-License-Identifier: MIT
# shell.sh: shellcheck has nothing to say about any script.
set -u
cd "$(dirname "$0")/../.." || exit 1
if ! command -v shellcheck >/dev/null; then
	echo "shell: skipped, there is no shellcheck"
	exit 77
fi
tools/files.sh '\.sh$|^\.ci/run$' | xargs shellcheck
