"""A program that nobody made for a profiler, repeated for ever.

    python program.py KIND NAME [FOLDER | -ARGUMENT]...

KIND is `library` (../../tests/targets/library.py), `tasks` (of asyncio, tasks.py),
`packaged` (from PyPI, packaged.py) or `script`: then NAME is the file of a benchmark of
pyperformance, which gets the words after its folders as its arguments. FOLDERs are put
before the path on which modules are looked for. A unit of work is one repetition.
"""

import os
import sys

from pulse import PERIOD, clock, pulse, ready

HERE = os.path.dirname(os.path.abspath(__file__))


def forever(name, unit):
    """Repeats it, and says ten times a second how often it did."""
    unit()
    ready({"program": name})
    done = 0
    longest = 0.0
    last = due = clock()
    pulse(last, done, longest)
    while True:
        unit()
        done += 1
        now = clock()
        longest = max(longest, now - last)
        last = now
        if now >= due:
            pulse(now, done, longest)
            longest = 0.0
            due = now + PERIOD


def run_script(path, arguments):
    """Runs the file as the main module."""
    sys.argv = [path] + arguments
    sys.path.insert(0, os.path.dirname(path))
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", 0, True)
    module = type(sys)("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    exec(code, module.__dict__)


def main():
    # pyperf.py wants `forever` of the module that runs.
    sys.modules["program"] = sys.modules["__main__"]
    kind, name, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    folders = [word for word in rest if os.path.isdir(word)]
    arguments = [word for word in rest if word not in folders]
    sys.path[1:1] = folders
    if kind == "script":
        run_script(name, arguments)
    if kind == "library":
        sys.path.insert(1, os.path.join(HERE, "..", "..", "tests", "targets"))
    forever(name, __import__(kind).PROGRAMS[name]())


if __name__ == "__main__":
    main()
