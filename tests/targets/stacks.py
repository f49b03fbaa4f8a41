"""The target of the dump matrix: runs the scenarios that it is asked for.

    python stacks.py SHARED_LIBRARY

The library is the one made from native.c; `-` leaves out what needs ctypes,
asyncio or the interpreters module: in Debian's debug builds since 3.13, which
share these modules with the release builds, they crash.
"""

import sys

import truth
from scenarios import calls, classes, exceptions, generators, lines, names, process, threads, tracing

VERSION = tuple(sys.version_info[:2])

if sys.argv[1] != "-":
    from scenarios import native

    native.load(sys.argv[1])
    if VERSION >= (3, 5):
        from scenarios import event_loop
    if VERSION >= (3, 8):
        try:
            from scenarios import interpreters
        except ImportError:  # The test knows in which builds the module is broken.
            pass
if VERSION >= (3, 4):
    from scenarios import since_3_4
if VERSION >= (3, 5):
    from scenarios import since_3_5
if VERSION >= (3, 6):
    from scenarios import since_3_6
if VERSION >= (3, 8):
    from scenarios import since_3_8
if VERSION >= (3, 10):
    from scenarios import since_3_10
if VERSION >= (3, 11):
    from scenarios import since_3_11
if VERSION >= (3, 12):
    from scenarios import since_3_12
if VERSION >= (3, 14):
    from scenarios import since_3_14
if VERSION >= (3, 15):
    from scenarios import since_3_15

if __name__ == "__main__":
    truth.serve()
