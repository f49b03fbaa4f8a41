"""Makes inputs to begin with: of real interpreters, their objects, files and processes.

    python3 seeds.py CORPUS INTERPRETERS

A seed is called seed-NUMBER and lies in the folder of its target. Interpreters that are not there
are left out.
"""

import glob
import os
import struct
import subprocess
import sys

START = 0x10000

# Runs in an interpreter: prints objects of it, each as a name and hexadecimal digits. CPython
# says how large an object is, and `id` where.
IN_PYTHON = r'''
import ctypes, sys, types

def show(name, data):
    sys.stdout.write("%s %s\n" % (name, "".join("%02x" % b for b in bytearray(data))))

def memory(thing):
    return ctypes.string_at(id(thing), sys.getsizeof(thing))

def f(a, b=3, *c, **d):
    e = [x for x in (a, b, c)]
    try:
        return lambda: (e, d)
    finally:
        del c

codes = [f.__code__]
for code in codes:
    codes.extend(c for c in code.co_consts if isinstance(c, types.CodeType))
    table = getattr(code, "co_linetable", None)
    table = code.co_lnotab if table is None else table
    show("lines", table)
    show("code", memory(code)[:1024])
for text in ["plain", u"gr\xfc\xdfe", u"\u0416\u2028", u"\U0001f40d\x1b"]:
    show("text", memory(text))
for thing in [{}, {"a": 1, "b": {}}, dict.fromkeys(range(40)), {1: 2}, set([1, 2, 3]), (1, "x"),
              [1, 2], 2 ** 70, -5, 1.5, b"bytes", None, True, f, frozenset("ab")]:
    show("objects", memory(thing))
frame = sys._getframe()
show("frames", memory(frame))
'''

ABIS = ["2.7", "3.6", "3.10", "3.11", "3.13", "3.14", "3.14t"]  # Those of fuzz/Cargo.toml.


class Corpus:
    def __init__(self, folder):
        self.folder, self.count = folder, 0

    def put(self, target, data):
        folder = os.path.join(self.folder, target)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "seed-%d" % self.count), "wb") as out:
            out.write(data[:65536])
        self.count += 1


def of_interpreters(corpus, interpreters):
    for number, abi in enumerate(ABIS):
        found = glob.glob(os.path.join(interpreters, abi + "-static", "**", "bin", "python*"),
                          recursive=True)
        found = [path for path in found if os.path.basename(path) == "python" + abi]
        for python in sorted(found)[:1]:
            shown = subprocess.run([python, "-c", IN_PYTHON], stdout=subprocess.PIPE)
            for line in shown.stdout.decode().splitlines():
                target, data = line.split(" ", 1)
                of_object(corpus, number, target, bytes.fromhex(data.strip()))
            with open(python, "rb") as program:
                head = program.read(65536)
            corpus.put("elf", head)
            corpus.put("machine_code", struct.pack("<Q", 0x401000) + head[0x1000:0x1400])


def of_object(corpus, number, target, data):
    if target == "lines":
        corpus.put(target, struct.pack("<ii", 10, 12) + data)
        return
    # Each address leads into the input.
    corpus.put(target, bytes([number, 1]) + data)
    # One's own types, and pointers that lead to one another.
    words = [START + 64 + place * 8 for place in range(64)]
    corpus.put(target, bytes([number, 0]) + struct.pack("<64Q", *words) + data)


def of_this_process(corpus):
    for name in ["maps", "stat", "status", "schedstat", "syscall", "mounts"]:
        try:
            with open("/proc/self/" + name, "rb") as text:
                corpus.put("proc_texts", text.read(8192))
        except OSError:
            pass  # Kernels without it, and rights that are lacking.
    corpus.put("proc_texts", b"none [integrity] confidentiality\n")


def note(kind, content):
    padding = b"\0" * (-len(content) % 4)
    return struct.pack("<III8s", 5, len(content), kind, b"CORE\0\0\0\0") + content + padding


def core(machine):
    """A core file of two segments and two threads, which maps a file that is not there."""
    path, offset = b"/no/such/libpython3.11.so\0", 64 + 3 * 56
    status = bytearray(336)
    status[12:14], status[32:36] = struct.pack("<H", 11), struct.pack("<I", 42)
    info = struct.pack("<24xi12x16s80s", 42, b"python", b"python app.py").ljust(136, b"\0")
    mapped = struct.pack("<QQQQQ", 1, 4096, 0x400000, 0x410000, 0) + path
    auxiliary = struct.pack("<QQQQQQ", 3, 0x400040, 25, 0x7ffe0000, 0, 0)
    notes = b"".join([note(1, bytes(status)), note(3, info), note(6, auxiliary),
                      note(0x46494c45, mapped), note(1, bytes(status))])
    data = offset + len(notes)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 4, machine, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    headers = struct.pack("<IIQQQQQQ", 4, 0, offset, 0, 0, len(notes), 0, 1)
    headers += struct.pack("<IIQQQQQQ", 1, 5, data, 0x400000, 0, 256, 0x10000, 4096)
    headers += struct.pack("<IIQQQQQQ", 1, 6, data + 256, 0x7ffd0000, 0, 512, 0x20000, 4096)
    return header + headers + notes + bytes(range(256)) * 3


def main():
    folder, interpreters = sys.argv[1:]
    corpus = Corpus(folder)
    of_interpreters(corpus, interpreters)
    of_this_process(corpus)
    for machine in [62, 183]:
        corpus.put("core", core(machine))
    golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden")
    for path in sorted(glob.glob(os.path.join(golden, "*.pyflame"))):
        with open(path, "rb") as recording:
            corpus.put("recording", recording.read())
    # A process, a thread, texts, a frame, a stack, the run and its end.
    sections = [(1, b"\1\2\0\0"), (2, b"\1\0\7\0\0"), (4, b"\2\1a\1b"), (5, b"\1\0\1\6"),
                (6, b"\1\0\1"), (7, b"\1\5\1\0\2\x12"), (8, b"\1\1\1\1\1\0\0"), (9, b"\0")]
    content = b"".join(bytes([kind, len(body)]) + body for kind, body in sections)
    corpus.put("recording_content", b"\1" + content)
    corpus.put("folded", b"a.py:f:3;b.py:<g>:4 17\n(idle) 4\nx;y 1\n")
    corpus.put("writers", b"semi;colon 17\xffa\nb\xff</script>\xff]]>\xff\"\\\xff\x1b[31m\xff\xe2\x80\xae")
    for text in [b"3.11.7\0", b"2.7.18+ (default)", b"\0" + b"3.15.0rc1\0", b"3.14t", b"\xf0\x0b\x0b\3\0\0\0\0"]:
        corpus.put("versions", text)
    print("%d seeds" % corpus.count)


main()
