"""Three threads that compute in C code without the GIL: the main thread in `first`, the others
in `second` and `third`. Says `ready`; goes on until standard input closes.
"""

import os
import select
import threading
import zlib

data = os.urandom(1 << 20) * 16


def first():
    while not select.select([0], [], [], 0)[0]:
        zlib.compress(data)


def second():
    while True:
        zlib.compress(data)


def third():
    while True:
        zlib.compress(data)


for function in (second, third):
    thread = threading.Thread(target=function)
    thread.daemon = True
    thread.start()
os.write(1, b"ready\n")
first()
os._exit(0)
