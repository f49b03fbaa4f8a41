"""A program whose first thread ends before the others, as that of a C program can whose
main calls pthread_exit: the process is a zombie then for who looks at its first thread only.

It writes `ready`, lets its first thread end when it reads a line, and then writes `gone`.
A second thread keeps busy in `before`, and then in `after` until standard input closes.
"""

import ctypes
import os
import select
import sys
import threading


def busy():
    total = 0
    for i in range(1000):
        total += i * i % 7
    return total


def is_gone():
    with open("/proc/%d/stat" % os.getpid()) as stat:
        return stat.read().rsplit(") ", 1)[1].startswith("Z")


def before():
    while not is_gone():
        busy()


def after():
    while not select.select([0], [], [], 0)[0]:
        busy()


def work():
    before()
    os.write(1, b"gone\n")
    after()
    os._exit(0)


threading.Thread(target=work, name="worker").start()
os.write(1, b"ready\n")
os.read(0, 1)
ctypes.CDLL(None).pthread_exit(None)
