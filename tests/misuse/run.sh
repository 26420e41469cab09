#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh hard|normal|guard PROGRAM SOURCE.c [LIBRARY.so]: a planted misuse ends
# the program with a report that has every text that the source expects, in the
# hard build; what it says at `guard:`, with QUIRE_HARD=1. In the normal build, where the source says `normal: report`, it
# ends with a report; else it may also do nothing, but not crash.
set -u
way=${1:?usage: run.sh hard|normal PROGRAM SOURCE [LIBRARY]}
program=$2
source=$3
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
if [ "$way" = hard ]; then
	LD_PRELOAD=$4 "$program" >/dev/null 2>"$folder/report"
elif [ "$way" = guard ]; then
	QUIRE_HARD=1 "$program" >/dev/null 2>"$folder/report"
else
	"$program" >/dev/null 2>"$folder/report"
fi
code=$?
cat "$folder/report"
if [ "$way" = normal ]; then
	[ $code -eq 134 ] && grep -q '^quire: ' "$folder/report" && exit 0
	[ $code -eq 0 ] && ! grep -q 'normal: report' "$source" && exit 0
	echo "run: ended with $code"
	exit 1
fi
if [ "$way" = guard ]; then
	# By abort, or by the access itself.
	text=$(sed -n 's/^ \* guard: //p' "$source")
	[ $code -eq 134 ] || [ $code -eq 139 ] ||
		{ echo "run: ended with $code"; exit 1; }
	grep -q "^quire: $text at " "$folder/report" &&
		grep -q 'allocated by' "$folder/report" && exit 0
	echo "run: the report does not say '$text'"
	exit 1
fi
if [ $code -ne 134 ]; then
	echo "run: ended with $code, not by abort"
	exit 1
fi
sed -n 's/^ \* expect: //p' "$source" >"$folder/expect"
while read -r text; do
	grep -q -F -e "$text" "$folder/report" && continue
	echo "run: the report does not say '$text'"
	exit 1
done <"$folder/expect"
