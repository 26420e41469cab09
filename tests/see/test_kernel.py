# SPDX-License-Identifier: MIT
"""buddy, zones, slab, vmalloc, numa, pages: the kernel's structures from its
own files; totals add up; what does not is said."""
import os

from bed import KIB, Machine, MIB, has, quire, same


def adds_up(data):
    for key, total in data["total"].items():
        same(total, sum(row.get(key) or 0 for row in data["rows"]), key)


def main():
    with Machine() as box:
        for view in ("buddy", "zones", "slab", "vmalloc", "numa"):
            has(box.quire(view, code=1), "quire: ")
        box.put("proc/buddyinfo",
                "Node 0, zone      DMA  1 0 0 0 0 0 0 0 0 1 1\n"
                "Node 1, zone   Normal  8 4 2 1 0 0 0 0 0 0 0\n")
        data = box.quire("buddy", "--json", "-O").json
        adds_up(data)
        same(((1 + 512 + 1024) * 4 * KIB, 0.06), (
            data["rows"][0]["free"], data["rows"][0]["unusable"]), "DMA")
        same((32 * 4 * KIB, 100.0, 1), (
            data["rows"][1]["free"], data["rows"][1]["unusable"],
            data["rows"][1]["node"]), "Normal")
        box.put("proc/pagetypeinfo", "Page block order: 9\n"
                "Free pages count per migrate type at order 0 1\n"
                "Node    0, zone  Normal, type  Unmovable  3 1\n"
                "Node    0, zone  Normal, type  Movable  >5 2\n"
                "Number of blocks type     Unmovable      Movable\n"
                "Node 0, zone   Normal           11          22\n")
        rows = box.quire("buddy", "--types", "--json").rows()
        same([("Unmovable", 5 * 4 * KIB, 11), ("Movable", 4 * 4 * KIB, 22)],
             [(row["type"], row["free"], row["blocks"]) for row in rows],
             "types")
        box.put("proc/zoneinfo", "Node 0, zone   Normal\n  per-node stats\n"
                "      nr_free_pages 9\n  pages free     30\n"
                "        min      20\n        low      40\n"
                "        high     60\n        spanned  999\n"
                "        present  900\n        managed  800\n"
                "  pagesets\n    cpu: 0\n              count:    5\n"
                "              high:     63\n    cpu: 1\n"
                "              count:    2\n              high:     63\n"
                "Node 0, zone  Movable\n  pages free     0\n"
                "        present  0\n")
        data = box.quire("zones", "--json").json
        adds_up(data)
        row = data["rows"][0]
        same((1, 30, 20, 40, 60, 7, "below low"), (
            len(data["rows"]), row["free"] // 4096, row["min"] // 4096,
            row["low"] // 4096, row["high"] // 4096,
            row["per_cpu"] // 4096, row["standing"]), "zones")
        box.quire("zones", "--fail-if", "standing!=ok", code=10)
        box.put("proc/slabinfo", "slabinfo - version: 2.1\n"
                "# name <active_objs> ...\n"
                "dentry 100 120 192 21 1 : tunables 0 0 0 : slabdata 6 6 0\n"
                "odd:name(x) 0 0 8 512 2 : tunables 0 0 0 : slabdata 0 0 0\n"
                "broken 1 2\n")
        data = box.quire("slab", "--json", "-t").json
        adds_up(data)
        row = data["rows"][0]
        same(("dentry", 6 * 4096, 6 * 4096 - 19200, 83.33), tuple(
            row[key] for key in ("cache", "ram", "waste", "use")), "slab")
        same(2, len(data["rows"]), "caches")
        box.put("proc/vmallocinfo",
                "0x1-0x2 20480 f+0x1/0x2 pages=4 vmalloc N0=4\n"
                "0x2-0x3 8192 f+0x9/0x2 pages=1 vmalloc N0=1\n"
                "0x3-0x4 8192 g+0x1/0x2 phys=0x1 ioremap\n"
                "0x4-0x5 4096 unpurged vm_area\nnonsense\n")
        data = box.quire("vmalloc", "--json", "-t").json
        adds_up(data)
        same(("f", "vmalloc", 2, 28672, 5 * 4096), tuple(
            data["rows"][0][key] for key in (
                "caller", "kind", "n", "virtual", "ram")), "vmalloc")
        same(3, len(data["rows"]), "callers")
        node = "sys/devices/system/node/node%d/"
        for number in (0, 10, 2):
            box.put(node % number + "meminfo",
                    "Node %d MemTotal:  2048 kB\nNode %d MemFree: 8 kB\n" % (
                        number, number))
            box.put(node % number + "numastat", "numa_hit 5\nnuma_miss 2\n")
        box.put(node % 2 + "hugepages/hugepages-2048kB/nr_hugepages", "3\n")
        data = box.quire("numa", "--json").json
        adds_up(data)
        same([0, 2, 10], [row["node"] for row in data["rows"]], "order")
        same((6 * MIB, 5), (data["rows"][1]["huge"], data["rows"][1]["hit"]),
             "numa")
        has(data["meta"]["notes"][0], "more than the nodes")
        has(box.quire("pages", code=1), "capture")
    if os.geteuid() == 0 and os.path.exists("/proc/kpageflags"):
        data = quire("pages", "--json").json
        adds_up(data)
        for width in ("60", "120"):
            for line in quire("pages", "--width", width).text.split("\n\n")[
                    0].splitlines():
                same(True, len(line) <= int(width), line)


main()
