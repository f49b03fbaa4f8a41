"""A target that does all that makes a stack hard to read from outside.

    python hostile.py

In turns: recursion of up to 150 frames left by exceptions or returns, whose
tracebacks are kept for a while; a tree of functions that each live for a fraction
of a microsecond; generators, drained, closed and dropped; fresh code compiled,
executed and freed, under new names each time; calls back from C; threads that
start and end. A unit of work is one turn of all acts.
"""

import sys
import time

try:
    from _thread import start_new_thread
except ImportError:
    from thread import start_new_thread

from generated import DIVES, dives_source, fresh_file, fresh_source, generators_source, trees_source
from pulse import PERIOD, clock, pulse, ready

THREADS = 6  # short-lived threads alive at a time
NUMBERS = [5, 3, 8, 1, 9, 2, 7, 4]

alive = set()  # numbers of the threads that have not ended
kept = {}  # exceptions with their tracebacks, and namespaces of fresh code


class Bottom(Exception):
    pass


namespace = {"Bottom": Bottom}
exec(compile(dives_source(), "dives.py", "exec"), namespace)
exec(compile(trees_source(), "trees.py", "exec"), namespace)
exec(compile(generators_source(sys.version_info >= (3, 3)), "generators.py", "exec"), namespace)
dive_000 = namespace["dive_000"]
t_ = namespace["t_"]
gen_00 = namespace["gen_00"]
from_00 = namespace["from_00"]


def dives(pick):
    for shift in (0, 3, 5, 7):
        stop = (pick >> shift) % DIVES
        catch = pick % (stop + 3)
        try:
            dive_000(0, stop, catch)
        except Bottom as error:
            kept[pick % 5] = error


def trees():
    for n in (0, 1, 2, 3):
        t_(n)


def generators(pick):
    for x in gen_00(3):  #> gen_00
        pass
    for x in from_00(3):  #> from_00
        pass
    half = gen_00(9)
    next(half)  #> gen_00
    half.close()  #> gen_00
    half = from_00(pick % 7 + 2)
    next(half)  #> from_00
    next(half)  #> from_00
    half = None  #> from_*


def fresh(serial):
    names = {}
    exec(compile(fresh_source(serial), fresh_file(serial), "exec"), names)  #> fresh-*:<module>
    if serial % 3 == 0:
        kept["names"] = names  # lives until the next such one, and then until a collection
    elif serial % 3 == 1:
        names.clear()  # is freed now


def by_value(n):
    return max(NUMBERS, key=by_rest)  #> by_rest


def by_rest(n):
    return n % 7


def callbacks():
    sorted(NUMBERS, key=by_value)  #> by_value


def brief(number):
    brief_inner(number)
    t_(number)
    alive.discard(number)


def brief_inner(n):
    while n & 63:
        n += 1


def threads(number):
    if len(alive) < THREADS:
        alive.add(number)
        start_new_thread(brief, (number,))
    if number % 16 == 0:
        time.sleep(0)


def turn(number, pick):
    dives(pick)
    trees()
    generators(pick)
    fresh(number)
    callbacks()
    threads(number)


def storm(turns):
    seed = 1
    done = 0
    longest = 0.0
    last = clock()
    due = last + PERIOD
    while done != turns:
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        turn(done, seed >> 8)
        done += 1
        now = clock()
        if now - last > longest:
            longest = now - last
        last = now
        if now >= due:
            pulse(now, done, longest)
            longest = 0.0
            due = now + PERIOD
            last = clock()


def main():
    if hasattr(sys, "setswitchinterval"):
        sys.setswitchinterval(0.0005)
    ready({"dives": DIVES})
    storm(-1)


if __name__ == "__main__":
    main()
