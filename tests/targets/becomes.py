"""A program that is busy for a while, then executes another one in its place.

    becomes.py SECONDS [PROGRAM ARGUMENTS...]
"""

import os
import sys
import time


def burn(seconds):
    end = time.time() + seconds
    n = 0
    while time.time() < end:
        n += 1


burn(float(sys.argv[1]))
if len(sys.argv) > 2:
    os.execv(sys.argv[2], sys.argv[2:])
