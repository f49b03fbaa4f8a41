"""Two threads that sleep in different functions, and the main thread, which
waits until its standard input closes. Nobody holds the GIL."""

import os
import threading


def left(gate):
    ready.release(); gate.acquire()


def right(gate):
    ready.release(); gate.acquire()


def main():
    os.write(1, b"ready\n"); os.read(0, 1)


ready, gate = threading.Semaphore(0), threading.Semaphore(0)
threads = [threading.Thread(target=f, args=(gate,)) for f in (left, right)]
for thread in threads:
    thread.start()
for _ in threads:
    ready.acquire()
main()
for thread in threads:
    gate.release()
for thread in threads:
    thread.join()
