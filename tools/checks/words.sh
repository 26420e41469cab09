#!/bin/sh
# SPDX-License-Identifier: MIT
# words.sh: no marks of unfinished work, no paths of somebody's machine, and
# the licence on the first lines of every source.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0

# This file names them; it is not searched.
marks='\b(TODO|FIXME|XXX|HACK)\b'
paths='(^|[^A-Za-z0-9_.~-])/(work|home|root|Users)/'
found=$(tools/files.sh . | grep -v '^tools/checks/words\.sh$' |
	xargs grep -n -I -E -e "$marks" -e "$paths")
if [ -n "$found" ]; then
	echo "$found"
	echo "words: marks of unfinished work, or paths of one machine" >&2
	status=1
fi
sources='\.([chS]|sh|cmake)$|(^|/)(CMakeLists\.txt|Makefile)$|^\.ci/run$'
for file in $(tools/files.sh "$sources"); do
	if ! head -n 2 "$file" | grep -q 'SPDX-License-Identifier: MIT'; then
		echo "$file: no licence on its first lines" >&2
		status=1
	fi
done
exit $status
