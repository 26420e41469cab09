# SPDX-License-Identifier: MIT
# bench/malloc/table.awk: medians and ratios of lines "name peer cpu wall kib".

function median(list,    v, count, i, k, swap) {
	count = split(list, v, " ")
	for (i = 2; i <= count; i++)
		for (k = i; k > 1 && v[k - 1] + 0 > v[k] + 0; k--) {
			swap = v[k]
			v[k] = v[k - 1]
			v[k - 1] = swap
		}
	return count % 2 ? v[(count + 1) / 2] : (v[count / 2] + v[count / 2 + 1]) / 2
}

# A line of cells: the first is a name.
function row(cells, count,    i, line) {
	if (markdown == "yes")
		line = "| " cells[0] " |"
	else
		line = sprintf("%-26s", cells[0])
	for (i = 1; i <= count; i++)
		line = line (markdown == "yes" ? " " cells[i] " |" : sprintf("%13s", cells[i]))
	print line
}

function mean_row(title, group, what,    i, cells) {
	cells[0] = title
	for (i = 1; i <= peer_count; i++) {
		cells[i] = "-"
		if (count_in[group, i] > 0)
			cells[i] = sprintf("%.3f", exp(sum[group, what, i] / count_in[group, i]))
	}
	row(cells, peer_count)
}

function add(group, i, time_ratio, rss_ratio, base_rss) {
	count_in[group, i]++
	sum[group, "time", i] += log(time_ratio)
	sum[group, "rss", i] += log(rss_ratio)
	sum[group, "both", i] += log(time_ratio * base_rss)
}

{
	cpu[$1, $2] = cpu[$1, $2] " " $3
	rss[$1, $2] = rss[$1, $2] " " $5
}

END {
	peer_count = split(peers, peer, " ")
	name_count = split(names, name, " ")
	cells[0] = "time / RSS"
	for (i = 1; i <= peer_count; i++)
		cells[i] = peer[i]
	row(cells, peer_count)
	if (markdown == "yes") {
		cells[0] = "---"
		for (i = 1; i <= peer_count; i++)
			cells[i] = "---"
		row(cells, peer_count)
	}
	for (n = 1; n <= name_count; n++) {
		if (!((name[n], "mimalloc") in cpu))
			continue
		base_time = median(cpu[name[n], "mimalloc"])
		mi_rss = median(rss[name[n], "mimalloc"])
		least = 0
		for (i = 2; i <= peer_count; i++) {
			value = median(rss[name[n], peer[i]])
			if (value > 0 && (least == 0 || value < least))
				least = value
		}
		real = name[n] ~ /^(redis|sqlite|python|lua|gxx|sort|perl)$/
		cells[0] = name[n] sprintf(" (%.2f s, %d MiB)", base_time, least / 1024)
		for (i = 1; i <= peer_count; i++) {
			t = median(cpu[name[n], peer[i]]) / base_time
			r = median(rss[name[n], peer[i]]) / least
			cells[i] = sprintf("%.2f / %.2f", t, r)
			if (t <= 0)
				continue
			add("all", i, t, r, r * least / mi_rss)
			add(real ? "real" : "work", i, t, r, r * least / mi_rss)
		}
		row(cells, peer_count)
	}
	mean_row("time, workloads", "work", "time")
	mean_row("time, real", "real", "time")
	mean_row("time, all", "all", "time")
	mean_row("RSS, workloads", "work", "rss")
	mean_row("RSS, real", "real", "rss")
	mean_row("RSS, all", "all", "rss")
	mean_row("time x RSS, all", "all", "both")
}
