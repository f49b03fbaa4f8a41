"""What a target can do: its functions, their lines, and who can call whom where.

It is read from the target's sources, which keep to a plain style for that purpose
(../targets/pulse.py): functions at module level, one call on a line. What the text
of a line does not show, a comment `#> NAME` at its end says; the name can be a
pattern, and FILE:NAME. Programs that a target
makes while it runs belong to a family: a pattern of file names with the rule that
writes their sources.
"""

import ast
import fnmatch
import functools
import os
import sys
from dataclasses import dataclass

TARGETS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "targets")
MARK = "#>"
HIDDEN_FRAMES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.AsyncFunctionDef)


class BadSource(Exception):
    """A target's source is not in the style that can be read here."""


@dataclass(frozen=True)
class Function:
    """One code object: a function, or the <module> of a file."""

    file: str
    name: str
    first: int
    last: int
    # line: patterns of names of functions of this file or of any static file, or
    # of FILE:NAME
    calls: dict

    def calls_somewhere(self, callee):
        return any(names(entry, self, callee) for line in self.calls.values() for entry in line)

    def calls_on(self, line, callee):
        return any(names(entry, self, callee) for entry in self.calls.get(line, ()))


def names(entry, caller, callee):
    """Whether the entry of a line of `caller` means `callee`."""
    file, colon, name = entry.rpartition(":")
    if not fnmatch.fnmatchcase(callee.name, name):
        return False
    if colon:
        return fnmatch.fnmatchcase(callee.file, file)
    return callee.file == caller.file or callee.name != "<module>"


class Truth:
    """All that a target can do. `roots` are (file, name) of frames that begin stacks."""

    def __init__(self, roots):
        self.roots = frozenset(roots)
        self.functions = {}
        self.families = []
        self.family_member = functools.lru_cache(maxsize=5000)(self._family_member)

    def add_source(self, file, text):
        """Adds a file that is there from the beginning."""
        for function in functions_of(file, text):
            self.functions[function.file, function.name] = function
        return self

    def add_family(self, pattern, source):
        """Adds files that come and go: `source(file)` is the text, or None if there
        can be no such file."""
        self.families.append((pattern, source))
        return self

    def function(self, file, name):
        """The function, or None if there can be none of that name in that file."""
        found = self.functions.get((file, name))
        return found or self.family_member(file).get(name)

    def _family_member(self, file):
        for pattern, source in self.families:
            if fnmatch.fnmatchcase(file, pattern):
                text = source(file)
                if text is not None:
                    return {function.name: function for function in functions_of(file, text)}
        return {}


def functions_of(file, text):
    """The code objects of a source file."""
    tree = ast.parse(text)
    marks = marks_of(text)
    bodies = {"<module>": (1, len(text.splitlines()), [])}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            if node.name in bodies:
                raise BadSource("%s:%d: a second %s" % (file, node.lineno, node.name))
            bodies[node.name] = (node.lineno, node.end_lineno, node.body)
        else:
            bodies["<module>"][2].append(node)
    return [
        Function(file, name, first, last, calls_of(file, first if name != "<module>" else 0, last, body, marks))
        for name, (first, last, body) in bodies.items()
    ]


def calls_of(file, first, last, body, marks):
    """The calls that the statements of one body make: {line: set of names}."""
    calls = {}
    lines = set()
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, HIDDEN_FRAMES) or (first and isinstance(node, (ast.FunctionDef, ast.ClassDef))):
            raise BadSource("%s:%d: a code object within a function" % (file, node.lineno))
        if hasattr(node, "lineno"):
            lines.update((node.lineno, node.end_lineno))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.end_lineno != node.lineno:
                raise BadSource("%s:%d: a call on several lines" % (file, node.lineno))
            calls.setdefault(node.lineno, set()).add(node.func.id)
    for line in lines & set(marks):
        calls.setdefault(line, set()).update(marks[line])
    return calls


def marks_of(text):
    """{line: names} of the `#> NAME NAME` comments."""
    return {
        number: line.split(MARK)[1].split()
        for number, line in enumerate(text.splitlines(), 1)
        if MARK in line
    }


def read_target(name):
    with open(os.path.join(TARGETS, name), encoding="ascii") as file:
        return file.read()


def generated():
    """The module with the rules of generated sources."""
    if TARGETS not in sys.path:
        sys.path.append(TARGETS)
    import generated as module

    return module


def of_target(script, depth=None, delegate=True):
    """The truth about a target of this folder. `depth` is steady.py's; `delegate`
    says whether the interpreter has `yield from`."""
    rules = generated()
    truth = Truth([(script, "<module>")])
    for file in (script, "pulse.py", "generated.py"):
        truth.add_source(file, read_target(file))
    if script == "steady.py":
        truth.add_source("chain.py", rules.chain_source(depth - 4))
        truth.roots |= {(script, "wait")}
    if script == "hostile.py":
        truth.add_source("dives.py", rules.dives_source())
        truth.add_source("trees.py", rules.trees_source())
        truth.add_source("generators.py", rules.generators_source(delegate))
        truth.add_family("fresh-*", fresh)
        truth.roots |= {(script, "brief")}
    return truth


def fresh(file):
    """The source of a fresh program, from its file name."""
    number = file.partition("-")[2]
    return generated().fresh_source(int(number)) if number.isdigit() else None
