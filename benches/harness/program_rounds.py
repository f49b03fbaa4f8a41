"""The shares of programs under each profiler, against those of the mode that stops.

In each round a program runs under the reference, under every other mode, and under the
reference again. What the first and the last found in all rounds are two references, and what
lies between them is the noise. The reference is `--pause always`, or with `--reference
pyflame-kernel` the kernel's engine, which is right for programs that enter the kernel often,
too.
"""

import collections
import fnmatch
import statistics

from . import distance, measure, programs, rounds
from .packages import Packages
from .target import Target
from .tools import Request

FIRST, LAST = "reference, first", "reference, last"
REFERENCE_RATE = 1000  # samples a second
QUICK = ("tokenize", "decimal", "pygments", "pyperformance:richards")


def run_case(case, python, tools, plan):
    """All programs. The result is one of rounds.run_case, with `programs` in it."""
    result = {
        "case": case.name, "interpreter": python.label, "version": list(python.version), "asked": case.rate,
        "refused": {}, "failed": {}, "tools": {}, "programs": {}, "reference": plan.reference,
    }
    taking_part = rounds.invited(case, python, tools, result)
    reference = next((tool for tool in taking_part if tool.key == plan.reference), None)
    if reference is None:
        result["failed"]["programs"] = "%s does not take part: nothing to compare with" % plan.reference
        return result
    packages = Packages(plan.home)
    for program in programs.all_programs():
        if not any(fnmatch.fnmatchcase(program.name, glob) for glob in plan.programs or ("*",)):
            continue
        if program.packages(python.version) is None:
            entry = {"left_out": "not for %s" % python.abi}
        else:
            entry = run_program(case, python, program, packages, reference, taking_part, plan)
        result["programs"][program.name] = entry
        rounds.progress(program.name, measure.Run(program.name, failure=entry.get("left_out")))
    return result


def run_program(case, python, program, packages, reference, tools, plan):
    """What each mode found of one program."""
    words = program.arguments(python.version, lambda package: packages.folder(package, python.version))
    try:
        target = Target(python, programs.SCRIPT, words, plan.folder)
    except RuntimeError as error:
        return {"left_out": "does not start: %s" % str(error).strip().splitlines()[-1]}
    found = {key: Found() for key in [FIRST] + [tool.key for tool in tools if tool is not reference] + [LAST]}
    try:
        for number in range(plan.rounds):
            others = [tool for tool in tools if tool is not reference]
            turn = number % max(1, len(others))
            order = [(FIRST, reference)] + [(t.key, t) for t in others[turn:] + others[:turn]] + [(LAST, reference)]
            for key, tool in order:
                if found[key].failure:
                    continue
                rate = REFERENCE_RATE if tool is reference else case.rate
                request = Request(target.pid, rate, plan.seconds, python, out="%s/profile.%s" % (plan.folder, tool.key))
                found[key].add(measure.run_tool(tool, target, request, None, 1), rate)
                if not rounds.running(target):
                    found[key].failure = "left the target stopped"
                if not target.alive() or not rounds.running(target):
                    return {"left_out": "ended or stopped under %s: %s" % (tool.key, target.last_words()[-200:])}
    finally:
        target.close()
    return judged(found)


class Found:
    """What the runs of one mode found together."""

    def __init__(self):
        self.own = collections.Counter()
        self.samples = 0  # that were taken
        self.missed = []  # shares of the asked ticks that gave no sample
        self.dropped = []  # shares of what the tool tried and could not use, by its own word
        self.waited = []  # shares of the time in which the program waited for a processor
        self.failure = None

    def add(self, run, rate):
        self.failure = run.failure
        if run.failure:
            return
        self.own += distance.own(run.profile.weights or run.profile.stacks)
        # One that counts for several ticks is one.
        self.samples += run.samples - int(run.told.get("skipped", 0))
        seen = run.samples + run.profile.idle
        self.missed.append(max(0.0, 1 - seen / (rate * run.seconds)))
        if run.willing is not None:
            self.waited.append(run.willing - run.kept)
        if run.dropped is not None:
            self.dropped.append(run.dropped)


def judged(found):
    """One program's entry: each mode against both references."""
    first, last = found[FIRST], found[LAST]
    if first.failure or last.failure:
        return {"left_out": "the reference failed: %s" % (first.failure or last.failure)}
    size = min(first.samples, last.samples)
    entry = {
        "functions": len(first.own + last.own), "reference_samples": size,
        "noise": distance.noise(first.own, last.own, size), "expected": distance.expected(first.own, last.own, size),
        "waited": max((share for mode in found.values() for share in mode.waited), default=0), "modes": {},
    }
    for key, mode in found.items():
        if mode.failure:
            entry["modes"][key] = {"failure": mode.failure}
            continue
        figures = {} if mode in (first, last) else distance.compared(mode.own, mode.samples, first.own, last.own)
        figures["missed"] = statistics.mean(mode.missed)
        if mode.dropped:
            figures["dropped"] = statistics.mean(mode.dropped)
        entry["modes"][key] = figures
    return entry
