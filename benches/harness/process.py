"""What the kernel says about a process, and how a child's end is awaited."""

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One look at a profiler and its target; times in seconds."""

    at: float  # the system's clock
    tool_cpu: float
    target_cpu: float  # of all its threads
    target_run: float  # of its main thread: on a core
    target_ready: float  # of its main thread: waiting for a core


def cpu_time(pid):
    """CPU time of all threads of a process, ended ones too, in nanosecond
    resolution: the kernel numbers the CPU clock of process P as (~P << 3) | 2."""
    return time.clock_gettime((~pid << 3) | 2)


def schedule(pid):
    """Run and wait time of a main thread, from /proc/PID/schedstat."""
    with open("/proc/%d/schedstat" % pid) as file:
        run, ready = file.read().split()[:2]
    return int(run) / 1e9, int(ready) / 1e9


def peak_memory(pid):
    """VmHWM in kB, or 0 when the process has none any more. (The rusage of an ended
    child also counts what its parent had when it forked.)"""
    try:
        with open("/proc/%d/status" % pid) as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def read(tool, target):
    """A Reading; `tool` may be None or have ended."""
    try:
        spent = cpu_time(tool) if tool else 0.0
    except OSError:
        spent = None
    run, ready = schedule(target)
    return Reading(time.time(), spent, cpu_time(target), run, ready)


def ended(pid):
    """(exit status, CPU seconds with its children's) of a child that has ended, or
    None."""
    done, status, usage = os.wait4(pid, os.WNOHANG)
    if done == 0:
        return None
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def between(readings, start, end, value):
    """How much a growing figure grew from start to end; between two readings it is
    taken to grow evenly."""
    points = [(r.at, value(r)) for r in readings if value(r) is not None]
    return at_time(points, end) - at_time(points, start)


def at_time(points, when):
    """The value at a time among (time, value) points in order."""
    if not points:
        raise ValueError("no readings")
    if when <= points[0][0]:
        return points[0][1]
    for (t0, v0), (t1, v1) in zip(points, points[1:]):
        if when <= t1:
            return v0 + (v1 - v0) * (when - t0) / (t1 - t0) if t1 > t0 else v1
    return points[-1][1]
