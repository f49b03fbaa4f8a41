"""A program that knows how its time is shared between what a GIL can be doing.

    portions.py

In turns of some milliseconds it works, sleeps with the GIL held, and sleeps without
it, until its standard input closes. Then it tells how many seconds it spent in
`works`, in `keeps` and in `waits`, on the wall clock.
"""

import ctypes
import os
import random
import select
import sys
import time

sleep_with_the_gil = ctypes.PyDLL(None).usleep


def works(seconds):
    end = time.time() + seconds
    while time.time() < end:
        pass


def keeps(seconds):
    sleep_with_the_gil(int(seconds * 1e6))


def waits(seconds):
    time.sleep(seconds)


def main():
    parts = [works, keeps, waits]
    spent = dict.fromkeys(parts, 0.0)
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        random.shuffle(parts)
        for part in parts:
            begin = time.time()
            part(random.random() * 0.006)
            spent[part] += time.time() - begin
    sys.stdout.write("spent %f %f %f\n" % tuple(spent[part] for part in (works, keeps, waits)))


main()
