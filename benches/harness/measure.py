"""One run of one profiler on one target, with all figures taken from it."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass, field

from . import process
from .judge import Account, judge_profile
from .parse import BadOutput
from .tools import INTERRUPT

STEP = 0.05  # seconds between two readings
PATIENCE = 30  # seconds beyond the asked ones after which a profiler is killed
SHORTEST_WINDOW = 0.5  # seconds


@dataclass
class Run:
    """The figures of one run; None is unknown."""

    tool: str
    failure: str = None
    seconds: float = None  # that the profiler sampled
    samples: int = None  # stacks with at least one frame
    ticks: float = None  # looks at the target: with all threads, one for all stacks
    rate: float = None  # samples, or with all threads ticks, a second
    window: float = None  # seconds: the middle of the run, on which the next four rest
    cpu_per_sample: float = None  # microseconds
    tool_cpu: float = None  # share of a core
    kept: float = None  # share of the time that the target's main thread was on a core
    willing: float = None  # the same, plus the time that it waited for one
    work_rate: float = None
    gap: float = None  # seconds
    peak_kb: int = None
    startup: float = None  # seconds of CPU outside of the window, less its share
    dropped: float = None  # share of what was tried
    told: dict = field(default_factory=dict)
    account: Account = None
    distinct: int = None  # stacks
    profile: object = None
    section_times: dict = None  # of shares.py, see Target
    shares: list = None  # of shares.py: what was sampled and what was true
    latency: float = None  # seconds that one look takes
    calls: float = None  # of the system, for a sample
    calls_awake: float = None  # the same without those that wait for the next one
    by_name: dict = None  # the same for each system call


def run_alone(target, seconds):
    """The target without a profiler."""
    readings = watch(None, target, seconds)
    run = Run("none", seconds=seconds)
    of_target(run, target, readings, readings[0].at, readings[-1].at)
    return run


def run_tool(tool, target, request, truth, divide):
    """Runs the profiler and judges what it found, unless there is no `truth` about the
    target. `divide` is the number of stacks of one tick."""
    run = Run(tool.key)
    if os.path.exists(request.out):
        os.remove(request.out)
    command = tool.command(request)
    child = Child(command)
    readings = watch(child, target, request.seconds if tool.stop else None, tool, request.seconds + PATIENCE)
    run.peak_kb = child.peak
    if child.killed:
        run.failure = "still running %d s after its time" % PATIENCE
        return run
    if child.status not in tool.good_statuses or not os.path.exists(request.out):
        run.failure = failure_of(child)
        return run
    try:
        profile = tool.parse(contents(request.out, tool.binary), child.text(1), child.text(2))
    except BadOutput as error:
        run.failure = str(error)
        return run
    if not profile.samples:
        run.failure = "no samples; " + failure_of(child)
        return run
    of_profile(run, profile, child, request, divide)
    # Sampling began at the latest this long before the end, and went on at least
    # this long after the start, whatever it took to start and to end.
    start = max(child.started, child.ended - run.seconds)
    end = min(child.started + run.seconds, child.ended)
    if child.sampling_from:
        start, end = child.sampling_from, child.interrupted
    if end - start < SHORTEST_WINDOW:
        start, end = child.started, child.ended
    of_target(run, target, readings, start, end)
    of_tool(run, readings, start, end, child)
    run.account = judge_profile(profile.stacks, truth) if truth else None
    run.profile = profile
    run.section_times = target.section_times(start, end)
    return run


class Child:
    """A profiler that runs, the lines it writes kept with their times."""

    def __init__(self, command):
        self.started = time.time()
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self.child.pid
        self.lines = {1: [], 2: []}  # (time, line) of stdout and stderr
        self.readers = [
            threading.Thread(target=self.listen, args=(number, pipe), daemon=True)
            for number, pipe in ((1, self.child.stdout), (2, self.child.stderr))
        ]
        for reader in self.readers:
            reader.start()
        self.ended = self.status = self.cpu = self.interrupted = self.sampling_from = None
        self.peak = 0
        self.killed = False

    def listen(self, number, pipe):
        for line in pipe:
            self.lines[number].append((time.time(), line.decode("utf-8", "replace")))

    def text(self, number):
        return "".join(line for _, line in self.lines[number])

    def collect(self):
        """Whether it has ended; then its status and CPU time are known."""
        if self.ended is None:
            self.peak = max(self.peak, process.peak_memory(self.pid))
            end = process.ended(self.pid)
            if end is None:
                return False
            self.ended = time.time()
            self.status, self.cpu = end
            self.child.returncode = self.status
            for reader in self.readers:
                reader.join()
            self.child.stdout.close()
            self.child.stderr.close()
        return True

    def time_of(self, words):
        """When it wrote a line with these words, or None."""
        written = list(self.lines[1]) + list(self.lines[2])
        return next((at for at, line in written if words in line), None)

    def interrupt(self):
        self.interrupted = time.time()
        self.child.send_signal(INTERRUPT)

    def kill(self):
        self.killed = True
        self.child.kill()


def watch(child, target, seconds, tool=None, limit=None):
    """Takes readings until the child has ended, or, without one, for that many
    seconds. A child that samples until it is interrupted is, that many seconds after
    it said that it had begun."""
    began = time.time()
    readings = []
    while True:
        over = child.collect() if child else time.time() >= began + seconds
        readings.append(process.read(child.pid if child and not over else None, target.pid))
        if over:
            target.caught_up(readings[-1].at)
            return readings
        if child:
            if seconds is not None and child.sampling_from is None:
                child.sampling_from = child.time_of(tool.started)
            if child.sampling_from and not child.interrupted and time.time() >= child.sampling_from + seconds:
                child.interrupt()
            if time.time() > began + limit and not child.killed:
                child.kill()
        time.sleep(STEP)


def contents(path, binary):
    if binary:
        with open(path, "rb") as file:
            return file.read()
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def failure_of(child):
    """The last line that the profiler wrote."""
    lines = (child.text(1) + child.text(2)).strip().splitlines()
    return "status %s: %s" % (child.status, lines[-1][:160] if lines else "(no words)")


def of_profile(run, profile, child, request, divide):
    """Samples, time and drops."""
    run.told = profile.told
    run.samples = profile.samples
    run.distinct = len(profile.stacks)
    run.seconds = profile.told.get("elapsed") or float(request.seconds)
    if child.sampling_from and child.interrupted:
        run.seconds = child.interrupted - child.sampling_from
    run.ticks = run.samples / divide
    if divide > 1 and "ticks" in run.told:
        run.ticks = run.told["ticks"]
    run.rate = run.ticks / run.seconds
    tried, dropped = run.told.get("tried"), run.told.get("dropped")
    if tried is not None or profile.refused:
        tried = tried if tried is not None else run.samples + profile.refused
        run.dropped = ((dropped or 0) + profile.refused) / tried if tried else 0.0


def of_target(run, target, readings, start, end):
    """How the target fared."""
    run.window = end - start
    run.kept = process.between(readings, start, end, lambda r: r.target_run) / run.window
    ready = process.between(readings, start, end, lambda r: r.target_ready) / run.window
    run.willing = run.kept + ready
    run.work_rate = target.work_rate(start, end)
    run.gap = target.longest_gap(start, end)


def of_tool(run, readings, start, end, child):
    """What the profiler used. The last figure, that of its end, has its children in
    it."""
    points = [r for r in readings if r.tool_cpu]
    points.append(process.Reading(child.ended, child.cpu, 0, 0, 0))
    used = process.between(points, start, end, lambda r: r.tool_cpu)
    run.tool_cpu = used / run.window
    run.startup = child.cpu - run.tool_cpu * run.seconds
    if run.ticks:
        run.cpu_per_sample = run.tool_cpu * run.seconds / run.ticks * 1e6
