"""Threads that wait in system calls which a stop can break off, each until the
standard input closes. At the end it tells how they returned.

    python blocked.py SHARED_LIBRARY

The main thread waits within C with the GIL held, so that the profiler takes it
for running. All others wait as Python does it.
"""

import ctypes
import os
import select
import sys
import threading
import time

released, held = ctypes.CDLL(sys.argv[1]), ctypes.PyDLL(sys.argv[1])
results = {}


def in_epoll():
    poll = select.epoll()
    poll.register(read_end, select.EPOLLIN)
    ready.release()
    return len(poll.poll())


def in_poll():
    poll = select.poll()
    poll.register(read_end, select.POLLIN)
    ready.release()
    return len(poll.poll())


def in_select():
    ready.release()
    return len(select.select([read_end], [], [])[0])


def in_read():
    ready.release()
    return len(os.read(read_end, 1)) + 1  # 0 bytes: the end


def in_lock():
    ready.release()
    gate.acquire()
    return 1


def in_c_epoll():
    """Without Python's own ways around an interrupted call."""
    ready.release()
    return released.wait_in_epoll(read_end)


def run(function):
    try:
        results[function.__name__] = function()
    except Exception as error:
        results[function.__name__] = repr(error)


read_end, write_end = os.pipe()
ready, gate = threading.Semaphore(0), threading.Lock()
gate.acquire()
functions = [in_epoll, in_poll, in_select, in_read, in_lock, in_c_epoll]
threads = [threading.Thread(target=run, args=(f,)) for f in functions]
for thread in threads:
    thread.start()
for _ in threads:
    ready.acquire()
time.sleep(0)
os.write(1, b"ready\n")
results["with_the_gil"] = held.wait_in_epoll(0)
os.close(write_end)
gate.release()
for thread in threads:
    thread.join()
for name in sorted(results):
    sys.stdout.write("%s %s\n" % (name, results[name]))
