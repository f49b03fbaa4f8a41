"""A program that does something about signals, and says so.

    python commanded.py tidy SIGNAL...   cleans up at the first of them, and ends with 3
    python commanded.py deaf SIGNAL...   goes on whatever comes
    python commanded.py asks             asks at Ctrl-C whether it is to end
"""

import os
import signal
import sys
import time


def say(words):
    os.write(1, (words + "\n").encode())


def burn(seconds):
    end = time.time() + seconds
    while time.time() < end:
        sum(range(500))


def clean_up():
    burn(1)
    say("cleaned up")


def tidy(number, frame):
    say("got %d" % number)
    clean_up()
    say("last words")
    sys.exit(3)


def deaf(number, frame):
    say("got %d" % number)


def ask():
    sys.stdout.write("shut down? (y/n) ")
    sys.stdout.flush()
    return sys.stdin.readline().strip() == "y"


def asks():
    while True:
        try:
            burn(60)
        except KeyboardInterrupt:
            if ask():
                say("bye")
                sys.exit(4)
            say("going on")


def main():
    what, numbers = sys.argv[1], [int(word) for word in sys.argv[2:]]
    for number in numbers:
        signal.signal(number, {"tidy": tidy, "deaf": deaf}[what])
    say("ready %d" % os.getpid())
    if what == "asks":
        asks()
    while True:
        burn(60)


main()
