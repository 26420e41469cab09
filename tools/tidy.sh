#!/bin/sh
# SPDX-License-Identifier: MIT
# tidy.sh FOLDER: runs clang-tidy on every source that the build in FOLDER
# compiles, tests aside. What it looks for stands in .clang-tidy.
set -eu
cd "$(dirname "$0")/.."
folder=${1:?usage: tidy.sh BUILD-FOLDER}
tools/files.sh '^(cli|codec|core|gc|heap|port)/.*\.c$' |
	xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$folder"
