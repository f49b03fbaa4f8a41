"""Syntax and modules of 3.4 that 2.7 has not."""

import gc
import sys

from truth import checkpoint, scenario

from .generators import numbers, stubborn


def delegated(source, depth):
    return (yield from (delegated(source, depth - 1) if depth else source))


@scenario("yield-from")
def yield_from():
    list(delegated(numbers(2), 8))
    generator = delegated(stubborn(), 3)
    next(generator)
    generator.throw(ValueError("on purpose"))
    generator.close()


@scenario("deep-generators")
def deep_generators():
    list(delegated(numbers(1), 150))


@scenario("chained-exceptions")
def chained_exceptions():
    try:
        try:
            {}["missing"]
        except KeyError as error:
            checkpoint()
            raise ValueError("on purpose") from error
        finally:
            checkpoint()
    except ValueError:
        checkpoint()


@scenario("keyword-only")
def keyword_only():
    def called(*, name: checkpoint() = 1) -> checkpoint():
        nonlocal count
        count += 1
        checkpoint()

    count = 0
    called(name=2)


def has_gil():
    return not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled()


@scenario("garbage-collector-callback", warm=False)
def garbage_collector_callback():
    """Collections at any allocation: in 3.11 also within a call that has not
    reached its first instruction."""

    def callback(phase, info):
        if phase == "start":
            gc.disable()
            checkpoint()

    def cells(a, b):
        c = [a]
        return lambda: (a, b, c)

    def generator(a):
        yield lambda: a

    gc.collect()
    gc.callbacks.append(callback)
    before = gc.get_threshold()
    try:
        for n in range(1, 8):
            gc.set_threshold(n)
            gc.enable()
            # Without the GIL a collection is due after some thousand objects only.
            kept = []
            for _ in range(1 if has_gil() else 200000):
                kept.append(cells(n, [n]))
                kept.append(list(generator([n])))
                if not gc.isenabled():
                    break
            gc.disable()
    finally:
        gc.callbacks.remove(callback)
        gc.set_threshold(*before)
        gc.enable()
