"""How far apart two profiles are, and how far by chance.

The own share of a function is the part of all samples that has it on top. The distance
of two profiles is half of the sum of the differences of all shares (the total variation
distance), in points: so many percent of the samples would have to be in other functions.
Two profiles of the same program are apart by chance too, the more the fewer samples they
have.
"""

import collections
import math
import random

SEED, DRAWS = 1, 20
ALLOWED = 1.3  # times the noise


def own(weights):
    """What each function has on top, as {(file, function): weight}."""
    found = collections.Counter()
    for stack, weight in weights.items():
        found[stack[-1][:2]] += weight
    return found


def distance(one, other):
    """Points between two Counters of own samples."""
    totals = sum(one.values()), sum(other.values())
    functions = set(one) | set(other)
    return 50 * sum(abs(one[f] / totals[0] - other[f] / totals[1]) for f in functions)


def thinned(counts, size, draws):
    """As many samples, drawn from the counts. `draws` is a source of chance."""
    functions = sorted(counts)
    picked = draws.sample(functions, size, counts=[counts[f] for f in functions])
    return collections.Counter(picked)


def noise(first, second, size):
    """Points between two references, one of which has no more than `size` samples: the
    mean of some draws of either."""
    draws = random.Random(SEED)
    found = []
    for whole, other in ((first, second), (second, first)):
        if size >= sum(whole.values()):
            found.append(distance(whole, other))
        else:
            drawn = [distance(thinned(whole, size, draws), other) for _ in range(DRAWS)]
            found.append(sum(drawn) / DRAWS)
    return sum(found) / 2


def expected(first, second, size):
    """What `noise` would be if nothing but chance were between the references: points for
    independent samples of both together."""
    both = first + second
    total = sum(both.values())
    size = min(size, total / 2)
    rest = total / 2
    points = 0.0
    for count in both.values():
        share = count / total
        deviation = math.sqrt(share * (1 - share) * (1 / size + 1 / rest))
        # What is as rare as a sample or two is in one of the profiles or in neither.
        points += min(math.sqrt(2 / math.pi) * deviation, 2 * share)
    return 50 * points


def compared(counts, samples, first, second):
    """What a mode's Counter is from two references, as a dict. `samples` is how many it
    rests on, if it is weighted by something else."""
    if not sum(counts.values()):
        return {}
    size = min(sum(first.values()), sum(second.values()))
    if samples == sum(counts.values()) and samples > size:
        counts, samples = thinned(counts, size, random.Random(SEED)), size
    found = noise(first, second, samples)
    chance = expected(first, second, samples)
    apart = (distance(counts, first) + distance(counts, second)) / 2
    return {
        "samples": samples, "distance": apart, "noise": found, "expected": chance, "goal": ALLOWED * max(found, chance),
        "differences": differences(counts, first + second),
    }


def differences(counts, reference, most=5):
    """[(file:function, points)] of the functions that differ most."""
    totals = sum(counts.values()), sum(reference.values())
    points = {f: 100 * (counts[f] / totals[0] - reference[f] / totals[1]) for f in set(counts) | set(reference)}
    worst = sorted(points, key=lambda f: (-abs(points[f]), f))[:most]
    return [("%s:%s" % f, points[f]) for f in worst]
