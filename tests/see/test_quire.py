# SPDX-License-Identifier: MIT
"""A program in a budget is seen as what it is, without being disturbed: its
budget, what it holds, what is stored. Skips where there is no libquire-run.so
beside the command, or the kernel does not let it run."""
import os
import subprocess
import sys

from bed import MIB, QUIRE, fail, has, quire, same

PROGRAM = """
import os, sys
kept = [os.urandom(64) * 16384 for _ in range(40)]
print("ready", flush=True)
sys.stdin.readline()
same = all(len(set(x[i:i + 64] for i in range(0, len(x), 65536))) == 1
           for x in kept)
print("intact" if same else "spoilt", flush=True)
"""


def look(pid):
    """The page is renewed some twenty times a second: looks until it tells of
    what the program said it has."""
    for _ in range(300):
        rows = [row for row in quire("ps", "--quire", "--json").rows()
                if row["pid"] == pid]
        same(1, len(rows), "the program")
        if rows[0]["held"] >= 40 * MIB:
            break
    return rows[0]


def main():
    library = os.path.join(os.path.dirname(os.path.abspath(QUIRE)),
                           "libquire-run.so")
    if not os.path.exists(library):
        print("skipped: there is no libquire-run.so")
        sys.exit(77)
    child = subprocess.Popen([QUIRE, "run", "-q", "-m", "32M", "--",
                              sys.executable, "-c", PROGRAM],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
    try:
        if child.stdout.readline() != "ready\n":
            print("skipped: quire run does not work here")
            sys.exit(77)
        row = look(child.pid)
        same(32 * MIB, row["budget"], "budget")
        same(True, row["held"] >= 40 * MIB, "held")
        same(True, row["held"] >= row["resident"], "resident")
        same(True, row["stored"] + row["on_disk"] > 0, "out")
        same(True, 0 < row["budget_used"] <= row["budget"], "used")
        has(quire("map", str(child.pid)), "on Quire: ")
        has(quire("status", str(child.pid)), "of a budget of 32.0 M")
        rows = {row["counter"]: row for row in quire(
            "vmstat", str(child.pid), "--json").rows()}
        same(True, rows["faults_first_touch"]["number"] >= 40 * 256,
             "counters")
        quire("vmstat", str(os.getpid()), code=1)
        rows = quire("free", "--json").rows()
        same(True, any(row["of"].startswith("quire ") and
                       row["total"] == 32 * MIB for row in rows), "free")
        child.stdin.write("\n")
        child.stdin.flush()
        if child.stdout.readline() != "intact\n":
            fail("the program was disturbed")
    finally:
        child.stdin.close()
        child.wait()


main()
