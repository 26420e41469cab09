#!/bin/bash
# SPDX-License-Identifier: MIT
# all_cases.sh LIBRARY MODE CASES [NAME...]: compares every case.
library=$1 mode=$2 cases=$3
shift 3
failed=0
# One word a case.
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $("$cases")
for name; do
	"$(dirname "$0")/compare.sh" "$library" "$mode" "$cases" "$name" || {
		echo "case $name differs"
		failed=1
	}
done
exit $failed
