"""What the targets share: the clock, the pulse they give, and calibrated spinning.

A target writes lines to standard output and nothing else:

    ready {...}                  once, what it is about to do, as JSON
    pulse TIME WORK LONGEST      ten times a second: the clock, the units of work
                                 done since the start, and the longest time between
                                 two looks at the clock since the last pulse

The clock is the system's, because CPython 2.7 shares no monotonic clock with its
parent. A target ends when nobody reads its pulses any more.

This folder runs unchanged under CPython 2.7 and 3.4 to 3.15. The benchmark reads
these sources to learn which frames can exist (../harness/truth.py), so they keep
to a plain style: functions at module level, one call on a line, no lambdas, no
comprehensions. `#> NAME` at the end of a line says that the line calls NAME in a
way that its text does not show.
"""

import json
import os
import time

PERIOD = 0.1  # seconds between two pulses

clock = time.time

try:
    span = xrange
except NameError:
    span = range

u"".encode("ascii")  # loads the codec, which is Python code in old releases


def send(text):
    """Writes one line to standard output."""
    os.write(1, (text + "\n").encode("ascii"))


def ready(facts):
    """Says that preparation is over and what follows."""
    send("ready " + json.dumps(facts))


def pulse(now, work, longest):
    """Says how much was done by now, and the longest gap since the last pulse."""
    os.write(1, ("pulse %.6f %d %.9f\n" % (now, work, longest)).encode("ascii"))


def spin(n):
    """The unit of time: counts down from n."""
    while n > 0:
        n -= 1


def best(function, *arguments):
    """Seconds that a call takes: the best of many, because the machine may be busy.
    A call of about a millisecond has a chance to be left in peace."""
    least = 1e9
    for _ in span(25):
        start = clock()
        function(*arguments)  #> spins call_tiny
        least = min(least, clock() - start)
    return least


def spins(n, calls):
    for _ in span(calls):
        spin(n)


def turns(seconds):
    """The n for which spin(n), its call included, takes that many seconds."""
    best(spins, 100, 1000)
    short, long = best(spins, 10, 1000) / 1000, best(spins, 1010, 30) / 30
    each = (long - short) / 1000.0
    return max(1, int(round((seconds - (short - 10 * each)) / each)))
