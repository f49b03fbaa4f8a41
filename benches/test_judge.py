"""Tests of the judge: it must pass what happens and fail what cannot.

    python3 -B -m unittest discover -s benches

What happens is told by the targets themselves, run under a hook
(targets/witness.py) by this Python and by every interpreter on the list, if there
is one. What cannot happen is made from that by damaging good stacks, each in one
way.
"""

import fnmatch
import os
import random
import subprocess
import sys
import unittest

from harness import interpreters, truth
from harness.judge import BAD_FUNCTIONS, BAD_LINES, GOOD, judge, judge_profile

WITNESS = os.path.join(truth.TARGETS, "witness.py")
STEADY_DEPTH = 25


def pythons():
    """{label: executable} of those to ask."""
    found = {"this": sys.executable}
    try:
        found.update((i.label, i.path) for i in interpreters.one_for_each(interpreters.load()))
    except SystemExit as words:
        print(words, "(asking only this Python)", file=sys.stderr)
    return found


def witness(python, *arguments):
    """(roots, calls, stacks) that happened."""
    command = [python, "-B", WITNESS] + [str(argument) for argument in arguments]
    text = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120).stdout.decode()
    lines = [line.split() for line in text.splitlines()]
    roots = {tuple(line[1:]) for line in lines if line[0] == "root"}
    calls = {tuple(line[1:]) for line in lines if line[0] == "call"}
    stacks = [
        tuple((line[i], line[i + 1], int(line[i + 2])) for i in range(1, len(line), 3))
        for line in lines if line[0] == "stack"
    ]
    return roots, calls, stacks


def line_of(file_text, fragment):
    """The number of the only line with that text."""
    numbers = [n for n, line in enumerate(file_text.splitlines(), 1) if fragment in line]
    assert len(numbers) == 1, (fragment, numbers)
    return numbers[0]


class WhatHappensPasses(unittest.TestCase):
    """On every interpreter, each call and each stack that happened is allowed."""

    def check(self, python, known, arguments):
        roots, calls, stacks = witness(python, *arguments)
        self.assertTrue(calls and stacks and roots)
        for caller_file, caller_name, line, file, name in calls:
            caller, callee = known.function(caller_file, caller_name), known.function(file, name)
            self.assertIsNotNone(caller, (caller_file, caller_name))
            self.assertIsNotNone(callee, (file, name))
            self.assertTrue(caller.calls_on(int(line), callee), (caller_file, caller_name, line, file, name))
            self.assertTrue(caller.first <= int(line) <= caller.last)
        # the witness calls these in place of main
        inner = truth.Truth(known.roots | {
            ("hostile.py", "storm"), ("chain.py", "level_000"), ("shares.py", "rounds")})
        inner.functions, inner.families = known.functions, known.families
        self.assertLessEqual(roots, inner.roots)
        for stack in stacks:
            verdict = judge(stack, inner)
            self.assertEqual(verdict.level, GOOD, (verdict, stack))

    def test_targets(self):
        for label, python in pythons().items():
            delegate = not label.startswith("2.7")
            for script, arguments in (
                ("hostile.py", ("hostile", 80)), ("steady.py", ("steady", STEADY_DEPTH)), ("shares.py", ("shares",)),
            ):
                with self.subTest(python=label, target=script):
                    self.check(python, truth.of_target(script, STEADY_DEPTH, delegate), arguments)


class Damaged(unittest.TestCase):
    """Good stacks of the hostile target, to be damaged."""

    @classmethod
    def setUpClass(cls):
        cls.truth = truth.of_target("hostile.py")
        text = truth.read_target("hostile.py")
        lines = text.splitlines()
        main = lines.index("def main():") + 1
        storm = next(n for n in range(main, len(lines)) if "storm(-1)" in lines[n]) + 1
        module = line_of(text, "    main()")
        cls.head = (("hostile.py", "<module>", module), ("hostile.py", "main", storm))
        _, _, stacks = witness(sys.executable, "hostile", 150)
        cls.stacks = [
            cls.head + stack if stack[0][1] == "storm" else stack
            for stack in stacks if stack[-1][0] != "pulse.py"
        ]
        cls.random = random.Random(7)

    def having(self, file, least):
        """Good stacks of at least that depth that end in that file."""
        found = [s for s in self.stacks if s[-1][0].startswith(file) and len(s) >= least]
        self.assertTrue(found, file)
        return found

    def assertLevel(self, stack, level):
        verdict = judge(stack, self.truth)
        self.assertEqual(verdict.level, level, (verdict, stack))


