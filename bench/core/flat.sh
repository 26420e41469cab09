#!/bin/sh
# SPDX-License-Identifier: MIT
# flat.sh [BUILD]: what the core's frequent calls cost on machines of 16 MiB to
# 16 TiB and 1 to 64 CPUs, as core.cost counts it, one bar a machine: as long as
# the largest cost of its row is 50 signs. At the end the largest over the
# smallest, which that test bounds where the cost is meant to be flat.
set -eu
"${1:-build-check}"/tests/core_test_cost | awk '
/ CPUs: / {
	split($0, part, ": +")
	machine = part[1]
	at = match(part[2], / +[0-9]+$/)
	name = substr(part[2], 1, at - 1)
	cost = substr(part[2], at) + 0
	if (!(name in count))
		names[++rows] = name
	count[name]++
	machines[name, count[name]] = machine
	costs[name, count[name]] = cost
	if (cost > most[name])
		most[name] = cost
	if (count[name] == 1 || cost < least[name])
		least[name] = cost
}
END {
	for (r = 1; r <= rows; r++) {
		name = names[r]
		printf "%s: largest over smallest %.2f\n", name,
		    most[name] / least[name]
		for (i = 1; i <= count[name]; i++) {
			bar = ""
			length_wanted = 50 * costs[name, i] / most[name]
			while (length(bar) < length_wanted)
				bar = bar "#"
			printf "  %s %6d %s\n", machines[name, i],
			    costs[name, i], bar
		}
	}
}'
