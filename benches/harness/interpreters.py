"""The interpreters that `make interpreters` has put together."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Interpreter:
    label: str  # version and origin, as in 3.11-static
    path: str
    release: str  # as in 3.11.10

    @property
    def version(self):
        """(3, 11)"""
        return tuple(int(part) for part in self.release.split(".")[:2])

    @property
    def abi(self):
        """3.11"""
        return "%d.%d" % self.version


def folder():
    """Where they are: PYFLAME_INTERPRETERS, or pyflame/interpreters in the cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("PYFLAME_INTERPRETERS") or os.path.join(cache, "pyflame", "interpreters")


def load():
    """Those that work and that a profiler is made for: neither free-threaded builds
    nor debug builds."""
    path = os.path.join(folder(), "interpreters.tsv")
    try:
        with open(path, encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
    except FileNotFoundError:
        raise SystemExit("no list of interpreters at %s: run `make interpreters`" % path)
    found = []
    for row in rows:
        if len(row) == 7 and row[6] == "ok" and os.path.exists(row[1]):
            if "t-" not in row[0] and not row[0].endswith("-dbg"):
                found.append(Interpreter(row[0], row[1], row[5]))
    return found


def one_for_each(found):
    """One for each release line, the distribution's own or the static build before
    a shared one, because most are used so."""
    rank = {"sid": 0, "trixie": 0, "system": 0, "static": 1}
    chosen = {}
    for interpreter in found:
        key = rank.get(interpreter.label.split("-")[-1], 2)
        if interpreter.version not in chosen or key < chosen[interpreter.version][0]:
            chosen[interpreter.version] = (key, interpreter)
    return [chosen[version][1] for version in sorted(chosen)]
