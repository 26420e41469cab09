#!/bin/sh
# SPDX-License-Identifier: MIT
# tags.sh: an invariant that is cited as [frame.1], or named in an assertion as
# "frame.1: ...", is stated in the essay at the head of some file.
set -u
cd "$(dirname "$0")/../.." || exit 1
# The program is awk's.
# shellcheck disable=SC2016
tools/files.sh '^(core|codec|heap|gc|port|cli|tests)/.*\.[chS]$' | xargs awk '
function cite(tag) {
	if (!(tag in cited))
		cited[tag] = FILENAME ":" FNR
}

FNR == 1 { in_head = 1 }
/^#/ || /^[a-z]/ { in_head = 0 }
{
	line = $0
	while (match(line, /\[[a-z]+\.[0-9]+\]/)) {
		tag = substr(line, RSTART + 1, RLENGTH - 2)
		if (in_head)
			stated[tag] = 1
		cite(tag)
		line = substr(line, RSTART + RLENGTH)
	}
	line = $0
	while (match(line, /"[a-z]+\.[0-9]+: /)) {
		cite(substr(line, RSTART + 1, RLENGTH - 3))
		line = substr(line, RSTART + RLENGTH)
	}
}

END {
	for (tag in cited)
		if (!(tag in stated)) {
			printf "%s: [%s] is stated nowhere\n", cited[tag], tag
			bad = 1
		}
	exit bad
}
'
