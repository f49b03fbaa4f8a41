"""The outputs of the profilers as {stack: count}.

A stack is a tuple of (file, function, line), outermost first, with the bare file
name, the bare function name and line 0 where there is none.
"""

import collections
import os
import re
from dataclasses import dataclass, field


@dataclass
class Profile:
    """What one run of a profiler found."""

    stacks: collections.Counter = field(default_factory=collections.Counter)
    # Time by stack where the tool weighs its samples; otherwise as `stacks`.
    weights: collections.Counter = None
    # Samples that the tool itself marks as unusable: no stack, or a broken one.
    refused: int = 0
    idle: int = 0  # samples in which nobody ran
    told: dict = field(default_factory=dict)  # figures that the tool printed

    @property
    def samples(self):
        return sum(self.stacks.values())


class BadOutput(Exception):
    """A profiler's output is not as this file expects."""


def frame(file, name, line):
    """One frame, its file and function stripped of folders and classes, line 0 for
    any way to say that there is none."""
    return (os.path.basename(file), name.rpartition(".")[2], max(0, int(line or 0)))


def folded_lines(text):
    """(frames, count) of each line of folded stacks; no frames for an empty stack."""
    for line in text.splitlines():
        stack, space, count = line.rpartition(" ")
        if not space or not count.isdigit():
            raise BadOutput("not a folded stack: %r" % line[:200])
        yield [part for part in stack.split(";") if part], int(count)


def parse_pyflame(text):
    """`FILE:FUNCTION:LINE;... COUNT`; `(words)` stand for what is not a frame."""
    profile = Profile()
    for parts, count in folded_lines(text):
        if parts == ["(idle)"]:
            profile.idle += count
        elif not parts or any(part.startswith("(") for part in parts):
            profile.refused += count
        else:
            frames = (part.rsplit(":", 2) for part in parts)
            profile.stacks[tuple(frame(*three) for three in frames)] += count
    return profile


PYSPY_FRAME = re.compile(r"(.*) \((.*?)(?::(\d+))?\)$")


def parse_pyspy(text):
    """`FUNCTION (FILE:LINE);... COUNT`, without `:LINE` where it is not known;
    ` COUNT` for a sample without a stack."""
    profile = Profile()
    for parts, count in folded_lines(text):
        stack = []
        for part in parts:
            match = PYSPY_FRAME.match(part)
            if not match:
                raise BadOutput("not a frame of py-spy: %r" % part)
            stack.append(frame(match[2], match[1], match[3]))
        if stack:
            profile.stacks[tuple(stack)] += count
        else:
            profile.refused += count
    return profile


def parse_sampling(text):
    """`tid:NUMBER;FILE:FUNCTION:LINE;... COUNT` of Python's profiling.sampling."""
    profile = Profile()
    for parts, count in folded_lines(text):
        if not parts or not parts[0].startswith("tid:"):
            raise BadOutput("no thread at the head of %r" % parts[:1])
        if len(parts) == 1:
            profile.refused += count
            continue
        stack = []
        for part in parts[1:]:
            pieces = part.rsplit(":", 2)
            # a made-up frame such as <GC> has neither file nor line
            stack.append(frame(*pieces) if len(pieces) == 3 else ("", part, 0))
        profile.stacks[tuple(stack)] += count
    return profile


STATS = {
    "ticks": "ticks", "samples": "samples", "proven at once": "proven", "retried": "retried",
    "skipped": "skipped", "stopped": "stopped", "stopped total ms": "stopped_ms", "stopped p99 us": "stopped_p99_us",
    "torn": "torn", "dropped": "gone", "failed": "failed", "late": "late", "remote reads per sample": "reads",
    "cpu us per sample": "cpu_us", "elapsed s": "elapsed",
}


def told_by_pyflame(stderr):
    """The `key: value` lines of --stats; what is absent stays unknown."""
    told = {}
    for line in stderr.splitlines():
        key, colon, value = line.strip().partition(":")
        number = re.match(r"\s*([0-9.]+)", value)
        if colon and number and key in STATS:
            told[STATS[key]] = float(number[1])
    if "ticks" in told:
        told["dropped"] = told.get("torn", 0) + told.get("gone", 0) + told.get("failed", 0)
        told["tried"] = told["ticks"]
    return told


def told_by_pyspy(stderr):
    match = re.search(r"Samples: (\d+) Errors: (\d+)", stderr)
    if not match:
        return {}
    samples, errors = int(match[1]), int(match[2])
    return {"samples": samples, "dropped": errors, "tried": samples + errors}


def told_by_austin(stderr):
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stderr)
    told = {}
    match = re.search(r"Error rate[ .]*(\d+)/(\d+)", plain)
    if match:
        told["dropped"], told["tried"] = int(match[1]), int(match[2])
    match = re.search(r"Total duration[ .]*([0-9.]+)\s*(m?s)", plain)
    if match:
        told["elapsed"] = float(match[1]) * (1 if match[2] == "s" else 0.001)
    return told


def told_by_sampling(stdout):
    told = {}
    match = re.search(r"Captured ([\d,.]+) samples? in ([\d.,]+) seconds", stdout)
    if match:
        told["tried"] = told["ticks"] = int(re.sub(r"\D", "", match[1]))
        told["elapsed"] = float(match[2].replace(",", ""))
    match = re.search(r"Error rate: ([\d.]+)", stdout)
    if match and "tried" in told:
        told["dropped"] = told["tried"] * float(match[1]) / 100
    return told
