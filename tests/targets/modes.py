"""A target with a thread that is on a processor without the GIL, one that waits for a
lock, and a main thread that waits for its input. Prints the identity of the second."""

import hashlib
import os
import sys
import threading


def hashing():
    data = b"x" * (1 << 20)
    while True:
        hashlib.sha256(data).digest()


def sleeping(gate, here):
    here.set()
    gate.acquire()


def waiting():
    os.read(0, 1)


gate, here = threading.Lock(), threading.Event()
gate.acquire()
busy = threading.Thread(target=hashing, name="busy")
idle = threading.Thread(target=sleeping, args=(gate, here), name="idle, very")
for thread in (busy, idle):
    thread.daemon = True
    thread.start()
here.wait()
sys.stdout.write("ready %d\n" % idle.ident)
sys.stdout.flush()
waiting()
os._exit(0)
