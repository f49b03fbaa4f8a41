"""Tests of what reads the profilers' outputs and works out the figures.

    python3 -B -m unittest discover -s benches
"""

import os
import sys
import tempfile
import time
import unittest

from harness import accuracy, cases, goals, interpreters, parse, process, rounds, syscalls, tools, truth
from harness.mojo import parse_austin
from harness.target import Target

STACK = (("app.py", "<module>", 6), ("app.py", "outer", 5), ("app.py", "leaf", 2))


class Outputs(unittest.TestCase):
    def test_pyflame(self):
        profile = parse.parse_pyflame(
            "/a b/app.py:<module>:6;/a b/app.py:outer:5;/a b/app.py:leaf:2 7\n(idle) 4\n(truncated);/x.py:f:1 1\n")
        self.assertEqual(profile.stacks, {STACK: 7})
        self.assertEqual((profile.idle, profile.refused, profile.samples), (4, 1, 7))

    def test_pyflame_account(self):
        told = parse.told_by_pyflame(
            "ticks: 200\nsamples: 190\nproven at once: 188\nstopped total ms: 2.5\ntorn: 3\ndropped: 4\nfailed: 2\n"
            "remote reads per sample: 1.02\nelapsed s: 2.01\nfuture key: 3\nnoise\n")
        self.assertEqual((told["ticks"], told["proven"], told["reads"], told["elapsed"]), (200, 188, 1.02, 2.01))
        self.assertEqual((told["dropped"], told["tried"]), (9, 200))

    def test_pyspy(self):
        profile = parse.parse_pyspy(
            "<module> (/x/app.py:6);outer (/x/app.py:5);leaf (/x/app.py:2) 7\n 5\nf (fresh-3) 1\n")
        self.assertEqual(profile.stacks, {STACK: 7, (("fresh-3", "f", 0),): 1})
        self.assertEqual(profile.refused, 5)

    def test_sampling(self):
        profile = parse.parse_sampling("tid:77;app.py:<module>:6;app.py:outer:5;app.py:leaf:2 7\ntid:1;a.py:C.f:-1 2\n")
        self.assertEqual(profile.stacks, {STACK: 7, (("a.py", "f", 0),): 2})

    def test_nonsense_is_an_error(self):
        for parser, text in (
            (parse.parse_pyflame, "no count"), (parse.parse_pyspy, "frame 1\n"), (parse.parse_sampling, "a.py:f:1 1\n"),
            (parse_austin, b"MOJ\x04"), (parse_austin, b"ELF"), (parse_austin, b"MOJ\x03\x05\x01"),
            (parse_austin, b"MOJ\x03\x02\x01\x00a\0\x05\x09"), (parse_austin, b"MOJ\x03\x3f"),
        ):
            with self.assertRaises(parse.BadOutput, msg=text):
                parser(text)

    def test_figures_that_are_told(self):
        told = parse.told_by_austin("Total duration\x1b[0;30m . . .\x1b[0m\x1b[1m1.02s\x1b[0m\nError rate . . 3/12745 (0.02%)")
        self.assertEqual(told, {"dropped": 3, "tried": 12745, "elapsed": 1.02})
        told = parse.told_by_sampling("Captured 9,502 samples in 1.00 seconds\nError rate: 0.50\n")
        self.assertEqual((told["tried"], round(told["dropped"], 2), told["elapsed"]), (9502, 47.51, 1.0))
        self.assertEqual(parse.told_by_pyspy("x. Samples: 12 Errors: 3")["tried"], 15)


def number(value):
    """The encoding of an integer in MOJO."""
    first, value = value & 0x3F, value >> 6
    data = [first]
    while value:
        data[-1] |= 0x80
        data.append(value & 0x7F)
        value >>= 7
    return bytes(data)


