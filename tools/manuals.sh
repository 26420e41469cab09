#!/bin/sh
# SPDX-License-Identifier: MIT
# manuals.sh QUIRE: makes the manual pages anew that are made from the tables
# of commands, options and columns: those that `quire help manual NAME` prints.
set -eu
quire=${1:?usage: manuals.sh QUIRE}
cd "$(dirname "$0")/.."
for name in $("$quire" help --color=never |
	sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p'); do
	page=man/quire-$name.1
	if "$quire" help manual "$name" >"$page.new" 2>/dev/null; then
		mv "$page.new" "$page"
	else
		rm -f "$page.new"
	fi
done
