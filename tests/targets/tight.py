"""Short functions that are called again and again from one place: most looks at such a
call come too early or too late. What `# calls` means is said in busy.py.

    python tight.py
"""

import os
import select


def tiny(n):
    return (n * 3 + 7) % 11 + (n * 5 + 1) % 13


def brief(n):
    while n:
        n -= 1


def call_tiny():
    n = 1500
    while n:
        n -= 1
        tiny(n)  # calls tiny


def call_brief():
    n = 250
    while n:
        n -= 1
        brief(50)  # calls brief


def main():
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        call_tiny()  # calls call_tiny
        call_brief()  # calls call_brief


main()  # calls main
