"""Line tables, and what the interpreter itself says about them, for tests/house/lines.rs.

Runs under every interpreter from 2.7 on. Compiles the standard library of the
interpreter that runs it and the sources below, and writes one record per code
object to stdout. It also runs a program and records where its live frames stand.

The stream consists of 32-bit integers in native order and of line tables:

    header  MAGIC, sys.hexversion, 1 if PyCode_Addr2Line could be asked else 0
    record  origin, co_firstlineno, bytes of code, bytes of table,
            number of ranges, number of points,
            the table, the ranges (start, end, line), the points (offset, line)
    end     END, files compiled, files that do not compile, records

Ranges cover the whole bytecode and come from co_lines (3.10 on) or, before, from
PyCode_Addr2Line at every offset: dis.findlinestarts is no witness, that of 3.5 reads
the unsigned steps of its table as signed. Points are single offsets, and come from
PyCode_Addr2Line or from frames and tracebacks. The C function is called through
ctypes, which some debug builds from 3.10 on cannot load; then there are no points
from it.

A line of -1 is none.
"""
import ast
import gc
import io
import itertools
import os
import struct
import sys

MAGIC = 0x4C494E45
STDLIB, GENERATED, LIVE, END = range(4)
NO_LINE = -1

VERSION = sys.version_info[:2]
UNIT = 2 if VERSION >= (3, 6) else 1
OUT = io.open(sys.stdout.fileno(), "wb", 2 ** 20)


def write(numbers):
    OUT.write(struct.pack("=%di" % len(numbers), *numbers))


def table_of(code):
    return code.co_linetable if VERSION >= (3, 10) else code.co_lnotab


def load_addr2line():
    """PyCode_Addr2Line of this interpreter, or None where ctypes does not work."""
    # A debug build can crash in ctypes, if that was built for the release build only.
    # Let another process find that out.
    command = [sys.executable, "-E", "-S", "-c", "import ctypes"]
    debug_build = hasattr(sys, "gettotalrefcount")
    if debug_build and os.spawnv(os.P_WAIT, sys.executable, command) != 0:
        return None
    import ctypes

    addr2line = ctypes.pythonapi.PyCode_Addr2Line
    addr2line.argtypes = [ctypes.py_object, ctypes.c_int]
    addr2line.restype = ctypes.c_int
    return addr2line


