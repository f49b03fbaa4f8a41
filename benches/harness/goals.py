"""The goals that were set for the profiler, beside what was measured. A report, not
a test: nothing fails here."""

NEW, OLD = [(3, minor) for minor in range(11, 16)], [(2, 7)] + [(3, minor) for minor in range(4, 11)]
OURS = ("pyflame", "pyflame-read", "pyflame-kernel")  # that have goals of their own
CLEAN = 0  # bad samples of a profiler that counts as free of them
MILLION = 1000000
WAITED = 0.05  # share of the time that a program waits for a processor on a busy machine
QUIET = 0.99  # share of its core that a target has alone on a quiet machine
STEADY_MACHINE = ("fast", "1khz", "10khz", "threads", "shares")  # cases that ask for one


def judge(results):
    """A list of {goal, case, wanted, measured, met}."""
    return [goal for result in results for goal in goals_of(result)]


def goals_of(result):
    """The goals of one case. Those that a busy machine decides are left undecided on
    one: where a target does not keep its core even without a profiler."""
    goals = [goal for goal in goals_by_name(result) if goal]
    alone = figure(result, "none", "kept")
    if alone and alone < QUIET and result["case"].startswith(STEADY_MACHINE):
        for goal in goals:
            goal["met"] = "machine busy"
    return goals


def goals_by_name(result):
    name, version = result["case"], tuple(result["version"])
    new = version in NEW
    if "programs" in result:
        return [programs_within(result, key) for key in OURS]
    if not {"pyflame", "pyflame-read"} & set(result["tools"]):
        return []
    if name == "fast-25-50us":
        if new:
            return [rate_of_best(result, 2.5), cpu_of_best(result, 0.4)]
        return [rate_of(result, ["py-spy"], 25, "rate, times py-spy's non-blocking one")]
    if name == "fast-25-2us" and new:
        return [rate_of_best(result, 1.0), rate_of_clean(result, 5)]
    if name in ("1khz-25-50us", "10khz-25-50us"):
        return [kept(result, 0.98 if name.startswith("1khz") else 0.97)]
    if name == "threads-33-1khz":
        return [at_least(result, "ticks a second", figure(result, "pyflame", "rate"), 990, "%.0f"),
                at_most(result, "share of a core", figure(result, "pyflame", "tool_cpu"), 0.15, "%.3f")]
    if name.startswith("hostile"):
        return [goal for key in OURS for goal in hostile(result, key)]
    if name.startswith("shares"):
        goals = [bias(result, key) for key in OURS + ("pyflame-always",)]
        return goals + [against_reference(result, key) for key in OURS]
    if name.startswith("calls"):
        return [at_most(result, key + ": system calls for a sample, beside waiting", figure(result, key, "calls_awake"), 1.1)
                for key in ("pyflame", "pyflame-read")]
    return []


def figure(result, key, name):
    found = result["tools"].get(key, {}).get("figures", {}).get(name)
    return found[0] if found else None


def entry(result, goal, wanted, measured, met):
    return {
        "goal": goal, "case": "%s@%s" % (result["case"], result["interpreter"]), "wanted": wanted,
        "measured": measured, "met": "-" if met is None else "met" if met else "NOT MET",
    }


def at_least(result, goal, value, bound, form="%.2f"):
    if value is None:
        return entry(result, goal, ">= " + form % bound, "-", None)
    return entry(result, goal, ">= " + form % bound, form % value, value >= bound)


def at_most(result, goal, value, bound, form="%.2f"):
    if value is None:
        return entry(result, goal, "<= " + form % bound, "-", None)
    return entry(result, goal, "<= " + form % bound, form % value, value <= bound)


def rate_of(result, keys, bound, goal):
    ours = figure(result, "pyflame-read", "rate")
    theirs = [figure(result, key, "rate") for key in keys if figure(result, key, "rate")]
    return at_least(result, goal, ours / max(theirs) if ours and theirs else None, bound)


def rate_of_best(result, bound):
    return rate_of(result, ["austin", "sampling"], bound, "rate, times the higher of austin's and sampling's")


def cpu_of_best(result, bound):
    ours = figure(result, "pyflame-read", "cpu_per_sample")
    theirs = [figure(result, key, "cpu_per_sample") for key in ("austin", "sampling")]
    theirs = [value for value in theirs if value]
    value = ours / min(theirs) if ours and theirs else None
    return at_most(result, "CPU per sample, share of the lower of austin's and sampling's", value, bound)


def rate_of_clean(result, bound):
    clean = [
        key for key, tool in result["tools"].items()
        if not key.startswith("pyflame") and tool.get("judged") and tool["bad_functions"] + tool["bad_lines"] == CLEAN
    ]
    return rate_of(result, clean, bound, "rate, times the fastest without bad samples (%s)" % ", ".join(clean))


def kept(result, bound):
    """Beside it the share that the target keeps without a profiler."""
    value, alone = figure(result, "pyflame", "kept"), figure(result, "none", "kept")
    goal = at_least(result, "share of the time that the target keeps its core", value, bound, "%.3f")
    if value and alone:
        goal["goal"] += " (alone %.3f)" % alone
    return goal


def hostile(result, key):
    tool = result["tools"].get(key)
    if not tool or not tool.get("judged"):
        return []
    bad = tool["bad_functions"] + tool["bad_lines"]
    met = False if bad else True if tool["judged"] >= MILLION else None
    goal = "%s: bad samples on the hostile target" % key
    entries = [entry(result, goal, "0 of %d" % MILLION, "%d of %d" % (bad, tool["judged"]), met)]
    entries.append(at_most(result, "%s: dropped on the hostile target" % key, figure(result, key, "dropped"), 0.05, "%.4f"))
    return entries


def against_reference(result, key):
    """The greatest difference of a share from what the stopping mode found, beyond
    two deviations of that difference."""
    ours, reference = (result["tools"].get(k, {}).get("shares") for k in (key, "pyflame-always"))
    if not ours or not reference:
        return None
    worst = None
    for index, share in enumerate(ours[0]):
        own, other = ([run[index]["sampled"] for run in runs] for runs in (ours, reference))
        deviation = share["deviation"] * (1 / len(own) + 1 / len(other)) ** 0.5
        excess = abs(sum(own) / len(own) - sum(other) / len(other)) - 2 * deviation
        if worst is None or excess > worst[0]:
            worst = (excess, share["function"])
    return entry(
        result, "%s: difference from pyflame-always beyond 2 deviations (%s)" % (key, worst[1]), "<= 1.00",
        "%.2f" % worst[0], worst[0] <= 1)


def programs_within(result, key):
    """On how many programs the shares are what stops find, but for noise."""
    modes = [entry["modes"].get(key, {}) for entry in result["programs"].values() if "modes" in entry]
    modes = [mode for mode in modes if "distance" in mode]
    within = sum(mode["distance"] <= mode["goal"] for mode in modes)
    met = within == len(modes) if modes else None
    goal = "%s: programs within 1.3 times the noise of %s" % (key, result.get("reference", "pyflame-always"))
    found = entry(result, goal, "all of %d" % len(modes), "%d" % within, met)
    waited = [program["waited"] for program in result["programs"].values() if "waited" in program]
    if waited and max(waited) > WAITED and not met:
        found["met"] = "machine busy"
    return found


def bias(result, key):
    worst = result["tools"].get(key, {}).get("worst_share")
    if not worst:
        return None
    return entry(
        result, "%s: error beyond 2 deviations, points (%s)" % (key, worst["function"]), "<= 1.00",
        "%.2f" % (worst["excess"] + 1), worst["excess"] <= 0)
