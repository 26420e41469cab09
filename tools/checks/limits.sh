#!/bin/sh
# SPDX-License-Identifier: MIT
# limits.sh: no file of more than 900 lines, no header of more than 400, no
# function of more than 70 lines or 5 parameters. A function that must be an
# exception says why in a comment that begins with "limits:" right above it.
set -u
cd "$(dirname "$0")/../.." || exit 1
# The program is awk's.
# shellcheck disable=SC2016
tools/files.sh '\.[ch]$' | xargs awk '
function file_end() {
	max = previous ~ /\.h$/ ? 400 : 900
	if (lines > max) {
		printf "%s: %d lines, more than %d\n", previous, lines, max
		bad = 1
	}
}

# Commas of the parameter list itself, plus one.
function parameters(text,    i, c, depth, count) {
	sub(/^[^(]*\(/, "", text)
	depth = 1
	count = text ~ /^[ \t]*(void)?[ \t]*\)/ ? 0 : 1
	for (i = 1; i <= length(text) && depth > 0; i++) {
		c = substr(text, i, 1)
		if (c == "(")
			depth++
		else if (c == ")")
			depth--
		else if (c == "," && depth == 1)
			count++
	}
	return count
}

FNR == 1 {
	if (previous != "")
		file_end()
	previous = FILENAME
	inside = 0
	head = ""
	excused = 0
}
{ lines = FNR }
/limits:/ { excused = 1 }
/^[a-z_]+[a-z0-9_]*\(/ { head = $0; name = $0; sub(/\(.*/, "", name); next }
/^\{/ && head != "" {
	count = parameters(head)
	if (count > 5 && !excused) {
		printf "%s:%d: %s has %d parameters, more than 5\n",
		    FILENAME, FNR, name, count
		bad = 1
	}
	start = FNR
	inside = 1
	next
}
/^\}/ {
	if (inside && FNR - start - 1 > 70 && !excused) {
		printf "%s:%d: %s has %d lines, more than 70\n", FILENAME,
		    start, name, FNR - start - 1
		bad = 1
	}
	inside = 0
	head = ""
	excused = 0
	next
}
/;[ \t]*$/ && !inside { head = "" }
!inside && head != "" { head = head $0 }
END {
	file_end()
	exit bad
}
'
