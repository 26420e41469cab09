#!/bin/sh
# SPDX-License-Identifier: MIT
# syscalls.sh: prints docs/SYSCALLS.md, made of the table in
# port/linux/gate/table.c: a line a call. CC names a compiler whose headers
# have the numbers.
#
#   tools/syscalls.sh >docs/SYSCALLS.md
set -eu
cd "$(dirname "$0")/.."
table=port/linux/gate/table.c
cat <<'END'
# System calls

What Quire does to each call of a program in a budget before the kernel sees
it, with faults delivered as signals. Made by `tools/syscalls.sh` from the table
in port/linux/gate/table.c, which has every call of x86-64 up to Linux 6.18;
the tree's tests compare.

*Memory* is what the call names, brought in and pinned while it runs: arguments
count from 0; `in` is read by the kernel, `out` is written, with the size in
bytes or the argument that counts them. *Quire* says what else is done, or is
empty: then the call is made as it is.

A call that is not here is newer than this table, or made up: what looks like
an address in its arguments is pinned for a page, the call is made as it is,
and `quire run -v` counts it. A call that would need more pins than can be had
is made as it is, and counted too. A `fault` that the kernel finds all the same
is the program's to see.

| number | call | memory | Quire |
|---|---|---|---|
END
{
	printf '#include <sys/syscall.h>\n' | ${CC:-cc} -E -dM - |
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$/N \1 \2/p'
	sed 's/^/T /' $table
} | awk '
function fail(text) {
	print "syscalls: " text >"/dev/stderr"
	failed = 1
	exit 1
}
function size_of(word) {
	return word in value ? value[word] : word
}
function pointer(kind, words, parts) {
	split(words, parts, / *, */)
	if (kind == "TEXT")
		return parts[1] ": in, a text"
	if (kind == "IN" || kind == "OUT")
		return parts[1] ": " tolower(kind) ", " size_of(parts[2])
	if (kind == "OUT_MOST")
		return parts[1] ": out, by " parts[3] ", " size_of(parts[2]) \
		    " at most"
	unit = size_of(parts[2])
	return parts[1] ": " (kind ~ /^IN/ ? "in" : "out") ", by " parts[3] \
	    (unit == 1 ? "" : " of " unit)
}
function memory_of(row, text, word) {
	text = ""
	sub(/^ARGS\(/, "", row)
	while (match(row, /[A-Z_]+\([^)]*\)/)) {
		word = substr(row, RSTART, RLENGTH)
		row = substr(row, RSTART + RLENGTH)
		match(word, /^[A-Z_]+/)
		kind = substr(word, 1, RLENGTH)
		words = substr(word, RLENGTH + 2)
		sub(/\)$/, "", words)
		text = text (text == "" ? "" : "; ") pointer(kind, words)
	}
	return text
}
function take(row, name, what) {
	match(row, /\[[A-Za-z_0-9]+\]/)
	name = substr(row, RSTART + 1, RLENGTH - 2)
	sub(/^[^=]*= */, "", row)
	sub(/,$/, "", row)
	if (name ~ /^SYS_/) {
		sub(/^SYS_/, "", name)
		if (!(name in number))
			fail("no number for " name)
		at = number[name]
	} else {
		at = new_number[name]
		sub(/^NR_/, "", name)
	}
	call[at] = name
	how[at] = row
}
$1 == "N" { number[$2] = $3; next }
{ sub(/^T /, "") }
/^#define [A-Z]+ +[0-9]+/ { value[$2] = $3 }
/^enum table_new/ { in_new = 1; next }
in_new && /NR_/ {
	gsub(/[\t,]/, "")
	if (split($0, parts, / = /) == 2)
		next_new = parts[2]
	new_number[parts[1]] = next_new++
	next
}
in_new && /^}/ { in_new = 0 }
/^\t\[(SYS|NR)_/ { row = "" ; in_row = 1 }
in_row {
	line = $0
	sub(/^[ \t]+/, "", line)
	row = row (row == "" ? "" : " ") line
	opened = gsub(/\(/, "(", row)
	closed = gsub(/\)/, ")", row)
	if (opened == closed && row ~ /,$/ && row !~ /=$/) {
		take(row)
		in_row = 0
	}
	next
}
/^ \*   [^ ]/ && name != "" {
	line = $0
	sub(/^ \*   /, "", line)
	says[name] = says[name] " " line
	next
}
{ name = "" }
/^ \* [a-z_0-9]+: / {
	line = $0
	sub(/^ \* /, "", line)
	name = line
	sub(/:.*/, "", name)
	sub(/^[^:]*: /, "", line)
	says[name] = line
}
END {
	if (failed)
		exit 1
	for (at = 0; at < 1000; at++) {
		if (!(at in call))
			continue
		row = how[at]
		memory = ""
		quire = ""
		if (row ~ /^OWN\(/) {
			name = row
			gsub(/^OWN\(|\)$/, "", name)
			if (!(name in says))
				fail("nothing says what " name " does")
			memory = says[name]
			if (memory ~ / \| /) {
				quire = memory
				sub(/ \|.*/, "", memory)
				sub(/.*\| /, "", quire)
			}
		} else if (row ~ /^ARGS\(/) {
			memory = memory_of(row)
		} else if (row != "NONE") {
			fail("row " at " is not understood: " row)
		}
		sub(/^-$/, "", memory)
		sub(/^-$/, "", quire)
		printf "| %d | %s | %s | %s |\n", at, call[at], memory, quire
	}
}'
