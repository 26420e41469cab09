#!/bin/sh
# SPDX-License-Identifier: MIT
# Two million generated lines through GNU sort with two threads.
export LC_ALL=C
exec sh -c 'awk "BEGIN { x = 12345; for (i = 0; i < 2000000; i++) {
	x = (x * 1103515245 + 12345) % 2147483648; print x, i, \"line\" }
}" | sort --parallel=2 -S 400M | cksum'
