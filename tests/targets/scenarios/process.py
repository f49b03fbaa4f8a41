"""Code that runs at odd times: import, finalizers, signals, fork, exit."""

import atexit
import gc
import os
import signal
import sys
import weakref

from truth import checkpoint, scenario, send


@scenario("import", warm=False)
def import_in_progress():
    for name in ("scenarios.blocking_import", "scenarios.blocking_package"):
        for module in [m for m in sys.modules if m.startswith(name)]:
            del sys.modules[module]
        __import__(name)


class Finalized(object):
    def __del__(self):
        checkpoint()


@scenario("finalizers")
def finalizers():
    finalized = Finalized()
    finalized = None
    [Finalized()][0:0]
    weak = Finalized()
    reference = weakref.ref(weak, checkpoint)
    del weak, reference


class Cyclic(object):
    """Has no finalizer of its own: 2.7 never frees cycles that have."""

    def __init__(self):
        self.me = self
        self.reference = Finalized()


@scenario("collected-cycle", warm=False)
def collected_cycle():
    gc.collect()
    Cyclic()
    gc.collect()


@scenario("signal-handler", warm=False)
def signal_handler():
    def handler(number, frame):
        checkpoint()

    def interrupted():
        os.kill(os.getpid(), signal.SIGUSR1)
        return [x for x in range(100)]

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        interrupted()
    finally:
        signal.signal(signal.SIGUSR1, before)


@scenario("forked-child", warm=False)
def forked_child():
    pid = os.fork()
    if pid == 0:
        checkpoint()
        os._exit(0)
    os.waitpid(pid, 0)
    checkpoint()


class Last(object):
    def __del__(self):
        checkpoint()
        send("done")


@scenario("at-exit", warm=False)
def at_exit():
    """The last one: leaves the program, and stops twice while it ends."""

    def handler():
        checkpoint()
        # Among the first things that go when the interpreter is taken apart.
        sys.ps1 = Last()

    atexit.register(handler)
    sys.exit()
