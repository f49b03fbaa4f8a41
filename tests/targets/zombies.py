"""Leaves orphans to the first process of its container, and says when they have been
collected after their end. Then waits for SIGTERM.

    python zombies.py
"""

import os
import signal
import sys
import time


def orphan():
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.05)
        os._exit(0)


def others():
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if pid not in (1, os.getpid())]


def end(number, frame):
    sys.exit(5)


def main():
    signal.signal(signal.SIGTERM, end)
    for _ in range(10):
        orphan()
        os.wait()
    while others():
        time.sleep(0.01)
    os.write(1, b"collected\n")
    while True:
        sum(range(500))


main()
