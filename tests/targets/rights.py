"""A program that root starts and that does not stay root's.

    rights.py dropped           gives up root's rights, which makes it not dumpable
    rights.py family            is nobody's, and lets itself be read; so does one of its
                                children, which keeps busy. Of two others, one has dropped
                                root's rights, and one is root's still.
    rights.py later             is nobody's, keeps busy, and does not let itself be read any
                                more from the first line on that it reads; then writes `set`

It writes `ready` and the ids of its children, and ends when standard input closes.
"""

import ctypes
import os
import select
import sys

NOBODY = 65534
PR_SET_DUMPABLE = 4


def set_dumpable(value):
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, value, 0, 0, 0) != 0:
        raise RuntimeError("prctl")


def drop(dumpable):
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    if dumpable:
        set_dumpable(1)


def busy():
    total = 0
    for i in range(1000):
        total += i * i % 7
    return total


def work(parent):
    while os.getppid() == parent:
        busy()


def start(become):
    """A child that has become what it should be, and waits for the end of its parent."""
    parent = os.getpid()
    ready, tell = os.pipe()
    wait, held = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(held)
        become()
        os.write(tell, b"x")
        if become is readable:
            work(parent)
        os.read(wait, 1)
        os._exit(0)
    os.read(ready, 1)
    return pid


def stay():
    pass


def dropped():
    drop(False)


def readable():
    drop(True)


def main():
    children = []
    if sys.argv[1] == "family":
        children = [start(become) for become in (readable, dropped, stay)]
    drop(sys.argv[1] != "dropped")
    os.write(1, ("ready %s\n" % " ".join(map(str, children))).encode())
    if sys.argv[1] == "later":
        while not select.select([0], [], [], 0)[0]:
            busy()
        os.read(0, 1)
        set_dumpable(0)
        os.write(1, b"set\n")
        while not select.select([0], [], [], 0)[0]:
            busy()
    sys.stdin.read()


if __name__ == "__main__":
    main()
