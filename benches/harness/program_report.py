"""The shares of programs as a table: programs down, modes across."""

import statistics

from .program_rounds import FIRST, LAST

WIDTH = 13


def print_case(result):
    entries = {name: entry for name, entry in result["programs"].items() if "left_out" not in entry}
    keys = sorted({key for entry in entries.values() for key in entry["modes"]} - {FIRST, LAST}, key=order(entries))
    print("asked: %d/s; points between the own shares and those of %s; * beyond 1.3 times the noise" % (result["asked"], result["reference"]))
    if any(mode.get("noise", 0) > 1.1 * entry["noise"] for entry in entries.values() for mode in entry["modes"].values()):
        print("(in brackets the noise for so few samples, where that is more)")
    line("program", "functions", "waited", "noise", keys)
    for name, entry in entries.items():
        cells = [cell(entry["modes"].get(key, {}), entry) for key in keys]
        line(name, entry["functions"], "%.0f%%" % (100 * entry["waited"]), "%.1f" % max(entry["noise"], entry["expected"]), cells)
    both = [max(entry["noise"], entry["expected"]) for entry in entries.values()]
    if entries:
        waited = [entry["waited"] for entry in entries.values()]
        distances = {key: figures(entries, key, "distance") for key in keys}
        line("median", "", middle(waited, "%.0f%%", 100), "%.1f" % statistics.median(both), [middle(distances[key], "%.1f") for key in keys])
        line("worst", "", "%.0f%%" % (100 * max(waited)), "%.1f" % max(both), ["%.1f" % max(distances[key], default=0) for key in keys])
        line("beyond the goal", "", "", "", [beyond(entries, key) for key in keys])
        for what, title in (("missed", "ticks without a sample"), ("dropped", "of these, told")):
            of_reference = figures(entries, FIRST, what) + figures(entries, LAST, what)
            cells = [middle(figures(entries, key, what), "%.2f%%", 100) for key in keys]
            line(title + ", median", "", "", middle(of_reference, "%.2f%%", 100), cells)
    for name, entry in result["programs"].items():
        if "left_out" in entry:
            print("%-30s left out: %s" % (name, entry["left_out"]))
        for key, mode in entry.get("modes", {}).items():
            if "failure" in mode:
                print("%-30s %s failed: %s" % (name, key, mode["failure"]))


def order(entries):
    """Modes in the order in which they were given."""
    known = [key for entry in entries.values() for key in entry["modes"]]
    return known.index


def line(name, functions, waited, noise, cells):
    print("%-30s %9s %7s %7s" % (name, functions, waited, noise) + "".join(" %*s" % (WIDTH, one) for one in cells))


def cell(mode, entry):
    if "distance" not in mode:
        return "-"
    text = "%.1f%s" % (mode["distance"], "*" if mode["distance"] > mode["goal"] else " ")
    of_mode = mode["goal"] / 1.3
    return text + (" (%.1f)" % of_mode if of_mode > 1.1 * max(entry["noise"], entry["expected"]) else "")


def figures(entries, key, what):
    modes = [entry["modes"].get(key, {}) for entry in entries.values()]
    return [mode[what] for mode in modes if what in mode]


def middle(values, form, factor=1):
    return form % (statistics.median(values) * factor) if values else "-"


def beyond(entries, key):
    modes = [entry["modes"].get(key, {}) for entry in entries.values()]
    modes = [mode for mode in modes if "distance" in mode]
    return "%d of %d" % (sum(mode["distance"] > mode["goal"] for mode in modes), len(modes))
