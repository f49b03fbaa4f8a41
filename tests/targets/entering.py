"""A target that computes, and asks the kernel for something, in short turns. It measures by
its own clock what it has spent on each, and prints that in the end."""

import os
import select
import sys
import threading
import time

clock = getattr(time, "perf_counter", time.time)


def computes():
    total = 0
    for number in range(120):
        total += number
    return total


def enters():
    # Quick system calls, for which the GIL is not released.
    for _ in range(20):
        os.getppid()


def turns(over):
    spent = [0.0, 0.0]
    while not over:
        first = clock()
        computes()
        second = clock()
        enters()
        third = clock()
        spent[0] += second - first
        spent[1] += third - second
    return spent


def main():
    over = []

    def listen():
        select.select([sys.stdin], [], [])
        over.append(True)

    listener = threading.Thread(target=listen)
    listener.start()
    print("ready")
    sys.stdout.flush()
    spent = turns(over)
    listener.join()
    print("spent %r %r" % tuple(spent))
    sys.stdout.flush()


main()
