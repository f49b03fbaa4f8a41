"""All runs of a case, interleaved, and what they add up to."""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from . import accuracy, measure, syscalls, truth
from .target import Target
from .tools import Request

FIGURES = [
    "rate", "samples", "seconds", "cpu_per_sample", "tool_cpu", "kept", "willing", "work_rate", "gap", "peak_kb",
    "startup", "dropped", "window", "latency", "distinct", "calls", "calls_awake",
]
MOST_ROUNDS = 200
DUMPS = 7  # of one tool in one round


@dataclass(frozen=True)
class Plan:
    rounds: int
    seconds: int
    folder: str  # for what is needed during a run
    home: str = ""  # for what is fetched
    programs: tuple = ()  # globs of those that take part; none is all
    reference: str = "pyflame-always"  # what shares of programs are compared with


def run_case(case, python, tools, plan):
    """Runs every tool in every round on one target, in an order that is rotated, a
    stretch without a profiler among them."""
    result = {
        "case": case.name, "interpreter": python.label, "version": list(python.version), "asked": case.rate,
        "refused": {}, "failed": {}, "tools": {},
    }
    taking_part = invited(case, python, tools, result)
    known = truth.of_target(case.script, case.depth, python.version >= (3, 3))
    runs = {key: [] for key in ["none"] + [tool.key for tool in taking_part]}
    target = None
    number = 0
    try:
        while number < plan.rounds or (lacking(case, runs, result) and number < MOST_ROUNDS):
            turn = number % (len(taking_part) + 1)
            order = [None] + taking_part
            for tool in order[turn:] + order[:turn]:
                key = tool.key if tool else "none"
                if key in result["failed"] or (tool is None and case.what != "run"):
                    continue
                if target is None or not target.alive():
                    target = Target(python, case.script, case.arguments, plan.folder)
                run = one_run(case, python, tool, target, known, plan)
                if run.failure:
                    result["failed"][key] = run.failure
                runs[key].append(run)
                progress(key, run)
                if not running(target):
                    result["failed"][key] = "left the target stopped"
                    target.close()
            number += 1
    finally:
        if target:
            target.close()
    for key, group in runs.items():
        good = [run for run in group if not run.failure]
        if good:
            result["tools"][key] = summary(good)
    return result


def invited(case, python, tools, result):
    """The tools that can take part; why others cannot is noted."""
    taking_part = []
    for tool in tools:
        if not case.takes(tool.key):
            continue
        why = tool.refuses(python)
        if not why and case.what == "calls" and not syscalls.strace():
            why = "no strace on this machine"
        if why:
            result["refused"][tool.key] = why
        else:
            taking_part.append(tool)
    return taking_part


def lacking(case, runs, result):
    """Whether a tool that works has fewer samples than the case wants."""
    return case.until and any(
        sum(run.samples or 0 for run in group) < case.until
        for key, group in runs.items() if key != "none" and key not in result["failed"]
    )


def one_run(case, python, tool, target, known, plan):
    if tool is None:
        return measure.run_alone(target, plan.seconds)
    request = Request(
        target.pid, case.rate, plan.seconds, python, case.threads, os.path.join(plan.folder, "profile." + tool.key))
    if case.what == "dump":
        return dumps(tool, target, request)
    if case.what == "calls":
        return syscalls.count(tool, request)
    run = measure.run_tool(tool, target, request, known, case.stacks)
    if case.script == "shares.py" and not run.failure and run.section_times:
        weights = run.profile.weights or run.profile.stacks
        run.shares = accuracy.shares(run.profile.stacks, weights, run.section_times)
    run.profile = None  # can be large
    return run


def dumps(tool, target, request):
    """The time that one look takes, from start to end of the process."""
    run = measure.Run(tool.key)
    took, spent = [], []
    for _ in range(DUMPS):
        start = time.perf_counter()
        child = subprocess.Popen(
            tool.dump_command(request), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        took.append(time.perf_counter() - start)
        child.returncode = os.waitstatus_to_exitcode(status)
        spent.append(usage.ru_utime + usage.ru_stime)
        if child.returncode != 0:
            run.failure = "status %d" % child.returncode
            return run
    run.latency = statistics.median(took)
    run.startup = statistics.median(spent)
    return run


def running(target):
    """Whether no profiler has left the target stopped."""
    if not target.alive():
        return True
    with open("/proc/%d/stat" % target.pid) as file:
        return file.read().rpartition(")")[2].split()[0] not in "Tt"


def progress(key, run):
    if sys.stderr.isatty():
        print("  %-16s %s" % (key, run.failure or "done"), file=sys.stderr)


def summary(runs):
    """Median, least and greatest of each figure, and sums of what was judged."""
    figures = {}
    for name in FIGURES:
        values = [getattr(run, name, None) for run in runs]
        values = [value for value in values if value is not None]
        if values:
            figures[name] = [statistics.median(values), min(values), max(values)]
    found = {"runs": len(runs), "figures": figures, "told": [run.told for run in runs]}
    by_name = [run.by_name for run in runs if run.by_name]
    if by_name:
        found["calls_by_name"] = by_name[-1]
    accounts = [run.account for run in runs if run.account]
    if accounts:
        found["judged"] = sum(account.judged for account in accounts)
        found["bad_functions"] = sum(account.functions for account in accounts)
        found["bad_lines"] = sum(account.lines for account in accounts)
        found["reasons"] = dict(sum((account.reasons for account in accounts), type(accounts[0].reasons)()))
        examples = sorted((e for a in accounts for e in a.examples), key=lambda e: -e[1])
        found["examples"] = examples[:8]
    shares = [run.shares for run in runs if run.shares]
    if shares:
        found["shares"] = [[share.as_dict() for share in one] for one in shares]
        found["worst_share"] = max((accuracy.worst(one) for one in shares), key=lambda share: share.excess).as_dict()
    return found
