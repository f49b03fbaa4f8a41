"""A program that forks so many children that live for a moment, some at a time.

    short_lived.py NUMBER
"""

import os
import sys
import time


def child(milliseconds):
    end = time.time() + milliseconds / 1000.0
    while time.time() < end:
        pass


def main():
    alive = 0
    for number in range(int(sys.argv[1])):
        if alive == 8:
            os.wait()
            alive -= 1
        if os.fork() == 0:
            child(number % 5)
            os._exit(0)
        alive += 1
    for _ in range(alive):
        os.wait()


main()
