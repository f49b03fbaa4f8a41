"""One thread in two interpreters.

    nested.py LIBRARY HOW

In `outer`, it runs code in an interpreter that it makes. What it does there says HOW:
`busy` keeps busy in `inner`, `waits` waits in `inner`, and `back` returns to the first
interpreter, without leaving the second, and waits there in `again`. It writes `ready` and
ends when standard input closes. LIBRARY is that of native.c.
"""

import ctypes
import os
import select
import sys

held = ctypes.PyDLL(sys.argv[1])
held.in_subinterpreter.argtypes = [ctypes.c_char_p]

INNER = """
import os
import select
import sys

def busy():
    total = 0
    for i in range(1000):
        total += i * i

def inner(how):
    os.write(1, b"ready\\n")
    while how == "busy" and not select.select([0], [], [], 0)[0]:
        busy()
    os.read(0, 1)

def returning():
    import ctypes
    held = ctypes.PyDLL(%r)
    held.in_first_interpreter.argtypes = [ctypes.c_char_p]
    held.in_first_interpreter(b"again()")

sys.path[:] = %r
how = %r
returning() if how == "back" else inner(how)
"""


def again():
    os.write(1, b"ready\n")
    os.read(0, 1)


def outer():
    held.in_subinterpreter((INNER % (sys.argv[1], sys.path, sys.argv[2])).encode("ascii"))


outer()