class Mojo(unittest.TestCase):
    def string(self, key, text):
        return b"\x0b" + number(key) + text.encode() + b"\0"

    def frame(self, key, name, line):
        return b"\x03" + b"".join(map(number, (key, 500, name, line, line, 0, 0)))

    def sample(self, keys, time):
        references = b"".join(b"\x05" + number(key) for key in keys)
        return b"\x02" + number(4242) + number(0) + b"a34\0" + references + b"\x09" + number(time)

    def setUp(self):
        self.head = b"MOJ\x03" + b"\x01mode\0wall\0" + self.string(500, "/x/app.py")
        self.head += self.string(1, "<module>") + self.string(2, "outer") + self.string(70000, "leaf")
        self.head += self.frame(10, 1, 6) + self.frame(20, 2, 5) + self.frame(99999, 70000, 2)

    def test_samples(self):
        data = self.head + self.sample([10, 20, 99999], 100) * 3 + self.sample([10, 20], 900)
        profile = parse_austin(data)
        self.assertEqual(profile.stacks, {STACK: 3, STACK[:2]: 1})
        self.assertEqual(profile.weights, {STACK: 300, STACK[:2]: 900})

    def test_invalid_and_empty(self):
        broken = self.sample([10, 20], 5).replace(b"\x09", b"\x04\x09")
        profile = parse_austin(self.head + broken + self.sample([], 5) + self.sample([10], 5))
        self.assertEqual((profile.samples, profile.refused), (1, 2))

    def test_key_used_anew(self):
        data = self.head + self.sample([10, 20], 1) + self.frame(20, 70000, 9) + self.sample([10, 20], 1)
        self.assertEqual(set(parse_austin(data).stacks), {STACK[:2], (STACK[0], ("app.py", "leaf", 9))})

    def test_cut_short(self):
        data = self.head + self.sample([10, 20, 99999], 100) + b"\x02\x05"
        profile = parse_austin(data)
        self.assertEqual((profile.samples, profile.told), (1, {"cut": 1}))


class Figures(unittest.TestCase):
    def test_at_time(self):
        points = [(0.0, 0.0), (2.0, 4.0), (3.0, 4.0)]
        for when, value in ((-1, 0), (1, 2), (2.5, 4), (9, 4)):
            self.assertEqual(process.at_time(points, when), value)

    def test_own_cpu_time(self):
        before = process.cpu_time(os.getpid())
        limit = time.process_time() + 0.05
        while time.process_time() < limit:
            pass
        self.assertAlmostEqual(process.cpu_time(os.getpid()) - before, 0.05, delta=0.02)
        self.assertGreater(process.peak_memory(os.getpid()), 1000)

    def test_calls(self):
        text = "% time     seconds  usecs/call     calls    errors syscall\n------ ------\n" \
               " 90.00    0.100000          10      1000           process_vm_readv\n" \
               " 10.00    0.010000          10        20         3 openat\n" \
               "100.00    0.110000          10      1020         3 total\n"
        self.assertEqual(syscalls.calls_of(text), {"process_vm_readv": 1000, "openat": 20})


SECTIONS = {
    # a loop's turn 10 ns, the body 100 ns, a call 50 ns
    "bare": (10e-9 * 1000, 1000), "inline": (110e-9 * 1000, 1000), "call_tiny": (160e-9 * 1000, 1000),
    "five": (200e-6, 1), "call_fifty": (50.06e-6 * 4, 4), "call_two": (2.06e-6 * 100, 100),
}


class Accuracy(unittest.TestCase):
    def setUp(self):
        self.total = sum(seconds for seconds, _ in SECTIONS.values())

    def test_ranges(self):
        ranges = accuracy.true_ranges(SECTIONS)
        self.assertAlmostEqual(ranges["tiny"][0], 100 * 100e-6 / self.total)
        self.assertAlmostEqual(ranges["tiny"][1], 100 * 150e-6 / self.total)
        self.assertAlmostEqual(ranges["call_tiny"][0], 100 * 10e-6 / self.total)
        self.assertAlmostEqual(ranges["two"][1], 100 * 205e-6 / self.total)
        self.assertAlmostEqual(sum(ranges[n][0] for n in ("five", "inline", "bare"))
                               + sum(ranges[n][0] for n in accuracy.CALLED)
                               + sum(ranges[n][1] for n in accuracy.CALLED.values()), 100)

    def sampled(self, moved=0):
        """10,000 samples by the book, with a share of tiny's moved to its caller."""
        stacks = {}
        for name, (low, high) in accuracy.true_ranges(SECTIONS).items():
            stacks[(("shares.py", name, 1),)] = round((low + high) * 50)
        tiny, caller = ((("shares.py", name, 1),) for name in ("tiny", "call_tiny"))
        shift = round(stacks[tiny] * moved)
        stacks[tiny] -= shift
        stacks[caller] += shift
        return accuracy.shares(stacks, stacks, SECTIONS)

    def test_by_the_book(self):
        self.assertLess(accuracy.worst(self.sampled()).excess, 0)

    def test_short_function_never_seen(self):
        """The bias that waiting for a known top would bring."""
        worst = accuracy.worst(self.sampled(moved=1))
        self.assertIn(worst.function, ("tiny", "call_tiny"))
        self.assertGreater(worst.excess, 5)

    def test_half_seen(self):
        self.assertGreater(accuracy.worst(self.sampled(moved=0.5)).excess, 0)


