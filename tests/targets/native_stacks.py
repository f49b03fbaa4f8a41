"""Python that calls machine code that calls Python, several levels deep.

    python native_stacks.py LIBRARY leaf|wait|doze|bare LEVELS

Each stack is a beginning of: main, then for each level `work`, and on even levels `truth_outer`,
`truth_middle` of the library, then `called`; on odd ones `called`, through `sorted`. At last
`truth_leaf`, which is busy, or `truth_wait`, which waits for standard input, or `truth_doze`,
which sleeps for 20 ms. With `bare`, `main` calls `truth_bare` that calls `truth_leaf`: nothing tells
how the former is unwound.
"""

import ctypes
import os
import select
import sys

library = ctypes.PyDLL(sys.argv[1])
CALL = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_long)
for name in ("leaf", "wait", "doze", "bare"):
    function = getattr(library, "truth_" + name)
    function.argtypes, function.restype = [ctypes.c_long], ctypes.c_long
library.truth_outer.argtypes = [CALL, ctypes.c_long]
library.truth_outer.restype = ctypes.c_long
leaf = getattr(library, "truth_" + sys.argv[2])


def work(level):
    if level % 2 == 0:
        return library.truth_outer(callback, level)
    sorted([level], key=called)
    return 0


def called(level):
    if level:
        return work(level - 1)
    return leaf(3000)


callback = CALL(called)


def main():
    levels = int(sys.argv[3])
    os.write(1, b"ready\n")
    if sys.argv[2] == "wait":
        work(levels)
        return
    while not select.select([0], [], [], 0)[0]:
        if sys.argv[2] == "bare":
            leaf(3000)
        else:
            work(levels)


main()