class WhatCannotHappenFails(Damaged):
    """Good stacks, damaged in one way each."""

    def test_good_ones_pass(self):
        for stack in self.stacks:
            self.assertLevel(stack, GOOD)

    def test_root_missing(self):
        for stack in self.stacks:
            if stack[0][1] == "<module>":
                self.assertLevel(stack[1:], BAD_FUNCTIONS)

    def test_empty(self):
        self.assertLevel((), BAD_FUNCTIONS)

    def test_frame_missing_in_the_middle(self):
        for stack in self.having("dives", 10) + self.having("trees", 8) + self.having("generators", 9):
            # not the outermost generator: there is a line that closes any of them
            index = self.random.randrange(6, len(stack) - 1)
            self.assertLevel(stack[:index] + stack[index + 1:], BAD_FUNCTIONS)

    def test_frames_exchanged(self):
        for stack in self.having("dives", 10) + self.having("trees", 8):
            index = self.random.randrange(6, len(stack) - 1)
            frames = list(stack)
            frames[index], frames[index + 1] = frames[index + 1], frames[index]
            self.assertLevel(tuple(frames), BAD_FUNCTIONS)

    def test_frame_twice(self):
        for stack in self.having("dives", 10):
            self.assertLevel(stack + stack[-1:], BAD_FUNCTIONS)

    def test_innermost_of_another_branch(self):
        """A leaf that died, under a caller that has gone on."""
        for stack in self.having("trees", 8):
            file, name, line = stack[-1]
            other = name[:-2] + ("1" if name[-2] == "0" else "0") + name[-1]
            sibling = self.truth.function(file, other)
            self.assertLevel(stack[:-1] + ((file, other, sibling.first),), BAD_FUNCTIONS)

    def test_head_of_one_and_tail_of_another(self):
        """Two moments glued together where one act calls another's functions."""
        for one in self.having("dives", 10)[:20]:
            for other in self.having("generators", 8)[:20]:
                self.assertLevel(one[:6] + other[6:], BAD_FUNCTIONS)

    def test_caller_on_a_line_that_does_not_call(self):
        for stack in self.having("trees", 8):
            file, name, line = stack[-2]
            for wrong in (self.truth.function(file, name).first, line + 1):
                if not self.truth.function(file, name).calls_on(wrong, self.truth.function(*stack[-1][:2])):
                    self.assertLevel(stack[:-2] + ((file, name, wrong),) + stack[-1:], BAD_LINES)

    def test_caller_on_the_line_of_the_other_callee(self):
        for stack in self.having("trees", 8):
            file, name, line = stack[-1]
            other = name[:-1] + ("1" if name[-1] == "0" else "0")
            sibling = self.truth.function(file, other)
            self.assertLevel(stack[:-1] + ((file, other, sibling.first),), BAD_LINES)

    def test_line_outside(self):
        for stack in self.stacks:
            file, name, _ = stack[-1]
            function = self.truth.function(file, name)
            for wrong in (function.last + 1, -1, 10 ** 6):
                self.assertLevel(stack[:-1] + ((file, name, wrong),), BAD_LINES)

    def test_line_before_function(self):
        for stack in self.having("dives", 10):
            file, name, _ = stack[-1]
            self.assertLevel(stack[:-1] + ((file, name, 0),), GOOD)
            first = self.truth.function(file, name).first
            if first > 1:
                self.assertLevel(stack[:-1] + ((file, name, first - 1),), BAD_LINES)

    def test_caller_without_line(self):
        for stack in self.having("dives", 10):
            file, name, _ = stack[-2]
            self.assertLevel(stack[:-2] + ((file, name, 0),) + stack[-1:], BAD_LINES)

    def test_unknown_names(self):
        for stack in self.stacks:
            file, name, line = stack[-1]
            for wrong in ((file, name + "x", line), ("other.py", name, line), (file, "", line), ("", name, line)):
                self.assertLevel(stack[:-1] + (wrong,), BAD_FUNCTIONS)

    def test_tail_missing_is_another_stack(self):
        """What can't be told: a stack cut at its end looks like an earlier moment."""
        for stack in self.having("dives", 10):
            self.assertLevel(stack[:-1], GOOD)


