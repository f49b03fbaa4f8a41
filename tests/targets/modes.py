"""A target with a thread that is on a processor without the GIL, one that waits for a
lock, and a main thread that waits for its input. Prints the identity of the second."""

import os
import sys
import threading
import zlib


def packing():
    # hashlib keeps the GIL where it was built without OpenSSL, and with 2.7 the other threads
    # may starve then.
    data = b"x" * (1 << 20)
    while True:
        zlib.compress(data)


def sleeping(gate, here):
    here.set()
    gate.acquire()


def waiting():
    os.read(0, 1)


gate, here = threading.Lock(), threading.Event()
gate.acquire()
busy = threading.Thread(target=packing, name="busy")
idle = threading.Thread(target=sleeping, args=(gate, here), name="idle, very")
for thread in (busy, idle):
    thread.daemon = True
    thread.start()
here.wait()
sys.stdout.write("ready %d\n" % idle.ident)
sys.stdout.flush()
waiting()
os._exit(0)
