"""Threads that know how their time on the wall clock is shared.

    shares.py

One thread works without the GIL in `fills` and sleeps in `sleeps`, in turns of some
milliseconds; one works with the GIL in `spins` and sleeps in `naps`; one waits for a lock in
`rests`. The main thread waits for its input in `waits`. When that closes, it tells how many
seconds were spent in each of the first four, by name.
"""

import ctypes
import os
import random
import sys
import threading
import time

# Without the GIL, in every build.
memset = ctypes.CDLL(None).memset
data = ctypes.create_string_buffer(1 << 20)
spent = dict.fromkeys(["fills", "sleeps", "spins", "naps"], 0.0)
is_over = False


def fills(seconds):
    end = time.time() + seconds
    while time.time() < end:
        memset(data, 1, len(data))


def sleeps(seconds):
    time.sleep(seconds)


def spins(seconds):
    end = time.time() + seconds
    while time.time() < end:
        for _ in range(100):
            pass


def naps(seconds):
    time.sleep(seconds)


def alternates(functions):
    ready.release()
    while not is_over:
        for function in functions:
            begin = time.time()
            function(random.random() * 0.02)
            spent[function.__name__] += time.time() - begin


def rests():
    ready.release()
    gate.acquire()


def waits():
    os.read(0, 1)


ready, gate = threading.Semaphore(0), threading.Lock()
gate.acquire()
threads = [
    threading.Thread(target=alternates, args=((fills, sleeps),)),
    threading.Thread(target=alternates, args=((spins, naps),)),
    threading.Thread(target=rests),
]
for thread in threads:
    thread.start()
for thread in threads:
    ready.acquire()
os.write(1, b"ready\n")
waits()
is_over = True
gate.release()
for thread in threads:
    thread.join()
sys.stdout.write("spent %s\n" % " ".join("%s %f" % pair for pair in sorted(spent.items())))
