# -*- coding: utf-8 -*-
"""A program all of whose names make trouble: a `;`, line breaks, an escape sequence as of a
terminal's title, in one byte and in two, and the other direction of writing.

    python names.py
"""

import os
import sys
import threading
import time

EVIL = u"a;b\n\x1b]0;owned\x07\x9b31m\u202ec"
if sys.version_info[0] == 2:
    EVIL = EVIL.encode("utf-8")

SOURCE = """
def evil(end):
    x = 0
    while time.time() < end:
        x += 1
"""
scope = {"time": time}
exec(compile(SOURCE, EVIL + ".py", "exec"), scope)
evil = scope["evil"]
if sys.version_info >= (3, 8):
    evil.__code__ = evil.__code__.replace(co_name=EVIL)
threading.current_thread().name = EVIL


def main():
    os.write(1, b"ready\n")
    evil(time.time() + 3600)


main()
