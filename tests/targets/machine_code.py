"""Functions that are machine code, with frames as Nuitka makes them (machine_code.c).

    python machine_code.py LIBRARY rests   waits: root, outer, inner and wait
    python machine_code.py LIBRARY alone   waits: root and nothing else
    python machine_code.py LIBRARY long    root calls loop, which calls inner for long
    python machine_code.py LIBRARY short   the same, for less than a microsecond
    python machine_code.py LIBRARY spoilt  the same, but what root says of itself is wrong
    python machine_code.py LIBRARY late    loop calls inner, but not before it is told to
"""

import gc
import importlib.machinery
import importlib.util
import os
import select
import sys

gc.disable()  # CPython's collector may ask frames for what these have not
LOADER = importlib.machinery.ExtensionFileLoader("machine_code", sys.argv[1])
CODE = importlib.util.module_from_spec(importlib.util.spec_from_loader("machine_code", LOADER))
root, outer, inner = (CODE.make("made.py", name, line) for name, line in
                      [("root", 10), ("outer", 20), ("inner", 30)])
spin = CODE.spin


def say(word):
    os.write(1, word.encode() + b"\n")


def wait():
    say("waits")
    os.read(0, 1)


def loop(rounds):
    say("loops")
    while True:
        spin(inner, rounds)
        for _ in range(10):
            pass


def spoilt():
    CODE.spoil(root)
    loop(1000)


def late():
    say("loops")
    while not select.select([0], [], [], 0)[0]:
        for _ in range(100):
            pass
    say("told")
    while True:
        spin(inner, 1000)


def main(mode):
    if mode == "rests":
        CODE.outermost(CODE.call, root, CODE.call, outer, CODE.call, inner, wait)
    elif mode == "alone":
        say("waits")
        CODE.outermost(CODE.call, root, os.read, 0, 1)
    elif mode == "late":
        late()
    elif mode == "spoilt":
        CODE.outermost(CODE.call, root, spoilt)
    else:
        CODE.outermost(CODE.call, root, loop, 100000 if mode == "long" else 50)


main(sys.argv[2])
