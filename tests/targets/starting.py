"""Threads that start while the program runs: each works in a function of its own, for the
same time on a processor, and the next starts when it has ended. Goes on until its standard
input closes.

    starting.py
"""

import os
import select
import threading


def first():
    for _ in range(60000):
        pass


def second():
    for _ in range(60000):
        pass


def third():
    for _ in range(60000):
        pass


def main():
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        for work in (first, second, third):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()


main()
