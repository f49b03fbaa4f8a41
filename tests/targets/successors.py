"""Threads that follow one another at once. Each gets the thread state and the C stack of the
one before it, and only its id of the kernel is new. What `# calls` and `# begins a stack` mean
is said in busy.py.

    python successors.py
"""

import os
import select

try:
    from _thread import allocate_lock, start_new_thread
except ImportError:
    from thread import allocate_lock, start_new_thread


def first():
    total = 0
    for i in range(20):
        total += i
    return total


def second():
    total = 1
    for i in range(20):
        total ^= i
    return total


def work(done):  # begins a stack
    for _ in range(40):
        first()  # calls first
        second()  # calls second
        first()  # calls first
    done.release()


def main():
    os.write(1, b"ready\n")
    done = allocate_lock()
    done.acquire()
    while not select.select([0], [], [], 0)[0]:
        start_new_thread(work, (done,))
        second()  # calls second
        done.acquire()


main()  # calls main
