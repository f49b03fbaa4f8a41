"""A program in step with a clock: of each stretch of its own time on a processor it spends
the first half in `early` and the second in `late`. A profiler that takes one sample in each
stretch, always at the same moment of it, sees one of them only.

    in_step.py SECONDS

Goes on until its standard input closes.
"""

import os
import select
import sys
import time

now = getattr(time, "process_time", None) or time.clock
stretch = float(sys.argv[1])


def early(end):
    while now() < end:
        pass


def late(end):
    while now() < end:
        pass


def main():
    end = now() // stretch * stretch
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        for _ in range(20):
            early(end + stretch / 2)
            end += stretch
            late(end)


main()
