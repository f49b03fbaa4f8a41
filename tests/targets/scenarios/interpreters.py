"""Interpreters made by the standard library's own module, 3.8 and later; since
3.12 each has a GIL of its own."""

import os
import sys
import threading

import truth
from truth import checkpoint, scenario

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

CODE = """
import os, sys
sys.path[:] = %r
import truth
def inner(n):
    if n:
        return inner(n - 1)
    os.write(%d, truth.stack_of(truth.get_ident(), sys._getframe()).encode() + b"end"), os.read(%d, 1)
inner(%d)
"""


@scenario("interpreters", warm=False)
def interpreters_in_threads():
    """Three interpreters beside the first, each in a thread of its own."""
    go_read, go_write = os.pipe()
    truth_read, truth_write = os.pipe()
    inner = {}

    def body(n):
        made = interpreters.create()
        code = CODE % (sys.path, truth_write, go_read, n)
        interpreters.run_string(made, code)
        interpreters.destroy(made)

    started = []
    for n in range(3):
        thread = threading.Thread(target=body, args=(n,))
        thread.start()
        started.append(thread)
        text = b""
        while not text.endswith(b"end"):
            text += os.read(truth_read, 65536)
        inner[thread.ident] = text[:-3].decode()
    truth.elsewhere(inner)
    checkpoint()
    truth.elsewhere({})
    for thread in started:
        os.write(go_write, b"x")
    for thread in started:
        thread.join()
    for fd in go_read, go_write, truth_read, truth_write:
        os.close(fd)
