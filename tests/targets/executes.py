"""Works until a line comes, then executes another program in its place.

    python executes.py PROGRAM [ARGUMENT]...
"""

import os
import select
import sys


def before():
    return sum(range(20000))


os.write(1, b"ready\n")
while not select.select([0], [], [], 0)[0]:
    before()
os.read(0, 1)
os.execv(sys.argv[1], sys.argv[1:])
