"""What every target of the live tests shares: its own truth, told over a pipe.

A scenario builds a stack and calls `checkpoint()`, which writes the stack of
every thread to standard output, as the interpreter itself sees it, and then
waits for a byte on standard input: `a` asks for the truth again, anything else
lets the scenario go on. The truth is taken and written and the wait is done on
one source line, without a Python function in between, so that what is told is
what a profiler finds from the moment it is told.

One truth, line by line; texts are hexadecimal, because a file or function name
can be any bytes (`-` is the empty text):

    truth PID
    thread IDENT [gil]
    frame LINE FILE FUNCTION        innermost first, for the thread above
    end

This file runs unchanged under CPython 2.7 and 3.4 to 3.15.
"""

import os
import sys

try:
    from _thread import get_ident
except ImportError:
    from thread import get_ident

SCENARIOS = []  # (name, function, warm), in the order of their definition

_armed = True  # whether checkpoint() stops
_elsewhere = {}  # ident: truth of stacks that this interpreter cannot see


def scenario(name, warm=True):
    """Registers a scenario. A warm one is run again after 40 runs without
    stopping, when the interpreter has specialised its code."""

    def register(function):
        SCENARIOS.append((name, function, warm))
        return function

    return register


def checkpoint(*ignored):
    """Tells the truth and waits. Takes and ignores any arguments, so that it
    can be anybody's callback."""
    if _armed:
        while os.write(1, truth(sys._getframe())) and os.read(0, 1) == b"a": pass  # on one line


def truth(frame, holds_gil=False):
    """The stacks of all threads; `frame` is the caller's own."""
    stacks = sys._current_frames()
    for ident in _elsewhere:
        stacks.pop(ident, None)
    stacks[get_ident()] = frame
    text = "".join(
        stack_of(ident, top, holds_gil and ident == get_ident())
        for ident, top in stacks.items()
    )
    text = "truth %d\n%s%send\n" % (os.getpid(), "".join(_elsewhere.values()), text)
    return text.encode("ascii")


def stack_of(ident, frame, holds_gil=False):
    """One thread's part of the truth."""
    lines = ["thread %d%s\n" % (ident, " gil" if holds_gil else "")]
    while frame is not None:
        code = frame.f_code
        # A frame on an instruction without a line has no f_lineno.
        names = (frame.f_lineno or 0, hexed(code.co_filename), hexed(code.co_name))
        lines.append("frame %d %s %s\n" % names)
        frame = frame.f_back
    return "".join(lines)


def elsewhere(texts):
    """From now on the truth about these threads is as given: a dict of texts
    by thread. Other interpreters are not always seen, and where they are, one
    thread in two interpreters is seen only once."""
    _elsewhere.clear()
    _elsewhere.update(texts)


def hexed(text):
    """Hexadecimal of 2.7's bytes as they are, of 3.x's text as UTF-8 in which
    lone surrogates are encoded like any other code point."""
    if not isinstance(text, bytes):
        text = text.encode("utf-8", "surrogatepass")
    return "".join("%02x" % byte for byte in bytearray(text)) or "-"


def send(text):
    """Writes a line to standard output."""
    os.write(1, text.encode("ascii") + b"\n")


def read_line():
    """The next line from standard input, without its end; empty at the end."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return ""
        line += byte
    return line.decode("ascii").strip()


def serve():
    """Tells which scenarios there are, then runs those that are asked for."""
    global _armed
    version = "%d.%d.%d" % tuple(sys.version_info[:3])
    send("ready %d %s %s" % (os.getpid(), version, " ".join(s[0] for s in SCENARIOS)))
    functions = dict((name, (function, warm)) for name, function, warm in SCENARIOS)
    name = read_line()
    while name:
        function, warm = functions[name]
        function()
        if warm:
            _armed = False
            for _ in range(40):
                function()
            _armed = True
            function()
        send("done")
        name = read_line()
