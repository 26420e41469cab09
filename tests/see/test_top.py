# SPDX-License-Identifier: MIT
"""quire top in a terminal that tmux keeps: its screens, keys and the way back;
and what it says when it cannot draw. Skips without tmux."""
import os
import shutil
import subprocess
import sys
import time

from bed import Area, Machine, QUIRE, fail, has, same

SOCKETS = ["quire-test-%d" % os.getpid()]
LOOKS = 200  # at a screen, before it is given up


def tmux(*words):
    return subprocess.run(["tmux", "-L", SOCKETS[-1], "-f", "/dev/null", *words],
                          capture_output=True, text=True, check=False,
                          encoding="utf-8").stdout


def shows(*parts):
    """Looks until the screen has all parts; returns it."""
    for _ in range(LOOKS):
        screen = tmux("capture-pane", "-p")
        if all(part in screen for part in parts):
            return screen
        time.sleep(0.05)
    fail("%r never came onto the screen:\n%s" % (parts, screen))
    return screen


def press(*keys):
    tmux("send-keys", *keys)


def session(box, width, height, locale="C.UTF-8"):
    tmux("new-session", "-d", "-x", str(width), "-y", str(height),
         "LC_ALL=%s %s top -w30 -S %s; echo ended $?; cat" % (
             locale, os.path.abspath(QUIRE), box.root))


def keys(box):
    session(box, 100, 24)
    screen = shows("quire top", "PID", "big --arg", "enter map")
    lines = screen.splitlines()
    same(True, lines[4].split()[0] == "11" and lines[5].split()[0] == "12",
         "largest first")
    has(lines[1], "RAM")
    press("Down", "Enter")
    shows("quire map 12 small", "KIND", "heap")
    press("Enter")
    shows("ADDRESS", "0x1000")
    press("Left")
    shows("KIND")
    press("Left")
    shows("big --arg")
    press("g")
    shows("by name", "COMM")
    press("Enter")
    shows("a group has no mappings")
    for title in ("by user", "by control group", "by tree"):
        press("g")
        shows(title)
    press("g")
    shows("big --arg")
    press("?")
    shows("quire top: keys", "any key goes back")
    press("x")
    shows("big --arg")
    press("f")
    shows("filter:")
    press("comm=small", "Enter")
    screen = shows("filter comm=small", "small --arg")
    same(False, "big --arg" in screen, "filtered")
    press("f")
    press("psz>1", "Enter")
    shows("unknown column 'psz'", "big --arg")
    press("s")
    shows("sort by:")
    press("-pss", "Enter")
    for _ in range(LOOKS):
        if tmux("capture-pane", "-p").splitlines()[4].startswith(" 12"):
            break
    press("s", "Enter")
    press("d")
    shows("SINCE_MARK")
    press("q")
    shows("ended 0")
    tmux("kill-server")


def small(box):
    SOCKETS.append(SOCKETS[0] + "-small")  # the first is still going down
    session(box, 60, 10, "C")
    screen = shows("quire top", "big")
    for line in screen.splitlines():
        same(True, len(line) <= 60 and line.isascii(), line)
    press("q")
    shows("ended 0")
    tmux("kill-server")


def main():
    if shutil.which("tmux") is None:
        print("skipped: there is no tmux")
        sys.exit(77)
    with Machine() as box:
        box.process(11, "big", areas=[
            Area(0x1000, 4096, name="[heap]", Rss=4096, Pss=4096,
                 Private_Dirty=4096)])
        box.process(12, "small", uid=33, areas=[
            Area(0x1000, 64, name="[heap]", Rss=64, Pss=64,
                 Private_Dirty=64)])
        try:
            keys(box)
            small(box)
        finally:
            tmux("kill-server")
        has(box.quire("top"), "TREND")
        same(11, box.quire("top", "--json").rows()[0]["pid"], "json")


main()