class FreshCode(Damaged):
    """Code objects that were freed and used again: pieces of two programs."""

    def pairs(self):
        stacks = [s for s in self.having("fresh-", 5) if s[-1][1] != "<module>"]
        self.assertGreater(len(stacks), 20)
        for stack in stacks[:30]:
            file, name, line = stack[-1]
            number = int(file.split("-")[1])
            yield stack, file, number

    def test_name_of_another(self):
        for stack, file, number in self.pairs():
            for other in (number + 20, number + 1):
                names = [f.name for f in truth.functions_of("x", truth.fresh("fresh-%d" % other))]
                for name in names:
                    if name != "<module>":
                        self.assertLevel(stack[:-1] + ((file, name, stack[-1][2]),), BAD_FUNCTIONS)

    def test_file_of_another(self):
        for stack, file, number in self.pairs():
            _, name, line = stack[-1]
            self.assertLevel(stack[:-1] + (("fresh-%d" % (number + 20), name, line),), BAD_FUNCTIONS)

    def test_whole_frame_of_another(self):
        for stack, file, number in self.pairs():
            other = "fresh-%d" % (number + 20)
            for function in truth.functions_of(other, truth.fresh(other)):
                self.assertLevel(stack[:-1] + ((other, function.name, function.first),), BAD_FUNCTIONS)

    def test_line_of_another(self):
        """First lines differ between neighbours, so a borrowed line table shows."""
        for stack, file, number in self.pairs():
            name, line = stack[-1][1:]
            shift = (number + 18) % 37 - number % 37
            self.assertLevel(stack[:-1] + ((file, name, line + shift),), BAD_LINES)

    def test_no_such_program(self):
        for name in ("fresh-", "fresh-x", "fresh--1", "fresh-1.5"):
            self.assertIsNone(self.truth.function(name, "<module>"))


class Steady(unittest.TestCase):
    def setUp(self):
        self.truth = truth.of_target("steady.py", STEADY_DEPTH)
        _, _, stacks = witness(sys.executable, "steady", STEADY_DEPTH)
        text = truth.read_target("steady.py")
        head = [("<module>", "    main(int"), ("main", "    level_000(n)")]
        head = tuple(("steady.py", name, line_of(text, line)) for name, line in head)
        self.stacks = [head + stack for stack in stacks]
        self.leaves = [s for s in self.stacks if len(s) == STEADY_DEPTH]

    def test_depth(self):
        self.assertEqual(len(self.leaves), 4)
        self.assertEqual(max(map(len, self.stacks)), STEADY_DEPTH)

    def test_every_missing_frame_shows(self):
        for stack in self.leaves:
            self.assertEqual(judge(stack, self.truth).level, GOOD)
            for index in range(len(stack) - 1):
                self.assertEqual(judge(stack[:index] + stack[index + 1:], self.truth).level, BAD_FUNCTIONS, index)

    def test_dead_leaf_shows_by_its_callers_line(self):
        lines = {stack[-2][2] for stack in self.leaves}
        for stack in self.leaves:
            for line in lines - {stack[-2][2]}:
                wrong = stack[:-2] + (("steady.py", "work", line),) + stack[-1:]
                self.assertEqual(judge(wrong, self.truth).level, BAD_LINES)

    def test_waiting_threads(self):
        wait = self.truth.function("steady.py", "wait")
        inner = ("steady.py", "wait", wait.last)
        outer = ("steady.py", "wait", wait.first + 2)
        self.assertEqual(judge((outer,) * 9 + (inner,), self.truth).level, GOOD)
        self.assertEqual(judge((outer, inner, inner), self.truth).level, BAD_LINES)


class Accounts(unittest.TestCase):
    def test_counts(self):
        known = truth.Truth([("a.py", "<module>")]).add_source("a.py", "def f():\n    pass\n\nf()\n")
        good = (("a.py", "<module>", 4), ("a.py", "f", 2))
        wrong_line = (("a.py", "<module>", 1), ("a.py", "f", 2))
        wrong_root = (("a.py", "f", 2),)
        account = judge_profile({good: 10, wrong_line: 3, wrong_root: 2}, known)
        self.assertEqual((account.judged, account.functions, account.lines, account.bad), (15, 2, 3, 5))
        self.assertEqual(sum(account.reasons.values()), 5)
        self.assertEqual(account.examples[0][1], 3)


class Sources(unittest.TestCase):
    """The style that can be read, and nothing else."""

    def test_marks_name_what_exists(self):
        for script in ("hostile.py", "steady.py", "shares.py"):
            known = truth.of_target(script, STEADY_DEPTH)
            there = {name for _, name in known.functions} | {"call_tiny"}
            for file in {file for file, _ in known.functions if file != "generated.py"}:
                path = os.path.join(truth.TARGETS, file)
                if os.path.exists(path):
                    tree = [f for f in truth.functions_of(file, truth.read_target(file))]
                    marks = truth.marks_of(truth.read_target(file))
                    for function in tree:
                        for line in set(function.calls) & set(marks):
                            for name in marks[line]:
                                self.assertTrue(fnmatch.filter(there, name.rpartition(":")[2]), name)

    def test_refused(self):
        for text in (
            "def f():\n    return [x for x in y]\n", "def f():\n    return lambda: 1\n",
            "def f():\n    def g():\n        pass\n", "def f():\n    return g(1,\n             2)\n",
            "def f():\n    pass\ndef f():\n    pass\n",
        ):
            with self.assertRaises(truth.BadSource, msg=text):
                truth.functions_of("a.py", text)


if __name__ == "__main__":
    unittest.main()
