#!/bin/sh
# SPDX-License-Identifier: MIT
# manuals.sh QUIRE: every command has a manual page, which gives every option
# of the command in the words of the option table, and no option besides.
set -u
quire=$1
cd "$(dirname "$0")/../.." || exit 1
failed=0

# The commands, from the overview: two blanks, the name.
names=$("$quire" help --color=never |
	sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p')

# compare OWNER PAGE: the page has the options that the table gives the owner.
compare() {
	# The program is awk's.
	# shellcheck disable=SC2016
	"$quire" help options | awk -F '\t' -v owner="$1" -v page="$2" '
	function complain(what) {
		printf "manuals: %s: %s\n", page, what
		bad = 1
	}
	BEGIN {
		# Text lines joined, so that a sentence may break anywhere.
		while ((getline line < page) > 0) {
			text = text " " line
			if (line ~ /^\.It .*Fl Fl /) {
				sub(/.*Fl Fl /, "", line)
				sub(/[ =].*/, "", line)
				given[line] = 1
			}
		}
	}
	$1 == owner {
		wanted[$2] = 1
		if (!($2 in given))
			complain("--" $2 " is missing")
		else if (!index(text, $6))
			complain("--" $2 " is not described by: " $6)
	}
	END {
		for (name in given)
			if (!(name in wanted))
				complain("--" name " does not exist")
		exit bad
	}' || failed=1
}

compare - man/quire.1
for name in $names; do
	page=man/quire-$name.1
	if ! [ -f "$page" ]; then
		echo "manuals: there is no $page"
		failed=1
		continue
	fi
	grep -q "^\.Xr quire-$name 1" man/quire.1 || {
		echo "manuals: quire.1 does not name $name"
		failed=1
	}
	compare "$name" "$page"
	# Those that are made are as they are made.
	if grep -q '^\.\\" Made by: ' "$page" &&
		! "$quire" help manual "$name" | cmp -s - "$page"; then
		echo "manuals: $page is old; run tools/manuals.sh $quire"
		failed=1
	fi
done
[ -n "$names" ] || failed=1
exit $failed
