# -*- coding: utf-8 -*-
"""A target with named threads, and variables of every type: it says what they are.

    thread IDENT NATIVE NAME      NATIVE is - before 3.8; NAME is - for one without
    frame FUNCTION
    variable KIND NAME VALUE      of the frame before
    ready

Names and values are UTF-8 in hexadecimal. A value is what `show` makes of it. Then it
waits for a line on standard input, says the same again with other names, and ends
when standard input is closed.
"""

import binascii
import os
import sys
import threading

try:
    import thread as _thread
except ImportError:
    import _thread

OLD = sys.version_info[0] == 2
TEXT = type(u"")
INTEGERS = (int, type(1 << 100))


def hexadecimal(text):
    if not isinstance(text, bytes):
        text = text.encode("utf-8", "strict" if OLD else "surrogatepass")
    return binascii.hexlify(text).decode("ascii") or "00"


def say(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def show_text(text):
    if OLD and isinstance(text, TEXT):
        shown = u"u'%s'" % text[:100]
    else:
        shown = repr(text[:100])
        shown = shown.decode("ascii") if OLD else shown
    if len(text) > 100:
        shown = u"%s\u2026%s (%d in all)" % (shown[:-1], shown[-1], len(text))
    return shown


def show_items(start, items, end, size):
    shown = list(items)[:5]
    if size > len(shown):
        shown.append(u"\u2026 %d more" % (size - len(shown)))
    return start + u", ".join(shown) + end


def show(value, depth=0):
    """What the profiler is to make of a value."""
    kind = type(value)
    deeper = depth < 2
    items = lambda: [show(item, depth + 1) for item in value] if deeper else []
    if kind in INTEGERS and abs(value) >> 1920:
        return u"<int of about 3030 bits>"
    if value is None or kind in (bool, float) or kind in INTEGERS:
        return u"%r" % (value,)
    if kind in (bytes, TEXT):
        return show_text(value)
    if kind is list:
        return show_items(u"[", items(), u"]", len(value))
    if kind is tuple:
        return show_items(u"(", items(), u",)" if len(value) == 1 else u")", len(value))
    if kind is dict:
        pairs = [u"%s: %s" % (show(k, depth + 1), show(value[k], depth + 1)) for k in value]
        return show_items(u"{", pairs if deeper else [], u"}", len(value))
    if kind in (set, frozenset):
        name = u"" if kind is set else u"frozenset"
        if not value:
            return name + (u"()" if kind is frozenset else u"set()")
        ends = (u"set" if kind is set else name) + u"([", u"])"
        if not OLD:
            ends = (u"{", u"}") if kind is set else (u"frozenset({", u"})")
        return show_items(ends[0], items(), ends[1], len(value))
    # A type that is written in C names its module too.
    module = kind.__module__ + "." if kind.__module__.endswith("thread") else ""
    return u"<%s%s at 0x%x>" % (module, kind.__name__, id(value))


class Thing(object):
    def __init__(self):
        self.first = 1
        self.second = "two"


def say_frames(frame):
    while frame is not None:
        code = frame.f_code
        if code.co_name != "<module>":
            say("frame", code.co_name)
            number = code.co_argcount + getattr(code, "co_kwonlyargcount", 0)
            number += bool(code.co_flags & 4) + bool(code.co_flags & 8)
            arguments = code.co_varnames[:number]
            for name, value in dict(frame.f_locals).items():
                kind = "argument" if name in arguments else "local"
                say("variable", kind, hexadecimal(name), hexadecimal(show(value)))
        frame = frame.f_back


def say_threads(names):
    for ident in sys._current_frames():
        say("thread", ident, *names.get(ident, ("-", "-")))


def stop():
    names = {}
    for known in threading.enumerate():
        native = getattr(known, "native_id", None) or "-"
        names[known.ident] = (native, hexadecimal(known.name))
    say_threads(names)
    say_frames(sys._getframe(1))
    say("ready")
    return os.read(0, 1)


def generate(step):
    reached = step
    yield stop()
    reached = step + reached


def innermost(own):
    captured = shared_by(own)
    return captured()


def shared_by(value):
    kept = [value]

    def inner(extra=3):
        seen = kept
        for result in generate(extra):
            return result, seen

    return inner


def with_arguments(first, second=2, *rest, **named):
    changed = first
    first = "changed"
    both = lambda: (first, changed)
    del second
    return innermost(7), both


def of_containers():
    empty_list, empty_tuple, empty_dict, empty_set = [], (), {}, set()
    numbers = list(range(20))
    nested = [[1, [2, [3]], []], (4,)]
    single, pair = (1,), ("a", 2.0)
    mapping = {"a": 1, "b": None}
    by_number = {1: "one", 2: "two"}
    many = dict((key, key * key) for key in range(50))
    holes = dict((key, key) for key in range(10))
    for key in range(0, 10, 2):
        del holes[key]
    attributes = vars(Thing())
    elements, frozen = set([1]), frozenset(["x"])
    removed = set(range(12))
    for key in range(9):
        removed.discard(key)
    itself = []
    itself.append(itself)
    result = with_arguments("given", "deleted", "more", 4, by="name")
    return (empty_list, empty_tuple, empty_dict, empty_set, numbers, nested, single, pair,
            mapping, by_number, many, attributes, elements, frozen, itself, result)


def of_scalars():
    nothing, yes, no = None, True, False
    zero, small, word, large, huge = 0, -5, 1 << 40, -(10 ** 40), 1 << 3000
    digit, two, three = (1 << 30) - 1, 1 << 30, 1 << 60
    real, tiny, big, endless, not_a_number = 1.5, 1e-7, 1e22, float("inf"), float("nan")
    plain, latin, wide = "plain", u"\u00e9t\u00e9", u"\u20ac"
    beyond = u"\U0001f600"
    quote, double, control = "it's", '"', b"a\nb\x00\\"
    high = b"\xff'"
    long_text, long_bytes = u"x" * 5000, b"y" * 101
    surrogate = "-" if OLD else "\udc80\ud800"
    thing, plain_object = Thing(), object()
    of_a_class, function = Thing, stop
    result = of_containers()
    return (nothing, yes, no, zero, small, word, large, huge, digit, two, three, real, tiny,
            big, endless, not_a_number, plain, latin, wide, beyond, quote, double, control,
            high, long_text, long_bytes, surrogate, thing, plain_object, of_a_class, function,
            result)


def hold(gate):
    gate.acquire()


def main():
    gate = threading.Lock()
    gate.acquire()
    named = threading.Thread(target=gate.acquire, name="pool-7")
    accented = threading.Thread(target=gate.acquire, name="w\u00f6rker" if not OLD else "worker")
    renamed = threading.Thread(target=gate.acquire)
    for known in (named, accented, renamed):
        known.daemon = True
        known.start()
    _thread.start_new_thread(hold, (gate,))
    renamed.name = "renamed; with 'signs'"
    while len(sys._current_frames()) < 5:
        pass
    of_scalars()
    renamed.name = "renamed again"
    stop()
    os._exit(0)


main()
