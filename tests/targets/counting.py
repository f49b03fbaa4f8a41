"""Counts its rounds and the SIGUSR1 that it receives, in a file that others can
read: two numbers of eight bytes. Goes on until SIGUSR2, then tells both.

    python counting.py FILE
"""

import mmap
import os
import signal
import struct
import sys

done = []
signals = []


def count(number, frame):
    signals.append(number)
    shared[8:16] = struct.pack("<q", len(signals))


def end(number, frame):
    done.append(number)


def work(n):
    return sum(range(n))


with open(sys.argv[1], "r+b") as file:
    shared = mmap.mmap(file.fileno(), 16)
signal.signal(signal.SIGUSR1, count)
signal.signal(signal.SIGUSR2, end)
os.write(1, b"ready\n")
rounds = 0
while not done:
    work(50)
    rounds += 1
    shared[0:8] = struct.pack("<q", rounds)
sys.stdout.write("counted %d %d\n" % (rounds, len(signals)))
