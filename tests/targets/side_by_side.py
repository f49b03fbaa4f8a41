"""Threads that run side by side where there is no GIL. What `# calls` and `# begins a stack`
mean is said in busy.py.

    python side_by_side.py compute | collect | crowd

`compute`: two threads compute, one sleeps, and one hashes in C, without being attached.
`collect`: one thread collects garbage again and again, which has the other, that computes,
wait each time. `crowd`: 300 threads compute, from the same moment on. All go on until standard
input closes.
"""

import gc
import hashlib
import os
import select
import sys
import time
from _thread import allocate_lock, start_new_thread


def goes_on():
    return not select.select([0], [], [], 0)[0]


def leaf(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


def one(n):
    return leaf(n) + leaf(n)  # calls leaf


def other(n):
    return (lambda x: leaf(x))(n)  # calls <lambda>, leaf


def compute(done, function):  # begins a stack
    while not ended:
        for _ in range(20):
            function(200)  # calls one, other
    done.release()


def crowd(done, gate):  # begins a stack
    with gate:
        pass
    compute(done, one)  # calls compute


def sleep(done):  # begins a stack
    while not ended:
        time.sleep(0.005)
    done.release()


def hash_long(done):  # begins a stack
    text = b"x" * (1 << 22)
    while not ended:
        hashlib.sha256(text).digest()
    done.release()


def collect():
    kept = [[i] for i in range(300000)]
    while goes_on():  # calls goes_on
        gc.collect()
    return kept


def main():
    if sys.argv[1] == "collect":
        works = [(compute, (one,))]
    elif sys.argv[1] == "crowd":
        gate = allocate_lock()
        gate.acquire()
        works = [(crowd, (gate,))] * 300
    else:
        works = [(compute, (one,)), (compute, (other,)), (sleep, ()), (hash_long, ())]
    locks = []
    for function, arguments in works:
        locks.append(allocate_lock())
        locks[-1].acquire()
        start_new_thread(function, (locks[-1],) + arguments)
    if sys.argv[1] == "crowd":
        gate.release()
    os.write(1, b"ready\n")
    if sys.argv[1] == "collect":
        collect()  # calls collect
    else:
        select.select([0], [], [])
    ended.append(True)
    for lock in locks:
        lock.acquire()
    os.write(1, b"end\n")


ended = []
main()  # calls main
