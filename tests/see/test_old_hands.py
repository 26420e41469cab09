# SPDX-License-Identifier: MIT
"""What users of smem, pmap, procrank, free, vmstat and slabtop had is there:
each letter, each column, each field of the kernel, by name."""
from bed import Area, Machine, has, quire, same

# smem's letters, as they were typed, and what they must show.
SMEM = [
    ("", "pss"), ("-m", "libc"), ("-u", "www"), ("-w", "firmware/hardware"),
    ("-P first", "first"), ("-M libc", "first"), ("-U www", "second"),
    ("-c pid,name,pss", "comm"), ("-s pss", "uss"), ("-s pss -r", "uss"),
    ("-t", "total"), ("-H", "first"), ("-n", "33"), ("-a", "first"),
    ("-k", "first"), ("-p", "%"), ("-R 1G -p", "%"), ("-K vmlinux", "first"),
]
SMEM_COLUMNS = {
    "": "pid user name command maps swap uss rss pss vss",
    "-m": "map count pids swap uss rss pss vss avgpss avguss avgrss",
    "-u": "user count swap uss rss pss vss",
}
PMAP = [
    ("", "address vss perm map"), ("-x", "address vss rss dirty perm map"),
    ("-d", "address vss perm offset device map"),
    ("-X", "address perm offset device inode vss rss pss pss_dirty "
           "referenced anonymous ksm lazyfree shmem_pmd file_pmd "
           "shared_hugetlb private_hugetlb swap swappss locked thpeligible"),
    ("-XX", "kernelpagesize mmupagesize shared_clean private_dirty anon_huge "
            "vmflags"),
    ("-p", "map"),
]
PROCRANK = ["", "-v", "-r", "-p", "-u", "-s", "-R"]

# Fields of the kernel, by the view that shows them.
MEMINFO = """MemTotal MemFree MemAvailable Buffers Cached SwapCached Active
Inactive Active(anon) Inactive(file) Unevictable Mlocked SwapTotal SwapFree
Zswap Zswapped Dirty Writeback WritebackTmp AnonPages Mapped Shmem KReclaimable
Slab SReclaimable SUnreclaim KernelStack PageTables SecPageTables Percpu
CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk AnonHugePages
ShmemHugePages FileHugePages ShmemPmdMapped FilePmdMapped HugePages_Total
HugePages_Free HugePages_Rsvd HugePages_Surp Hugepagesize Hugetlb Balloon
DirectMap4k DirectMap2M DirectMap1G CmaTotal HardwareCorrupted
Unaccepted""".split()
VMSTAT = """nr_free_pages numa_hit workingset_refault_anon
workingset_activate_file workingset_restore_anon pgalloc_normal pgfree
pgactivate pgdeactivate pglazyfree pgfault pgmajfault pgscan_kswapd
pgscan_direct pgscan_khugepaged pgscan_proactive pgsteal_anon pgsteal_file
allocstall_normal pgskip_dma pswpin pswpout swap_ra swpin_zero swpout_zero
zswpin zswpout zswpwb compact_stall thp_fault_alloc pgmigrate_success
pgpromote_success pgdemote_kswapd htlb_buddy_alloc_success balloon_inflate
ksm_swpin_copy cow_ksm direct_map_level2_splits drop_pagecache
oom_kill""".split()
STATUS = """VmPeak VmSize VmLck VmPin VmHWM VmRSS RssAnon RssFile RssShmem
VmData VmStk VmExe VmLib VmPTE VmSwap HugetlbPages THP_enabled Threads Uid Gid
NSpid Kthread CoreDumping""".split()
PS = """pid ppid uid user comm command exe cgroup tree state threads maps uss
pss rss vss swap swappss epss pss_dirty pss_anon pss_file pss_shmem
shared_clean shared_dirty private_clean private_dirty referenced anonymous ksm
lazyfree anon_huge shmem_pmd file_pmd shared_hugetlb private_hugetlb locked
rss_anon rss_file rss_shmem rss_peak vss_peak data stack text lib pte pinned
hugetlb minflt majflt cminflt cmajflt oom_score oom_adj""".split()
OTHERS = {
    "buddy": "node zone type o0 o1 o2 o3 o4 o5 o6 o7 o8 o9 o10 free unusable "
             "blocks",
    "zones": "free min low high spanned present managed cma per_cpu",
    "slab": "cache active objects objsize perslab pages slabs use ram waste "
            "per_min",
    "vmalloc": "caller kind virtual ram n",
    "swap": "device type size used priority stored compressed ratio ram same "
            "incompressible",
    "free": "total used programs shared files huge kernel unaccounted free "
            "available",
    "vmstat": "pgpgin_s pgpgout_s fault_s majflt_s pgfree_s pgscank_s "
              "pgscand_s pgsteal_s vmeff refault_s stall_s thrash_s in_s "
              "out_s",
    "numa": "node total free huge hit miss foreign distance",
    "map": "kind vss rss pss uss swap maps",
    "limits": "limit used soft hard",
    "shm": "kind id name user size resident swap attached pids",
    "pages": "kind frames size",
    "cache": "file size resident share dirty mapped opened",
}


