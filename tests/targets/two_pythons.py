"""A Python that loads another one at run time, and initialises it.

    two_pythons.py LIBRARY HOME

When both keep busy, the one in `in_first` and the other in `in_second`, it writes `ready`.
It ends when standard input closes.
"""

import ctypes
import os
import select
import sys
import threading

# With the other's own symbols before those that are there.
DEEPBIND = 8

CODE = b"""
import posix
def in_second():
    total = 0
    for i in range(1000):
        total += i * i
in_second()
posix.write(%d, b"x")
while True:
    in_second()
"""


def in_first():
    total = 0
    for i in range(1000):
        total += i * i % 7


def load():
    library = ctypes.CDLL(sys.argv[1], mode=DEEPBIND | ctypes.RTLD_LOCAL)
    library.Py_InitializeEx(0)
    library.PyRun_SimpleString(CODE % tell)


ready, tell = os.pipe()
os.environ["PYTHONHOME"] = sys.argv[2]
thread = threading.Thread(target=load)
thread.daemon = True
thread.start()
os.read(ready, 1)
os.write(1, b"ready\n")
while not select.select([0], [], [], 0)[0]:
    in_first()
os._exit(0)
