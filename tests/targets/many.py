"""Many threads that wait, each so many frames deep, and the main thread, which is busy or
waits for its standard input to close.

    python many.py THREADS DEPTH busy|idle

Each thread stands in "rest", called by "left" and "right" in turn, below the frames of
the module threading. It tells "ready" when all of them wait.
"""

import os
import sys
import threading

threads, depth = int(sys.argv[1]), int(sys.argv[2])
sys.setrecursionlimit(depth + 1000)
threading.stack_size(512 * 1024 if depth < 1000 else 1 << 29)
ready, gate = threading.Semaphore(0), threading.Lock()


def rest():
    ready.release(); gate.acquire(); gate.release()


def left(more):
    return right(more - 1) if more else rest()


def right(more):
    return left(more - 1) if more else rest()


def work(n):
    return sum(range(n))


def main():
    os.write(1, b"ready\n")
    if sys.argv[3] == "idle":
        os.read(0, 1)
    while sys.argv[3] == "busy":
        work(1000)


gate.acquire()
for _ in range(threads):
    thread = threading.Thread(target=left, args=(depth,))
    thread.daemon = True
    thread.start()
for _ in range(threads):
    ready.acquire()
main()
os._exit(0)
