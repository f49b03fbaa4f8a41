"""Programs of the standard library, for shares of functions that nobody made for a profiler.

    python library.py NAME

repeats the program of that name until standard input closes. Each is the same work on the
same data every time, takes milliseconds, and runs unchanged under CPython 2.7 and 3.4 to
3.15. What is written in C today is used as it is written in Python beside that.
"""

import copy
import difflib
import io
import json.decoder
import json.encoder
import json.scanner
import logging
import os
import pickle
import select
import sys
import time
import tokenize


def source(module):
    """The text of a module."""
    path = module.__file__
    path = path[:-1] if path.endswith(("pyc", "pyo")) else path
    with io.open(path, encoding="utf-8") as file:
        return file.read()


def sample_data():
    """Values of many types, nested."""
    return [{u"name %d" % n: [n, n * 1.5, None, (n, u"text", n % 2 == 0)], u"more": {u"n": [n] * 5}} for n in range(40)]


def run_tokenize():
    text = source(tokenize)

    def unit():
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    return unit


def run_decimal():
    sys.modules["_decimal"] = None
    try:
        import _pydecimal as module
    except ImportError:
        import decimal as module  # 2.7 and 3.4: it is written in Python, or falls back to that
    module.getcontext().prec = 40

    def unit():
        total = module.Decimal(0)
        for n in range(1, 25):
            number = module.Decimal(n)
            total += number.sqrt() * (number / 7) - number.quantize(module.Decimal("0.01"))
            if total > 1000:
                total = total % 10
        return str(total)
    return unit


def run_difflib():
    old = source(tokenize).splitlines(True)[:300]
    new = [line.replace(u"e", u"a") if n % 9 == 0 else line for n, line in enumerate(old) if n % 13]

    def unit():
        for _ in difflib.unified_diff(old, new):
            pass
        for _ in difflib.ndiff(old[50:90], new[50:80]):
            pass
    return unit


def run_pickle():
    data = sample_data()
    pickler = getattr(pickle, "_Pickler", pickle.Pickler)
    unpickler = getattr(pickle, "_Unpickler", pickle.Unpickler)

    def unit():
        file = io.BytesIO()
        pickler(file, 2).dump(data)
        return unpickler(io.BytesIO(file.getvalue())).load()
    return unit


def run_json():
    data = sample_data()
    json.encoder.c_make_encoder = None
    encoder = json.encoder.JSONEncoder(sort_keys=True)
    decoder = json.decoder.JSONDecoder()
    decoder.parse_string = json.decoder.py_scanstring
    decoder.scan_once = json.scanner.py_make_scanner(decoder)

    def unit():
        return decoder.decode(encoder.encode(data))
    return unit


def run_logging():
    handler = logging.StreamHandler(io.open(os.devnull, "w"))
    handler.setFormatter(logging.Formatter(u"%(asctime)s %(levelname)s %(name)s %(funcName)s: %(message)s"))
    logger = logging.getLogger("some.part.of.it")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)

    def unit():
        for n in range(100):
            logger.debug(u"not shown %d", n)
            logger.info(u"%d of %s", n, u"those")
            logger.warning(u"only %r", n)
    return unit


def run_comprehensions():
    rows = [(n, n * 7919 % 101, [n % 5, n % 7, n % 11]) for n in range(300)]

    def unit():
        found = [(a, [c * 2 for c in cs if c]) for a, b, cs in rows if b % 3]
        by_rest = {b: sum(c for c in cs) for a, b, cs in rows}
        kinds = {tuple(sorted(x + 1 for x in cs)) for _, cs in found}
        return max(by_rest.values()), len(kinds)
    return unit


def run_copy():
    data = sample_data()

    def unit():
        return copy.deepcopy(data)
    return unit


PROGRAMS = {
    "tokenize": run_tokenize, "decimal": run_decimal, "difflib": run_difflib, "pickle": run_pickle, "json": run_json,
    "logging": run_logging, "comprehensions": run_comprehensions, "copy": run_copy,
}


def main():
    unit = PROGRAMS[sys.argv[1]]()
    unit()
    begin = time.time()
    unit()
    # A look at standard input is a system call, at whose return the profiler's stops arrive.
    often = max(1, int(0.05 / max(1e-6, time.time() - begin)))
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        for _ in range(often):
            unit()


if __name__ == "__main__":
    main()
