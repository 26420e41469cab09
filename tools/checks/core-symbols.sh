#!/bin/sh
# SPDX-License-Identifier: MIT
# core-symbols.sh LIBRARY: the core keeps no state of its own (.data and .bss
# are empty) and asks for nothing but memcpy, memset, memmove, memcmp and
# qr_port_*.
set -u
if ! [ -r "${1-}" ]; then
	echo "core-symbols: cannot read '${1-}'" >&2
	exit 1
fi
library=${1:?usage: core-symbols.sh libquire-core.a}
status=0

# Constants that hold addresses lie in .data.rel.ro: read-only once loaded.
state=$(objdump -h "$library" | awk '
/file format/ { object = $1 }
$2 ~ /^\.(data|bss|tdata|tbss)/ && $2 !~ /^\.data\.rel\.ro/ && $3 !~ /^0+$/ {
	printf "%s %s has 0x%s bytes\n", object, $2, $3
}')
if [ -n "$state" ]; then
	echo "core-symbols: the core has state:"
	echo "$state"
	status=1
fi

# The assembler names the table of position-independent code by itself.
foreign=$(nm -A -g "$library" | awk '
$(NF - 1) == "C" { print "common symbol: " $NF; next }
$(NF - 1) == "U" { wanted[$NF] = $1; next }
{ defined[$NF] = 1 }
END {
	for (name in wanted)
		if (!(name in defined) && name !~ /^qr_port_/ &&
		    name !~ /^(memcpy|memset|memmove|memcmp)$/ &&
		    name != "_GLOBAL_OFFSET_TABLE_")
			print name ", asked for in " wanted[name]
}' | sort)
if [ -n "$foreign" ]; then
	echo "core-symbols: the core asks for what is not its own:"
	echo "$foreign"
	status=1
fi
exit $status
