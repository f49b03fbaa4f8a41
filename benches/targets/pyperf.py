"""Stands in for the module of this name, for the benchmarks of pyperformance: what they
give it to measure is repeated for ever (program.py)."""

import argparse

from program import forever
from pulse import clock as perf_counter


def python_has_jit():
    return False


class Runner(object):
    def __init__(self, **_):
        self.metadata = {}
        self.argparser = argparse.ArgumentParser()

    def parse_args(self):
        return self.argparser.parse_args()

    def bench_func(self, name, function, *arguments, **_):
        forever(name, lambda: function(*arguments))

    def bench_time_func(self, name, function, *arguments, **_):
        forever(name, lambda: function(1, *arguments))

    def bench_async_func(self, name, function, *arguments, **_):
        import asyncio
        loop = asyncio.new_event_loop()
        forever(name, lambda: loop.run_until_complete(function(*arguments)))
