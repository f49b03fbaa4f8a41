"""System calls for a sample, counted by strace.

Two runs of different length are compared, so that what a profiler does at its start
and at its end falls out. Under strace a profiler is slow, but what it asks of the
kernel for one sample stays the same.
"""

import os
import re
import shutil
import subprocess
from dataclasses import replace

from .measure import Run, contents
from .parse import BadOutput

SHORT, LONG = 1, 4  # seconds
WAITS = {"clock_nanosleep", "nanosleep", "futex", "epoll_wait", "ppoll", "poll", "select", "pselect6", "restart_syscall"}
ROW = re.compile(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$")


def strace():
    return shutil.which("strace")


def count(tool, request):
    """A Run with the calls of each kind for one sample."""
    run = Run(tool.key)
    short, long = (counted(tool, replace(request, seconds=seconds)) for seconds in (SHORT, LONG))
    if short is None or long is None or long[1] <= short[1]:
        run.failure = "no samples under strace"
        return run
    samples = long[1] - short[1]
    # below zero where the start took more calls in the shorter run
    each = {name: max(0, long[0][name] - short[0].get(name, 0)) / samples for name in long[0]}
    run.by_name = {name: value for name, value in each.items() if value > 0.005}
    run.calls = sum(each.values())
    run.calls_awake = sum(value for name, value in each.items() if name not in WAITS)
    return run


def counted(tool, request):
    """({system call: number}, samples) of one run, or None."""
    table = request.out + ".strace"
    command = [strace(), "-f", "-c", "-o", table] + tool.command(request)
    if os.path.exists(request.out):
        os.remove(request.out)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        stdout, stderr = child.communicate(timeout=request.seconds + (0 if tool.stop else 30))
    except subprocess.TimeoutExpired:
        # strace itself ignores the interrupt while its child runs; the profiler is its child
        for pid in children(child.pid):
            os.kill(pid, 2)
        try:
            stdout, stderr = child.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            return None
    if not os.path.exists(request.out):
        return None
    try:
        words = [text.decode("utf-8", "replace") for text in (stdout, stderr)]
        profile = tool.parse(contents(request.out, tool.binary), *words)
    except BadOutput:
        return None
    return calls_of(contents(table, False)), profile.samples


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(child) for child in file.read().split()]


def calls_of(text):
    """{system call: number} of strace's summary."""
    calls = {}
    for line in text.splitlines():
        match = ROW.match(line)
        if match and match[2] != "total":
            calls[match[2]] = int(match[1])
    return calls
