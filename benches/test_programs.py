"""Tests of the shares of programs: distances, noise, the programs and their packages.

    python3 -B -m unittest discover -s benches
"""

import collections
import contextlib
import io
import os
import random
import sys
import tempfile
import unittest
import zipfile

from harness import (
    cases, distance, goals, interpreters, packages, program_report, program_rounds, programs, rounds, tools)
from harness.target import Target

THIS = interpreters.Interpreter("this", sys.executable, "%d.%d.0" % sys.version_info[:2])
SHARES = {("a.py", "f"): 50, ("a.py", "g"): 30, ("b.py", "f"): 15, ("b.py", "rare"): 5}


def drawn(size, seed, shares=SHARES):
    picked = random.Random(seed).choices(list(shares), list(shares.values()), k=size)
    return collections.Counter(picked)


class Distances(unittest.TestCase):
    def test_own_is_of_the_top(self):
        stacks = {(("a.py", "main", 1), ("a.py", "f", 2)): 3, (("a.py", "main", 1), ("a.py", "f", 4)): 2, (("a.py", "main", 1),): 1}
        self.assertEqual(distance.own(stacks), {("a.py", "f"): 5, ("a.py", "main"): 1})

    def test_points(self):
        one = collections.Counter({"f": 60, "g": 40})
        for other, points in (({"f": 6, "g": 4}, 0), ({"f": 1, "g": 1}, 10), ({"f": 1}, 40), ({"h": 9}, 100)):
            self.assertAlmostEqual(distance.distance(one, collections.Counter(other)), points)

    def test_thinned(self):
        counts = collections.Counter({("a.py", "f"): 5, ("a.py", "g"): 1})
        few = distance.thinned(counts, 3, random.Random(1))
        self.assertEqual((sum(few.values()), few - counts), (3, collections.Counter()))
        self.assertEqual(few, distance.thinned(counts, 3, random.Random(1)))

    def test_noise_is_what_is_expected(self):
        first, second = drawn(8000, 1), drawn(8000, 2)
        for size in (200, 1000, 8000):
            found, chance = distance.noise(first, second, size), distance.expected(first, second, size)
            self.assertLess(abs(found - chance), 0.8 * chance, (size, found, chance))
        self.assertGreater(distance.noise(first, second, 200), 2 * distance.noise(first, second, 8000))

    def test_noise_of_what_drifts(self):
        other = {**SHARES, ("b.py", "late"): 25}
        first, second = drawn(8000, 1), drawn(8000, 2, other)
        self.assertAlmostEqual(distance.noise(first, second, 8000), 20, delta=1)
        self.assertLess(distance.expected(first, second, 8000), 2)

    def test_compared(self):
        first, second = drawn(8000, 1), drawn(8000, 2)
        good = distance.compared(drawn(800, 3), 800, first, second)
        self.assertLess(good["distance"], good["goal"])
        moved = distance.compared(drawn(8000, 3, {**SHARES, ("a.py", "f"): 75}), 8000, first, second)
        self.assertGreater(moved["distance"], moved["goal"])
        self.assertEqual(moved["differences"][0][0], "a.py:f")
        self.assertAlmostEqual(moved["differences"][0][1], 10, delta=2)

    def test_more_samples_are_no_excuse(self):
        first, second = drawn(1000, 1), drawn(1000, 2)
        found = distance.compared(drawn(90000, 3), 90000, first, second)
        self.assertEqual(found["samples"], 1000)

    def test_weighted(self):
        first, second = drawn(1000, 1), drawn(1000, 2)
        weights = collections.Counter({f: n * 977 for f, n in drawn(1000, 3).items()})
        found = distance.compared(weights, 1000, first, second)
        self.assertEqual(found["samples"], 1000)
        self.assertLess(found["distance"], found["goal"])

    def test_no_samples(self):
        self.assertEqual(distance.compared(collections.Counter(), 0, drawn(9, 1), drawn(9, 2)), {})


class Chosen(unittest.TestCase):
    def test_versions(self):
        by_name = {program.name: program for program in programs.all_programs()}
        self.assertEqual(by_name["pygments"].packages((3, 7)), ("pygments==2.14.0",))
        self.assertEqual(by_name["pygments"].packages((3, 15)), by_name["pygments"].packages((3, 8)))
        self.assertIsNone(by_name["markdown-it-py"].packages((2, 7)))
        self.assertEqual(by_name["tokenize"].packages((2, 7)), ())
        self.assertEqual(set(program_rounds.QUICK) - set(by_name), set())

    def test_all_are_pinned(self):
        for program in programs.all_programs():
            for _, needs in program.needs:
                for package in needs:
                    self.assertRegex(package, r"^[a-z0-9-]+==[0-9.]+$")

    def test_wheels_without_what_is_compiled(self):
        with tempfile.TemporaryDirectory() as folder:
            wheels = os.path.join(folder, "wheels", "thing-1.0")
            os.makedirs(wheels)
            with zipfile.ZipFile(os.path.join(wheels, "thing-1.0-cp38-cp38-linux.whl"), "w") as file:
                file.writestr("thing/__init__.py", "x = 1")
                file.writestr("thing/fast.cpython-38.so", "")
            path = packages.Packages(folder).folder("thing==1.0", (3, 8))
            self.assertEqual(os.listdir(os.path.join(path, "thing")), ["__init__.py"])