class Writer(object):
    def __init__(self, addr2line):
        self.addr2line = addr2line
        self.records = 0

    def write(self, origin, code, ranges, points):
        table = table_of(code)
        size = len(code.co_code)
        write((origin, code.co_firstlineno, size, len(table), len(ranges) // 3, len(points) // 2))
        OUT.write(table)
        write(ranges)
        write(points)
        self.records += 1

    def write_tree(self, origin, code):
        """Writes `code` and all the code objects nested in it."""
        ranges = self.ranges_of(code)
        self.write(origin, code, ranges, self.points_of(origin, code, ranges))
        for constant in code.co_consts:
            if isinstance(constant, type(code)):
                self.write_tree(origin, constant)

    def ranges_of(self, code):
        """The line of every stretch of the bytecode: start, end, line, start, ..."""
        ranges = []
        for start, end, line in self.lines_of(code):
            # co_lines of 3.11 tells the same line several times over.
            if ranges and ranges[-1] == line and ranges[-2] == start:
                ranges[-2] = end
            else:
                ranges += (start, end, line)
        return ranges

    def lines_of(self, code):
        if VERSION >= (3, 10):
            for start, end, line in code.co_lines():
                yield start, end, NO_LINE if line is None else line
        else:
            offsets = range(0, len(code.co_code), UNIT)
            lines = [self.addr2line(code, offset) for offset in offsets]
            start = 0
            for line, equal in itertools.groupby(lines):
                end = start + len(list(equal)) * UNIT
                yield start, end, line
                start = end

    def points_of(self, origin, code, ranges):
        """What PyCode_Addr2Line says: offset, line, offset, ...

        Asks at -1 and at every offset. In the standard library, which is large, asks
        at the ends of the ranges of every eighth code object."""
        if self.addr2line is None:
            return []
        offsets = [-1]
        if origin == GENERATED:
            offsets += range(len(code.co_code))
        elif self.records % 8 == 0:
            for start, end, _ in zip(*[iter(ranges)] * 3):
                offsets += (start, end - UNIT)
        points = []
        for offset in offsets:
            points += (offset, self.addr2line(code, offset))
        return points


def standard_library():
    """Every source file that belongs to the interpreter, sorted."""
    for folder, folders, files in os.walk(os.path.dirname(os.__file__)):
        folders[:] = sorted(set(folders) - set(["site-packages", "dist-packages"]))
        for name in sorted(files):
            path = os.path.join(folder, name)
            # Debian links some files to configuration that may be missing.
            if name.endswith(".py") and os.path.isfile(path):
                yield path


def write_standard_library(writer):
    compiled = failed = 0
    for path in standard_library():
        with open(path, "rb") as source:
            text = source.read()
        try:
            code = compile(text, path, "exec", 0, True)
        except Exception:
            # The tests of the compiler hold files that are wrong on purpose.
            failed += 1
            continue
        compiled += 1
        writer.write_tree(STDLIB, code)
    return compiled, failed


# What the standard library has little or nothing of: (first version, source).
SOURCES = [
    ((2, 7), ""),
    ((2, 7), "pass"),
    ((2, 7), "'docstring'"),
    ((2, 7), "x = 1\n" + "\n" * 300 + "y = 2\n" + "\n" * 70000 + "z = 3"),
    # More than 255 bytes of bytecode on a line, then more than 255 lines on.
    ((2, 7), "x = " + "+".join(["a"] * 400) + "\n" * 1000 + "y = b"),
    # Arguments hundreds of lines below the call, and back.
    ((2, 7), "f(" + ",\n".join("a%d" % i for i in range(200)) + "\n" * 600 + ")(b,\n\nc)(d)"),
    ((2, 7), "def f(x):\n while x:\n" + "  x = g(x)\n" * 400 + " return x"),
    ((2, 7), "def f(x):\n for y in (a,\n" + "\n" * 130 + " b):\n  x(\n\n\n y)\n return x"),
    ((2, 7), "\n\nclass A(object):\n  class B(\n\n A): pass\n\n  x = [i\n for i in\n y\n if\n i]\n"),
    ((2, 7), "f = lambda x: (lambda y:\n\n y +\n x)(\n x)\n"),
    ((2, 7), "@a(\n1,\n2)\n@b\n\ndef f(x=\n3, *y): 'doc'\n\n\n@c\nclass C: x = 1\n"),
    ((2, 7), "def f():\n try:\n  a()\n except (B,\n C) as e:\n  return (e\n )\n else:\n  d\n finally:\n  x\n"),
    ((2, 7), "def f():\n with a(\n) as b, \\\n c as d:\n  if b: return d\n  e\n while 1:\n  if x: break\n else: y\n"),
    ((2, 7), "if x: pass\nelif y:\n  z\nx = (a\n if b\n else c) and (\n d or\n e)\nassert x, (\n y\n)\n"),
    ((2, 7), "x = {a:\n b,\n c:\n d}\nx[a\n][b:\n c] = (d,\n e)\ndel x[\n a\n], b\nx.y\\\n.z(a).\\\n y(b)\n"),
    ((3, 5), "async def f():\n async with a(\n) as b:\n  await c(\n d)\n async for x in \\\n y:\n  await x\n"),
    ((3, 6), "f'''{\na}\n\n{b!r:{c}}'''\n"),
    ((3, 8), "while (x := f(\ny)):\n print((z := x\n))\n"),
    ((3, 10), "match x:\n case {'a': [1,\n b, *c]} if (\n d): e\n case A(b=\n 1) | 2: f\n case _:\n  pass\n"),
    ((3, 11), "try:\n a\nexcept* (B,\n C) as d:\n e\nfinally:\n f\n"),
    ((3, 12), "f'{a}{\nb!r:{c}}'\ntype A[\nT] = list[\nT]\ndef f[T: (int,\n str)](\nx: T) -> T: return x\nclass B[*T]: pass\n"),
    ((3, 14), "t'{a}{\nb!r:{c}}'\ndef f(x: A[\nB]): pass\n"),
]
GREATEST_SHIFT = 2 * 10 ** 9


def write_generated(writer):
    for first_version, source in SOURCES:
        if VERSION < first_version:
            continue
        # Far down a file of a million lines, and inside a function.
        inner = "def g():\n " + (source or "pass").replace("\n", "\n ")
        for text in source, "\n" * 10 ** 6 + source, "\n" * 1000 + inner:
            writer.write_tree(GENERATED, compile(text + "\n", "<generated>", "exec", 0, True))
        if VERSION >= (3, 11):
            # Only the location table takes such a step without a table of megabytes.
            tree = ast.increment_lineno(ast.parse(source), GREATEST_SHIFT)
            writer.write_tree(GENERATED, compile(tree, "<generated>", "exec", 0, True))
            # As under -X no_debug_ranges: entries without columns.
            for node in ast.walk(tree):
                node.col_offset = node.end_col_offset = -1
            writer.write_tree(GENERATED, compile(tree, "<generated>", "exec", 0, True))


# Frames call here() from all kinds of code; the indentation and the line breaks are
# part of the test.
PROGRAM = "\n" * 70000 + """
class Body(object):
    here()
    method = (lambda self, x:
        here(
            x))
    names = [here() for x in
        (1,
         2)]

def decorator(x):
    here()
    return lambda f: (
        f)

@decorator(
    here())
def recurse(depth):
    if depth:
        return (recurse(
            depth - 1),

            here())
    Body().method(
        here(),
    )

def generator():
    here()
    try:
        yield here()
        yield (
            here())
    finally:
        here()

def raises():
    for x in (1,
              0):
        try:
            1 // x
        except ZeroDivisionError:
            here()
            raise
        finally:
            here()

recurse(5)
record_frame(generator().gi_frame)
for x in generator(): here()
one = generator()
next(one)
record_frame(one.gi_frame)
one.close()
try:
    raises(
    )
except ZeroDivisionError:
    record_traceback(sys.exc_info()[2])
sys.setprofile(profile)
recurse(3)
list(generator())
try: raises()
except ZeroDivisionError: pass
sys.setprofile(None)
"""


def write_live(writer):
    """Runs PROGRAM and writes the points where its frames were seen."""
    points = {}

    def record(code, offset, line):
        # By identity: equal code objects can have different tables.
        seen = points.setdefault(id(code), (code, set()))[1]
        seen.add((offset, NO_LINE if line is None else line))

    def record_frame(frame):
        while frame is not None:
            record(frame.f_code, frame.f_lasti, frame.f_lineno)
            frame = frame.f_back

    def record_traceback(traceback):
        while traceback is not None:
            record(traceback.tb_frame.f_code, traceback.tb_lasti, traceback.tb_lineno)
            traceback = traceback.tb_next

    namespace = {
        "sys": sys,
        "here": lambda *_: record_frame(sys._getframe(1)),
        "profile": lambda frame, event, argument: record_frame(frame),
        "record_frame": record_frame,
        "record_traceback": record_traceback,
    }
    exec(compile(PROGRAM, "<live>", "exec", 0, True), namespace)
    for code, seen in points.values():
        writer.write(LIVE, code, [], [number for point in sorted(seen) for number in point])


def main(arguments):
    # Code objects and syntax trees have no cycles.
    gc.disable()
    addr2line = load_addr2line()
    write((MAGIC, sys.hexversion, int(addr2line is not None)))
    writer = Writer(addr2line)
    write_generated(writer)
    write_live(writer)
    compiled = failed = 0
    if "--no-standard-library" not in arguments:
        compiled, failed = write_standard_library(writer)
    write((END, compiled, failed, writer.records))
    OUT.flush()


main(sys.argv[1:])
