"""A program of short calls, which makes it likely that a profiler reads a stack
while it changes. What `# calls` means is said in busy.py.

    python hectic.py
"""

import os
import select


def left_leaf():
    return 1


def right_leaf():
    return 2


def left():
    return left_leaf()  # calls left_leaf


def right():
    return right_leaf()  # calls right_leaf


def both():
    n = left()  # calls left
    n += right()  # calls right
    return n


def down(n):
    if n:
        return down(n - 1)  # calls down
    return both()  # calls both


def numbers(n):
    for _ in range(n):
        yield left()  # calls left


def consume():
    n = sum(numbers(3))  # calls numbers
    for x in numbers(2):  # calls numbers
        n += x
    return n


def fails():
    raise ValueError


def catches():
    try:
        fails()  # calls fails
    except ValueError:
        return right()  # calls right


class Thing(object):
    def __init__(self):
        self.value = left()  # calls left

    def __lt__(self, other):
        return right() < self.value  # calls right

    @property
    def twice(self):
        return both()  # calls both


def things():
    sorted([Thing(),  # calls __init__, __lt__
            Thing()])  # calls __init__, __lt__
    return Thing().twice  # calls __init__, twice


def churn(n):
    """Code objects that live for one call, so that others take their places."""
    source = "\n" * n + "def f%d():\n    return left()\nf%d()\n" % (n, n)
    code = compile(source, "<churn %d>" % n, "exec")
    exec(code, {"left": left})  # calls <module>


def main():
    os.write(1, b"ready\n")
    n = 0
    while n % 64 or not select.select([0], [], [], 0)[0]:
        n += 1
        down(n % 17)  # calls down
        consume()  # calls consume
        catches()  # calls catches
        things()  # calls things
        if n % 4 == 0:
            churn(n % 50)  # calls churn


main()  # calls main
