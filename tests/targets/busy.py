"""A program of known shape that keeps busy until its standard input closes.

The tests read this file: a line `# calls x, y` says which functions the line
calls, and a stack is possible only if every frame but the innermost stands on a
line that calls the next one. The outermost one is the module, or a function with
`# begins a stack`.

    python busy.py

At the end it tells how many seconds it spent below `often` and below `seldom`.
"""

import os
import select
import sys
import time


def leaf(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


def middle(n):
    total = leaf(n)  # calls leaf
    total += (lambda x: leaf(x))(n)  # calls <lambda>, leaf
    return total


def generated(n):
    for _ in range(2):
        yield middle(n)  # calls middle


class Worker(object):
    def often(self, n):
        total = sum(generated(n))  # calls generated
        return total + sorted([3, 1, 2], key=self.key)[0]  # calls key

    def seldom(self, n):
        return sum([leaf(x) for x in (n, n)])  # calls <listcomp>, leaf

    def key(self, x):
        return leaf(x * 100)  # calls leaf


def main():
    worker = Worker()
    spent = [0.0, 0.0]
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        begin = time.time()
        worker.often(4000)  # calls often
        between = time.time()
        worker.seldom(2500)  # calls seldom
        spent[0] += between - begin
        spent[1] += time.time() - between
    sys.stdout.write("spent %f %f\n" % tuple(spent))


main()  # calls main
