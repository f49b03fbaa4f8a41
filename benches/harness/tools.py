"""The profilers that are compared: how each is started and read.

All are asked for the same thing in their own words. On a target with one thread
each uses its plain mode. On one with several, either the thread that runs is
sampled (ours: default; py-spy: --gil; Austin: --cpu; profiling.sampling: --mode gil
-a) or all of them, idle or not (--threads; --idle; default; -a).
"""

import os
import signal
import subprocess
from dataclasses import dataclass

from . import parse
from .mojo import parse_austin

HIGHEST = 1000000  # samples a second, where a tool has no "as fast as possible"


@dataclass(frozen=True)
class Request:
    """What is asked of a profiler."""

    pid: int
    rate: int  # samples a second; 0 is as fast as possible
    seconds: int
    python: object  # the target's Interpreter
    threads: str = "one"  # the target has one thread; or sample "running", or "all"
    out: str = ""


class Tool:
    """A profiler. `key` is its short name."""

    key = ""
    stop = False  # whether it samples until it is interrupted
    started = ""  # then, the words that it writes when it begins to
    binary = False  # whether the output is bytes
    good_statuses = (0,)

    def refuses(self, python):
        """Why it cannot profile that interpreter, as far as is known beforehand."""
        return None

    def command(self, request):
        raise NotImplementedError

    def dump_command(self, request):
        """One look at all stacks, or None."""
        return None

    def parse(self, data, stdout, stderr):
        raise NotImplementedError


class Pyflame(Tool):
    def __init__(self, folder, pause=None, engine=None):
        self.folder = folder
        self.pause = pause
        self.engine = engine
        self.key = "-".join(["pyflame"] + [word for word in (pause, engine) if word not in (None, "auto")])
        self._help = {}

    def binary_for(self, abi):
        for name in ("pyflame" + abi, "pyflame" + abi.replace(".", "")):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                return path
        return None

    def has(self, path, option):
        """Whether that binary knows an option: an older one is measured as it is."""
        if path not in self._help:
            self._help[path] = subprocess.run([path, "--help"], capture_output=True, text=True).stdout
        return option in self._help[path]

    def knows_engine(self, path):
        """Whether it gets as far as its version after that engine."""
        words = [path, "--engine", self.engine, "--version"]
        return subprocess.run(words, capture_output=True).returncode == 0

    def refuses(self, python):
        path = self.binary_for(python.abi)
        if path is None:
            return "no pyflame%s in %s" % (python.abi, self.folder)
        if self.pause and self.pause != "auto" and not self.has(path, "--pause"):
            return "%s has no --pause" % os.path.basename(path)
        if self.engine and not self.knows_engine(path):
            return "%s has no --engine %s" % (os.path.basename(path), self.engine)
        return None

    def command(self, request):
        path = self.binary_for(request.python.abi)
        rate = "%.9f" % (1.0 / request.rate) if request.rate else "0"
        command = [path, "-p", str(request.pid), "-s", str(request.seconds), "-r", rate, "-o", request.out]
        if request.threads == "all":
            command.append("--threads")
        if self.has(path, "--format"):
            command += ["--format", "folded"]  # whatever the file is called
        if self.pause and self.has(path, "--pause"):
            command += ["--pause", self.pause]
        if self.engine:
            command += ["--engine", self.engine]
        if self.has(path, "--stats"):
            command.append("--stats")
        return command

    def dump_command(self, request):
        return [self.binary_for(request.python.abi), "--dump", "-p", str(request.pid)]

    def parse(self, data, stdout, stderr):
        profile = parse.parse_pyflame(data)
        profile.told = parse.told_by_pyflame(stderr)
        return profile


class PySpy(Tool):
    stop = True  # its -d means a number of samples, however long they take
    started = "Sampling process"

    def __init__(self, path, blocking):
        self.path = path
        self.blocking = blocking
        self.key = "py-spy-stop" if blocking else "py-spy"

    def command(self, request):
        command = [self.path, "record", "-p", str(request.pid), "-r", str(request.rate or HIGHEST)]
        command += ["-f", "raw", "--full-filenames", "-o", request.out]
        # 3.15 is newer than this release: it finds no GIL there
        if request.threads == "running" and request.python.version < (3, 15):
            command.append("--gil")
        if request.threads == "all":
            command.append("--idle")
        return command if self.blocking else command + ["--nonblocking"]

    def dump_command(self, request):
        command = [self.path, "dump", "-p", str(request.pid)]
        return command if self.blocking else command + ["--nonblocking"]

    def parse(self, data, stdout, stderr):
        profile = parse.parse_pyspy(data)
        profile.told = parse.told_by_pyspy(stdout + stderr)
        return profile


class Austin(Tool):
    key = "austin"
    binary = True
    good_statuses = (0, 254)  # the latter when it ends by itself after its time

    def __init__(self, words):
        self.words = words

    def refuses(self, python):
        if not (3, 9) <= python.version <= (3, 14):
            return "Austin 4.0 knows CPython 3.9 to 3.14"
        return None

    def command(self, request):
        interval = max(1, round(1e6 / (request.rate or HIGHEST)))
        command = self.words + ["-p", str(request.pid), "-i", "%dus" % interval, "-x", str(request.seconds)]
        if request.threads == "running":
            command.append("--cpu")
        return command + ["-o", request.out]

    def dump_command(self, request):
        return self.words + ["-w", str(request.pid)]

    def parse(self, data, stdout, stderr):
        profile = parse_austin(data)
        profile.told.update(parse.told_by_austin(stdout + stderr))
        return profile


class Sampling(Tool):
    """Python 3.15's own profiler, which profiles only its own release."""

    def __init__(self, python, blocking):
        self.python = python
        self.blocking = blocking
        self.key = "sampling-stop" if blocking else "sampling"

    def refuses(self, python):
        if self.python is None or python.version != self.python.version:
            return "profiling.sampling profiles its own release only"
        return None

    def module(self, action):
        return [self.python.path, "-m", "profiling.sampling", action, "--no-gc"]

    def command(self, request):
        command = self.module("attach") + ["-r", str(request.rate or HIGHEST), "-d", str(request.seconds)]
        command += ["--collapsed", "-o", request.out]
        if request.threads != "one":
            command.append("-a")
        if request.threads == "running":
            command += ["--mode", "gil"]
        return command + ["--blocking"] * self.blocking + [str(request.pid)]

    def dump_command(self, request):
        return self.module("dump") + ["-a"] + ["--blocking"] * self.blocking + [str(request.pid)]

    def parse(self, data, stdout, stderr):
        profile = parse.parse_sampling(data)
        profile.told = parse.told_by_sampling(stdout)
        return profile


def all_tools(pyflame_folder, bin_folder, austin_words, sampling_python):
    """Every profiler that there is, ours first."""
    tools = [Pyflame(pyflame_folder, pause) for pause in ("auto", "always")]
    tools += [Pyflame(pyflame_folder, engine=engine) for engine in ("kernel", "stop", "read")]
    if bin_folder:
        py_spy = os.path.join(bin_folder, "py-spy")
        tools += [PySpy(py_spy, blocking=False), PySpy(py_spy, blocking=True)]
        if austin_words:
            tools.append(Austin(austin_words))
    if sampling_python:
        tools += [Sampling(sampling_python, blocking=False), Sampling(sampling_python, blocking=True)]
    return tools


INTERRUPT = signal.SIGINT
