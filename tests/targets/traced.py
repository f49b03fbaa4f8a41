"""A program to be traced: writes to both outputs, burns time, and ends.

    python traced.py SECONDS EXIT_CODE [WORDS...]
"""

import sys
import time


def burn(seconds):
    end = time.time() + seconds
    n = 0
    while time.time() < end:
        n += 1


def main():
    sys.stdout.write("out: %s\n" % " ".join(sys.argv[3:]))
    sys.stdout.flush()
    sys.stderr.write("err\n")
    sys.stderr.flush()
    burn(float(sys.argv[1]))
    sys.stdout.write("end\n")
    sys.exit(int(sys.argv[2]))


main()
