"""A program that spends its time in constructors. What `# calls` means is said in busy.py.

    python constructs.py
"""

import os
import select


def work(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


class Thing(object):
    def __init__(self, n):
        self.value = work(n)  # calls work


def main():
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        for _ in range(10):
            Thing(1000)  # calls __init__


main()  # calls main
