"""Austin's binary output, MOJO version 3, as a profile.

Events are a byte and its operands; integers have 6 bits and a sign in the first
byte and 7 in each further one, low bits first, the top bit saying that there is
more; texts end with a zero byte. The format is described in Austin's documentation,
"The MOJO file format".
"""

import re

from .parse import BadOutput, Profile, frame

METADATA, STACK, FRAME, FRAME_INVALID, FRAME_REF, FRAME_KERNEL = 1, 2, 3, 4, 5, 6
GC, IDLE, TIME, MEMORY, STRING, STRING_REF = 7, 8, 9, 10, 11, 12

# A run of references to frames: nearly all of a file. The same few runs come back
# again and again, so each is decoded once.
REFERENCES = re.compile(rb"(?:\x05[\x80-\xff]*[\x00-\x7f])+")
REFERENCE = re.compile(rb"\x05([\x80-\xff]*[\x00-\x7f])")
MAGIC = b"MOJ"
VERSION = 3  # written by Austin 4.0


class Mojo:
    """A reader of one file."""

    def __init__(self, data):
        if not data.startswith(MAGIC):
            raise BadOutput("not a MOJO file: %r" % data[:8])
        self.data = data
        self.at = len(MAGIC)
        self.strings = {}
        self.frames = {}
        self.runs = {}
        self.profile = Profile()
        self.weights = Profile().stacks
        self.stack = None  # frames of the sample that is being read
        self.broken = False  # whether it has an invalid frame
        self.time = 0
        version = self.number()
        if version != VERSION:
            raise BadOutput("MOJO version %d; this reads %d" % (version, VERSION))

    def number(self):
        byte = self.data[self.at]
        self.at += 1
        value, shift, negative = byte & 0x3F, 6, byte & 0x40
        while byte & 0x80:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
        return -value if negative else value

    def text(self):
        end = self.data.index(b"\0", self.at)
        value = self.data[self.at:end].decode("utf-8", "replace")
        self.at = end + 1
        return value

    def read(self):
        """Reads all events. A file cut short in the middle of one ends there."""
        try:
            while self.at < len(self.data):
                self.event()
        except (IndexError, ValueError):
            self.profile.told["cut"] = 1
        self.finish()
        self.profile.weights = self.weights
        return self.profile

    def event(self):
        kind = self.data[self.at]
        if kind == FRAME_REF:
            return self.references()
        self.at += 1
        if kind == METADATA:
            self.text(), self.text()
        elif kind == STACK:
            self.finish()
            self.number(), self.number(), self.text()
            self.stack, self.broken, self.time = [], False, 0
        elif kind == FRAME:
            key, file, name = self.number(), self.number(), self.number()
            line = self.number()
            self.number(), self.number(), self.number()
            self.describe(key, self.strings.get(file, "?"), self.strings.get(name, "?"), line)
        elif kind == FRAME_INVALID:
            self.broken = True
        elif kind == FRAME_KERNEL:
            self.text()
        elif kind in (GC, IDLE):
            pass
        elif kind == TIME:
            self.time = self.number()
        elif kind == MEMORY:
            self.number()
        elif kind == STRING:
            key = self.number()
            self.strings[key] = self.text()
        elif kind == STRING_REF:
            self.number()
        else:
            raise BadOutput("event %d at %d" % (kind, self.at - 1))

    def describe(self, key, file, name, line):
        """A frame of that key from here on. Keys are used anew for other frames."""
        described = frame(file, name, line)
        if self.frames.get(key, described) != described:
            self.runs.clear()
        self.frames[key] = described

    def references(self):
        """A run of frames of the present stack."""
        match = REFERENCES.match(self.data, self.at)
        if match is None or self.stack is None:
            raise BadOutput("a frame outside a stack at %d" % self.at)
        self.at = match.end()
        run = match[0]
        if run not in self.runs:
            self.runs[run] = self.decode_run(run)
        self.stack.extend(self.runs[run])

    def decode_run(self, run):
        reader = Mojo.__new__(Mojo)
        frames = []
        for match in REFERENCE.finditer(run):
            reader.data, reader.at = match[1], 0
            key = reader.number()
            if key not in self.frames:
                raise BadOutput("a frame that was never described")
            frames.append(self.frames[key])
        return frames

    def finish(self):
        """Counts the sample that was read."""
        if self.stack is None:
            return
        if self.broken or not self.stack:
            self.profile.refused += 1
        else:
            key = tuple(self.stack)
            self.profile.stacks[key] += 1
            self.weights[key] += self.time
        self.stack = None


def parse_austin(data):
    """The profile in the bytes of a MOJO file."""
    return Mojo(data).read()
