"""Whether a stack can have existed in a target.

A stack is a tuple of frames, outermost first; a frame is (file, function, line) with
the bare file name and line 0 where the tool gives none. Two levels are told apart:
wrong functions, where what the stack says about who called whom cannot be, and
wrong lines, where only a line cannot be: outside its function, or, in a caller, a
line from which the callee is not called.
"""

import collections
from dataclasses import dataclass, field

GOOD, BAD_FUNCTIONS, BAD_LINES = "good", "functions", "lines"


@dataclass(frozen=True)
class Verdict:
    """The judgement on one stack, with the reason if it is bad."""

    level: str
    reason: str = ""
    at: int = -1  # index of the frame


def judge(stack, truth):
    """The verdict on one stack; wrong functions outweigh wrong lines."""
    if not stack:
        return Verdict(BAD_FUNCTIONS, "empty stack", 0)
    functions = []
    for index, (file, name, _) in enumerate(stack):
        function = truth.function(file, name)
        if function is None:
            return Verdict(BAD_FUNCTIONS, "no such function", index)
        functions.append(function)
    if (functions[0].file, functions[0].name) not in truth.roots:
        return Verdict(BAD_FUNCTIONS, "no stack begins here", 0)
    for index, callee in enumerate(functions[1:], 1):
        if not functions[index - 1].calls_somewhere(callee):
            return Verdict(BAD_FUNCTIONS, "cannot be called by the one before", index)
    return judge_lines(stack, functions)


def judge_lines(stack, functions):
    """The verdict on the lines of a stack whose functions are in order. The innermost
    frame can be on any line of its function, or on none; a module also begins on
    line 0."""
    for index, (function, (_, name, line)) in enumerate(zip(functions, stack)):
        innermost = index + 1 == len(stack)
        if innermost and line == 0:
            continue
        if not function.first <= line <= function.last:
            return Verdict(BAD_LINES, "line outside the function", index)
        if not innermost and not function.calls_on(line, functions[index + 1]):
            return Verdict(BAD_LINES, "the next one is not called from this line", index)
    return Verdict(GOOD)


@dataclass
class Account:
    """How the samples of a profile were judged."""

    judged: int = 0
    functions: int = 0
    lines: int = 0
    reasons: collections.Counter = field(default_factory=collections.Counter)
    examples: list = field(default_factory=list)  # (reason, count, stack as text)

    @property
    def bad(self):
        return self.functions + self.lines


def judge_profile(stacks, truth, examples=5):
    """Judges {stack: count}."""
    account = Account()
    for stack, count in stacks.items():
        account.judged += count
        verdict = judge(stack, truth)
        if verdict.level == GOOD:
            continue
        if verdict.level == BAD_FUNCTIONS:
            account.functions += count
        else:
            account.lines += count
        account.reasons[verdict.reason] += count
        account.examples.append((verdict.reason, count, text_of(stack, verdict.at)))
    account.examples = sorted(account.examples, key=lambda example: -example[1])[:examples]
    return account


def text_of(stack, at):
    """A stack as text, the frame in question marked."""
    frames = ["%s:%s:%d" % frame for frame in stack]
    if 0 <= at < len(frames):
        frames[at] = ">>" + frames[at] + "<<"
    return ";".join(frames)
