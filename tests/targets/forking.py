"""A program that ends before its child does. The child writes to a file that it
went on after that, and whether it was being traced. The program burns that many seconds.

    python forking.py FILE SECONDS
"""

import os
import sys
import time


def burn(seconds):
    end = time.time() + seconds
    while time.time() < end:
        pass


def child(parent, path):
    while os.getppid() == parent:
        time.sleep(0.005)
    burn(0.05)
    with open("/proc/self/status") as status:
        tracer = [line.split()[1] for line in status if line.startswith("TracerPid")]
    with open(path + ".new", "w") as out:
        out.write("tracer %s\n" % tracer[0])
    os.rename(path + ".new", path)
    os._exit(0)


def main():
    parent = os.getpid()
    if os.fork() == 0:
        child(parent, sys.argv[1])
    burn(float(sys.argv[2]))


main()