def box():
    machine = Machine()
    for pid, name, uid in ((5, "first", 0), (6, "second", 33)):
        machine.process(pid, name, uid, areas=[
            Area(0x10000, 64, "r-xp", "/lib/libc.so", 3, Rss=32 + pid,
                 Pss=16, Shared_Clean=32),
            Area(0x40000, 64, "rw-p", "[heap]", Rss=8, Pss=8,
                 Private_Dirty=8)])
    return machine


def letters():
    with box() as machine:
        source = ["-S", machine.root]
        for words, shows in SMEM:
            text = quire("smem", *words.split(), *source).text
            has(text.lower(), shows)
        for words, columns in SMEM_COLUMNS.items():
            text = quire("smem", *words.split(), "-c", columns, "--raw",
                         *source).text
            wanted = columns.replace("name", "comm").replace("count", "n")
            same(wanted, text.splitlines()[0], "columns")
        # smem's order: the largest last, and first with -r.
        pids = lambda *words: quire("smem", "-H", "-c", "pid", *words, "--raw",
                                    *source).text.split()
        same(["5", "6"], pids("-s", "rss"), "-s")
        same(["6", "5"], pids("-s", "rss", "-r"), "-s -r")
        same(["6", "5"], pids(), "the largest first")
        quire("smem", "--pie", *source[:1], code=2)
        quire("smem", "-Z", code=2)
        quire("smem", "-P", code=2)
        for words, columns in PMAP:
            header = quire("pmap", *words.split(), "5", "--raw",
                           *source).text.splitlines()[0].split()
            for column in columns.split():
                has(header, column)
        same(1, len(quire("pmap", "-q", "-A", "40000,", "5", "--raw",
                          *source).text.splitlines()), "-A")
        same(1, len(quire("pmap", "-q", "-A", "0x10000", "5", "--raw",
                          *source).text.splitlines()), "-A")
        for words in PROCRANK:
            has(quire("procrank", *words.split(), *source), "TOTAL")
        same(2, quire("watch", "-n0.01", "ps", "-c2", *source).text.count(
            "PID"), "watch")
        quire("watch", code=2)
        quire("watch", "nothing", code=2)
        for name in ("smem", "pmap", "procrank", "watch"):
            has(quire(name, "--help"), "usage: quire " + name)


def fields():
    with box() as machine:
        source = ["-S", machine.root]
        machine.put("proc/meminfo", "".join(
            "%s: 8 %s\n" % (key, "" if "HugePages_" in key else "kB")
            for key in MEMINFO))
        rows = {row["field"]: row for row in quire(
            "meminfo", "--json", *source).rows()}
        for key in MEMINFO:
            same(False, "Not known" in rows[key]["meaning"], key)
        machine.put("proc/vmstat", "".join(
            "%s 8\n" % key for key in VMSTAT))
        rows = {row["counter"]: row for row in quire(
            "vmstat", "--counters", "--json", *source).rows()}
        for key in VMSTAT:
            same(8, rows[key]["number"], key)
            same(False, rows[key]["area"] == "other", key)
        machine.put("proc/5/status", "Name:\tx\n" + "".join(
            "%s:\t 8%s\n" % (key, " kB" if key.startswith(
                ("Vm", "Rss", "Hugetlb")) else "") for key in STATUS))
        rows = {row["field"]: row for row in quire(
            "status", "5", "--json", *source).rows()}
        for key in STATUS:
            same(False, "Not known" in rows[key]["meaning"], key)
    helped = quire("ps", "-o", "help", "--raw").text
    names = [line.split()[0] for line in helped.splitlines()]
    for name in PS:
        has(names, name)
        has(quire("help", name), name)
    for view, columns in OTHERS.items():
        words = ["--types"] if view == "buddy" else []
        text = quire(view, "-o", "help", "--raw", *words).text
        names = [line.split()[0] for line in text.splitlines()]
        for name in columns.split():
            has(names, name)


def main():
    letters()
    fields()


main()
