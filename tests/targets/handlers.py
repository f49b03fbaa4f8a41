"""Half of the work is done in an `except` block that calls nothing, in a function that has
called another before. What `# calls` means is said in busy.py.

    python handlers.py
"""

import os
import select


def fail(n):
    while n:
        n -= 1
    raise ValueError


def handle(n):
    try:
        fail(1000)  # calls fail
    except ValueError:
        while n:
            n -= 1


def plain(n):
    while n:
        n -= 1


def main():
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        handle(20000)  # calls handle
        plain(20000)  # calls plain


main()  # calls main
