"""Works while a thread of C sends it signals, ten thousand a second, until SIGUSR2
comes. At the end it tells how many were sent and how many came.

    python storm.py SHARED_LIBRARY
"""

import ctypes
import os
import signal
import sys

done = []


def end(number, frame):
    done.append(number)


def work(n):
    return sum(range(n))


library = ctypes.CDLL(sys.argv[1])
signal.signal(signal.SIGUSR2, end)
if library.storm_begin(10000) != 0:
    sys.exit("the storm does not begin")
os.write(1, b"ready\n")
while not done:
    work(100)
library.storm_end()
sys.stdout.write("storm %d %d\n" % (library.storm_sent(), library.storm_came()))
