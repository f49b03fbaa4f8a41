"""What is measured: targets, rates, interpreters and the profilers that are asked."""

from dataclasses import dataclass

KERNEL = "pyflame-kernel"  # as root, at rates that a timer has, and of the thread that holds the GIL
ALL = ("pyflame", "pyflame-read", "pyflame-always", KERNEL, "pyflame-stop", "py-spy", "py-spy-stop", "austin", "sampling", "sampling-stop")
DEFAULT_MODES = tuple(key for key in ALL if key not in ("pyflame-always", "pyflame-stop"))
OURS = ("pyflame", "pyflame-read")

SOME = ((2, 7), (3, 8), (3, 11), (3, 14), (3, 15))
OF_PROGRAMS = ((2, 7), (3, 6), (3, 8), (3, 11), (3, 13), (3, 15))
EVERY = ()  # of the list


@dataclass(frozen=True)
class Case:
    """A target, how it is sampled, and by whom."""

    name: str
    script: str
    arguments: tuple
    rate: int  # samples a second; 0 is as fast as possible
    threads: str = "one"  # see tools.Request
    stacks: int = 1  # of one tick
    tools: tuple = DEFAULT_MODES
    versions: tuple = SOME
    quick: tuple = ()  # versions that are part of --quick
    what: str = "run"  # or "dump", one look at a time, "calls", of the system, or "programs"
    depth: int = None
    until: int = 0  # samples: as many rounds as it takes

    def takes(self, key):
        """Whether a profiler is asked."""
        is_for_kernel = self.what in ("run", "programs") and self.rate > 0 and self.threads != "all"
        return key in self.tools and (key != KERNEL or is_for_kernel)


def steady(name, depth, leaf, rate, **more):
    threads = more.pop("count", 1)
    if threads > 1:
        more.update(threads="all", stacks=threads)
    return Case(name, "steady.py", (depth, leaf, threads), rate, depth=depth, **more)


def hostile(name, rate, **more):
    return Case(name, "hostile.py", (), rate, "running", **more)


def programs(rate, **more):
    name = "programs-100hz" if rate == 100 else "programs-%dkhz" % (rate // 1000)
    return Case(name, "", (), rate, tools=ALL, versions=OF_PROGRAMS, what="programs", **more)


CASES = [
    steady("fast-25-50us", 25, 50e-6, 0, versions=EVERY, quick=((3, 8), (3, 11), (3, 15))),
    steady("fast-25-2us", 25, 2e-6, 0, versions=EVERY, quick=((3, 11), (3, 15))),
    steady("fast-200-50us", 200, 50e-6, 0),
    steady("fast-200-2us", 200, 2e-6, 0),
    steady("1khz-25-50us", 25, 50e-6, 1000, versions=EVERY, quick=((3, 11),)),
    steady("1khz-25-2us", 25, 2e-6, 1000),
    steady("10khz-25-50us", 25, 50e-6, 10000, quick=((3, 11),)),
    steady("10khz-25-2us", 25, 2e-6, 10000),
    steady("10khz-200-50us", 200, 50e-6, 10000),
    steady("threads-33-1khz", 25, 50e-6, 1000, count=33, quick=((3, 11),)),
    hostile("hostile-1khz", 1000),
    hostile("hostile-10khz", 10000, versions=EVERY, quick=((3, 8), (3, 15))),
    hostile("hostile-fast", 0),
    hostile("hostile-million", 0, tools=OURS, until=1000000),
    Case("shares-1khz", "shares.py", (), 1000, tools=ALL, versions=EVERY, quick=((3, 11), (3, 15))),
    Case("shares-10khz", "shares.py", (), 10000, tools=ALL),
    programs(100),
    programs(1000, quick=((3, 11),)),
    programs(10000),
    steady("dump-25", 25, 50e-6, 0, what="dump", quick=((3, 15),)),
    steady("dump-200", 200, 50e-6, 0, what="dump"),
    Case("dump-33-threads", "steady.py", (25, 50e-6, 33), 0, "all", 33, what="dump", depth=25),
    steady("calls-1khz", 25, 50e-6, 1000, what="calls", tools=ALL),
    steady("calls-10khz", 25, 50e-6, 10000, what="calls", tools=ALL, quick=((3, 11),)),
]