class Goals(unittest.TestCase):
    def result(self, name, version=(3, 11), **tools):
        return {"case": name, "interpreter": "x", "version": list(version), "tools": {
            key.replace("_", "-"): {"figures": {n: [v, v, v] for n, v in figures.items()}, **more}
            for key, (figures, more) in tools.items()}}

    def met(self, *results):
        return [goal["met"] for goal in goals.judge(results)]

    def test_rates(self):
        def fast(rate, cpu):
            return self.result(
                "fast-25-50us", pyflame_read=({"rate": rate, "cpu_per_sample": cpu}, {}),
                austin=({"rate": 100.0, "cpu_per_sample": 10.0}, {}), sampling=({"rate": 40.0, "cpu_per_sample": 20.0}, {}))

        self.assertEqual(self.met(fast(251.0, 3.9), fast(249.0, 4.1)), ["met", "met", "NOT MET", "NOT MET"])

    def test_bad_samples(self):
        def hostile(bad, judged):
            found = {"judged": judged, "bad_functions": bad, "bad_lines": 0}
            return self.result("hostile-fast", pyflame=({"dropped": 0.01}, found))

        self.assertEqual(self.met(hostile(1, 10)), ["NOT MET", "met"])
        self.assertEqual(self.met(hostile(0, 10)), ["-", "met"])
        self.assertEqual(self.met(hostile(0, 2000000)), ["met", "met"])

    def test_busy_machine(self):
        busy = self.result("1khz-25-50us", none=({"kept": 0.6}, {}), pyflame=({"kept": 0.5}, {}))
        quiet = self.result("1khz-25-50us", none=({"kept": 1.0}, {}), pyflame=({"kept": 0.5}, {}))
        self.assertEqual(self.met(busy, quiet), ["machine busy", "NOT MET"])

    def test_unknown(self):
        self.assertEqual(self.met(self.result("fast-25-50us", pyflame_read=({"rate": 5.0}, {}))), ["-", "-"])


SCRIPT = """#!/bin/sh
# stands in for a profiler
while [ "$1" != -o ]; do shift; done
sleep 1
echo 'steady.py:<module>:1;steady.py:alpha:24 3' > "$2"
echo 'ticks: 4
elapsed s: 1.00' >&2
"""


class OneRun(unittest.TestCase):
    """A whole run with a stand-in for our profiler and this Python as the target."""

    def test_stand_in(self):
        python = interpreters.Interpreter("this", sys.executable, "%d.%d.0" % sys.version_info[:2])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pyflame" + python.abi)
            with open(path, "w") as file:
                file.write(SCRIPT)
            os.chmod(path, 0o755)
            case = cases.steady("x", 25, 50e-6, 100)
            result = rounds.run_case(case, python, [tools.Pyflame(folder, "auto")], rounds.Plan(1, 1, folder))
        self.assertEqual(result["failed"], {})
        found = result["tools"]["pyflame"]
        self.assertEqual((found["judged"], found["bad_functions"]), (3, 3))
        self.assertEqual(found["figures"]["rate"][0], 3.0)
        for name in ("kept", "willing", "work_rate", "gap", "tool_cpu", "peak_kb"):
            self.assertIsNotNone(found["figures"].get(name), name)
        self.assertGreater(result["tools"]["none"]["figures"]["work_rate"][0], 0)

    def test_target_that_cannot_start(self):
        python = interpreters.Interpreter("none", "/bin/false", "3.11.0")
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(RuntimeError):
            Target(python, "steady.py", (25, 1e-5, 1), folder)

    def test_every_case_has_a_target_and_a_truth(self):
        for case in cases.CASES:
            if case.what != "programs":
                truth.of_target(case.script, case.depth)
        self.assertEqual(len({case.name for case in cases.CASES}), len(cases.CASES))


if __name__ == "__main__":
    unittest.main()
