"""Results as tables."""

COLUMNS = [
    ("profiler", "%-15s"), ("rate/s", "%8s"), ("min-max", "%15s"), ("x", "%6s"), ("us/sample", "%9s"), ("x", "%6s"),
    ("core", "%6s"), ("work", "%6s"), ("kept", "%6s"), ("willing", "%7s"), ("gap ms", "%7s"), ("bad fn", "%8s"),
    ("bad line", "%8s"), ("dropped", "%8s"), ("MB", "%6s"),
]


def print_case(result):
    """One table for a case."""
    found = result["tools"]
    if any("latency" in tool["figures"] for tool in found.values()):
        print_dumps(found)
    elif any("calls" in tool["figures"] for tool in found.values()):
        print_calls(found)
    else:
        asked = "%d/s" % result["asked"] if result["asked"] else "as fast as possible"
        print("asked: " + asked)
        print("  ".join(width % title for title, width in COLUMNS))
        ours = found.get("pyflame", {}).get("figures", {})
        for key, tool in found.items():
            cells = row(key, tool, ours, found.get("none", {}).get("figures", {}))
            print("  ".join(width % cell for (_, width), cell in zip(COLUMNS, cells)))
        print_shares(found)
    for key, why in result["failed"].items():
        print("%-15s failed: %s" % (key, why))
    for key, why in result["refused"].items():
        print("%-15s left out: %s" % (key, why))


def row(key, tool, ours, alone):
    figures = tool["figures"]
    judged = tool.get("judged")
    return [
        key, median(figures, "rate", "%.0f"), spread(figures, "rate", "%.0f"), ratio(figures, ours, "rate"),
        median(figures, "cpu_per_sample", "%.1f"), ratio(figures, ours, "cpu_per_sample"),
        median(figures, "tool_cpu", "%.0f%%", 100), ratio(figures, alone, "work_rate"),
        median(figures, "kept", "%.3f"), median(figures, "willing", "%.3f"), median(figures, "gap", "%.1f", 1000),
        share(tool.get("bad_functions"), judged), share(tool.get("bad_lines"), judged),
        median(figures, "dropped", "%.2f%%", 100), median(figures, "peak_kb", "%.1f", 1 / 1024),
    ]


def median(figures, name, form, factor=1):
    return form % (figures[name][0] * factor) if name in figures else "-"


def spread(figures, name, form):
    return (form + "-" + form) % tuple(figures[name][1:]) if name in figures else "-"


def ratio(figures, base, name):
    if name not in figures or not base.get(name) or not base[name][0]:
        return "-"
    return "%.2f" % (figures[name][0] / base[name][0])


def share(count, of):
    if count is None or not of:
        return "-"
    return "0" if count == 0 else "%.3f%%" % (100 * count / of)


def print_dumps(found):
    print("%-15s  %8s  %15s  %7s" % ("profiler", "ms", "min-max", "CPU ms"))
    for key, tool in found.items():
        figures = tool["figures"]
        if "latency" in figures:
            low, high = figures["latency"][1:]
            extent = "%.1f-%.1f" % (low * 1000, high * 1000)
            print("%-15s  %8s  %15s  %7s" % (
                key, median(figures, "latency", "%.1f", 1000), extent, median(figures, "startup", "%.0f", 1000)))


def print_calls(found):
    print("%-15s  %8s  %8s  %s" % ("profiler", "calls", "awake", "system calls for a sample, the most frequent first"))
    for key, tool in found.items():
        by_name = sorted(tool["calls_by_name"].items(), key=lambda item: -item[1])[:5]
        print("%-15s  %8s  %8s  %s" % (
            key, median(tool["figures"], "calls", "%.2f"), median(tool["figures"], "calls_awake", "%.2f"),
            ", ".join("%s %.2f" % item for item in by_name)))


def print_shares(found):
    """Sampled and true shares of the functions, of the middle run of each tool."""
    with_shares = {key: tool for key, tool in found.items() if "shares" in tool}
    if not with_shares:
        return
    names = [share["function"] for share in next(iter(with_shares.values()))["shares"][0]]
    print("own time in %: sampled (error outside of the true range); * beyond 2 standard deviations + 1 point")
    print("%-15s  " % "" + "  ".join("%12s" % name for name in names))
    first = next(iter(with_shares.values()))["shares"][0]
    print("%-15s  " % "true" + "  ".join("%12s" % ("%.1f-%.1f" % (s["low"], s["high"])) for s in first))
    for key, tool in with_shares.items():
        cells = []
        for index in range(len(names)):
            of_runs = sorted((one[index] for one in tool["shares"]), key=lambda s: s["error"])
            middle = of_runs[len(of_runs) // 2]
            mark = "*" if middle["excess"] > 0 else ""
            cells.append("%12s" % ("%.1f (%+.1f)%s" % (middle["sampled"], middle["error"], mark)))
        print("%-15s  " % key + "  ".join(cells))


def print_goals(goals):
    if not goals:
        return
    print("\n%-76s  %-30s  %12s  %12s  %s" % ("goal", "case", "wanted", "measured", ""))
    for goal in goals:
        print("%-76s  %-30s  %12s  %12s  %s" % (goal["goal"], goal["case"], goal["wanted"], goal["measured"], goal["met"]))
