# -*- coding: utf-8 -*-
"""File and function names of every kind of text."""

import sys
import types

from truth import checkpoint, scenario

PY2 = sys.version_info[0] == 2

# In 2.7 these are bytes; in 3.x text, which the interpreter keeps in 1, 2 or 4
# bytes per character, whatever the widest needs.
NAMES = [
    ("empty", ""),
    ("one", "x"),
    ("seven", "x" * 7),
    ("eight", "x" * 8),
    ("blank", "with blanks in it"),
    ("300", "abcdefghij" * 30),
    ("latin-1", "caf\u00e9_\u00ff"),
    ("latin-1, 300", "\u00e9" * 300),
    ("bmp", "\u0434\u043b\u0438\u043d\u0430_\u540d\u524d"),
    ("bmp, 300", "\u540d" * 300),
    ("astral", "\U0001d4ed\U0001f40d_x"),
    ("astral, 300", "\U0001f40d" * 300),
    ("ascii, then wide", "x" * 200 + "\U0001f40d"),
    ("combining", "e\u0301"),
    ("escaped bytes", "caf\udce9/\udcff\udc80.py"),
    ("escaped byte and wide", "\U0001f40d\udc80"),
    ("lone surrogates", "\ud800 \udbff \udc00 \udfff"),
    ("a pair, the wrong way", "\udc00\ud800"),
]
BYTES = [
    ("latin-1", b"caf\xe9_\xff"),
    ("half a character", b"\xe5\x90"),
    ("half a character inside", b"\xe5\x90/x\xf0\x9f\x90"),
    ("overlong", b"\xc0\xaf \xe0\x80\xaf"),
    ("surrogate", b"\xed\xa0\x80 \xed\xb2\x80"),
    ("beyond unicode", b"\xf4\x90\x80\x80"),
    ("every byte", bytes(bytearray(range(128, 256)))),
    ("300", b"\xff" * 300),
]
if PY2:
    # Such a literal is bytes here, in which \u means nothing.
    NAMES = [(what, eval('u"' + text.encode("string-escape").replace("\\\\", "\\") + '"')) for what, text in NAMES]
    NAMES = [(what, text.encode("utf-8")) for what, text in NAMES] + BYTES

FIELDS = (
    "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames "
    "filename name firstlineno lnotab freevars cellvars"
).split()


def renamed(function, name=None, filename=None):
    """A copy of a function whose code object has other names."""
    code = function.__code__
    new = dict(co_name=code.co_name if name is None else name)
    new["co_filename"] = code.co_filename if filename is None else filename
    if hasattr(code, "replace"):
        code = code.replace(**new)
    else:
        values = [new.get("co_" + f, getattr(code, "co_" + f, None)) for f in FIELDS]
        absent = ["posonlyargcount"] + (["kwonlyargcount"] if PY2 else [])
        code = types.CodeType(*[v for f, v in zip(FIELDS, values) if f not in absent])
    return types.FunctionType(code, function.__globals__, "f", None, function.__closure__)


def call(function):
    return function() if function else checkpoint()


@scenario("function-names", warm=False)
def function_names():
    for _, text in NAMES:
        renamed(lambda: checkpoint(), name=text)()


@scenario("file-names", warm=False)
def file_names():
    for _, text in NAMES:
        renamed(lambda: checkpoint(), filename=text)()
        exec(compile("checkpoint()", text, "exec"), {"checkpoint": checkpoint})


@scenario("long-file-names", warm=False)
def long_file_names():
    """Up to what a path can be."""
    for n in (255, 256, 1000, 4000):
        renamed(lambda: checkpoint(), filename="/" + "long/" * (n // 5) + "x.py")()


@scenario("names-together", warm=False)
def names_together():
    """All names in one stack."""

    def nest(rest):
        if not rest:
            return checkpoint()
        return renamed(lambda: nest(rest[1:]), name=rest[0][1], filename=rest[-1][1])()

    nest(NAMES)


@scenario("name-of-a-dead-function", warm=False)
def name_of_a_dead_function():
    """Code objects that follow each other at one address, under other names."""
    for i in range(20):
        exec(compile("def f%d():\n    checkpoint()\nf%d()" % (i, i), "<dead %d>" % i, "exec"), {"checkpoint": checkpoint})
