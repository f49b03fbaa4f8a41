"""Texts that are compiled anew each time that they are run, so that their code objects take
each other's places. Text N is run by runN, and its function is called fN.

    python renewed.py same      three texts, in turn
    python renewed.py fresh     always another, by `run`
    python renewed.py waiting   the same, but its function waits
"""

import os
import select
import sys


def work():
    for _ in range(20000):
        pass


def wait():
    select.select([], [], [], 0.005)


def text(n):
    source = "\n" * (n % 50) + "def f%d():\n    work()\nf%d()\n" % (n, n)
    return compile(source, "<text %d>" % n, "exec")


def run1():
    exec(text(1), {"work": work})


def run2():
    exec(text(2), {"work": work})


def run3():
    exec(text(3), {"work": work})


def run(n, work):
    exec(text(n), {"work": work})


def main(texts):
    os.write(1, b"ready\n")
    n = 0
    while not select.select([0], [], [], 0)[0]:
        if texts == "same":
            run1()
            run2()
            run1()
            run3()
        else:
            n += 1
            run(n, wait if texts == "waiting" else work)


main(sys.argv[1])
