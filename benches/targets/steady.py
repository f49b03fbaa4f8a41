"""A target whose stack is steady but for its leaves.

    python steady.py DEPTH LEAF_SECONDS THREADS

A chain of functions down to work(), which calls four leaf functions in turn, each
of which lasts LEAF_SECONDS; with the leaf the stack is DEPTH frames deep. The
other THREADS - 1 threads wait for a lock, ten frames deep. A unit of work is one
leaf.
"""

import sys

try:
    from _thread import allocate_lock, start_new_thread
except ImportError:
    from thread import allocate_lock, start_new_thread

from generated import chain_source
from pulse import PERIOD, clock, pulse, ready, turns

IDLE_DEPTH = 10


def alpha(n):
    while n > 0:
        n -= 1


def beta(n):
    while n > 0:
        n -= 1


def gamma(n):
    while n > 0:
        n -= 1


def delta(n):
    while n > 0:
        n -= 1


def work(n):
    done = 0
    longest = 0.0
    last = clock()
    due = last + PERIOD
    while True:
        alpha(n)
        beta(n)
        gamma(n)
        delta(n)
        done += 4
        now = clock()
        if now - last > longest:
            longest = now - last
        last = now
        if now >= due:
            pulse(now, done, longest)
            longest = 0.0
            due = now + PERIOD
            last = clock()


def wait(depth, lock):
    if depth > 1:
        wait(depth - 1, lock)
    lock.acquire()


def chain(depth):
    """The outermost function of a chain that gives stacks of that depth."""
    names = {"work": work}
    # besides the chain there are <module>, main, work and the leaf
    exec(compile(chain_source(depth - 4), "chain.py", "exec"), names)
    return names["level_000"]


def main(depth, seconds, threads):
    level_000 = chain(depth)
    lock = allocate_lock()
    lock.acquire()
    for _ in range(threads - 1):
        start_new_thread(wait, (IDLE_DEPTH, lock))
    n = turns(seconds)
    ready({"depth": depth, "turns": n, "threads": threads})
    level_000(n)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
