#!/usr/bin/env python3
"""Compares pyflame with py-spy, Austin and Python 3.15's profiling.sampling.

    python3 -B benches/bench.py --quick

README.md in this folder says what is measured and how to read it.
"""

import argparse
import fnmatch
import glob
import json
import os
import platform
import sys
import time

from harness import (
    cases, goals, install, interpreters, program_report, program_rounds, report, rounds, tools)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def arguments():
    parser = argparse.ArgumentParser(description="Compare pyflame with other profilers.")
    parser.add_argument("--quick", action="store_true", help="fewer cases, interpreters and rounds: some minutes")
    parser.add_argument("--only", metavar="GLOB", action="append", help="cases, as CASE@LABEL: 'fast-*@3.11*'")
    parser.add_argument("--tools", metavar="LIST", help="profilers, separated by commas")
    parser.add_argument("--pyflame", metavar="DIR", default=os.path.join(ROOT, "target/dist/bin"), help="our executables")
    parser.add_argument("--programs", metavar="GLOB", action="append", help="which take part in the cases of that name")
    parser.add_argument("--reference", metavar="TOOL", default="pyflame-always", help="what shares of programs are compared with")
    parser.add_argument("--interpreters", metavar="LIST", help="labels, instead of one for each release line")
    parser.add_argument("--rounds", type=int, help="runs of each profiler in each case")
    parser.add_argument("--seconds", type=int, help="length of a run")
    parser.add_argument("--out", metavar="DIR", default=os.path.join(ROOT, "target/bench"), help="results and what is installed")
    parser.add_argument("--own", action="store_true", help="pyflame alone: nothing is installed")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    return parser.parse_args()


def chosen_interpreters(options, found):
    if not options.interpreters:
        return interpreters.one_for_each(found)
    labels = options.interpreters.split(",")
    unknown = set(labels) - {i.label for i in found}
    if unknown:
        raise SystemExit("no interpreter %s; there are: %s" % (", ".join(unknown), " ".join(i.label for i in found)))
    return [i for i in found if i.label in labels]


def chosen_cases(options, pythons):
    """(case, interpreter) pairs to run."""
    chosen = [(case, python) for case in cases.CASES for python in pythons if wanted(case, python, options)]
    if not chosen:
        raise SystemExit("no such case; --list lists them")
    return chosen


def wanted(case, python, options):
    """What is named is run, and with it every interpreter that is named."""
    by_version = options.interpreters or not case.versions or python.version in case.versions
    if options.only:
        full = "%s@%s" % (case.name, python.label)
        by_name = any(fnmatch.fnmatchcase(case.name, g) for g in options.only)
        return any(fnmatch.fnmatchcase(full, g) for g in options.only) or (by_name and by_version)
    if options.quick:
        return bool(case.quick) and (bool(options.interpreters) or python.version in case.quick)
    return by_version


def available_tools(options, found):
    """All profilers that are here and were asked for."""
    if not glob.glob(os.path.join(options.pyflame, "pyflame*")):
        raise SystemExit("no pyflame in %s: run `make dist`, or name a folder by --pyflame" % options.pyflame)
    folder = None if options.own else install.install(options.out)
    austin = install.austin_command(folder) if folder else None
    if folder and not austin:
        print("Austin does not start on this machine: left out", file=sys.stderr)
    sampling = next((i for i in interpreters.one_for_each(found) if i.version == (3, 15)), None)
    there = tools.all_tools(os.path.abspath(options.pyflame), folder, austin, None if options.own else sampling)
    if options.tools:
        keys = options.tools.split(",")
        unknown = set(keys) - {tool.key for tool in there}
        if unknown:
            raise SystemExit("no profiler %s; there are: %s" % (", ".join(unknown), " ".join(t.key for t in there)))
        there = [tool for tool in there if tool.key in keys]
    return there


def main():
    options = arguments()
    found = interpreters.load()
    pairs = chosen_cases(options, chosen_interpreters(options, found))
    if options.list:
        for case, python in pairs:
            print("%s@%s" % (case.name, python.label))
        return
    os.makedirs(os.path.join(options.out, "tmp"), exist_ok=True)
    there = available_tools(options, found)
    plan = rounds.Plan(
        rounds=options.rounds or (2 if options.quick else 3), seconds=options.seconds or (2 if options.quick else 3),
        folder=os.path.join(options.out, "tmp"), home=options.out,
        programs=tuple(options.programs or (program_rounds.QUICK if options.quick else ())), reference=options.reference)
    results = {"machine": machine(), "options": vars(options), "versions": install.PACKAGES, "cases": []}
    for number, (case, python) in enumerate(pairs, 1):
        print("\n[%d/%d] %s@%s" % (number, len(pairs), case.name, python.label), flush=True)
        of_programs = case.what == "programs"
        result = (program_rounds if of_programs else rounds).run_case(case, python, there, plan)
        results["cases"].append(result)
        (program_report if of_programs else report).print_case(result)
        write(results, options.out)
    results["goals"] = goals.judge(results["cases"])
    report.print_goals(results["goals"])
    print("\nresults:", write(results, options.out))


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return {
        "cpus": os.cpu_count(), "model": models[0] if models else "unknown", "kernel": platform.release(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "load": os.getloadavg(),
    }


def write(results, folder):
    """Writes what there is so far: a run that is cut short leaves its results."""
    path = os.path.join(folder, "results.json")
    with open(path + ".new", "w") as file:
        json.dump(results, file, indent=1)
    os.replace(path + ".new", path)
    return path


if __name__ == "__main__":
    main()
