"""A target that knows how its time is shared between its functions.

    python shares.py

Each round runs six sections in an order drawn anew, each of about five
milliseconds: functions that last 5 ms, 50 us, 2 us and about 0.2 us, the latter
three called in a loop; the same work as the shortest, inline; and the bare loops.
A unit of work is one round.

Ten times a second it writes, besides its pulse,

    sections TIME NAME SECONDS CALLS NAME SECONDS CALLS ...

with what each section took since the start. From the bare loop and the inline work
follows what a call costs: a call in a loop takes the loop's turn, the call and the
body. The body is the callee's time; the call lies between the two, because a part of
it happens before the callee's frame is the top one, and a part after. So the time
within a short function is known up to the cost of its calls.
"""

from pulse import PERIOD, best, clock, pulse, ready, send, span, turns

SECTION = 0.005  # seconds


def five(n):
    while n > 0:
        n -= 1


def fifty(n):
    while n > 0:
        n -= 1


def two(n):
    while n > 0:
        n -= 1


def tiny(i):
    return (i * 3 + 7) % 11 + (i * 5 + 1) % 13


def call_fifty(count, n):
    for i in span(count):
        fifty(n)


def call_two(count, n):
    for i in span(count):
        two(n)


def call_tiny(count):
    for i in span(count):
        tiny(i)


def inline(count):
    for i in span(count):
        (i * 3 + 7) % 11 + (i * 5 + 1) % 13


def bare(count):
    for i in span(count):
        pass


def run(section, counts):
    """Runs one section."""
    if section == "five":
        five(counts["five"][1])
    elif section == "call_fifty":
        call_fifty(*counts["fifty"])
    elif section == "call_two":
        call_two(*counts["two"])
    elif section == "call_tiny":
        call_tiny(counts["tiny"])
    elif section == "inline":
        inline(counts["tiny"])
    else:
        bare(counts["tiny"])


SECTIONS = ["five", "call_fifty", "call_two", "call_tiny", "inline", "bare"]


def calls(section, counts):
    """How often a section calls its function, or runs its loop."""
    if section == "five":
        return 1
    if section == "call_fifty":
        return counts["fifty"][0]
    if section == "call_two":
        return counts["two"][0]
    return counts["tiny"]


def shuffled(names, seed):
    """The names in an order that follows from the seed, and the next seed."""
    names = list(names)
    for last in range(len(names) - 1, 0, -1):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        other = (seed >> 8) % (last + 1)
        names[last], names[other] = names[other], names[last]
    return names, seed


def told(now, took):
    """The account as one line."""
    text = "sections %.6f" % now
    for name in SECTIONS:
        text += " %s %.6f %d" % (name, took[name][0], took[name][1])
    return text


def rounds(counts):
    """Runs rounds for ever and accounts for them."""
    took = {}
    for section in SECTIONS:
        took[section] = [0.0, 0]
    seed = 1
    done = 0
    longest = 0.0
    due = clock() + PERIOD
    while True:
        order, seed = shuffled(SECTIONS, seed)
        last = clock()
        for section in order:
            run(section, counts)
            now = clock()
            took[section][0] += now - last
            took[section][1] += calls(section, counts)
            longest = max(longest, now - last)
            last = now
        done += 1
        if now >= due:
            pulse(now, done, longest)
            send(told(now, took))
            longest = 0.0
            due = now + PERIOD


def main():
    best(call_tiny, 3000)
    count = int(SECTION / best(call_tiny, 3000) * 3000)
    counts = {
        "five": (1, turns(SECTION)),
        "fifty": (int(SECTION / 50e-6), turns(50e-6)),
        "two": (int(SECTION / 2e-6), turns(2e-6)),
        "tiny": count,
    }
    ready(counts)
    rounds(counts)


if __name__ == "__main__":
    main()