class Targets(unittest.TestCase):
    def start(self, folder, *words):
        target = Target(THIS, programs.SCRIPT, words, folder)
        self.addCleanup(target.close)
        target.caught_up(target.pulses[-1][0] + 0.2 if target.pulses else 0)
        self.assertTrue(target.alive(), target.last_words())
        return target

    def test_library(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in programs.LIBRARY:
                self.assertIn(name, self.start(folder, "library", name).facts)

    def test_tasks(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in programs.TASKS:
                self.start(folder, "tasks", name)

    def test_stands_in_for_pyperf(self):
        text = (
            "import pyperf, helper\n"
            "def work(loops, n):\n    assert (loops, n) == (1, 7)\n    return helper.f(pyperf.perf_counter())\n"
            "runner = pyperf.Runner(add_cmdline_args=None)\nrunner.metadata['x'] = 1\n"
            "runner.argparser.add_argument('--n', type=int)\n"
            "if __name__ == '__main__':\n    runner.bench_time_func('it', work, runner.parse_args().n)\n")
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, "library")
            os.mkdir(library)
            with open(os.path.join(library, "helper.py"), "w") as file:
                file.write("def f(x):\n    return x\n")
            path = os.path.join(folder, "run_benchmark.py")
            with open(path, "w") as file:
                file.write(text)
            self.assertIn("it", self.start(folder, "script", path, library, "--n=7").facts)


# Stands in for our profiler: under --engine read it puts everything into another function.
SCRIPT = """#!/bin/sh
case "$*" in *--help*) echo '--pause --stats --format'; exit;; *--engine?stop*) exit 2;; *--version*) exit;; esac
function=f
case "$*" in *--engine?read*) function=g;; esac
while [ "$1" != -o ]; do shift; done
sleep 0.2
echo "(idle) 100" > "$2"
echo "a.py:<module>:1;a.py:$function:24 800" >> "$2"
echo 'ticks: 1000
torn: 50
elapsed s: 1.00' >&2
"""


class Case(unittest.TestCase):
    """A whole case with a stand-in for our profiler and this Python as the target."""

    def run_case(self, keys=("auto", "always"), reference="pyflame-always"):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pyflame" + THIS.abi)
            with open(path, "w") as file:
                file.write(SCRIPT)
            os.chmod(path, 0o755)
            plan = rounds.Plan(1, 1, folder, folder, ("tokenize", "copy"), reference)
            there = [tools.Pyflame(folder, key) for key in keys] + [tools.Pyflame(folder, engine=engine) for engine in ("read", "stop")]
            return program_rounds.run_case(cases.programs(1000), THIS, there, plan)

    def test_stand_in(self):
        result = self.run_case()
        self.assertIn("no --engine stop", result["refused"]["pyflame-stop"])
        self.assertEqual(set(result["programs"]), {"tokenize", "copy"})
        modes = result["programs"]["copy"]["modes"]
        self.assertEqual((modes["pyflame"]["distance"], modes["pyflame-read"]["distance"]), (0, 100))
        self.assertAlmostEqual(modes["pyflame"]["missed"], 0.1)
        self.assertAlmostEqual(modes["pyflame"]["dropped"], 0.05)
        for program in result["programs"].values():
            program["waited"] = 0
        met = {goal["goal"].partition(":")[0]: goal["met"] for goal in goals.judge([result])}
        self.assertEqual(met, {"pyflame": "met", "pyflame-read": "NOT MET", "pyflame-kernel": "-"})
        with contextlib.redirect_stdout(io.StringIO()) as out:
            program_report.print_case(result)
        self.assertRegex(out.getvalue(), r"copy +1 +0% +0\.0 +0\.0 +100\.0\*")
        result["programs"]["copy"]["waited"] = 0.2
        self.assertIn("machine busy", [goal["met"] for goal in goals.judge([result])])
        self.assertRegex(out.getvalue(), r"beyond the goal +0 of 2 +2 of 2")

    def test_without_a_reference(self):
        result = self.run_case(("auto",))
        self.assertIn("nothing to compare with", result["failed"]["programs"])

    def test_another_reference(self):
        modes = self.run_case(reference="pyflame-read")["programs"]["copy"]["modes"]
        self.assertEqual({key: modes[key].get("distance") for key in ("pyflame", "pyflame-always")}, {"pyflame": 100, "pyflame-always": 100})
        self.assertNotIn("pyflame-read", modes)

    def test_not_for_this_version(self):
        program = programs.Program("late", "library", (((9, 0), ()),))
        self.assertIsNone(program.packages(THIS.version))


if __name__ == "__main__":
    unittest.main()
