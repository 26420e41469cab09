#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh LIBRARY.so: exports every name of tools/interposed.txt, and beyond
# that only what the public headers declare with QR_PUBLIC.
set -u
if ! [ -r "${1-}" ]; then
	echo "exports: cannot read '${1-}'" >&2
	exit 1
fi
library=${1:?usage: exports.sh LIBRARY.so}
cd "$(dirname "$0")/../.." || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' |
	sort -u >"$folder/has"
sed -e 's/#.*//' -e '/^[[:space:]]*$/d' tools/interposed.txt |
	sort -u >"$folder/interposed"
# A declaration's name is the word before its first parenthesis, or its end.
awk '
/QR_PUBLIC/ && !/define/ { text = ""; inside = 1 }
inside { text = text " " $0 }
inside && /[(;]/ {
	sub(/[ \t]*[(;].*/, "", text)
	sub(/.*[ \t*]/, "", text)
	print text
	inside = 0
}' include/qr/*.h | sort -u >"$folder/public"
sort -u "$folder/interposed" "$folder/public" >"$folder/may"

status=0
comm -23 "$folder/has" "$folder/may" >"$folder/extra"
if [ -s "$folder/extra" ]; then
	echo "exports: $library exports what is neither public nor in" \
		"tools/interposed.txt:"
	cat "$folder/extra"
	status=1
fi
comm -13 "$folder/has" "$folder/interposed" >"$folder/lacking"
if [ -s "$folder/lacking" ]; then
	echo "exports: $library lacks, of tools/interposed.txt:"
	cat "$folder/lacking"
	status=1
fi
exit $status
