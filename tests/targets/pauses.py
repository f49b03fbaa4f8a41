"""A program that lets go of the GIL all the time, and watches how long it is
kept from running. Goes on until its standard input closes, then tells the
longest time between two rounds, in seconds, and the number of rounds.

    python pauses.py
"""

import os
import select
import sys
import time


def round_of_calls():
    for _ in range(20):
        os.stat("/")
    return sum(range(200))


def main():
    os.write(1, b"ready\n")
    longest, rounds, last = 0.0, 0, time.time()
    while not select.select([0], [], [], 0)[0]:
        round_of_calls()
        rounds += 1
        now = time.time()
        longest, last = max(longest, now - last), now
    sys.stdout.write("longest %f %d\n" % (longest, rounds))


main()
