"""Programs that nobody made for a profiler, and the packages that they need.

Which versions a program needs depends on the interpreter: it takes those of the newest
entry of NEEDS that is not newer than it, and is not for interpreters before the first.
"""

import os
from dataclasses import dataclass

from .truth import TARGETS

MARKUPSAFE = {(2, 7): "markupsafe==1.1.1", (3, 6): "markupsafe==2.0.1", (3, 8): "markupsafe==2.1.5"}
JINJA2 = {
    (2, 7): ("jinja2==2.11.3", MARKUPSAFE[2, 7]), (3, 6): ("jinja2==3.0.3", MARKUPSAFE[3, 6]),
    (3, 8): ("jinja2==3.1.6", MARKUPSAFE[3, 8]),
}
NEEDS = {
    "pygments": {(2, 7): ("pygments==2.5.2",), (3, 6): ("pygments==2.14.0",), (3, 8): ("pygments==2.19.2",)},
    "jinja2": JINJA2,
    "jinja2-compiler": JINJA2,
    "mako": {
        (2, 7): ("mako==1.1.6", MARKUPSAFE[2, 7]), (3, 6): ("mako==1.1.6", MARKUPSAFE[3, 6]),
        (3, 8): ("mako==1.3.10", MARKUPSAFE[3, 8]),
    },
    "markdown-it-py": {
        (3, 6): ("markdown-it-py==1.1.0", "attrs==22.2.0", "typing-extensions==4.1.1"),
        (3, 8): ("markdown-it-py==3.0.0", "mdurl==0.1.2"),
    },
    "html5lib": {(2, 7): ("html5lib==1.1", "six==1.17.0", "webencodings==0.5.1")},
    "sqlalchemy": {
        (2, 7): ("sqlalchemy==1.3.23",),
        (3, 6): ("sqlalchemy==1.4.54", "importlib-metadata==4.8.3", "zipp==3.6.0", "typing-extensions==4.1.1"),
        (3, 8): ("sqlalchemy==2.0.44", "typing-extensions==4.13.2"),
        (3, 9): ("sqlalchemy==2.0.44", "typing-extensions==4.15.0"),
    },
    "django": {
        (2, 7): ("django==1.11.29", "pytz==2025.2"),
        (3, 6): ("django==3.2.25", "asgiref==3.4.1", "sqlparse==0.4.4", "pytz==2025.2", "typing-extensions==4.1.1"),
        (3, 10): ("django==5.2.19", "asgiref==3.8.1", "sqlparse==0.5.3", "typing-extensions==4.15.0"),
    },
}
PYPERFORMANCE = {(2, 7): ("pyperformance==0.9.1", "six==1.17.0"), (3, 6): ("pyperformance==1.0.9",)}
FROM_3_6 = {(3, 6): ("pyperformance==1.0.9",)}
FROM_3_7 = {(3, 7): ("pyperformance==1.0.9",)}

NOTHING = {(2, 7): ()}
LIBRARY = ("tokenize", "decimal", "difflib", "pickle", "json", "logging", "comprehensions", "copy")
TASKS = {"tree": {(3, 6): ()}, "queue": {(3, 6): ()}}
BENCHMARKS = {
    "richards": (PYPERFORMANCE,),
    "deltablue": (PYPERFORMANCE,),
    "raytrace": (PYPERFORMANCE, "--width=40", "--height=40"),
    "chaos": (PYPERFORMANCE, "--iterations=1000", "--width=64", "--height=64"),
    "go": (PYPERFORMANCE,),
    "hexiom": (PYPERFORMANCE,),
    "nqueens": (PYPERFORMANCE,),
    "float": (PYPERFORMANCE,),
    "scimark": (PYPERFORMANCE, "sor"),
    "spectral_norm": (PYPERFORMANCE,),
    "regex_compile": (PYPERFORMANCE,),
    "pprint": (FROM_3_6,),
    "coroutines": (FROM_3_6,),
    "generators": (FROM_3_7,),
    "deepcopy": (FROM_3_7,),
    "comprehensions": (FROM_3_7,),
}


@dataclass(frozen=True)
class Program:
    name: str
    kind: str  # see ../targets/program.py
    needs: tuple  # ((first version, packages), ...), oldest first
    words: tuple = ()  # arguments of a script

    def packages(self, version):
        """What it needs under that version; None if it is not for it."""
        fitting = [packages for first, packages in self.needs if first <= version]
        return fitting[-1] if fitting else None

    def arguments(self, version, folder_of):
        """The words for program.py, where `folder_of` tells where a package lies."""
        folders = [folder_of(package) for package in self.packages(version)]
        target = self.name.partition(":")[2] or self.name
        if self.kind == "script":
            base = folders.pop(0)
            target = next(path for path in (
                os.path.join(base, "pyperformance", "data-files", "benchmarks", "bm_" + target, "run_benchmark.py"),
                os.path.join(base, "pyperformance", "benchmarks", "bm_%s.py" % target)) if os.path.exists(path))
        return [self.kind, target] + folders + list(self.words)


def all_programs():
    found = [Program(name, "library", tuple(NOTHING.items())) for name in LIBRARY]
    found += [Program("asyncio:" + name, "tasks", tuple(needs.items())) for name, needs in TASKS.items()]
    found += [Program(name, "packaged", tuple(needs.items())) for name, needs in NEEDS.items()]
    found += [
        Program("pyperformance:" + name, "script", tuple(needs.items()), tuple(words))
        for name, (needs, *words) in BENCHMARKS.items()
    ]
    return found


SCRIPT = os.path.join(TARGETS, "program.py")
