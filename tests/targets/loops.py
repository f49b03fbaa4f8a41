"""Loops of short calls: between two looks at a stack its functions return and are
called again, mostly from another line. What `# calls` means is said in busy.py.

    python loops.py
"""

import os
import select


def f():
    return 1


def g():
    return 2


def h():
    n = 0
    for i in (1, 2, 3):
        n += i
    return n


def k():
    n = 0
    for i in range(30):
        n += i
    return n


def loop():
    n = 0
    while n < 1000:
        n += 1
        f()  # calls f
        g()  # calls g
        f()  # calls f
        h()  # calls h
        g()  # calls g
        k()  # calls k
        f()  # calls f


def deep(n):
    if n:
        return deep(n - 1)  # calls deep
    loop()  # calls loop


def main():
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        loop()  # calls loop
        deep(20)  # calls deep


main()  # calls main
