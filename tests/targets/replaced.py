"""A program that runs a short code object until it is told to go on, then frees it, and
runs a longer one, if possible in the same memory.

    python replaced.py

It says `ready`, and when the longer one is about to run `replaced yes`, or `replaced no` if
that is in other memory.
"""

import os
import select


def spin():
    total = 0
    for i in range(2000):
        total += i
    return total


def run(code):
    while not select.select([0], [], [], 0)[0]:
        exec(code, {"spin": spin})


def longer_at(place):
    # Enough that the call is beyond the end of the short one.
    source = "spin\n" * 4 + "spin()\n"
    others = []
    for _ in range(200):
        source = "spin\n" + source
        code = compile(source, "longer.py", "exec")
        if id(code) == place:
            return code
        others.append(code)
    return code


def main():
    code = compile("spin()\n", "short.py", "exec")
    place = id(code)
    os.write(1, b"ready\n")
    run(code)
    os.read(0, 1)
    # By the time the code is gone, all samples of it have been counted.
    for _ in range(500):
        spin()
    del code
    code = longer_at(place)
    os.write(1, b"replaced yes\n" if id(code) == place else b"replaced no\n")
    run(code)


main()
