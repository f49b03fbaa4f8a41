"""Python called by C: callbacks of ctypes, threads made by C, a thread that
keeps the GIL while it waits, and subinterpreters."""

import ctypes
import sys

import truth
from truth import checkpoint, scenario

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int)
COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

released = None  # the library of native.c, called without the GIL
held = None  # the same, called with the GIL


def load(path):
    global released, held
    released, held = ctypes.CDLL(path), ctypes.PyDLL(path)
    for library in released, held:
        library.call_back.argtypes = [CALLBACK, ctypes.c_int]
        library.in_new_thread.argtypes = [CALLBACK]
        library.sort_two.argtypes = [COMPARE]
        library.in_subinterpreter.argtypes = [ctypes.c_char_p]
        library.tell_and_wait.argtypes = [ctypes.c_char_p]


@CALLBACK
def stop():
    checkpoint()
    return 0


@scenario("ctypes-callback", warm=False)
def ctypes_callback():
    released.call_back(stop, 1)
    held.call_back(stop, 10)

    def compare(a, b):
        checkpoint()
        return 0

    released.sort_two(COMPARE(compare))


@scenario("ctypes-callbacks-nested", warm=False)
def ctypes_callbacks_nested():
    def nest(depth):
        if depth:
            return released.call_back(CALLBACK(lambda: nest(depth - 1) or 0), 1)
        return checkpoint()

    nest(5)


@scenario("thread-made-by-c", warm=False)
def thread_made_by_c():
    released.in_new_thread(stop)


def hold_gil():
    while held.tell_and_wait(truth.truth(sys._getframe(), holds_gil=True)) == ord("a"): pass  # on one line


@scenario("gil-held", warm=False)
def gil_held():
    def wait(depth):
        return wait(depth - 1) if depth else hold_gil()

    wait(3)


@scenario("gil-held-in-a-thread", warm=False)
def gil_held_in_a_thread():
    released.in_new_thread(CALLBACK(lambda: hold_gil() or 0))


CODE = """
import sys
sys.path[:] = %r
import truth
def inner(n):
    return inner(n - 1) if n else truth.checkpoint()
inner(3)
"""


@scenario("subinterpreter", warm=False)
def subinterpreter():
    def enter(depth):
        if depth:
            return enter(depth - 1)
        failed = held.in_subinterpreter((CODE % (sys.path,)).encode("ascii"))
        if failed:
            raise RuntimeError("the code of the subinterpreter failed")

    enter(3)
