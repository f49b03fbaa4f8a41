"""Proves that an interpreter is a usable one, then prints its version.

Run by report.py as `EXECUTABLE check.py a 'b c'`, on every version from 2.7 on.
"""
import os
import sys
import threading
import time


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)


def squares(n):
    for i in range(n):
        yield i * i


class Squares(object):
    def up_to(self, n):
        return [y for y in squares(n)]


def worker(k):
    time.sleep(0.02)
    results.append((k, fib(12), sum(Squares().up_to(100))))


# The language, threads and a fork.
results = []
threads = [threading.Thread(target=worker, args=(k,)) for k in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(results) == [(k, 144, 328350) for k in range(4)], results
assert deep(500) == 500
assert sys.argv[1:] == ['a', 'b c'], sys.argv
pid = os.fork()
if pid == 0:
    os._exit(7)
assert os.waitpid(pid, 0)[1] == 7 << 8

# The standard library and its extension modules.
import collections, datetime, json, math, random, re, signal, socket, struct, subprocess, tempfile, traceback
if sys.version_info[0] > 2:
    import asyncio, concurrent.futures, selectors
assert re.match(r'(\w+)\s(?P<n>\d+)', 'abc 12').group('n') == '12'

# The command line: tests start it by sys.executable too.
out = subprocess.check_output([sys.executable, '-c', 'import sys; print(sys.version_info[0])'])
assert int(out) == sys.version_info[0], out
print(sys.version.split()[0])
