"""Works while a thread of C sends it signals, ten thousand a second, until its
standard input closes. At the end it tells how many were sent and how many came.

    python storm.py SHARED_LIBRARY
"""

import ctypes
import os
import select
import sys


def work(n):
    return sum(range(n))


library = ctypes.CDLL(sys.argv[1])
if library.storm_begin(10000) != 0:
    sys.exit("the storm does not begin")
os.write(1, b"ready\n")
while True:
    try:
        if select.select([0], [], [], 0)[0]:
            break
    except (OSError, select.error):
        pass  # Broken off by a signal: a look without waiting, which is repeated.
    work(100)
library.storm_end()
sys.stdout.write("storm %d %d\n" % (library.storm_sent(), library.storm_came()))
