"""Sampled shares against true ones, on the target that knows its own.

The time within a function that is called in a loop is known up to the cost of its
calls (../targets/shares.py), so truth is a range, from the body alone to the body
and all of the call; an error is the distance from that range.
"""

import collections
import math
from dataclasses import asdict, dataclass

CALLED = {"fifty": "call_fifty", "two": "call_two", "tiny": "call_tiny"}
FUNCTIONS = ["five", "fifty", "two", "tiny", "call_fifty", "call_two", "call_tiny", "inline", "bare"]
ALLOWED_DEVIATIONS, ALLOWED_POINTS = 2, 1.0


@dataclass(frozen=True)
class Share:
    """One function's own time, in percent of all."""

    function: str
    low: float
    high: float
    sampled: float
    deviation: float  # standard deviation of `sampled` for that number of samples

    @property
    def error(self):
        """Points outside the range; below zero is too little."""
        if self.sampled < self.low:
            return self.sampled - self.low
        return max(0.0, self.sampled - self.high)

    @property
    def excess(self):
        """Points of error beyond what is allowed; below zero is in order."""
        return abs(self.error) - ALLOWED_DEVIATIONS * self.deviation - ALLOWED_POINTS

    def as_dict(self):
        return dict(asdict(self), error=self.error, excess=self.excess)


def true_ranges(sections):
    """{function: (low, high)} in percent, from {section: (seconds, calls)}."""
    total = sum(seconds for seconds, _ in sections.values())
    loop = sections["bare"][0] / sections["bare"][1]
    inline = sections["inline"][0] / sections["inline"][1]
    called = sections["call_tiny"][0] / sections["call_tiny"][1]
    call = max(0.0, called - inline)  # what a call costs beyond the same work inline
    ranges = {name: (sections[name][0],) * 2 for name in ("five", "inline", "bare")}
    for function, section in CALLED.items():
        seconds, calls = sections[section]
        high = max(0.0, seconds - calls * loop)
        low = max(0.0, high - calls * call)
        ranges[function] = (low, high)
        ranges[section] = (seconds - high, seconds - low)
    return {name: (100 * low / total, 100 * high / total) for name, (low, high) in ranges.items()}


def shares(stacks, weights, sections):
    """The Share of every function. `weights` is what the tool counts in, `stacks`
    how many samples it rests on."""
    own = collections.Counter()
    for stack, weight in weights.items():
        own[stack[-1][1]] += weight
    total = sum(own.values())
    samples = sum(stacks.values())
    if not total:
        return []
    found = []
    for name in FUNCTIONS:
        low, high = true_ranges(sections)[name]
        share = (low + high) / 200
        deviation = 100 * math.sqrt(share * (1 - share) / samples)
        found.append(Share(name, low, high, 100 * own[name] / total, deviation))
    return found


def worst(found):
    """The Share that is most in excess."""
    return max(found, key=lambda share: share.excess)
