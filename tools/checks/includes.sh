#!/bin/sh
# SPDX-License-Identifier: MIT
# includes.sh: includes point downward only. The core's folders in their order,
# lowest first, stand in `order`; the rules for the others in `allowed`.
set -u
cd "$(dirname "$0")/../.." || exit 1
# The program is awk's.
# shellcheck disable=SC2016
tools/files.sh '^(core|codec|heap|gc|port|cli|include)/.*\.[ch]$' | xargs awk '
BEGIN {
	count = split("base boot frame slab vmap table swap cache space " \
	    "reclaim machine", order, " ")
	for (i = 1; i <= count; i++)
		rank[order[i]] = i
	# What the freestanding core may take from the compiler.
	count = split("stdbool.h stddef.h stdint.h stdarg.h stdatomic.h " \
	    "limits.h stdalign.h", list, " ")
	for (i = 1; i <= count; i++)
		freestanding[list[i]] = 1
}

# The path of an include from the root of the tree, without . and ..
function resolve(file, name,    parts, kept, n, k, i, path) {
	if (name ~ /^(core|codec|heap|gc|port|cli|include)\//)
		path = name
	else {
		path = file
		sub(/[^\/]*$/, "", path)
		path = path name
	}
	n = split(path, parts, "/")
	k = 0
	for (i = 1; i <= n; i++) {
		if (parts[i] == ".." && k > 0)
			k--
		else if (parts[i] != ".")
			kept[++k] = parts[i]
	}
	path = kept[1]
	for (i = 2; i <= k; i++)
		path = path "/" kept[i]
	return path
}

function top(path,    parts) { split(path, parts, "/"); return parts[1] }
function second(path,    parts) { split(path, parts, "/"); return parts[2] }
function folder(path) { sub(/\/[^\/]*$/, "", path); return path }

function complain(why) {
	printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
	bad = 1
}

function check_core(path) {
	if (top(path) != "core") {
		complain("the core includes nothing but itself and include/qr")
		return
	}
	if (second(FILENAME) == "generic")
		return
	if (rank[second(path)] > rank[second(FILENAME)])
		complain(second(FILENAME) " lies below " second(path))
}

function check_other(path,    mine, theirs) {
	mine = top(FILENAME)
	theirs = top(path)
	if (mine == theirs && mine != "port")
		return
	if (mine == "heap" || mine == "gc") {
		if (path !~ /^core\/base\// && path != "core/frame/buddy.h")
			complain(mine " may take core/base and " \
			    "core/frame/buddy.h alone")
	} else if (mine == "codec" || mine == "include") {
		complain(mine " stands by itself")
	} else if (mine == "port") {
		if (theirs == "cli" || theirs == "gc")
			complain("a port lies below " theirs)
		if (theirs == "port" && second(path) != second(FILENAME))
			complain("ports do not know each other")
	} else if (mine == "cli" && theirs == "port") {
		if (path !~ /^port\/linux\/(config|elf_image|json|uapi)\.h$/)
			complain("of the port, cli may take config.h, " \
			    "elf_image.h, json.h and uapi.h")
	}
}

/^#[ \t]*include[ \t]*"/ {
	split($0, quoted, "\"")
	path = resolve(FILENAME, quoted[2])
	if (path ~ /_impl\.h$/ && folder(path) != folder(FILENAME))
		complain("an _impl.h stays inside its folder")
	if (top(FILENAME) == "core")
		check_core(path)
	else
		check_other(path)
}

/^#[ \t]*include[ \t]*</ && FILENAME ~ /^core\// {
	name = $0
	sub(/^[^<]*</, "", name)
	sub(/>.*/, "", name)
	if (name !~ /^qr\// && !(name in freestanding) &&
	    name != "port_inline.h")
		complain("the core is freestanding")
}

END { exit bad }
'
