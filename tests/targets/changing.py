"""Forks children that end, or execute another program, each a little later than the last.

    changing.py NUMBER PYTHON

Some are there for a moment only, some become `true`, some PYTHON, some this program's own
interpreter anew: at whatever instant a child is looked at, one of them is just changing.
"""

import os
import sys
import time

WORK = "import time\nend = time.time() + 0.05\nwhile time.time() < end: pass"


def work(seconds):
    end = time.time() + seconds
    while time.time() < end:
        pass


def become(number, python):
    if number % 4 == 1:
        os.execv("/bin/true", ["true"])
    elif number % 4 == 2:
        os.execv(python, [python, "-S", "-c", WORK])
    elif number % 4 == 3:
        os.execv(sys.executable, [sys.executable, "-S", "-c", WORK])


def main():
    alive = 0
    for number in range(int(sys.argv[1])):
        if alive == 3:
            os.wait()
            alive -= 1
        if os.fork() == 0:
            work(number % 48 * 0.0005)
            become(number, sys.argv[2])
            os._exit(0)
        alive += 1
    for _ in range(alive):
        os.wait()


main()
